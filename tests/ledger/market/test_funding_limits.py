"""A pool pays for no grant that costs too much, and in a while no more than its fleet allows."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from ledger.credentials.member_file import MemberFile
from ledger.errors import CorruptStoreError, RefusedError, StorageError
from ledger.exchange.grant import Grant
from ledger.market.funding import PoolFunding, denomination, need_of
from ledger.market.funding_limits import (
    PAID_LATELY,
    FundingLimitError,
    FundingLimits,
    PaidLately,
)
from tests.fleet.sharing_chain import FEE
from tests.ledger.market.buyers_world import BuyersWorld

NEED = 59
"""Of a grant of the world's: its price, 53, and the fees of its key."""
PAID = 100
ONE, TWO, THREE = (bytes([number]) * 32 for number in (1, 2, 3))


@pytest.fixture(scope="module")
def member(world: BuyersWorld) -> MemberFile:
    return world.member_file(1)


@pytest.fixture
def grants(world: BuyersWorld, member: MemberFile) -> Iterator[Grant]:
    """As many as are asked for."""

    def more() -> Iterator[Grant]:
        offered = world.offered()
        use = 0
        while True:
            yield world.granted(member.credential(), offered, use=use).grant
            use += 1

    return more()


def pays(world: BuyersWorld, folder: Path, **limits: int) -> PoolFunding:
    """As after a restart: nothing but the folder is known."""
    return PoolFunding(
        world.proven, world.buyers_wallet, world.buyers, folder, FundingLimits(**limits)
    )


def test_the_numbers(grants: Iterator[Grant]) -> None:
    grant = next(grants)
    assert need_of(grant, FEE) == {0: NEED}
    assert (grant.price, denomination(NEED)) == (53, PAID)


def test_a_grant_that_costs_too_much_is_not_paid_for(
    world: BuyersWorld, grants: Iterator[Grant], tmp_path: Path
) -> None:
    grant, pool = next(grants), world.pool
    with pytest.raises(FundingLimitError, match="at most 52 of asset 0 for one grant"):
        pays(world, tmp_path, most_price=52).fund(grant.grant, grant.buyer, 0, NEED)
    assert (world.pool, world.balance(grant.buyer)) == (pool, 0)
    assert not any(tmp_path.iterdir())
    pays(world, tmp_path, most_price=53).fund(grant.grant, grant.buyer, 0, NEED)
    assert (world.pool, world.balance(grant.buyer)) == (pool - PAID, PAID)


def test_no_more_leaves_the_pool_in_a_period(
    world: BuyersWorld, grants: Iterator[Grant], tmp_path: Path
) -> None:
    """Exactly at the limit is paid; a grant counts once; a restart forgets nothing."""
    limits = {"most_per_period": 2 * PAID, "period": 40}
    first, second, third = (next(grants) for _ in range(3))
    begun = world.height()
    for grant in (first, second):
        for _ in range(3):
            pays(world, tmp_path, **limits).fund(grant.grant, grant.buyer, 0, NEED)
        assert world.balance(grant.buyer) == PAID
    pool = world.pool
    for _ in range(2):
        with pytest.raises(FundingLimitError, match="200 of it are paid"):
            pays(world, tmp_path, **limits).fund(third.grant, third.buyer, 0, NEED)
    # What is paid already is said to be.
    pays(world, tmp_path, **limits).fund(first.grant, first.buyer, 0, NEED)
    assert (world.pool, world.balance(third.buyer)) == (pool, 0)
    world.pass_blocks(begun + 40 - world.height())
    with pytest.raises(FundingLimitError):
        pays(world, tmp_path, **limits, most_price=52).fund(third.grant, third.buyer, 0, NEED)
    world.pass_blocks(2)
    pays(world, tmp_path, **limits).fund(third.grant, third.buyer, 0, NEED)
    assert (world.pool, world.balance(third.buyer)) == (pool - PAID, PAID)


def test_who_died_before_it_signed_pays_once_and_counts_once(
    world: BuyersWorld,
    grants: Iterator[Grant],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    limits = {"most_per_period": PAID, "period": 1_000}
    grant, other = next(grants), next(grants)

    class DiedError(Exception):
        pass

    def die(*arguments: object, **more: object) -> None:
        raise DiedError

    with monkeypatch.context() as patch:
        patch.setattr("ledger.market.funding.require_carried_out", die)
        with pytest.raises(DiedError):
            pays(world, tmp_path, **limits).fund(grant.grant, grant.buyer, 0, NEED)
    with pytest.raises(FundingLimitError):
        pays(world, tmp_path, **limits).fund(other.grant, other.buyer, 0, NEED)
    for _ in range(2):
        pays(world, tmp_path, **limits).fund(grant.grant, grant.buyer, 0, NEED)
    assert (world.balance(grant.buyer), world.balance(other.buyer)) == (PAID, 0)


def test_what_cannot_be_noted_is_not_paid(
    world: BuyersWorld,
    grants: Iterator[Grant],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    grant = next(grants)

    def full(*arguments: object, **more: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("ledger.market.funding_limits.write_durably", full)
        with pytest.raises(StorageError):
            pays(world, tmp_path, most_per_period=PAID).fund(grant.grant, grant.buyer, 0, NEED)
    assert world.balance(grant.buyer) == 0
    assert not any(tmp_path.iterdir())


def test_each_asset_is_counted_by_itself(tmp_path: Path) -> None:
    lately = PaidLately(tmp_path, FundingLimits(most_per_period=10, period=5))
    lately.add(ONE, 0, 10, 100)
    lately.add(ONE, 7, 6, 100)
    lately.add(TWO, 7, 4, 100)
    for asset in (0, 7):
        with pytest.raises(FundingLimitError):
            lately.add(THREE, asset, 1, 104)
    for asset in (0, 7):
        lately.add(THREE, asset, 10, 105)


def test_what_is_over_is_left_out(tmp_path: Path) -> None:
    lately = PaidLately(tmp_path, FundingLimits(most_per_period=10, period=5))
    for height in range(1_000):
        lately.add(height.to_bytes(32, "big"), 0, 2, height)
    assert len((tmp_path / PAID_LATELY).read_bytes().splitlines()) == 1 + 5
    assert (tmp_path / PAID_LATELY).stat().st_mode & 0o777 == 0o600


def test_nothing_is_kept_where_nothing_is_limited(tmp_path: Path) -> None:
    PaidLately(tmp_path, FundingLimits(most_price=1)).add(ONE, 0, 10**18, 1)
    assert not any(tmp_path.iterdir())


GOOD = b"quipu/paid-lately/v1\n9 0 5 " + ONE.hex().encode() + b"\n"


@pytest.mark.parametrize(
    "damaged",
    [
        b"",
        GOOD[:-1],
        GOOD[1:],
        GOOD + b"\n",
        GOOD + GOOD.splitlines(keepends=True)[1],
        GOOD.replace(b"9 0", b"09 0"),
        GOOD.replace(b"9 0", b"9  0"),
        GOOD.replace(b"9 0", b"-9 0"),
        GOOD.replace(b" 5 ", b" 18446744073709551616 "),
        GOOD.replace(b"9 0", b"9 4294967296"),
        GOOD.replace(b"\n9", b"\r\n9"),
        GOOD.replace(b"01\n", b"0\n"),
        GOOD.replace(b"01\n", b"0G\n"),
        GOOD + b"9 0 5\n",
    ],
)
def test_a_damaged_book_pays_nothing(tmp_path: Path, damaged: bytes) -> None:
    (tmp_path / PAID_LATELY).write_bytes(GOOD)
    PaidLately(tmp_path, FundingLimits(most_per_period=10)).add(TWO, 0, 5, 10)
    (tmp_path / PAID_LATELY).write_bytes(damaged)
    with pytest.raises(CorruptStoreError):
        PaidLately(tmp_path, FundingLimits(most_per_period=10)).add(TWO, 0, 1, 10)
    assert (tmp_path / PAID_LATELY).read_bytes() == damaged


@pytest.mark.parametrize("wrong", [{"most_price": -1}, {"most_per_period": -1}, {"period": 0}])
def test_limits_that_are_none(wrong: dict[str, int]) -> None:
    with pytest.raises(RefusedError):
        FundingLimits(**wrong)
