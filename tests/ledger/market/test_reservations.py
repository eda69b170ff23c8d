"""A budget reserves for purchases that are under way, and frees what none needs any more."""

from __future__ import annotations

from pathlib import Path

import pytest

from ledger.chain.codes import ResultCode
from ledger.exchange.grant import Grant
from ledger.experience.private_folder import remove_folder
from ledger.market.acquisition_states import (
    Abandoned,
    Abandoning,
    AcquisitionState,
    Closed,
    Funded,
    Granted,
    Refused,
    Requested,
    Streaming,
)
from ledger.market.budget import Budget, Limits
from ledger.market.shelf import Shelf
from ledger.market.wish import Wish
from ledger.schema.chain_grant_pb2 import GrantRecord
from ledger.schema.chain_sharing_pb2 import OfferRecord

CHAIN, OFFER, PRICE, SPENT = b"c" * 32, b"o" * 32, 50, 20
OFFERED = OfferRecord(seller=b"s" * 32, content_root=b"r" * 32, content_size=1)
GRANTED = GrantRecord(key=b"k" * 32, seller=b"s" * 32, content_root=b"r" * 32, content_size=1)
GRANT = Grant.of_record(CHAIN, b"g" * 32, GRANTED)
OPEN = (OFFERED, GRANTED, GRANT, PRICE, b"h" * 32)

UNDER_WAY: tuple[AcquisitionState, ...] = (
    Requested(OFFERED, 0, b"request"),
    Granted(OFFERED, GRANTED, GRANT),
    Funded(OFFERED, GRANTED, GRANT, PRICE),
    Streaming(*OPEN),
    Abandoning(*OPEN, until=9),
)
OVER: tuple[tuple[AcquisitionState, int], ...] = (
    (Closed(*OPEN, spent=SPENT), SPENT),
    (Abandoned(SPENT), SPENT),
    (Abandoned(0), 0),
    (Refused(ResultCode.OVER_USES, "words"), 0),
)


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    return Shelf(tmp_path / "shelf", CHAIN)


def reserved(shelf: Shelf, state: AcquisitionState | None = None, *, spends: bool = False) -> Path:
    """A purchase at a state, killed there, and a budget that has its price reserved."""
    with shelf.begin(Wish(OFFER, "training")) as acquisition:
        if state is not None:
            acquisition.reach(state)
        path = shelf.root / "budget-0"
        budget = Budget(path) if path.exists() else Budget.create(path, Limits(total=500))
        budget.reserve(acquisition.name, "training", 0, PRICE, spends=spends)
        return acquisition.folder


def used(shelf: Shelf) -> int:
    return shelf.budget(0).standing().used()


@pytest.mark.parametrize("state", UNDER_WAY, ids=lambda each: type(each).__name__)
def test_what_is_under_way_stays_reserved(shelf: Shelf, state: AcquisitionState) -> None:
    reserved(shelf, state)
    assert used(shelf) == PRICE


@pytest.mark.parametrize(("state", "spent"), OVER, ids=lambda each: type(each).__name__)
def test_of_what_is_over_only_what_it_cost_is_spent(
    shelf: Shelf, state: AcquisitionState, spent: int
) -> None:
    reserved(shelf, state, spends=True)
    assert used(shelf) == spent
    assert used(shelf) == spent


def test_what_was_killed_before_it_asked_is_free_unless_somebody_is_at_it(shelf: Shelf) -> None:
    folder = reserved(shelf)
    with shelf.begin(Wish(OFFER, "training")) as acquisition:
        shelf.budget(0).reserve(acquisition.name, "training", 0, PRICE)
        assert used(shelf) == PRICE
    assert used(shelf) == 0
    assert folder.is_dir()


def test_of_what_is_gone_only_that_is_free_whose_money_never_moved(shelf: Shelf) -> None:
    remove_folder(reserved(shelf, UNDER_WAY[0]))
    assert used(shelf) == 0
    remove_folder(reserved(shelf, Streaming(*OPEN), spends=True))
    assert used(shelf) == PRICE


def test_nothing_is_gone_while_a_folder_cannot_be_read(shelf: Shelf) -> None:
    remove_folder(reserved(shelf, UNDER_WAY[0]))
    damaged = reserved(shelf, UNDER_WAY[0])
    (damaged / "wish").write_bytes(b"damaged")
    assert used(shelf) == 2 * PRICE
    remove_folder(damaged)
    assert used(shelf) == 0


def test_a_damaged_state_frees_nothing(shelf: Shelf) -> None:
    folder = reserved(shelf, Closed(*OPEN, spent=SPENT))
    (folder / "state").write_bytes(b"damaged")
    assert used(shelf) == PRICE
