"""The refused rows of the sharing matrix, through the nodes as they run on robots.

One set of them serves all: two fleets' storefront, gateway and exchange node, and their chain.
Each refusal stands next to the same request in the form that is granted, so that what differs
is the reason for it. What the nodes logged on the way is searched for secrets.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from ledger.chain.codes import ResultCode
from ledger.chain.notices import Held, notices
from ledger.credentials.member_file import MemberFile
from ledger.experience.erasure import erase
from ledger.market.acquisition import Acquisition
from ledger.market.acquisition_states import Abandoned, Closed, Streaming
from ledger.market.delivery import kept_deed
from ledger.market.erasing import erase_bought, is_erased
from ledger.schema.chain_consent_pb2 import WithdrawConsent
from ledger.schema.chain_grant_pb2 import SetRevocationEpoch
from ledger.schema.chain_sharing_pb2 import WithdrawContract, WithdrawOffer
from tests.fleet.secret_search import found, harvest
from tests.fleet.sharing_chain import FEE
from tests.fleet.sharing_market import Offered, Robot
from tests.fleet.test_sharing_consent import consented
from tests.fleet.test_sharing_secrets import (
    leak_base64,
    leak_bytes,
    leak_hex,
    leak_number,
    leak_url,
    of_content,
    of_member,
)
from tests.ros.exchange_world import GATEWAY, Acquiring, ExchangeWorld
from tests.ros.graph import Graph, eventually
from tests.ros.ros_process import Ros, Running

BOUGHT, REFUSED, SELLER_FAILED = 2, 4, 6
FUND = "quipu_interfaces/srv/FundGrant"
HOUR_NS = 3_600 * 10**9
LIFETIME = 60
"""Blocks that a grant is good for, of those that are to be over."""
AGES_NS = 50 * 365 * 24 * HOUR_NS
CHEAT = "sellers.example/magpie"


@dataclass
class Nodes:
    """The nodes, a peer that asks the buyer's, and what was said by and of them."""

    world: ExchangeWorld
    graph: Graph
    member: Path
    """The credential that the robot shows, of robot 1 unless another's is there."""
    clinic: Robot
    magpie: Robot
    running: dict[str, Running]
    logs: Path
    secrets: dict[str, bytes] = field(default_factory=dict)
    results: list[str] = field(default_factory=list)

    def ask(self, offered: Offered, **goal: Any) -> dict[str, Any]:
        """What comes of a goal, however often the same was bought."""
        acquiring = Acquiring(self.graph, "r1", offered, **{"again": True, **goal})
        result = acquiring.result()
        self.results.append(f"{result} {acquiring.feedback}")
        self.secrets.update(harvest(self.world.root))
        return result

    def grants(self, offered: Offered, **goal: Any) -> dict[str, Any]:
        """A goal that is carried out; its seller has the money, and its key nothing to sign."""
        result = self.ask(offered, **goal)
        assert result["outcome"] == BOUGHT, result
        folder = Path(result["folder"])
        assert self.world.content_of(folder)
        state = Acquisition.look(folder)[1]
        assert isinstance(state, Closed)
        eventually(lambda: self.world.channel(state.channel) is None)
        return result

    def refuses(self, code: ResultCode, offered: Offered, **goal: Any) -> None:
        """A goal that is refused with the chain's own code, and costs nobody anything."""
        pool = self.world.pool
        result = self.ask(offered, **goal)
        assert (result["outcome"], ResultCode(result["result_code"])) == (REFUSED, code), result
        assert result["error_msg"].startswith("no grant: ")
        assert (result["paid"], result["grant"]) == (0, b"".hex())
        assert self.world.pool == pool

    @contextmanager
    def showing(self, other: MemberFile) -> Iterator[None]:
        """Another member's credential in the place of the robot's, with no use taken."""
        uses = self.member.with_name(f"{self.member.name}.uses")
        kept = self.member.read_bytes(), uses.read_bytes()
        self.member.write_bytes(other.path.read_bytes())
        uses.unlink()
        try:
            yield
        finally:
            self.member.write_bytes(kept[0])
            uses.write_bytes(kept[1])

    def new_gaps(self) -> None:
        """The newest revocation gaps, beside the credential."""
        MemberFile(self.member).gaps.write_bytes(self.world.issuer.gaps())


@pytest.fixture(scope="module")
def nodes(ros: Ros, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nodes]:
    root = tmp_path_factory.mktemp("refusals")
    with pytest.MonkeyPatch.context() as patch, ExitStack() as held:
        patch.setenv("QUIPU_PUBLISHED", str(root / "published"))
        patch.setenv("XDG_STATE_HOME", str(root / "state"))
        patch.setenv("ROS_LOG_DIR", str(root / "ros-logs"))
        world = ExchangeWorld(root / "world", held, ros)
        clinic = world.robot("sellers.example/clinic", seed=3, seconds=4.0)
        magpie = world.robot(CHEAT, seed=2)
        member = world.enrolled(1)
        running = {
            "storefront": held.enter_context(
                world.storefront(world.husky, clinic, magpie, spoils=CHEAT)
            ),
            # More purchases than it has participants for: it is to let go of those that are over.
            "gateway": held.enter_context(world.gateway(**{"market.idle_s": 1.0})),
            "exchange": held.enter_context(world.buyer("r1", member)),
        }
        graph = held.enter_context(Graph(ros))
        logs = root / "ros-logs"
        graph.listen("/diagnostics", "diagnostic_msgs/msg/DiagnosticArray", latched=False)
        made = Nodes(world, graph, member, clinic, magpie, running, logs)
        made.grants(world.offered())
        yield made


def test_an_expired_credential(nodes: Nodes) -> None:
    world, now = nodes.world, int(time.time())
    offered = world.offered()
    expired = world.member(1, expiry_s=now - 60, path=nodes.member)
    nodes.refuses(ResultCode.TIME_REFUSED, offered)
    renewed = world.member(1, path=nodes.member)
    assert renewed.nym == expired.nym
    nodes.grants(offered)


def test_a_revoked_member(nodes: Nodes) -> None:
    world, issuer = nodes.world, nodes.world.issuer
    offered = world.offered(uses=9)
    with nodes.showing(world.member_file(31)):
        nodes.grants(offered)
        revoked = issuer.revoke([31])
        epoch = SetRevocationEpoch(fleet=world.buyers, epoch=revoked.epoch)
        world.must(world.authority, epoch)
        # Neither by the gaps of before, in which it has a place, nor by those of now.
        nodes.refuses(ResultCode.REVOCATION_EPOCH, offered)
        nodes.new_gaps()
        nodes.refuses(ResultCode.REVOCATION_EPOCH, offered)
    nodes.grants(offered)


def test_another_purpose(nodes: Nodes) -> None:
    offered = nodes.world.offered()
    nodes.refuses(ResultCode.POLICY_DENIES, offered, purpose="advertising")
    # Where all that is to be proven is said, it is the chain that refuses.
    proven = {"min_level": 3, "role": "courier"}
    nodes.refuses(ResultCode.POLICY_DENIES, offered, purpose="advertising", **proven)
    nodes.grants(offered, purpose="evaluation", **proven)


def test_stale_data(nodes: Nodes) -> None:
    nodes.refuses(ResultCode.STALE, nodes.world.offered(max_age_ns=HOUR_NS))
    nodes.grants(nodes.world.offered(max_age_ns=AGES_NS))


def test_over_the_uses(nodes: Nodes) -> None:
    offered = nodes.world.offered(uses=1)
    nodes.grants(offered)
    nodes.refuses(ResultCode.OVER_USES, offered)
    # A robot that forgot what it used is told by the chain, which does not know who asks.
    Path(f"{nodes.member}.uses").unlink()
    nodes.refuses(ResultCode.OVER_USES, offered)
    with nodes.showing(nodes.world.member_file(51)):
        nodes.grants(offered)


def test_a_withdrawn_contract_and_a_withdrawn_offer(nodes: Nodes) -> None:
    world = nodes.world
    over, gone = world.offered(uses=9), world.offered(uses=9)
    for offered in (over, gone):
        nodes.grants(offered)
    world.must(world.seller, WithdrawContract(contract=over.contract))
    world.must(world.seller, WithdrawOffer(offer=gone.offer))
    nodes.refuses(ResultCode.CONTRACT_OVER, over)
    nodes.refuses(ResultCode.OFFER_STATE, gone)


class GatewaysFunding:
    """Money of the pool, asked of the gateway's node."""

    def __init__(self, nodes: Nodes) -> None:
        self._graph = nodes.graph

    def fund(self, grant: bytes, account: bytes, asset: int, amount: int) -> None:
        asked = {"grant": grant.hex(), "account": account.hex(), "asset": asset, "amount": amount}
        answer = self._graph.call(f"{GATEWAY}/fund_grant", FUND, **asked)
        assert not answer["error_code"], answer


def test_withdrawn_consent(nodes: Nodes) -> None:
    world, robot = nodes.world, nodes.clinic
    consent = consented(world, robot)
    offered = world.offered(robot, uses=9)
    bought = Path(nodes.grants(offered)["folder"])
    state = Acquisition.look(bought)[1]
    assert isinstance(state, Closed)
    held = [Held(state.grant.grant, offered.offer)]
    assert not list(notices(world, held))

    world.must(world.authority, WithdrawConsent(consent=consent))
    erase(robot.home.experiences, [robot.recorded.record_id], "consent was withdrawn")
    nodes.refuses(ResultCode.CONSENT_WITHDRAWN, offered)
    # The notice is for the grant that the node bought under; what it has is erased, the
    # gateway pays the fee of the receipt, and the chain has it.
    (notice,) = notices(world, held)
    assert notice.is_due
    assert not is_erased(bought)
    with Acquisition.open(bought) as acquisition:
        tools = world.tools(MemberFile(nodes.member), funding=GatewaysFunding(nodes))
        assert erase_bought(acquisition, tools).is_confirmed
    assert is_erased(bought)
    (notice,) = notices(world, held)
    assert not notice.is_due
    # Another's recording is had as before.
    nodes.grants(world.offered())


def test_a_seller_that_streams_a_wrong_chunk(nodes: Nodes) -> None:
    world = nodes.world
    spoilt, honest = world.offered(nodes.magpie, grant_lifetime=LIFETIME), world.offered()
    result = nodes.ask(spoilt)
    assert result["outcome"] == SELLER_FAILED, result
    state = Acquisition.look(Path(result["folder"]))[1]
    assert isinstance(state, Streaming)
    price = state.grant.price_of
    # One chunk is here, the next was paid for and is none; and that is all that is lost,
    # however often it is tried.
    assert result["paid"] == price(2) < state.grant.price
    again = nodes.ask(spoilt, again=False)
    for key in ("outcome", "folder", "paid"):
        assert again[key] == result[key]
    assert not (Path(result["folder"]) / "files").exists()
    nodes.grants(honest)

    # Once the grant is over the node gives it up by itself, and the rest comes back.
    world.pass_blocks(LIFETIME)
    before = world.pool

    def is_over() -> bool:
        # It looks now and then, and after each goal.
        assert nodes.ask(honest, purpose="advertising")["outcome"] == REFUSED
        return isinstance(Acquisition.look(Path(result["folder"]))[1], Abandoned)

    eventually(is_over)
    end = Acquisition.look(Path(result["folder"]))[1]
    assert isinstance(end, Abandoned)
    assert price(2) < end.spent <= price(2) + 5 * FEE
    assert world.pool == before + state.funded - end.spent
    said = f"given up, it cost {end.spent}, {state.funded - end.spent} came back"
    eventually(lambda: said in nodes.running["exchange"].output)


# Nothing secret


@pytest.fixture(scope="module")
def said(nodes: Nodes) -> dict[str, bytes]:
    """All that the nodes logged and answered, with a purchase and a refusal in it."""
    world = nodes.world
    offered = world.offered()
    folder = Path(nodes.grants(offered)["folder"])
    nodes.refuses(ResultCode.POLICY_DENIES, offered, purpose="advertising")
    nodes.secrets |= of_member(MemberFile(nodes.member).credential()) | of_content(world)
    for number, opening in enumerate(kept_deed(folder).openings):
        nodes.secrets[f"opening {number}"] = opening.blinding
    places = {name: node.output.encode() for name, node in nodes.running.items()}
    for path in nodes.logs.rglob("*"):
        if path.is_file():
            places[path.name] = path.read_bytes()
    heard = nodes.graph.heard("/diagnostics")
    places["diagnostics"] = "\n".join(map(str, heard)).encode()
    return places | {"results": "\n".join(nodes.results).encode()}


def test_no_secret_is_in_what_the_nodes_say(nodes: Nodes, said: dict[str, bytes]) -> None:
    for kind in ("credential", "nym", "opening", "blinding", "content", ".sale", ".payer"):
        assert any(kind in name for name in nodes.secrets), kind
    one_time = [name for name in nodes.secrets if name.endswith("wallet/key")]
    assert any(name.startswith("purchases/") for name in one_time)
    assert b"sells for" in said["storefront"]
    assert b"no grant" in said["results"]
    assert b": gateway" in said["diagnostics"]
    assert sum(name.endswith(".log") for name in said) >= len(nodes.running)
    assert found(nodes.secrets, said) == []


@pytest.mark.parametrize("leak", [leak_hex, leak_base64, leak_url, leak_bytes, leak_number])
def test_a_secret_that_a_node_logged_would_be_found(
    nodes: Nodes, said: dict[str, bytes], leak: Callable[[bytes], str]
) -> None:
    before, after = said["exchange"], said["gateway"]
    for name, secret in nodes.secrets.items():
        log = before + f"[INFO] [quipu]: {leak(secret)}\n".encode() + after
        assert found({name: secret}, {"exchange": log}) == [f"{name} in exchange"]


def test_the_nodes_outlive_all_of_it(nodes: Nodes) -> None:
    assert [each.process.poll() for each in nodes.running.values()] == [None] * 3
    nodes.grants(nodes.world.offered())
