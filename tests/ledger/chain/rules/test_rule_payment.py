"""Rule payment: what moves, what is made, what is refused, and what caps hold back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.chain.account import MAX_AMOUNT, MAX_ASSETS, credit
from ledger.chain.codes import RefusalError, ResultCode
from ledger.chain.rules.payment import approve
from ledger.chain.spending import debit
from ledger.chain.sponsorship import pool_account
from ledger.chain.state_keys import cap_key
from ledger.ed25519 import PrivateKey
from ledger.schema.chain_payment_pb2 import (
    Approval,
    Asset,
    AssetRecord,
    CapRecord,
    CreateAsset,
    Mint,
    Output,
    SetSpendingCap,
    Transfer,
)
from ledger.schema.chain_pb2 import EVENT_KIND_MINTED
from tests.ledger.chain.rules.chain_world import BANK_MONEY, PEOPLE_MONEY, ChainWorld, account_of
from tests.ledger.chain.rules.weak_keys import WEAK_KEYS


@pytest.fixture
def world() -> ChainWorld:
    return ChainWorld()


def pay(world: ChainWorld, payer: str, payee: str | bytes, amount: int, **fields: Any) -> int:
    recipient = payee if isinstance(payee, bytes) else account_of(world.key(payee))
    asset = fields.pop("asset", 0)
    message = Transfer(recipient=recipient, amount=amount, asset=asset)
    return world.do(world.key(payer), message, **fields).code


class TestTransfer:
    def test_moves_money_and_makes_the_recipient(self, world: ChainWorld) -> None:
        assert world.account(world.key("new")) is None
        assert pay(world, "alice", "new", 1) == ResultCode.OK
        assert world.balance(world.key("new")) == 1
        assert world.balance(world.key("alice")) == PEOPLE_MONEY - 1

    def test_everything_and_one_more(self, world: ChainWorld) -> None:
        assert pay(world, "alice", "bob", PEOPLE_MONEY + 1) == ResultCode.INSUFFICIENT_FUNDS
        assert pay(world, "alice", "bob", PEOPLE_MONEY) == ResultCode.OK
        account = world.account(world.key("alice"))
        assert account is not None
        assert account.holdings == ()
        assert pay(world, "alice", "bob", 1) == ResultCode.INSUFFICIENT_FUNDS

    def test_to_oneself(self, world: ChainWorld) -> None:
        assert pay(world, "alice", "alice", PEOPLE_MONEY) == ResultCode.OK
        assert pay(world, "alice", "alice", PEOPLE_MONEY + 1) == ResultCode.INSUFFICIENT_FUNDS
        assert world.balance(world.key("alice")) == PEOPLE_MONEY

    def test_of_an_asset_that_one_lacks_or_nobody_has(self, world: ChainWorld) -> None:
        assert pay(world, "alice", "bob", 1, asset=1) == ResultCode.INSUFFICIENT_FUNDS
        assert pay(world, "alice", "bob", 1, asset=2**32 - 1) == ResultCode.INSUFFICIENT_FUNDS
        assert pay(world, "bank", "bob", 7, asset=1) == ResultCode.OK
        assert world.balance(world.key("bob"), 1) == 7

    @pytest.mark.parametrize(
        "message",
        [
            Transfer(recipient=bytes(32), amount=0),
            Transfer(recipient=bytes(31), amount=1),
            Transfer(recipient=bytes(33), amount=1),
            Transfer(amount=1),
            Transfer(recipient=bytes(32), amount=1, memo=bytes(65)),
            Transfer(),
        ],
    )
    def test_form(self, world: ChainWorld, message: Transfer) -> None:
        assert world.do(world.key("alice"), message).code == ResultCode.FIELD_REFUSED

    def test_longest_memo(self, world: ChainWorld) -> None:
        bob = account_of(world.key("bob"))
        world.must(world.key("alice"), Transfer(recipient=bob, amount=1, memo=b"\xff" * 64))

    @pytest.mark.parametrize("weak", WEAK_KEYS, ids=lambda key: key.hex()[:8])
    def test_to_a_key_that_anybody_or_nobody_signs_for(
        self, world: ChainWorld, weak: bytes
    ) -> None:
        assert pay(world, "alice", weak, 1) == ResultCode.WEAK_KEY

    def test_the_largest_amount(self, world: ChainWorld) -> None:
        assert pay(world, "bank", "bob", MAX_AMOUNT) == ResultCode.INSUFFICIENT_FUNDS

    def test_to_a_pool_and_never_from_it(self, world: ChainWorld) -> None:
        pool = pool_account(world.create_fleet())
        assert pay(world, "alice", pool, 10) == ResultCode.OK
        assert world.balance(pool) == 10


class TestCredit:
    """What a chain whose money is bounded never comes to, a rule is refused all the same."""

    def test_beyond_64_bits(self, world: ChainWorld) -> None:
        name = account_of(world.key("rich"))
        credit(world.state, name, 5, MAX_AMOUNT)
        with pytest.raises(RefusalError) as refusal:
            credit(world.state, name, 5, 1)
        assert refusal.value.code == ResultCode.AMOUNT_OVERFLOW
        assert world.balance(name, 5) == MAX_AMOUNT

    def test_more_assets_than_an_account_holds(self, world: ChainWorld) -> None:
        name = account_of(world.key("rich"))
        for asset in range(MAX_ASSETS):
            credit(world.state, name, asset, 1)
        credit(world.state, name, 3, 1)
        with pytest.raises(RefusalError) as refusal:
            credit(world.state, name, MAX_ASSETS, 1)
        assert refusal.value.code == ResultCode.TOO_MANY_ASSETS
        debit(world.context(), name, 7, 1)
        credit(world.state, name, MAX_ASSETS, 1)


def mint(
    world: ChainWorld,
    outputs: list[tuple[str, int]],
    governors: tuple[int, ...] = (0, 1),
    spoil: Callable[[Mint], None] | None = None,
    **fields: Any,
) -> int:
    message = Mint(
        asset=fields.get("asset", 0),
        number=fields.get("number", 0),
        outputs=[Output(account=account_of(world.key(who)), amount=what) for who, what in outputs],
    )
    add_approvals(world, message, [world.key(f"governor {number}") for number in governors])
    if spoil:
        spoil(message)
    return world.do(world.key(fields.get("sender", "alice")), message).code


def add_approvals(
    world: ChainWorld,
    message: Mint | CreateAsset,
    keys: list[PrivateKey],
    chain: bytes | None = None,
) -> None:
    approvals = [approve(chain or world.chain, key, message) for key in keys]
    message.approvals.extend(sorted(approvals, key=lambda approval: approval.key))


class TestMint:
    def test_makes_money_once(self, world: ChainWorld) -> None:
        before = world.minted()[0]
        assert mint(world, [("bob", 5), ("new", 7), ("bob", 1)]) == ResultCode.OK
        assert world.minted()[0] == before + 13
        assert world.balance(world.key("bob")) == PEOPLE_MONEY + 6
        # By anybody, but not again: the approvals are of mint 0.
        assert mint(world, [("bob", 5), ("new", 7), ("bob", 1)]) == ResultCode.MINT_NUMBER
        assert mint(world, [("bob", 5)], number=2) == ResultCode.MINT_NUMBER
        assert mint(world, [("bob", 5)], (0, 1, 2), number=1, sender="bob") == ResultCode.OK

    def test_says_so(self, world: ChainWorld) -> None:
        message = Mint(asset=1, outputs=[Output(account=account_of(world.key("bob")), amount=9)])
        add_approvals(world, message, [world.key("governor 0"), world.key("governor 2")])
        (event,) = world.must(world.key("alice"), message).events
        assert (event.kind, event.subject, event.amount) == (EVENT_KIND_MINTED, bytes(3) + b"\1", 9)

    @pytest.mark.parametrize("governors", [(), (0,), (2,)])
    def test_too_few_governors(self, world: ChainWorld, governors: tuple[int, ...]) -> None:
        assert mint(world, [("bob", 5)], governors) == ResultCode.NOT_APPROVED

    def test_up_to_64_bits_of_an_asset(self, world: ChainWorld) -> None:
        room = MAX_AMOUNT - world.minted()[1]
        assert mint(world, [("bob", room + 1)], asset=1) == ResultCode.AMOUNT_OVERFLOW
        halves = [("bob", room), ("alice", 1)]
        assert mint(world, halves, asset=1) == ResultCode.AMOUNT_OVERFLOW
        assert mint(world, [("bob", MAX_AMOUNT)] * 3, asset=1) == ResultCode.AMOUNT_OVERFLOW
        assert mint(world, [("bob", room)], asset=1) == ResultCode.OK
        assert world.minted()[1] == MAX_AMOUNT
        assert mint(world, [("bob", 1)], asset=1, number=1) == ResultCode.AMOUNT_OVERFLOW
        # The whole of it in one account: the sum still fits.
        bank = BANK_MONEY
        assert pay(world, "bank", "bob", bank, asset=1) == ResultCode.OK
        assert world.balance(world.key("bob"), 1) == MAX_AMOUNT

    def test_of_no_asset(self, world: ChainWorld) -> None:
        assert mint(world, [("bob", 5)], asset=2) == ResultCode.UNKNOWN_ASSET

    @pytest.mark.parametrize("weak", WEAK_KEYS[:2], ids=lambda key: key.hex()[:8])
    def test_for_a_weak_key(self, world: ChainWorld, weak: bytes) -> None:
        message = Mint(outputs=[Output(account=weak, amount=1)])
        add_approvals(world, message, [world.key("governor 0"), world.key("governor 1")])
        assert world.do(world.key("alice"), message).code == ResultCode.WEAK_KEY

    @pytest.mark.parametrize(
        "spoil",
        [
            lambda m: m.ClearField("outputs"),
            lambda m: m.outputs.extend([m.outputs[0]] * 500),
            lambda m: m.outputs.append(Output(account=bytes(31), amount=1)),
            lambda m: m.outputs.append(Output(account=bytes(32), amount=0)),
            lambda m: m.approvals.reverse(),
            lambda m: m.approvals.append(m.approvals[1]),
        ],
    )
    def test_form(self, world: ChainWorld, spoil: Callable[[Mint], None]) -> None:
        assert mint(world, [("bob", 5)], spoil=spoil) == ResultCode.FIELD_REFUSED

    def test_most_outputs(self, world: ChainWorld) -> None:
        assert mint(world, [("bob", 1)] * 500) == ResultCode.OK

    @pytest.mark.parametrize(
        "spoil",
        [
            lambda m: m.outputs.append(Output(account=m.outputs[0].account, amount=1)),
            lambda m: setattr(m.outputs[0], "amount", 6),
            lambda m: setattr(m, "asset", 1),
            lambda m: setattr(m.approvals[0], "signature", bytes(64)),
            lambda m: setattr(m.approvals[0], "signature", m.approvals[1].signature),
            lambda m: setattr(m.approvals[0], "signature", b""),
            lambda m: setattr(m.approvals[1], "key", b"\xff" * 32),
            lambda m: m.approvals.append(Approval(key=b"\xff" * 32, signature=bytes(64))),
            lambda m: m.approvals.append(Approval(key=b"\xff" * 33)),
        ],
    )
    def test_approval_of_something_else(
        self, world: ChainWorld, spoil: Callable[[Mint], None]
    ) -> None:
        assert mint(world, [("bob", 5)], spoil=spoil) == ResultCode.NOT_APPROVED

    def test_approved_by_people_who_govern_nothing(self, world: ChainWorld) -> None:
        message = Mint(outputs=[Output(account=account_of(world.key("bob")), amount=1)])
        add_approvals(world, message, [world.key("alice"), world.key("bob")])
        assert world.do(world.key("alice"), message).code == ResultCode.NOT_APPROVED

    def test_approved_for_another_chain(self, world: ChainWorld) -> None:
        message = Mint(outputs=[Output(account=account_of(world.key("bob")), amount=1)])
        keys = [world.key("governor 0"), world.key("governor 1")]
        add_approvals(world, message, keys, chain=ChainWorld(cap_delay=11).chain)
        assert world.do(world.key("alice"), message).code == ResultCode.NOT_APPROVED

    def test_an_approval_covers_what_others_added(self, world: ChainWorld) -> None:
        message = Mint(outputs=[Output(account=account_of(world.key("bob")), amount=1)])
        first = approve(world.chain, world.key("governor 0"), message)
        message.approvals.append(first)
        assert approve(world.chain, world.key("governor 0"), message) == first


def create(world: ChainWorld, asset: Asset, governors: tuple[int, ...] = (0, 1)) -> int:
    message = CreateAsset(asset=asset)
    add_approvals(world, message, [world.key(f"governor {number}") for number in governors])
    return world.do(world.key("alice"), message).code


class TestCreateAsset:
    def test_begins_with_nothing_and_is_minted(self, world: ChainWorld) -> None:
        assert create(world, Asset(id=2, symbol="GOLD", decimals=18)) == ResultCode.OK
        assert world.minted()[2] == 0
        assert mint(world, [("bob", 5)], asset=2) == ResultCode.OK
        assert pay(world, "bob", "alice", 5, asset=2) == ResultCode.OK
        assert create(world, Asset(id=2, symbol="LEAD")) == ResultCode.ASSET_EXISTS
        assert create(world, Asset(id=0, symbol="QPU", decimals=6)) == ResultCode.ASSET_EXISTS

    @pytest.mark.parametrize(
        "asset",
        [
            Asset(id=2**32 - 1, symbol="A"),
            Asset(id=9, symbol="ABCDEFGHIJKL", decimals=18),
            Asset(id=9, symbol="A9"),
        ],
    )
    def test_at_its_limits(self, world: ChainWorld, asset: Asset) -> None:
        assert create(world, asset) == ResultCode.OK

    @pytest.mark.parametrize(
        "asset",
        [
            Asset(id=2),
            Asset(id=2, symbol="ABCDEFGHIJKLM"),
            Asset(id=2, symbol="9A"),
            Asset(id=2, symbol="gold"),
            Asset(id=2, symbol="GOLD\n"),
            Asset(id=2, symbol="ÄU"),
            Asset(id=2, symbol="GOLD", decimals=19),
        ],
    )
    def test_form(self, world: ChainWorld, asset: Asset) -> None:
        assert create(world, asset) == ResultCode.FIELD_REFUSED

    def test_without_an_asset(self, world: ChainWorld) -> None:
        assert world.do(world.key("alice"), CreateAsset()).code == ResultCode.FIELD_REFUSED

    def test_not_approved(self, world: ChainWorld) -> None:
        assert create(world, Asset(id=2, symbol="GOLD"), (1,)) == ResultCode.NOT_APPROVED

    def test_an_approval_of_a_mint_is_none(self, world: ChainWorld) -> None:
        # Both messages are empty but for their approvals: only the name tells them apart.
        keys = [world.key("governor 0"), world.key("governor 1")]
        for key in keys:
            assert approve(world.chain, key, Mint()) != approve(world.chain, key, CreateAsset())

    def test_approvals_beyond_the_most(self, world: ChainWorld) -> None:
        message = CreateAsset(asset=Asset(id=2, symbol="GOLD"))
        message.approvals.extend(Approval(key=bytes([n]) * 32) for n in range(65))
        assert world.do(world.key("alice"), message).code == ResultCode.FIELD_REFUSED

    def test_a_chain_without_governors_makes_nothing(self) -> None:
        world = ChainWorld(governors=0)
        assert create(world, Asset(id=2, symbol="GOLD"), ()) == ResultCode.NOT_APPROVED
        assert mint(world, [("bob", 1)], ()) == ResultCode.NOT_APPROVED


def cap(world: ChainWorld, amount: int, period: int = 10, asset: int = 0) -> int:
    message = SetSpendingCap(amount=amount, period=period, asset=asset)
    return world.do(world.key("alice"), message).code


class TestSpendingCap:
    def test_holds_within_a_window_and_not_beyond(self, world: ChainWorld) -> None:
        assert cap(world, 100) == ResultCode.OK
        assert pay(world, "alice", "bob", 101) == ResultCode.OVER_CAP
        assert pay(world, "alice", "bob", 60) == ResultCode.OK
        world.advance(9)
        assert pay(world, "alice", "bob", 41) == ResultCode.OVER_CAP
        assert pay(world, "alice", "bob", 40) == ResultCode.OK
        assert pay(world, "alice", "bob", 1) == ResultCode.OVER_CAP
        world.advance(1)
        assert pay(world, "alice", "bob", 100) == ResultCode.OK
        assert pay(world, "alice", "bob", 1) == ResultCode.OVER_CAP

    def test_a_window_begins_with_its_first_payment(self, world: ChainWorld) -> None:
        world.advance(100)
        assert cap(world, 100) == ResultCode.OK
        world.advance(7)
        assert pay(world, "alice", "bob", 100) == ResultCode.OK
        world.advance(9)
        assert pay(world, "alice", "bob", 1) == ResultCode.OVER_CAP
        world.advance(1)
        assert pay(world, "alice", "bob", 1) == ResultCode.OK

    def test_counts_fees(self) -> None:
        world = ChainWorld(min_fee=3)
        assert cap(world, 10) == ResultCode.OK
        assert pay(world, "alice", "bob", 4) == ResultCode.OK
        assert pay(world, "alice", "bob", 1) == ResultCode.OVER_CAP
        world.fund(world.key("alice"), 5, asset=1)
        assert pay(world, "alice", "bob", 5, asset=1) == ResultCode.OK
        assert pay(world, "alice", "bob", 1) == ResultCode.OVER_CAP

    def test_is_of_one_asset_and_one_account(self, world: ChainWorld) -> None:
        world.fund(world.key("alice"), 50, asset=1)
        assert cap(world, 0) == ResultCode.OK
        assert pay(world, "alice", "bob", 1) == ResultCode.OVER_CAP
        assert pay(world, "alice", "bob", 50, asset=1) == ResultCode.OK
        assert pay(world, "bob", "alice", PEOPLE_MONEY) == ResultCode.OK

    def test_lower_at_once_with_what_was_spent(self, world: ChainWorld) -> None:
        assert cap(world, 100) == ResultCode.OK
        assert pay(world, "alice", "bob", 50) == ResultCode.OK
        assert cap(world, 60) == ResultCode.OK
        assert pay(world, "alice", "bob", 11) == ResultCode.OVER_CAP
        assert pay(world, "alice", "bob", 10) == ResultCode.OK
        assert cap(world, 20) == ResultCode.OK
        assert pay(world, "alice", "bob", 1) == ResultCode.OVER_CAP

    @pytest.mark.parametrize(("amount", "period"), [(101, 10), (100, 9), (50, 1)])
    def test_higher_after_the_delay(self, world: ChainWorld, amount: int, period: int) -> None:
        assert cap(world, 100) == ResultCode.OK
        assert pay(world, "alice", "bob", 100) == ResultCode.OK
        assert cap(world, amount, period) == ResultCode.OK
        world.advance(9)
        assert pay(world, "alice", "bob", 1) == ResultCode.OVER_CAP
        world.advance(1)
        # The old window is over, and the new cap acts.
        assert pay(world, "alice", "bob", amount + 1) == ResultCode.OVER_CAP
        assert pay(world, "alice", "bob", amount) == ResultCode.OK
        assert pay(world, "alice", "bob", 1) == ResultCode.OVER_CAP
        world.advance(period)
        assert pay(world, "alice", "bob", amount) == ResultCode.OK

    def test_switching_begins_no_window(self) -> None:
        world = ChainWorld(cap_delay=5)
        assert cap(world, 100, 100) == ResultCode.OK
        assert pay(world, "alice", "bob", 100) == ResultCode.OK
        assert cap(world, 101, 100) == ResultCode.OK
        world.advance(5)
        assert pay(world, "alice", "bob", 2) == ResultCode.OVER_CAP
        assert pay(world, "alice", "bob", 1) == ResultCode.OK

    def test_longer_and_longer_periods_let_nothing_through(self, world: ChainWorld) -> None:
        # Each is lower than the one before, so each acts at once.
        assert cap(world, 100) == ResultCode.OK
        assert pay(world, "alice", "bob", 100) == ResultCode.OK
        for period in range(11, 60):
            world.advance(1)
            assert cap(world, 100, max(period, world.height + 1)) == ResultCode.OK
            world.advance(1)
            assert pay(world, "alice", "bob", 1) == ResultCode.OVER_CAP

    def test_a_longer_period_looks_back_as_far(self, world: ChainWorld) -> None:
        assert cap(world, 100) == ResultCode.OK
        assert pay(world, "alice", "bob", 100) == ResultCode.OK
        assert cap(world, 101, 20) == ResultCode.OK
        world.advance(19)
        assert pay(world, "alice", "bob", 2) == ResultCode.OVER_CAP
        world.advance(1)
        assert pay(world, "alice", "bob", 101) == ResultCode.OK

    def test_lowering_calls_a_raise_off_and_raising_again_begins_the_delay_again(
        self, world: ChainWorld
    ) -> None:
        assert cap(world, 100) == ResultCode.OK
        assert cap(world, 1000) == ResultCode.OK
        world.advance(9)
        assert cap(world, 2000) == ResultCode.OK
        world.advance(9)
        assert pay(world, "alice", "bob", 101) == ResultCode.OVER_CAP
        # The same cap again is no raise: it calls off what was to come.
        assert cap(world, 100) == ResultCode.OK
        world.advance(100)
        assert pay(world, "alice", "bob", 101) == ResultCode.OVER_CAP

    def test_taken_off_after_the_delay(self, world: ChainWorld) -> None:
        assert cap(world, 0) == ResultCode.OK
        assert cap(world, MAX_AMOUNT) == ResultCode.OK
        world.advance(9)
        assert pay(world, "alice", "bob", 1) == ResultCode.OVER_CAP
        world.advance(1)
        assert pay(world, "alice", "bob", PEOPLE_MONEY) == ResultCode.OK

    @pytest.mark.parametrize("period", [0, 10_000_001, 2**32 - 1])
    def test_form(self, world: ChainWorld, period: int) -> None:
        assert cap(world, 1, period) == ResultCode.FIELD_REFUSED

    def test_at_its_limits(self, world: ChainWorld) -> None:
        assert cap(world, MAX_AMOUNT - 1, 10_000_000) == ResultCode.OK
        assert pay(world, "alice", "bob", 5) == ResultCode.OK
        assert cap(world, 0, 10_000_000) == ResultCode.OK

    def test_of_no_asset(self, world: ChainWorld) -> None:
        assert cap(world, 1, asset=2) == ResultCode.UNKNOWN_ASSET

    @given(
        steps=st.lists(
            st.tuples(
                st.integers(0, 12),
                st.one_of(
                    st.integers(1, 40),
                    st.tuples(st.integers(0, 30), st.integers(1, 15)),
                ),
            ),
            max_size=30,
        )
    )
    def test_never_more_than_twice_the_cap_in_a_period(
        self, steps: list[tuple[int, int | tuple[int, int]]]
    ) -> None:
        # Whoever has the key and 0 delay short of a raise: caps only fall, periods only grow.
        world = ChainWorld(cap_delay=10_000_000)
        assert cap(world, 30, 10) == ResultCode.OK
        amount, period = 30, 10
        paid: list[tuple[int, int]] = []
        for blocks, step in steps:
            world.advance(blocks)
            if isinstance(step, int):
                if pay(world, "alice", "bob", step) == ResultCode.OK:
                    paid.append((world.height, step))
            else:
                assert cap(world, *step) == ResultCode.OK
        for start, _ in paid:
            spent = sum(what for height, what in paid if start <= height < start + period)
            assert spent <= 2 * amount


class TestFees:
    def test_go_to_the_treasury(self) -> None:
        world = ChainWorld(min_fee=5)
        assert pay(world, "alice", "bob", 1, fee=4) == ResultCode.FEE_TOO_LOW
        assert pay(world, "alice", "bob", 1, fee=5) == ResultCode.OK
        assert pay(world, "alice", "bob", 1, fee=900) == ResultCode.OK
        assert world.balance(world.key("treasury")) == 905
        assert world.balance(world.key("alice")) == PEOPLE_MONEY - 907

    @pytest.mark.parametrize(
        ("fee", "amount", "code"),
        [
            (PEOPLE_MONEY, 1, ResultCode.INSUFFICIENT_FUNDS),
            (PEOPLE_MONEY + 1, 1, ResultCode.INSUFFICIENT_FUNDS),
            (MAX_AMOUNT, MAX_AMOUNT, ResultCode.INSUFFICIENT_FUNDS),
            (1, MAX_AMOUNT, ResultCode.INSUFFICIENT_FUNDS),
            (PEOPLE_MONEY - 1, 1, ResultCode.OK),
        ],
    )
    def test_and_amount_together(
        self, world: ChainWorld, fee: int, amount: int, code: ResultCode
    ) -> None:
        # A fee that could be paid does not stay when the rule refuses.
        assert pay(world, "alice", "bob", amount, fee=fee) == code

    def test_of_the_treasury_itself(self) -> None:
        world = ChainWorld(min_fee=5)
        world.fund(world.key("treasury"), 20)
        assert pay(world, "treasury", "bob", 20) == ResultCode.OK
        # The bank's fee came in too, and the treasury's own went out and in.
        assert world.balance(world.key("treasury")) == 5


def test_what_a_cap_says_in_the_state(world: ChainWorld) -> None:
    assert cap(world, 100) == ResultCode.OK
    world.advance(4)
    assert pay(world, "alice", "bob", 30) == ResultCode.OK
    assert cap(world, 200, 5) == ResultCode.OK
    record = world.state.read(CapRecord, cap_key(account_of(world.key("alice")), 0))
    assert record == CapRecord(
        amount=100, period=10, window=5, spent=30, next_amount=200, next_period=5, next_height=15
    )


def test_what_an_asset_says_in_the_state(world: ChainWorld) -> None:
    assert mint(world, [("bob", 5)], asset=1) == ResultCode.OK
    record = AssetRecord.FromString(world.rows()[b"\x02" + (1).to_bytes(4, "big")])
    assert (record.asset.symbol, record.minted, record.mints) == ("EUR", BANK_MONEY + 5, 1)
