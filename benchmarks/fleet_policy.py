"""A policy's decision through the rule: what each grant costs before anything is proven.

Everything a grant asks is asked: the contract and its newest version are read from the state,
its expiry and the recording's freshness looked at, the price worked out, the policy asked.
Policies stay parsed, as in a chain at work. Members come from a few fleets with a few levels:
that is all that a policy sees of them, so what the engine has parsed of them stays too;
`policy_decision_fresh_us` is for one that was never seen, and `policy_decision_bare_us` what the
library takes for the same request over the same policy and entities, all of it parsed before.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from itertools import count, cycle

import cedarpy

from benchmarks.measure import mid, seconds_of, take_turns
from ledger.chain.context import Context
from ledger.chain.policy import Member, Recording, Use
from ledger.chain.rules.allowed_use import allowed_version, as_recording
from ledger.chain.state_keys import contract_key, contract_version_key, fleet_key
from ledger.chain.working_state import WorkingState
from ledger.schema.chain_identity_pb2 import FleetRecord
from ledger.schema.chain_pb2 import Parameters
from ledger.schema.chain_sharing_pb2 import (
    ContractRecord,
    ContractVersion,
    OfferRecord,
    QualityBound,
    Terms,
)

FLEET, CONTRACT = bytes(32), bytes(31) + b"\1"
DECISIONS = 1_000
ROUNDS = 9
POLICY = """\
permit (principal, action == Action::"use", resource)
when {
  principal.proven_min_level >= 3 &&
  resource.kind == "episode" &&
  resource has reward_task_min && resource.reward_task_min >= 800 &&
  ["training", "evaluation"].contains(context.purpose)
};
forbid (principal, action, resource) when { context.age_s > 259200 };
"""
SECOND = 10**9
NOW_NS = 1_800_000_000 * SECOND


def measure() -> dict[str, float]:
    """Microseconds a decision, of the middle one of some rounds."""
    state = WorkingState(lambda _: None)
    state.write(fleet_key(FLEET), FleetRecord(name="sellers"))
    state.write(contract_key(CONTRACT), ContractRecord(fleet=FLEET, name="drives", version=1))
    terms = Terms(chunk_price=10, uses=3, grant_lifetime=100, max_age_ns=86_400 * SECOND)
    state.write(
        contract_version_key(CONTRACT, 1), ContractVersion(policy=POLICY, terms=terms, height=1)
    )
    state.keep()
    context = Context(bytes(32), Parameters(), 2, NOW_NS, state)
    known = cycle([Member(f"fleet {n % 8}", 3 + n % 4) for n in range(32)])
    fresh = (Member("buyers", level) for level in count(3))
    offers = [_offer(number) for number in range(16)]
    bare = _bare(as_recording(offers[0], "sellers"))

    def decide(members: Iterator[Member]) -> None:
        for number in range(DECISIONS):
            allowed_version(context, offers[number % len(offers)], next(members), "training")

    def one_round(_: int) -> dict[str, float]:
        return {
            "policy_decision_us": seconds_of(lambda: decide(known)),
            "policy_decision_bare_us": seconds_of(bare),
            "policy_decision_fresh_us": seconds_of(lambda: decide(fresh)),
        }

    one_round(0)
    taken = take_turns(ROUNDS, one_round)
    return {name: mid(seconds) / DECISIONS * 1e6 for name, seconds in taken.items()}


def _bare(recording: Recording) -> Callable[[], None]:
    """The same decisions, with nothing of ours."""
    member = Member("fleet 1", 4)
    policies = cedarpy.PolicySet.from_str(POLICY)
    entities = cedarpy.Entities.from_json_str(
        json.dumps(
            [
                {"uid": {"type": kind, "id": ""}, "attrs": each.attributes(), "parents": []}
                for kind, each in (("Member", member), ("Recording", recording))
            ]
        )
    )
    request = {
        "principal": {"type": "Member", "id": ""},
        "action": {"type": "Action", "id": "use"},
        "resource": {"type": "Recording", "id": ""},
        "context": Use("training", NOW_NS // SECOND, 2_000).context(recording),
    }
    if not cedarpy.is_authorized(request, policies, entities).allowed:
        raise ValueError("the policy does not allow what it is measured with")

    def decide() -> None:
        for _ in range(DECISIONS):
            cedarpy.is_authorized(request, policies, entities)

    return decide


def _offer(number: int) -> OfferRecord:
    bound = QualityBound(kind=1, source=2, low=900_000, high=2**32, scale=10**6)
    return OfferRecord(
        contract=CONTRACT,
        version=1,
        origin=f"example.com/husky-{number}",
        kind="episode",
        media_type="application/mcap",
        content_size=50 << 20,
        tags=["format=rosbag2", "kind=episode", "task=door", f"segment={number}"],
        topics=["/camera", "/imu", "/joint_states", "/tf"],
        start_ns=NOW_NS - 7_200 * SECOND,
        end_ns=NOW_NS - 3_600 * SECOND,
        qualities=[bound],
    )
