"""Two fleets' nodes as processes: a member buys through its gateway, over DDS, whatever fails."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from ledger.chain.codes import ResultCode
from ledger.chain.state_keys import offer_key
from ledger.exchange.buyer import FetchingUnit, HeldUnit, OpeningStream, SellerRefusedError
from ledger.exchange.deed import Deed, Promise
from ledger.exchange.messages import Reason, Refused, encode_fetch, parse_reply
from ledger.exchange.purchase import Purchase
from ledger.exchange.swap_buyer import BuyingEnd
from ledger.exchange.swap_chain import BuyingTerms
from ledger.exchange.swap_deed import ask_for_deed
from ledger.exchange.swap_driver import swap
from ledger.exchange.swap_payment import BoughtSwap
from ledger.exchange.swap_purchase import SwapPurchase
from ledger.exchange.transport import buy
from ledger.market.acquisition import Acquisition
from ledger.market.acquisition_states import Closed, Funded, Granted, Streaming
from ledger.market.swap_chain import ProvenSwapChain
from ledger.schema.chain_sharing_pb2 import OfferRecord
from tests.fleet.sharing_chain import FEE
from tests.fleet.sharing_market import Robot
from tests.ros.announcements import Announcements
from tests.ros.exchange_world import GATEWAY, Acquiring, ExchangeWorld, GraphTransport
from tests.ros.graph import Graph, eventually
from tests.ros.ros_process import ROOT, Ros

BOUGHT, CANCELLED, REFUSED, TOO_DEAR = 2, 3, 4, 5
SELLER_FAILED, UNREACHABLE, FAILED, BUSY = 6, 7, 8, 9
GRANTED, STREAMING = 3, 6
MORTAL = ROOT / "tests/ros/mortal_buyer.py"
FETCH = "quipu_interfaces/srv/FetchChunk"
FUND = "quipu_interfaces/srv/FundGrant"


@pytest.fixture(autouse=True)
def _published_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QUIPU_PUBLISHED", str(tmp_path / "published"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


@pytest.fixture
def graph(ros: Ros) -> Iterator[Graph]:
    """A peer on the buyers' domain."""
    with Graph(ros) as graph:
        yield graph


@pytest.fixture
def world(ros: Ros, tmp_path: Path, _published_apart: None) -> Iterator[ExchangeWorld]:
    """Sellers, buyers and their chain."""
    with ExitStack() as held:
        yield ExchangeWorld(tmp_path, held, ros)


def long_recording(world: ExchangeWorld) -> Robot:
    """A robot whose recording has a dozen chunks."""
    return world.robot("sellers.example/moose", seed=2, seconds=60.0)


def service_of(world: ExchangeWorld) -> str:
    return f"/quipu/s{world.seller_account.hex()[:16]}/fetch_chunk"


def test_a_member_buys_through_the_gateway_and_has_the_same_bytes(
    world: ExchangeWorld, graph: Graph
) -> None:
    offered, pool = world.offered(), world.pool
    with (
        world.storefront(),
        world.gateway(),
        world.buyer("r1", world.enrolled(1)),
        Graph(world.market) as market,
    ):
        acquiring = Acquiring(graph, "r1", offered)
        result = acquiring.result()
        assert result["outcome"] == BOUGHT, result
        assert world.bought("r1") == world.husky.content
        (folder,) = world.folders("r1")
        assert result["folder"] == str(folder)
        state = Acquisition.look(folder)[1]
        assert isinstance(state, Closed)
        assert (result["grant"], result["paid"]) == (state.grant.grant.hex(), state.spent)
        # Beyond the price the one-time key's fees were paid, and nothing stayed with it.
        assert state.grant.price < state.spent <= pool - world.pool
        stages = [each["stage"] for each in acquiring.feedback]
        assert stages == sorted(stages)
        assert set(stages) >= {2, 3, 4, 5, STREAMING, 7, 8}
        last = acquiring.feedback[-1]
        assert (last["kept"], last["kept_bytes"]) == (last["chunks"], last["bytes"])
        # A second purchase: another participant, under another name, and neither the robot's.
        second = Acquiring(graph, "r1", offered, again=True)
        assert second.result()["outcome"] == BOUGHT
        assert len(world.folders("r1")) == 2

        def askers() -> list[list[str]]:
            found: list[list[str]] = market.ask("speakers", topic=f"rq{service_of(world)}Request")
            return found if all(re.fullmatch("q[0-9a-f]{16}", name) for name, _ in found) else []

        found = eventually(lambda: len(askers()) == 2 and askers())
        assert len({name for name, _ in found}) == 2
        assert len({guid for _, guid in found}) == 2
        own = graph.ask("speakers", topic="rt/diagnostics")
        assert {"exchange", "gateway"} <= {name for name, _ in own}
        assert not {guid for _, guid in found} & {guid for _, guid in own}
        assert not any("r1" in node or "exchange" in node for node in market.ask("nodes"))
        # Strangers are offered one thing, and nothing that manages a node.
        offered_here = {name for name in market.ask("services") if "/looker/" not in name}
        assert service_of(world) in offered_here
        assert all(re.fullmatch("/quipu/s[0-9a-f]{16}/fetch_chunk", n) for n in offered_here)


def test_the_markets_processes_do_not_say_whose_they_are(
    world: ExchangeWorld, graph: Graph
) -> None:
    """Machine, user and process number, which Fast DDS tells the whole domain by itself."""
    with (
        Announcements(world.market.domain) as market,
        Announcements(world.ros.domain) as own,
        world.storefront(),
        world.gateway(**{"market.idle_s": 15.0}),
        world.buyer("r1", world.enrolled(1)),
    ):
        assert Acquiring(graph, "r1", world.offered()).result()["outcome"] == BOUGHT
        said = market.hear(2).values()
        assert len(said) == 2
        assert not any(value.strip(b"-") for each in said for value in each.values())
        # That this would be heard: the robot's own process tells it, on its own domain.
        assert any(value.strip(b"-") for each in own.hear(3).values() for value in each.values())
        # Idle for long enough, a purchase's participant leaves.
        with Graph(world.market) as looking:
            eventually(lambda: any(each.startswith("/q") for each in looking.ask("nodes")))
            eventually(lambda: not any(each.startswith("/q") for each in looking.ask("nodes")))


def test_a_level_too_low_is_refused_and_costs_nothing(world: ExchangeWorld, graph: Graph) -> None:
    offered, pool = world.offered(), world.pool
    with world.storefront(), world.gateway(), world.buyer("r2", world.enrolled(2, level=1)):
        result = Acquiring(graph, "r2", offered).result()
        assert result["outcome"] == REFUSED
        assert result["result_code"] == ResultCode.POLICY_DENIES
        assert "contract" in result["error_msg"]
        assert (result["paid"], world.pool) == (0, pool)
        # It says that it has more than it has: the proof cannot be made.
        result = Acquiring(graph, "r2", offered, min_level=3).result()
        assert result["outcome"] == REFUSED
        assert result["result_code"] == ResultCode.CREDENTIAL_NOT_PROVEN
        result = Acquiring(graph, "r2", offered, purpose="").result()
        assert result["outcome"] == FAILED
        assert world.pool == pool


def test_what_is_too_dear_is_not_asked_for(world: ExchangeWorld, graph: Graph) -> None:
    offered, pool = world.offered(), world.pool
    with world.storefront(), world.gateway(), world.buyer("r1", world.enrolled(1)):
        assert Acquiring(graph, "r1", offered, max_price=1).result()["outcome"] == TOO_DEAR
        assert world.pool == pool


def test_a_robot_is_told_that_its_fleet_pays_for_nothing_so_dear(
    world: ExchangeWorld, graph: Graph
) -> None:
    offered = world.offered()
    limits = {"market.most_price": 52, "market.most_per_period": 1_000, "market.period": 50}
    with world.storefront(), world.gateway(**limits), world.buyer("r1", world.enrolled(1)):
        result = Acquiring(graph, "r1", offered).result()
        assert result["outcome"] == FAILED
        assert "at most 52 of asset 0 for one grant" in result["error_msg"]
        (state,) = (Acquisition.look(folder)[1] for folder in world.folders("r1"))
        assert isinstance(state, Granted) and not isinstance(state, Funded)
        assert world.balance(state.grant.buyer) == 0


def test_cancelled_between_two_chunks_and_taken_up_again(
    world: ExchangeWorld, graph: Graph
) -> None:
    moose = long_recording(world)
    offered, other = world.offered(moose), world.offered()
    with (
        world.storefront(moose, pause_s=0.5),
        world.gateway(),
        world.buyer("r1", world.enrolled(1)),
    ):
        acquiring = Acquiring(graph, "r1", offered)
        eventually(lambda: acquiring.feedback and acquiring.feedback[-1]["kept"] >= 2)
        # One at a time: another goal is told so, at once.
        assert Acquiring(graph, "r1", other).result()["outcome"] == BUSY
        acquiring.cancel()
        result = acquiring.result()
        assert result["outcome"] == CANCELLED
        last = acquiring.feedback[-1]
        assert 2 <= last["kept"] < last["chunks"]
        assert result["paid"] == last["paid"]
        (folder,) = world.folders("r1")
        assert isinstance(Acquisition.look(folder)[1], Streaming)
        again = Acquiring(graph, "r1", offered)
        assert again.result()["outcome"] == BOUGHT
        assert min(each["kept"] for each in again.feedback if each["kept"]) > last["kept"]
        assert world.bought("r1") == moose.content


def test_a_storefront_that_is_killed_in_mid_stream_and_comes_back(
    world: ExchangeWorld, graph: Graph
) -> None:
    moose = long_recording(world)
    offered = world.offered(moose)
    with world.gateway(), world.buyer("r1", world.enrolled(1)):
        with world.storefront(moose, die_after=5) as selling:
            acquiring = Acquiring(graph, "r1", offered)
            assert selling.wait(60.0) != 0
            kept = eventually(
                lambda: max(each["kept"] for each in acquiring.feedback or [{"kept": 0}])
            )
        with world.storefront(moose):
            assert acquiring.result()["outcome"] == BOUGHT
        assert world.bought("r1") == moose.content
        assert 0 < kept < acquiring.feedback[-1]["chunks"]
        (folder,) = world.folders("r1")
        state = Acquisition.look(folder)[1]
        assert isinstance(state, Closed)
        assert acquiring.feedback[-1]["paid"] == state.grant.price


def test_a_gateway_that_is_killed_when_asked_for_money_and_comes_back(
    world: ExchangeWorld, graph: Graph
) -> None:
    offered, pool = world.offered(), world.pool
    with world.storefront(), world.buyer("r1", world.enrolled(1)):
        with world.gateway() as first:
            # It has seen this one, and does not know for a while that it is gone.
            assert Acquiring(graph, "r1", offered).result()["outcome"] == BOUGHT
            first.kill()
        spent = pool - world.pool
        acquiring = Acquiring(graph, "r1", offered, again=True)
        eventually(lambda: any(each["stage"] == GRANTED for each in acquiring.feedback))
        with world.gateway():
            assert acquiring.result()["outcome"] == BOUGHT
    assert pool - world.pool == 2 * spent


def test_a_buyer_that_is_killed_in_mid_purchase_pays_nothing_twice(
    world: ExchangeWorld, graph: Graph
) -> None:
    moose = long_recording(world)
    offered, pool = world.offered(moose), world.pool
    member = world.enrolled(1)
    with world.storefront(moose), world.gateway():
        with world.buyer("r1", member, MORTAL, "4") as buying:
            Acquiring(graph, "r1", offered)
            buying.wait(60.0)
        (folder,) = world.folders("r1")
        assert isinstance(Acquisition.look(folder)[1], Streaming)
        # Another peer: the first has not noticed yet that nobody serves its goals any more.
        with world.buyer("r1", member), Graph(world.ros) as later:
            acquiring = Acquiring(later, "r1", offered)
            result, feedback = acquiring.result(), acquiring.feedback
        assert result["outcome"] == BOUGHT
        assert min(each["kept"] for each in feedback if each["kept"]) > 3
    assert world.bought("r1") == moose.content
    state = Acquisition.look(folder)[1]
    assert isinstance(state, Closed)
    assert state.spent == result["paid"] <= pool - world.pool


def test_no_chunk_comes_for_nothing_and_no_money_for_no_grant(
    world: ExchangeWorld, graph: Graph
) -> None:
    offered = world.offered()
    bought = world.granted(world.member(7), offered)
    payer = world.open_channel(bought)
    purchase = Purchase.create(world.root / "by-hand", bought.grant, payer.terms.channel)
    challenge = payer.terms.challenge
    with world.storefront(**{"market.least_challenge": challenge}), world.gateway():
        way = GraphTransport(graph, f"{GATEWAY}/fetch_chunk", world.seller_account)
        opening = OpeningStream(purchase, bought.wallet, payer)
        fetching = opening.receive(way.ask(opening.request()))
        assert isinstance(fetching, FetchingUnit)
        held = fetching.receive(way.ask(fetching.request()))
        assert isinstance(held, HeldUnit)
        # The ciphertext is here. What opens it, and the next, cost its price.
        reply = way.ask(encode_fetch(held._stream.session, 1, None))
        answer = parse_reply(reply)
        assert isinstance(answer, Refused)
        assert answer.reason is Reason.UNPAID
        assert reply.sealed == b""
        buy(purchase, bought.wallet, payer, way)
        assert purchase.is_whole
        # A stranger on the fleet's domain can have no money of the pool's.
        for grant, account in (
            (bytes(32), bought.wallet.account),
            (bought.grant.grant, world.seller_account),
        ):
            asked = {"grant": grant.hex(), "account": account.hex(), "asset": 0, "amount": 10}
            assert graph.call(f"{GATEWAY}/fund_grant", FUND, **asked)["error_code"] == 2
        for request in ("", "00", "ff" * 5000):
            asked = {"seller": world.seller_account.hex(), "message": request}
            assert graph.call(f"{GATEWAY}/fetch_chunk", FETCH, **asked)["error_code"] == 2
    purchase.close()
    payer.release()


def test_a_content_is_bought_whole_through_the_gateway_under_one_other_name(
    world: ExchangeWorld, graph: Graph, tmp_path: Path
) -> None:
    """The relay knows an atomic sale's requests for one conversation, as it does a stream's."""
    offered = world.offered()
    bought = world.granted(world.member(8), offered)
    world.fund(bought, bought.grant.price + 10 * FEE)
    record = world.read(OfferRecord, offer_key(offered.offer))
    assert record is not None
    purchase = SwapPurchase.create(world.root / "whole", bought.grant)
    end = BuyingEnd(purchase, bought.wallet, ProvenSwapChain(world.proven), BuyingTerms(fee=FEE))

    def wait(height: int) -> None:
        """For what the storefront submits, or, where that is nothing yet, for any block."""
        world.engine.events(height + 1, 2.0)
        world.pass_blocks(max(0, height + 1 - world.height()))

    with world.storefront(), world.gateway(), Graph(world.market) as market:
        way = GraphTransport(graph, f"{GATEWAY}/fetch_chunk", world.seller_account)
        assert isinstance(swap(end, way, wait), BoughtSwap)
        topic = f"rq{service_of(world)}Request"
        (asker,) = eventually(lambda: market.ask("speakers", topic=topic))
        assert re.fullmatch("q[0-9a-f]{16}", asker[0])

        def given() -> Deed | None:
            """The deed, once the storefront has seen its own key on the chain."""
            try:
                deed = ask_for_deed(end, way, Promise.of_record(record))
            except SellerRefusedError as refusal:
                assert refusal.reason is Reason.NOT_YET
                return None
            assert isinstance(deed, Deed)
            return deed

        deed = eventually(given)
        assert deed.entry == world.husky.home.log.entry(world.husky.recorded.index)
        # The deed was asked for under the same name.
        assert market.ask("speakers", topic=topic) == [asker]
    (placed,) = purchase.place(tmp_path / "placed", [("all", len(world.husky.content))])
    assert placed.read_bytes() == world.husky.content
    purchase.close()


def test_nobody_there_is_said_and_tried_again(world: ExchangeWorld, graph: Graph) -> None:
    offered = world.offered()
    with (
        world.gateway(**{"market.answer_s": 0.5}),
        world.buyer("r1", world.enrolled(1), patience_s=8.0),
    ):
        result = Acquiring(graph, "r1", offered).result()
        assert result["outcome"] == UNREACHABLE, result
        assert "offers" in result["error_msg"]
        with world.storefront():
            assert Acquiring(graph, "r1", offered).result()["outcome"] == BOUGHT
    assert world.bought("r1") == world.husky.content
