"""A robot's goal buys all of a recording at once, through its gateway, over DDS."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from ledger.market.acquisition import Acquisition
from ledger.market.acquisition_states import Closed, Swapping
from ledger.market.delivery import kept_deed
from tests.ros.exchange_world import Acquiring, ExchangeWorld
from tests.ros.graph import Graph, eventually
from tests.ros.ros_process import ROOT, Ros

BOUGHT, CANCELLED, REFUSED, FAILED = 2, 3, 4, 8
REQUESTED, GRANTED, FUNDED, ARRIVED, CLOSED, SWAPPING = 2, 3, 4, 7, 8, 10
WHOLE = 1
MORTAL = ROOT / "tests/ros/mortal_buyer.py"


@pytest.fixture
def graph(ros: Ros) -> Iterator[Graph]:
    """A peer on the buyers' domain."""
    with Graph(ros) as graph:
        yield graph


@pytest.fixture
def world(ros: Ros, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ExchangeWorld]:
    """Sellers, buyers and their chain."""
    monkeypatch.setenv("QUIPU_PUBLISHED", str(tmp_path / "published"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    with ExitStack() as held:
        yield ExchangeWorld(tmp_path, held, ros)


def test_a_goal_buys_all_of_it_at_once(world: ExchangeWorld, graph: Graph) -> None:
    offered, bare, pool = world.offered(), world.offered_without_deposit(), world.pool
    with world.storefront(), world.gateway(), world.buyer("r1", world.enrolled(1)):
        # What no deposit is put up for is not sold whole: nobody is asked.
        result = Acquiring(graph, "r1", bare, mode=WHOLE).result()
        assert (result["outcome"], result["result_code"]) == (REFUSED, 0)
        assert "deposit" in result["error_msg"]
        assert Acquiring(graph, "r1", bare, mode=7).result()["outcome"] == FAILED
        assert world.pool == pool

        acquiring = Acquiring(graph, "r1", offered, mode=WHOLE)
        result = acquiring.result()
        assert result["outcome"] == BOUGHT, result
        folder = Path(result["folder"])
        assert world.content_of(folder) == world.husky.content
        assert len(kept_deed(folder).openings) == 3
        state = Acquisition.look(folder)[1]
        assert isinstance(state, Closed)
        assert (state.channel, state.spent) == (b"", result["paid"])
        stages = list(dict.fromkeys(each["stage"] for each in acquiring.feedback))
        assert stages == [REQUESTED, GRANTED, FUNDED, SWAPPING, ARRIVED, CLOSED]
        swapped = [each for each in acquiring.feedback if each["stage"] == SWAPPING]
        kept = [each["kept"] for each in swapped]
        assert kept == sorted(kept)
        assert swapped[-1]["opened"] == kept[-1] == swapped[-1]["chunks"]
        assert {each["paid"] for each in swapped} == {0}


def test_a_whole_purchase_is_cancelled_killed_and_taken_up_again(
    world: ExchangeWorld, graph: Graph
) -> None:
    # A dozen chunks.
    moose = world.robot("sellers.example/moose", seed=2, seconds=60.0)
    offered, other, member = world.offered(moose), world.offered(moose), world.enrolled(1)
    with world.storefront(moose, pause_s=0.3), world.gateway():
        with world.buyer("r1", member, MORTAL, "9") as buying:
            acquiring = Acquiring(graph, "r1", offered, mode=WHOLE)
            eventually(lambda: acquiring.feedback and acquiring.feedback[-1]["kept"] >= 1)
            acquiring.cancel()
            result = acquiring.result()
            assert (result["outcome"], result["paid"]) == (CANCELLED, 0), result
            (folder,) = world.folders("r1")
            assert isinstance(Acquisition.look(folder)[1], Swapping)
            Acquiring(graph, "r1", offered, mode=WHOLE)
            buying.wait(60.0)
        assert isinstance(Acquisition.look(folder)[1], Swapping)
        # Another peer: the first has not noticed yet that nobody serves its goals any more.
        with world.buyer("r1", member), Graph(world.ros) as later:
            # It goes on as it was begun, whatever the goal says.
            acquiring = Acquiring(later, "r1", offered)
            assert acquiring.result()["outcome"] == BOUGHT
            assert min(each["kept"] for each in acquiring.feedback if each["kept"]) > 8
            assert world.bought("r1") == moose.content

            # What was begun as a stream goes on as one, or not at all.
            acquiring = Acquiring(later, "r1", other)
            eventually(lambda: acquiring.feedback and acquiring.feedback[-1]["kept"] >= 1)
            acquiring.cancel()
            assert acquiring.result()["outcome"] == CANCELLED
            result = Acquiring(later, "r1", other, mode=WHOLE).result()
            assert result["outcome"] == FAILED
            assert "under way" in result["error_msg"]
