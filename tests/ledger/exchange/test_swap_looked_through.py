"""All units are looked through before any is written: no place is a good one to spoil."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from ledger.chain.codes import ResultCode
from ledger.chain.transaction import parse_transaction
from ledger.exchange.kept_units import KeptUnits
from ledger.exchange.swap_driver import where
from ledger.exchange.swap_payment import (
    AwaitingKey,
    BoughtSwap,
    LateComplaintError,
    OpeningUnits,
    ReturnedSwap,
)
from ledger.exchange.transport import NoSellerError
from ledger.schema.chain_exchange_pb2 import ComplainSale
from tests.ledger.chain.rules.exchange_world import DEPOSIT, UNITS
from tests.ledger.exchange.swap_world import (
    CONTENT,
    SELLING,
    SwapWorld,
    WorldChain,
    buy_until,
    cheating,
)

LAST = UNITS - 1


class KilledError(Exception):
    """Where the buyer's process ends."""


class Watched(WorldChain):
    """What is on the buyer's disk when a complaint comes; and perhaps the buyer dies then."""

    def __init__(self, world: SwapWorld, deadly: bool = False) -> None:
        super().__init__(world.world)
        self.opened = world.root / "bought" / "opened"
        self.deadly = deadly
        self.written: list[int] = []

    def submit(self, transaction: bytes, attachments: Sequence[bytes] = ()) -> ResultCode:
        if isinstance(parse_transaction(self.chain, transaction).message, ComplainSale):
            sizes = (path.stat().st_size for path in self.opened.iterdir())
            self.written.append(sum(sizes))
            if self.deadly:
                self.deadly = False
                raise KilledError
        return super().submit(transaction, attachments)


def with_key(tmp_path: Path, *wrong: int) -> SwapWorld:
    """The key is out, and the buyer has everything."""
    world = cheating(tmp_path, *wrong) if wrong else SwapWorld(tmp_path)
    buy_until(world, AwaitingKey)
    world.counter.tend()
    return world


def test_the_last_unit_is_complained_of_before_any_is_written(tmp_path: Path) -> None:
    world = cheating(tmp_path, LAST)
    watched = world.buyer_chain = Watched(world)
    assert isinstance(world.buy(), ReturnedSwap)
    assert watched.written == [0]
    assert world.world.earned() == (-DEPOSIT, DEPOSIT)


def test_a_buyer_that_is_killed_as_it_complains_looks_again(tmp_path: Path) -> None:
    world = with_key(tmp_path, LAST)
    watched = world.buyer_chain = Watched(world, deadly=True)
    with pytest.raises(KilledError):
        world.buy()
    assert isinstance(world.buy(), ReturnedSwap)
    assert watched.written == [0, 0]
    assert world.world.earned() == (-DEPOSIT, DEPOSIT)


def test_what_was_kept_before_a_death_is_not_looked_at_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world, keep = with_key(tmp_path), KeptUnits.keep

    def killed_at_the_third(units: KeptUnits, leaf: bytes, unit: bytes) -> None:
        if units.kept == 2:
            raise KilledError
        keep(units, leaf, unit)

    with monkeypatch.context() as patch, pytest.raises(KilledError):
        patch.setattr(KeptUnits, "keep", killed_at_the_third)
        world.buy()
    end, read = world.begin(), []
    masked = end.purchase.masked_unit

    def reading(index: int) -> bytes:
        read.append(index)
        return masked(index)

    monkeypatch.setattr(end.purchase, "masked_unit", reading)
    assert isinstance(world.buy(end), BoughtSwap)
    assert read == [2, 3, 4, 2, 3, 4]
    assert world.received() == CONTENT


def spoil(world: SwapWorld) -> None:
    """The buyer's disk loses a part of the second unit."""
    with (world.root / "bought" / "masked").open("r+b") as file:
        file.seek(300_000)
        file.write(b"spoilt")


def test_a_unit_that_the_disk_lost_hides_none_that_is_wrong(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The seller would not give the lost one again."""
    world = with_key(tmp_path, LAST)
    end = world.begin()
    spoil(world)

    def away(request: bytes) -> None:
        raise NoSellerError("nobody is there")

    monkeypatch.setattr(world, "ask", away)
    assert isinstance(world.buy(end), ReturnedSwap)
    assert world.world.earned() == (-DEPOSIT, DEPOSIT)


def test_a_unit_that_is_lost_between_both_looks_comes_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world, looked = with_key(tmp_path), OpeningUnits._look_through
    spoiling = [world]

    def then_spoil(opening: OpeningUnits, *arguments: object) -> object:
        found = looked(opening, *arguments)  # type: ignore[arg-type]
        for each in spoiling:
            spoil(each)
        spoiling.clear()
        return found

    monkeypatch.setattr(OpeningUnits, "_look_through", then_spoil)
    assert isinstance(world.buy(), BoughtSwap)
    assert world.received() == CONTENT


def test_who_is_too_late_has_the_units_before_the_wrong_one(tmp_path: Path) -> None:
    world = with_key(tmp_path, LAST)
    world.pass_blocks(SELLING.complaint_blocks + 1)
    assert isinstance(where(world.begin()), OpeningUnits)
    with pytest.raises(LateComplaintError, match=f"unit {LAST} "):
        world.buy()
    assert world.purchase is not None
    assert world.purchase.opened.kept == LAST
