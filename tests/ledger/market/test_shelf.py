"""The purchases of one buyer: found by their offer, and only what is naught is removed."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from ledger.chain.codes import ResultCode
from ledger.credentials.member_file import MemberFile
from ledger.exchange.grant import Grant
from ledger.market.acquisition import Acquisition
from ledger.market.acquisition_states import (
    Abandoned,
    AcquisitionState,
    Closed,
    Refused,
    Requested,
    Streaming,
)
from ledger.market.budget import Budget, Limits
from ledger.market.shelf import Shelf
from ledger.market.uses import Uses
from ledger.market.wish import Wish
from ledger.schema.chain_grant_pb2 import GrantRecord
from ledger.schema.chain_sharing_pb2 import OfferRecord

CHAIN, OFFER, OTHER = b"c" * 32, b"o" * 32, b"p" * 32
OFFERED = OfferRecord(seller=b"s" * 32, content_root=b"r" * 32, content_size=1)
GRANTED = GrantRecord(key=b"k" * 32, seller=b"s" * 32, content_root=b"r" * 32, content_size=1)
GRANT = Grant.of_record(CHAIN, b"g" * 32, GRANTED)

OVER: tuple[tuple[AcquisitionState, bool, bool], ...] = (
    # state, is_over, is_naught
    (Requested(OFFERED, 0, b"request"), False, False),
    (Streaming(OFFERED, GRANTED, GRANT, 5, b"h" * 32), False, False),
    (Closed(OFFERED, GRANTED, GRANT, 5, b"h" * 32, 3), True, False),
    (Refused(ResultCode.OVER_USES, "words"), True, True),
    (Abandoned(2), True, False),
)


def uses_of(tmp_path: Path) -> Uses:
    return Uses(MemberFile(tmp_path / "member"))


def test_acquisitions_of_an_offer_are_numbered_and_found(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path / "shelf", CHAIN)
    assert shelf.all() == ()
    folders = []
    for offer in (OFFER, OFFER, OTHER):
        with shelf.begin(Wish(offer, "training")) as acquisition:
            folders.append(acquisition.folder)
    assert [each.name for each in folders] == ["6f" * 8 + ".1", "6f" * 8 + ".2", "70" * 8 + ".1"]
    assert stat.S_IMODE(shelf.root.stat().st_mode) == 0o700
    assert [each.folder for each in shelf.of_offer(OFFER)] == folders[:2]
    assert [each.folder for each in shelf.all()] == folders
    assert Shelf(tmp_path / "shelf", b"d" * 32).all() == ()
    # An offer whose id begins alike is another one.
    assert shelf.of_offer(OFFER[:8] + bytes(24)) == ()


def test_where_the_rest_goes_is_remembered(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path, CHAIN)
    for rest in (None, b"w" * 32):
        shelf.begin(Wish(OFFER, "training"), rest).close()
    assert [each.rest_to for each in shelf.all()] == [None, b"w" * 32]


def test_what_is_damaged_or_something_else_is_left_out(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path, CHAIN)
    with shelf.begin(Wish(OFFER, "training")) as acquisition:
        (acquisition.folder / "wish").write_bytes(b"damaged")
    for name in ("6f" * 8 + ".3", "paid", "6f.1", "6f" * 8 + ".0"):
        (shelf.root / name).mkdir()
    assert shelf.all() == ()
    with shelf.begin(Wish(OFFER, "training")) as second:
        assert second.folder.name.endswith(".2")


@pytest.mark.parametrize(("state", "over", "naught"), OVER, ids=lambda each: type(each).__name__)
def test_only_what_came_to_nothing_is_cleared(
    tmp_path: Path, state: AcquisitionState, over: bool, naught: bool
) -> None:
    shelf = Shelf(tmp_path, CHAIN)
    with shelf.begin(Wish(OFFER, "training")) as acquisition:
        acquisition.reach(state)
    (found,) = shelf.of_offer(OFFER)
    assert (found.is_over, found.is_naught) == (over, naught)
    assert found.is_had is isinstance(state, Closed)
    assert (len(shelf.under_way()) == 1) is not over
    shelf.clear(OTHER, uses_of(tmp_path))
    assert acquisition.folder.exists()
    shelf.clear(OFFER, uses_of(tmp_path))
    assert acquisition.folder.exists() is not naught


def test_what_another_process_has_open_stays(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path, CHAIN)
    with shelf.begin(Wish(OFFER, "training")) as acquisition:
        shelf.clear(OFFER, uses_of(tmp_path))
        assert Acquisition.look(acquisition.folder)
    shelf.clear(OFFER, uses_of(tmp_path))
    assert not acquisition.folder.exists()


class KilledError(BaseException):
    """Nothing runs after it."""


@pytest.mark.parametrize("stage", ["remove_folder", "release", "settle"])
def test_a_use_and_a_reservation_are_free_again_whenever_clearing_is_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stage: str
) -> None:
    shelf, uses, contract = Shelf(tmp_path / "shelf", CHAIN), uses_of(tmp_path), b"t" * 32
    with shelf.begin(Wish(OFFER, "training")) as acquisition:
        # Killed once a use was taken, before its request was on disk.
        assert uses.choose(contract, 1, acquisition.name) == 0
        budget = Budget.create(shelf.budget(7).path, Limits(total=5), 7)
        budget.reserve(acquisition.name, "training", 7, 5)
    assert uses.choose(contract, 1, b"n" * 16) is None

    def die(*_: object) -> None:
        raise KilledError

    with monkeypatch.context() as patched:
        if stage == "release":
            patched.setattr(Uses, "release", die)
        elif stage == "settle":
            patched.setattr(Budget, "settle", die)
        else:
            patched.setattr("ledger.market.shelf.remove_folder", die)
        with pytest.raises(KilledError):
            shelf.clear(OFFER, uses)
    assert Acquisition.look(acquisition.folder)
    shelf.clear(OFFER, uses_of(tmp_path))
    assert not acquisition.folder.exists()
    assert uses_of(tmp_path).choose(contract, 1, b"n" * 16) == 0
    assert Budget(budget.path).standing().reserved == {}


def test_budgets_are_one_an_asset(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path, CHAIN)
    for asset in (0, 7):
        made = type(shelf.budget(asset)).create(shelf.budget(asset).path, Limits(asset), asset)
        assert made.standing().asset == asset
    assert shelf.budget(0).standing().limits.total == 0
    assert shelf.budget(7).standing().limits.total == 7
