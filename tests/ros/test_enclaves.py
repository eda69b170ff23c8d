"""docs/enclaves.policy.xml lets the nodes do what they do, and the operator what he may.

What the nodes offer is held to the running robot by `tests.ros.test_memory_node`; here
the policy is held to that table, without starting anything.
"""

from __future__ import annotations

from collections.abc import Iterator
from fnmatch import fnmatchcase
from xml.etree import ElementTree

import pytest

from tests.ros.ros_process import ROOT
from tests.ros.test_memory_node import LIFECYCLE_SERVICES, OFFERED, PARAMETER_SERVICES

# A file of our own; no stranger's XML is parsed.
POLICY = ElementTree.parse(ROOT / "docs/enclaves.policy.xml").getroot()  # noqa: S314
ACTION_PARTS = ("send_goal", "cancel_goal", "get_result")


def expressions(enclave: str, kind: str, right: str, node: str = "*") -> Iterator[str]:
    """Names that ``enclave`` may use so, ``~`` written out for the profiles of ``node``."""
    for profile in POLICY.iterfind(f"enclaves/enclave[@path='{enclave}']/profiles/profile"):
        if not fnmatchcase(node, profile.get("node", "")):
            continue
        for rule in profile.iterfind(f"{kind}s[@{right}='ALLOW']"):
            for item in rule.iterfind(kind):
                text = item.text or ""
                yield text.replace("~", f"{profile.get('ns')}/{node}", 1)


def allowed(enclave: str, kind: str, right: str, name: str, node: str = "*") -> bool:
    found = expressions(enclave, kind, right, node)
    return any(fnmatchcase(name, each) for each in found)


def services(node: str) -> set[str]:
    names = {*OFFERED[node], *PARAMETER_SERVICES, *LIFECYCLE_SERVICES}
    return {name for name in names if "/_action/" not in name}


@pytest.mark.parametrize("node", sorted(OFFERED))
def test_a_robot_may_answer_what_it_offers_and_nothing_else(node: str) -> None:
    replies = set(expressions("/r1", "service", "reply", node))
    assert replies == {f"/r1/{node}/{name}" for name in services(node)}
    actions = {name.partition("/_action/")[0] for name in OFFERED[node] if "/_action/" in name}
    executes = set(expressions("/r1", "action", "execute", node))
    assert executes == {f"/r1/{node}/{name}" for name in actions}


def test_a_robot_speaks_for_itself_alone() -> None:
    for node in OFFERED:
        for kind, right in (("service", "reply"), ("action", "execute")):
            for name in expressions("/r1", kind, right, node):
                assert name.startswith("/r1/")
        for name in expressions("/r1", "topic", "publish", node):
            assert name.startswith(("/r1/", "/quipu/")) or name in {
                "/diagnostics",
                "/parameter_events",
                "/rosout",
            }
    assert allowed("/r1", "topic", "publish", "/quipu/checkpoints", "memory")
    for topic in ("checkpoints", "cosignatures", "alarms"):
        assert allowed("/r1", "topic", "subscribe", f"/quipu/{topic}", "witness")
    for name in ("/r2/scan", "/tf", "/r1/cmd_vel"):
        assert allowed("/r1", "topic", "subscribe", name, "recorder")
        assert not allowed("/r1", "topic", "publish", name, "recorder")
    asks = set(expressions("/r1", "service", "request", "memory"))
    assert asks == {
        "/*/witness/add_checkpoint",
        "/settlement/submit_transaction",
        "/settlement/query_state",
    }
    asks = set(expressions("/r1", "service", "request", "witness"))
    assert asks == {"/*/memory/prove_inclusion", "/*/memory/prove_consistency"}


def test_a_settlement_node_may_answer_what_it_offers_and_tell_of_blocks() -> None:
    replies = set(expressions("/settlement", "service", "reply", "settlement"))
    own = {"submit_transaction", "query_state"}
    names = own | set(PARAMETER_SERVICES) | set(LIFECYCLE_SERVICES)
    assert {name.removeprefix("//settlement/") for name in replies} == names
    published = set(expressions("/settlement", "topic", "publish", "settlement"))
    assert {name for name in published if name.startswith("/quipu/")} == {
        "/quipu/chain/head",
        "/quipu/chain/blocks",
    }
    assert not list(expressions("/settlement", "topic", "subscribe", "settlement"))
    assert allowed("/r1", "topic", "subscribe", "/quipu/chain/head", "memory")


def test_a_robot_that_buys_may_ask_its_fleets_gateway_alone() -> None:
    replies = set(expressions("/r1", "service", "reply", "exchange"))
    common = {*PARAMETER_SERVICES, *LIFECYCLE_SERVICES}
    assert replies == {f"/r1/exchange/{name}" for name in common}
    executes = set(expressions("/r1", "action", "execute", "exchange"))
    assert executes == {"/r1/exchange/acquire_experience"}
    asks = set(expressions("/r1", "service", "request", "exchange"))
    assert asks == {"/gateway/fetch_chunk", "/gateway/fund_grant"}


def test_the_market_answers_its_fleet_and_on_the_exchanges_domain_fetches_alone() -> None:
    common = {*PARAMETER_SERVICES, *LIFECYCLE_SERVICES}
    for node, own in (("storefront", set()), ("gateway", {"fetch_chunk", "fund_grant"})):
        replies = set(expressions("/market", "service", "reply", node))
        assert replies == {f"//{node}/{name}" for name in common | own}
    service = "/quipu/s0123456789abcdef/fetch_chunk"
    assert allowed("/exchange", "service", "reply", service, "storefront")
    assert not allowed("/exchange", "service", "reply", service, "q0123456789abcdef")
    assert allowed("/exchange", "service", "request", service, "q0123456789abcdef")
    for node in ("storefront", "q0123456789abcdef"):
        assert set(expressions("/exchange", "topic", "publish", node)) == {"/parameter_events"}
        assert not list(expressions("/exchange", "topic", "subscribe", node))


def test_the_operator_may_run_recorders_and_publish_nothing_that_counts() -> None:
    for name in ("mark_episode", "stop_episode", "split", "trigger"):
        assert allowed("/operator", "service", "request", f"/r2/recorder/{name}", "operator")
    assert allowed("/operator", "action", "call", "/r2/recorder/record_episode", "operator")
    publishes = set(expressions("/operator", "topic", "publish", "operator"))
    assert publishes == {"/parameter_events", "/rosout"}
    assert not list(expressions("/operator", "service", "reply", "operator"))
