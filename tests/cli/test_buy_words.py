"""What people read while something is bought whole, and where that ends otherwise."""

from __future__ import annotations

import pytest

from ledger.cli.buy_progress import doing, stage_text
from ledger.cli.buy_refusals import told_plainly
from ledger.cli.exit_code import ExitCode, exit_code_of
from ledger.cli.failure import InterruptedByUserError, failure_of
from ledger.errors import LedgerError
from ledger.exchange.buyer import BadUnitError, SellerRefusedError
from ledger.exchange.messages import Reason
from ledger.exchange.swap_payment import LateComplaintError
from ledger.market.acquisition_states import Stage
from ledger.market.buying import AcquisitionCancelledError, NothingSoldError, NotSoldWholeError
from ledger.market.swapping import PriceLockedError, Returned
from ledger.market.tools import Progress
from ledger.market.wish import Mode
from ledger.schema.chain_payment_pb2 import Asset

QPU = Asset(id=0, symbol="QPU", decimals=6)


def told(error: LedgerError, mode: Mode = Mode.WHOLE) -> LedgerError:
    """An error as people read it."""
    with pytest.raises(LedgerError) as said, told_plainly(QPU, mode, lambda: 0):
        raise error
    assert said.value.hint
    return said.value


@pytest.mark.parametrize(
    ("kept", "opened", "words"),
    [(0, 0, "fetching"), (2, 0, "fetching"), (3, 0, "waiting for the key"), (3, 2, "opening 2/3")],
)
def test_a_bar_says_what_is_waited_for(kept: int, opened: int, words: str) -> None:
    assert doing(Progress(Stage.SWAPPING, kept, 3, opened=opened)) == words


def test_every_stage_has_words() -> None:
    assert all(stage_text(stage) for stage in Stage)
    assert doing(Progress(Stage.STREAMING, 1, 3)) == stage_text(Stage.STREAMING)


def test_who_stops_is_told_to_come_back_soon_only_where_that_matters() -> None:
    stopped = told(AcquisitionCancelledError("the acquisition was stopped, 1 of 3 are here"))
    locked = told(PriceLockedError("the acquisition was stopped, and its price is locked"))
    assert "soon" not in (stopped.hint or "")
    assert "soon" in (locked.hint or "")
    for each in (stopped, locked):
        assert isinstance(each, InterruptedByUserError)
        assert failure_of(each).code is ExitCode.INTERRUPTED
        assert "--resume" in (each.hint or "")


def test_what_a_cheat_costs_is_told_as_it_is() -> None:
    unit = "unit 1 is not one of the sale"
    assert "nothing was paid" in (told(BadUnitError(unit)).hint or "")
    assert "one chunk's price is lost" in (told(BadUnitError(unit), Mode.STREAM).hint or "")
    assert "the price is lost" in (told(LateComplaintError("unit 1 is wrong")).hint or "")
    cheat = told(NothingSoldError(Returned.WRONG_UNIT))
    assert "cheats" in cheat.message
    assert "deposit that it has lost" in cheat.message
    assert exit_code_of(cheat) is ExitCode.REFUSED
    assert "deposit" not in told(NothingSoldError(Returned.NO_SALE)).message


def test_what_is_not_sold_whole_can_be_bought_otherwise() -> None:
    assert "without --whole" in (told(NotSoldWholeError("it is free")).hint or "")
    assert "whole" in told(SellerRefusedError(Reason.NO_SALE)).message
