"""The pool pays what a grant needs, to its key, once; whoever asks for more gets nothing."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.chain.codes import RefusalError, ResultCode
from ledger.chain.sponsorship import pool_account
from ledger.credentials.member_file import MemberFile
from ledger.errors import NotFoundError, RefusedError
from ledger.exchange.grant import Grant
from ledger.market.funding import TRANSACTIONS, PoolFunding, denomination, need_of
from ledger.schema.chain_identity_pb2 import PayFromPool
from ledger.schema.chain_payment_pb2 import Transfer
from tests.fleet.sharing_chain import FEE
from tests.fleet.sharing_market import Bought
from tests.ledger.market.buyers_world import BuyersWorld


@given(st.integers(1, 2**64 - 1))
def test_denominations(amount: int) -> None:
    found = denomination(amount)
    assert amount <= found <= 2**64 - 1
    digits = str(found)
    if found != amount:
        assert digits[0] in "125"
        assert set(digits[1:]) <= {"0"}
        # There is no smaller one.
        smaller = {"1": found // 2, "2": found // 2, "5": found * 2 // 5}[digits[0]]
        assert smaller < amount
    elif amount < 10**19:
        assert digits[0] in "125"
        assert set(digits[1:]) <= {"0"}


def test_few_amounts_are_ever_paid() -> None:
    assert [denomination(each) for each in (1, 2, 3, 5, 6, 59, 100, 101, 201)] == [
        1, 2, 5, 5, 10, 100, 100, 200, 500,
    ]  # fmt: skip


@pytest.fixture(scope="module")
def member(world: BuyersWorld) -> MemberFile:
    return world.member_file(1)


@pytest.fixture
def bought(world: BuyersWorld, member: MemberFile) -> Bought:
    return world.granted(member.credential(), world.offered())


def funding(world: BuyersWorld, folder: Path) -> PoolFunding:
    return PoolFunding(world.proven, world.buyers_wallet, world.buyers, folder)


def test_it_pays_once(world: BuyersWorld, bought: Bought, tmp_path: Path) -> None:
    pays, pool, grant = funding(world, tmp_path / "paid"), world.pool, bought.grant
    needed = need_of(grant, FEE)
    assert needed == {0: grant.price + TRANSACTIONS * FEE}
    for _ in range(3):
        pays.fund(grant.grant, grant.buyer, 0, needed[0])
        pays = funding(world, tmp_path / "paid")
    assert world.pool == pool - 100
    assert world.balance(grant.buyer) == 100
    # Not even when what was kept of it is lost, nor once the key has spent some.
    pays = funding(world, tmp_path / "lost")
    pays.fund(grant.grant, grant.buyer, 0, needed[0])
    spends = Transfer(recipient=pool_account(world.sellers), amount=90)
    assert world.proven.carry_out(bought.wallet, spends).ok
    with pytest.raises(RefusedError, match="spent money"):
        pays.fund(grant.grant, grant.buyer, 0, needed[0])
    funding(world, tmp_path / "paid").fund(grant.grant, grant.buyer, 0, needed[0])
    assert world.balance(grant.buyer) == 100 - 90 - FEE
    assert world.pool == pool - 100


def test_a_payment_that_was_signed_and_never_left_is_paid_once(
    world: BuyersWorld, bought: Bought, tmp_path: Path
) -> None:
    pays, pool, grant = funding(world, tmp_path / "paid"), world.pool, bought.grant
    sequence = world.sequence(world.buyers_wallet.account)
    world_submit = world.proven.submit

    class DiedError(Exception):
        pass

    def die(*arguments: object, **more: object) -> None:
        raise DiedError

    world.proven.submit = die  # type: ignore[assignment, method-assign]
    try:
        with pytest.raises(DiedError):
            pays.fund(grant.grant, grant.buyer, 0, 59)
    finally:
        world.proven.submit = world_submit  # type: ignore[method-assign]
    # Meanwhile the authority signed something else with this sequence.
    assert world.sequence(world.buyers_wallet.account) == sequence
    world.pass_blocks(1)
    for _ in range(2):
        funding(world, tmp_path / "paid").fund(grant.grant, grant.buyer, 0, 59)
    assert world.balance(grant.buyer) == 100
    assert world.pool == pool - 100


def test_threads_take_turns(world: BuyersWorld, member: MemberFile, tmp_path: Path) -> None:
    """Two grants, asked for by four threads: the authority's sequences do not collide."""
    offered, pool = world.offered(), world.pool
    grants = [world.granted(member.credential(), offered, use=use).grant for use in (0, 1)]
    pays, failed = funding(world, tmp_path), []

    def ask(grant: Grant) -> None:
        try:
            pays.fund(grant.grant, grant.buyer, 0, 59)
        except BaseException as error:  # noqa: BLE001
            failed.append(error)

    threads = [threading.Thread(target=ask, args=(each,)) for each in grants * 2]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    assert world.pool == pool - 2 * FEE - 200  # each request too
    assert [world.balance(each.buyer) for each in grants] == [100, 100]


@pytest.mark.parametrize(
    ("asset", "amount"), [(0, 60), (0, 0), (0, -1), (1, 59), (0, 2**64)], ids=str
)
def test_it_pays_for_nothing_else(
    world: BuyersWorld, bought: Bought, tmp_path: Path, asset: int, amount: int
) -> None:
    grant = bought.grant
    with pytest.raises(RefusedError):
        funding(world, tmp_path).fund(grant.grant, grant.buyer, asset, amount)
    assert world.balance(grant.buyer) == 0


def test_it_pays_for_its_own_grants_and_their_keys(
    world: BuyersWorld, bought: Bought, tmp_path: Path
) -> None:
    pays, grant = funding(world, tmp_path), bought.grant
    with pytest.raises(NotFoundError):
        pays.fund(bytes(32), grant.buyer, 0, 59)
    with pytest.raises(RefusedError, match="another key"):
        pays.fund(grant.grant, world.buyers_wallet.account, 0, 59)
    others = PoolFunding(world.proven, world.sellers_wallet, world.sellers, tmp_path)
    with pytest.raises(RefusedError, match="another fleet"):
        others.fund(grant.grant, grant.buyer, 0, 59)
    assert world.balance(grant.buyer) == 0


def test_a_grant_that_is_over_is_not_paid_for(world: BuyersWorld, tmp_path: Path) -> None:
    bought = world.granted(world.member_file(2).credential(), world.offered(grant_lifetime=2))
    world.pass_blocks(3)
    with pytest.raises(RefusedError, match="over"):
        funding(world, tmp_path).fund(bought.grant.grant, bought.grant.buyer, 0, 59)


def test_a_pool_without_money(world: BuyersWorld, bought: Bought, tmp_path: Path) -> None:
    account = world.sellers_wallet.account
    taken = PayFromPool(fleet=world.buyers, recipient=account, amount=world.pool - 99)
    world.must(world.authority, taken)
    pays, grant = funding(world, tmp_path), bought.grant
    with pytest.raises(RefusalError) as refusal:
        pays.fund(grant.grant, grant.buyer, 0, 59)
    assert refusal.value.code == ResultCode.INSUFFICIENT_FUNDS
    world.must(world.authority, Transfer(recipient=pool_account(world.buyers), amount=10_000))
    pays.fund(grant.grant, grant.buyer, 0, 59)
    assert world.balance(grant.buyer) == 100
