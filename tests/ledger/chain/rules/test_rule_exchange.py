"""Rule exchange: a sale from proposal to settlement, every refusal, every deadline.

`ChainWorld` itself checks that refusals change nothing and that money is conserved, with what
sales hold.
"""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256
from typing import Any

import pytest

from ledger.chain.codes import ResultCode
from ledger.chain.context import Context
from ledger.chain.genesis import MAX_BLOCKS
from ledger.chain.machine.execution import carry_out
from ledger.chain.sale.identity import key_hash, sale_id
from ledger.chain.transaction import parse_transaction
from ledger.ed25519 import PrivateKey
from ledger.schema.chain_exchange_pb2 import (
    ComplainSale,
    LockSale,
    RefundSale,
    RevealKey,
    SaleRecord,
    SettleSale,
)
from ledger.schema.chain_identity_pb2 import ROBOT_STATUS_ACTIVE, ROBOT_STATUS_FROZEN
from ledger.schema.chain_pb2 import (
    EVENT_KIND_KEY_REVEALED,
    EVENT_KIND_ROYALTY_PAID,
    EVENT_KIND_SALE_COMPLAINED,
    EVENT_KIND_SALE_LOCKED,
    EVENT_KIND_SALE_PROPOSED,
    EVENT_KIND_SALE_REFUNDED,
    EVENT_KIND_SALE_SETTLED,
)
from tests.ledger.chain.rules.chain_world import account_of, name_attachments
from tests.ledger.chain.rules.exchange_world import (
    ANYBODY,
    COMPLAINT,
    DEPOSIT,
    LIFETIME,
    LOCK,
    MONEY,
    PRICE,
    REVEAL,
    ROYALTIES,
    UNITS,
    ExchangeWorld,
)
from tests.ledger.chain.rules.sharing_world import ROBOT
from tests.ledger.exchange.fairswap_world import KEY, Swap

OK = ResultCode.OK


def spoil(index: int) -> Callable[[list[bytes]], None]:
    """Sell one unit that opens to something else."""

    def edit(masked: list[bytes]) -> None:
        masked[index] = masked[index][:-1] + bytes([masked[index][-1] ^ 1])

    return edit


@pytest.fixture
def world() -> ExchangeWorld:
    return ExchangeWorld()


@pytest.fixture
def cheat() -> ExchangeWorld:
    """The seller sells a spoilt unit 3."""
    return ExchangeWorld(spoil(3))


def event(world: ExchangeWorld) -> tuple[int, bytes, int]:
    ((kind, subject, amount),) = [(e.kind, e.subject, e.amount) for e in world.last.events]
    return kind, subject, amount


# A sale


def test_an_honest_sale_pays_royalties_and_seller(world: ExchangeWorld) -> None:
    assert world.propose() == OK
    assert event(world) == (EVENT_KIND_SALE_PROPOSED, world.sale, DEPOSIT)
    assert world.found() == SaleRecord(
        grant=world.grant,
        seller=account_of(world.seller),
        buyer=account_of(world.buyer),
        price=PRICE,
        deposit=DEPOSIT,
        royalties=world.granted.terms.royalties,
        content_root=world.granted.content_root,
        content_size=world.granted.content_size,
        unit_root=world.swap.tree.root,
        key_hash=key_hash(KEY),
        lock_height=world.height + LOCK,
        reveal_blocks=REVEAL,
        complaint_blocks=COMPLAINT,
    )
    assert world.earned() == (-DEPOSIT, 0)
    assert world.lock() == OK
    assert event(world) == (EVENT_KIND_SALE_LOCKED, world.sale, PRICE)
    assert world.earned() == (-DEPOSIT, -PRICE)
    assert world.reveal() == OK
    assert event(world) == (EVENT_KIND_KEY_REVEALED, world.sale, world.height + COMPLAINT)
    found = world.found()
    assert found is not None
    assert found.key == KEY
    world.advance(COMPLAINT + 1)
    assert world.settle() == OK
    *royalties, settled = [(e.kind, e.subject, e.amount) for e in world.last.events]
    assert settled == (EVENT_KIND_SALE_SETTLED, world.sale, PRICE)
    shares = zip([account for account, _ in ROYALTIES], world.shares(), strict=True)
    assert royalties == [(EVENT_KIND_ROYALTY_PAID, *share) for share in shares]
    # 533 * 1,000 / 10,000 and 533 * 333 / 10,000, rounded down.
    assert sorted(world.shares()) == [17, 53]
    assert world.earned() == (PRICE - 17 - 53, -PRICE)
    assert world.found() is None


def test_a_cheating_seller_loses_price_and_deposit(cheat: ExchangeWorld) -> None:
    cheat.revealed()
    assert cheat.complain(3) == OK
    assert event(cheat) == (EVENT_KIND_SALE_COMPLAINED, cheat.sale, PRICE + DEPOSIT)
    assert cheat.earned() == (-DEPOSIT, DEPOSIT)
    assert cheat.shares() == [0, 0]
    assert cheat.found() is None


def test_the_buyers_own_complaint_is_taken_by_the_chain(cheat: ExchangeWorld) -> None:
    """What `ledger.exchange.fairswap` builds is what the rule takes."""
    cheat.revealed()
    units = cheat.swap.received().revealed(KEY)
    complaint = units.complain(3, cheat.swap.masked[3])
    assert cheat.code(cheat.buyer, complaint.message, given=[complaint.attachment]) == OK


def test_a_sale_without_deposit_or_royalties() -> None:
    world = ExchangeWorld(deposit=0, royalties=[])
    world.revealed()
    world.advance(COMPLAINT + 1)
    assert world.settle() == OK
    assert world.earned() == (PRICE, -PRICE)


def test_royalties_may_be_all_of_it() -> None:
    account = ROYALTIES[0][0]
    world = ExchangeWorld(royalties=[{"account": account, "parts": 10_000}])
    world.revealed()
    world.advance(COMPLAINT + 1)
    assert world.settle() == OK
    assert world.earned() == (0, -PRICE)
    assert world.balance(account) == PRICE


def test_a_sale_in_another_asset() -> None:
    world = ExchangeWorld(asset=1)
    for key in (world.seller, world.buyer):
        world.fund(key, MONEY, 1)
    world.sale = world.next_sale()
    world.revealed()
    world.advance(COMPLAINT + 1)
    assert world.settle() == OK
    assert world.balance(world.buyer, 1) == MONEY - PRICE
    assert world.earned() == (0, 0)


def test_several_sales_of_one_grant_are_apart(world: ExchangeWorld) -> None:
    assert world.propose() == OK
    account = world.account(world.seller)
    assert account is not None
    first, world.sale = world.sale, world.next_sale()
    assert first != world.sale == sale_id(world.chain, world.grant, account.sequence)
    assert world.propose() == OK
    assert world.lock() == OK
    world.sale = first
    found = world.found()
    assert found is not None
    assert not found.reveal_height


# Deadlines, to the block


def test_lock_up_to_its_height(world: ExchangeWorld) -> None:
    assert world.propose() == OK
    world.advance(LOCK)
    assert world.refund() == ResultCode.SALE_STATE
    assert world.lock() == OK


def test_a_sale_that_is_not_locked_goes_back(world: ExchangeWorld) -> None:
    assert world.propose() == OK
    world.advance(LOCK + 1)
    assert world.lock() == ResultCode.SALE_TIME_OVER
    assert world.refund() == OK
    assert event(world) == (EVENT_KIND_SALE_REFUNDED, world.sale, DEPOSIT)
    assert world.earned() == (0, 0)
    assert world.found() is None


def test_reveal_up_to_its_height(world: ExchangeWorld) -> None:
    world.locked()
    world.advance(REVEAL)
    assert world.refund() == ResultCode.SALE_STATE
    assert world.reveal() == OK


def test_late_reveal(world: ExchangeWorld) -> None:
    """The key after its time opens nothing to the seller: the buyer has it all back, and more."""
    world.locked()
    world.advance(REVEAL + 1)
    assert world.reveal() == ResultCode.SALE_TIME_OVER
    assert world.settle() == ResultCode.SALE_STATE
    assert world.refund() == OK
    assert world.earned() == (-DEPOSIT, DEPOSIT)
    assert world.reveal() == ResultCode.UNKNOWN_SALE


def test_complain_up_to_its_height(cheat: ExchangeWorld) -> None:
    cheat.revealed()
    cheat.advance(COMPLAINT)
    assert cheat.settle() == ResultCode.SALE_STATE
    assert cheat.complain(3) == OK


def test_complaint_after_the_deadline(cheat: ExchangeWorld) -> None:
    cheat.revealed()
    cheat.advance(COMPLAINT + 1)
    assert cheat.complain(3) == ResultCode.SALE_TIME_OVER
    assert cheat.settle() == OK
    assert cheat.complain(3) == ResultCode.UNKNOWN_SALE


def test_a_sale_ends_once(cheat: ExchangeWorld) -> None:
    cheat.revealed()
    assert cheat.complain(3) == OK
    cheat.advance(COMPLAINT + REVEAL + LOCK)
    for code in (cheat.settle(), cheat.refund(), cheat.complain(3), cheat.lock(), cheat.reveal()):
        assert code == ResultCode.UNKNOWN_SALE


# The wrong order, the wrong side


def test_nothing_before_its_time(world: ExchangeWorld) -> None:
    assert world.lock() == ResultCode.UNKNOWN_SALE
    assert world.propose() == OK
    assert world.reveal() == ResultCode.SALE_STATE
    assert world.complain(0) == ResultCode.SALE_STATE
    assert world.settle() == ResultCode.SALE_STATE
    assert world.lock() == OK
    assert world.lock() == ResultCode.SALE_STATE
    assert world.complain(0) == ResultCode.SALE_STATE
    assert world.settle() == ResultCode.SALE_STATE
    assert world.reveal() == OK
    assert world.reveal() == ResultCode.SALE_STATE
    assert world.lock() == ResultCode.SALE_STATE
    world.advance(COMPLAINT + REVEAL + LOCK)
    assert world.refund() == ResultCode.SALE_STATE


def test_only_the_side_whose_turn_it_is(world: ExchangeWorld) -> None:
    authority = world.authority
    for who in (authority, world.buyer, ANYBODY):
        assert world.propose(who) == ResultCode.NOT_ALLOWED
    assert world.propose() == OK
    for who in (authority, world.seller, ANYBODY):
        assert world.lock(who) == ResultCode.NOT_ALLOWED
    assert world.lock() == OK
    for who in (authority, world.buyer, ANYBODY):
        assert world.reveal(who=who) == ResultCode.NOT_ALLOWED


# Terms


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"grant": bytes(32)}, ResultCode.UNKNOWN_GRANT),
        ({"grant": b"short"}, ResultCode.FIELD_REFUSED),
        ({"unit_root": bytes(31)}, ResultCode.FIELD_REFUSED),
        ({"key_hash": b""}, ResultCode.FIELD_REFUSED),
        ({"reveal_blocks": 0}, ResultCode.SALE_TERMS),
        ({"reveal_blocks": MAX_BLOCKS + 1}, ResultCode.SALE_TERMS),
        ({"complaint_blocks": 0}, ResultCode.SALE_TERMS),
        ({"complaint_blocks": 4}, ResultCode.SALE_TERMS),  # less than the chain's 5
        ({"complaint_blocks": MAX_BLOCKS + 1}, ResultCode.SALE_TERMS),
        ({"lock_height": 0}, ResultCode.SALE_TERMS),
        ({"lock_height": 10_000}, ResultCode.SALE_TERMS),
        ({"lock_height": 2**64 - 1}, ResultCode.SALE_TERMS),
    ],
)
def test_a_sale_that_cannot_be_is_refused(
    world: ExchangeWorld, fields: dict[str, Any], code: ResultCode
) -> None:
    world.advance()
    assert world.propose(**fields) == code


def test_a_sale_can_be_locked_up_to_the_grants_end_and_no_longer(world: ExchangeWorld) -> None:
    last = world.granted.expiry_height
    assert world.propose(lock_height=last + 1) == ResultCode.SALE_TERMS
    world.advance(LIFETIME + 1)
    assert world.propose(lock_height=world.height) == ResultCode.SALE_TERMS


def test_what_costs_nothing_or_too_much_is_not_sold(world: ExchangeWorld) -> None:
    for prices, code in (
        ((0, 0, 0), ResultCode.SALE_TERMS),
        ((2**63, 0, 0), ResultCode.AMOUNT_OVERFLOW),
        ((0, 2**64 - 1, 1), ResultCode.AMOUNT_OVERFLOW),
    ):
        chunk, record, deposit = prices
        granted = world.granted
        granted.terms.chunk_price, granted.terms.record_price = chunk, record
        granted.terms.deposit = deposit
        world.write_grant()
        assert world.propose() == code
    world.granted.terms.record_price = 5
    world.write_grant(content_size=0)
    assert world.propose() == ResultCode.SALE_TERMS


def test_money_that_is_not_there_is_not_set_aside(world: ExchangeWorld) -> None:
    world.granted.terms.deposit = MONEY + 1
    world.write_grant()
    assert world.propose() == ResultCode.INSUFFICIENT_FUNDS
    world.granted.terms.deposit = DEPOSIT
    world.granted.terms.record_price = MONEY + 1
    world.write_grant()
    world.sale = world.next_sale()
    assert world.propose() == OK
    assert world.lock() == ResultCode.INSUFFICIENT_FUNDS


def test_a_frozen_robot_sells_nothing_and_what_is_locked_ends(world: ExchangeWorld) -> None:
    world.set_status(ROBOT, ROBOT_STATUS_FROZEN)
    assert world.propose() == ResultCode.ROBOT_FROZEN
    world.set_status(ROBOT, ROBOT_STATUS_ACTIVE)
    assert world.propose() == OK
    world.set_status(ROBOT, ROBOT_STATUS_FROZEN)
    assert world.lock() == ResultCode.ROBOT_FROZEN
    world.set_status(ROBOT, ROBOT_STATUS_ACTIVE)
    assert world.lock() == OK
    world.set_status(ROBOT, ROBOT_STATUS_FROZEN)
    assert world.reveal() == OK
    world.advance(COMPLAINT + 1)
    assert world.settle() == OK


@pytest.mark.parametrize("message", [LockSale, RefundSale, SettleSale, RevealKey, ComplainSale])
def test_what_names_no_sale_is_refused(world: ExchangeWorld, message: Any) -> None:
    for key in (world.buyer, world.seller):
        assert world.code(key, message(sale=b"short")) == ResultCode.FIELD_REFUSED


# Attacks


def test_wrong_k(world: ExchangeWorld) -> None:
    world.locked()
    for key in (bytes(32), key_hash(KEY)):
        assert world.reveal(key) == ResultCode.WRONG_KEY
    for key in (b"", KEY[:-1], KEY + b"\0"):
        assert world.reveal(key) == ResultCode.FIELD_REFUSED
    assert world.reveal() == OK


def test_k_that_opens_nothing_is_complained_of(world: ExchangeWorld) -> None:
    """The seller locks the hash of one key, and seals with another."""
    other = bytes(range(32))
    assert world.propose(key_hash=key_hash(other)) == OK
    assert (world.lock(), world.reveal(other)) == (OK, OK)
    assert world.complain(0) == OK
    assert world.earned() == (-DEPOSIT, DEPOSIT)


@pytest.mark.parametrize("index", range(UNITS))
def test_a_unit_that_is_right_is_no_complaint(cheat: ExchangeWorld, index: int) -> None:
    cheat.revealed()
    expected = OK if index == 3 else ResultCode.UNIT_IS_RIGHT
    assert cheat.complain(index) == expected


def test_index_swap(world: ExchangeWorld) -> None:
    """Honest units at other places, or held against other leaves, show nothing."""
    world.revealed()
    swap = world.swap
    for i, j in ((0, 1), (1, 0), (2, 3), (4, 0)):
        for fields in (
            {"masked": swap.masked[j]},
            {"masked": swap.masked[j], "unit_path": swap.tree.path(j)},
            {"leaf": swap.leaves[j]},
            {"leaf": swap.leaves[j], "leaf_path": swap.content_tree.path(j)},
            {"unit_path": swap.tree.path(j)},
        ):
            assert world.complain(i, **fields) == ResultCode.BAD_COMPLAINT
    for index in (UNITS, 2**63, 2**64 - 1):
        assert world.complain(0, index=index) == ResultCode.BAD_COMPLAINT


def test_a_node_for_a_leaf(world: ExchangeWorld) -> None:
    """h_i may be no inner node with the rest of its path, nor the root itself."""
    world.revealed()
    tree = world.swap.content_tree
    (node,), path = tree.read_hashes([(1, 0)]), tree.path(0)
    for fields in (
        {"leaf": node, "leaf_path": path[1:]},
        {"leaf": tree.root, "leaf_path": ()},
        {"leaf_path": (*path, bytes(32))},
        {"unit_path": world.swap.tree.path(0)[1:]},
    ):
        assert world.complain(0, **fields) == ResultCode.BAD_COMPLAINT


def test_an_odd_leaf_is_not_counted_twice(world: ExchangeWorld) -> None:
    """Unit 4 stands alone at the right edge: it is at no second place, by no second path."""
    world.revealed()
    swap, last = world.swap, UNITS - 1
    doubled = (swap.leaves[last], *swap.content_tree.path(last))
    assert world.complain(last, leaf_path=doubled) == ResultCode.BAD_COMPLAINT
    assert world.complain(last, index=UNITS) == ResultCode.BAD_COMPLAINT
    assert world.complain(last, index=UNITS, leaf_path=doubled) == ResultCode.BAD_COMPLAINT


def test_k_reuse(world: ExchangeWorld) -> None:
    """One key for two sales: what was sealed for the one shows nothing in the other."""
    world.revealed()
    first = world.swap
    world.sale = world.next_sale()
    world.swap = Swap(UNITS, sale=world.sale)
    assert all(a != b for a, b in zip(first.masked, world.swap.masked, strict=True))
    world.fund(world.buyer, PRICE)
    world.fund(world.seller, DEPOSIT)
    world.revealed()
    assert world.complain(0) == ResultCode.UNIT_IS_RIGHT
    fields: Any = {"masked": first.masked[0], "unit_path": first.tree.path(0)}
    assert world.complain(0, **fields) == ResultCode.BAD_COMPLAINT


@pytest.mark.parametrize("size", [0, 1, 262_175, 262_177])
def test_a_unit_of_another_size(world: ExchangeWorld, size: int) -> None:
    world.revealed()
    masked = (world.swap.masked[0] + b"\0")[:size] or b"\0"
    assert world.complain(0, masked=masked) == ResultCode.BAD_COMPLAINT


def test_every_step_of_both_paths_counts(cheat: ExchangeWorld) -> None:
    cheat.revealed()
    for name, path in (
        ("unit_path", cheat.swap.tree.path(3)),
        ("leaf_path", cheat.swap.content_tree.path(3)),
    ):
        for place in range(len(path)):
            broken = [bytes([step[0] ^ (at == place)]) + step[1:] for at, step in enumerate(path)]
            fields: dict[str, Any] = {name: broken}
            assert cheat.complain(3, **fields) == ResultCode.BAD_COMPLAINT
        for unfit in ([b"short"], [bytes(32)] * 64):
            fields = {name: unfit}
            assert cheat.complain(3, **fields) == ResultCode.FIELD_REFUSED
    assert cheat.complain(3, leaf=bytes(32)) == ResultCode.BAD_COMPLAINT
    assert cheat.complain(3, leaf=b"") == ResultCode.FIELD_REFUSED
    assert cheat.complain(3, unit=b"") == ResultCode.FIELD_REFUSED
    assert cheat.complain(3) == OK


# The attachment


def submit(world: ExchangeWorld, who: PrivateKey, fields: dict[str, Any], given: bytes) -> int:
    message = world.complaint(3).message
    return world.submit(world.sign(who, message, **fields), [given]).code


def test_a_complaint_brings_its_unit(cheat: ExchangeWorld) -> None:
    cheat.revealed()
    unit = cheat.swap.masked[3]
    other = cheat.swap.masked[2]
    named = name_attachments([unit])
    assert submit(cheat, ANYBODY, {}, unit) == ResultCode.BAD_COMPLAINT  # it is not named
    assert submit(cheat, ANYBODY, {"attachments": name_attachments([other])}, other) == (
        ResultCode.BAD_COMPLAINT
    )
    assert submit(cheat, ANYBODY, {"attachments": named}, other) == ResultCode.ATTACHMENT_MISSING
    assert submit(cheat, ANYBODY, {"attachments": named}, unit) == OK


def test_a_complaint_whose_unit_was_pruned_has_the_same_end(cheat: ExchangeWorld) -> None:
    """As a replay does it: what was judged once, by the unit, is not judged again."""
    cheat.revealed()
    complaint = cheat.complaint(3)
    given = complaint.attachment
    named: dict[str, Any] = {"attachments": name_attachments([given])}
    encoded = cheat.sign(ANYBODY, complaint.message, **named)
    read = parse_transaction(cheat.chain, encoded)
    context: Context = cheat.context()
    pruned = frozenset({sha256(given).digest()})
    replayed = carry_out(context, read, True, {}, pruned)
    rows = dict(cheat.state.changes)
    assert replayed.code == OK
    assert not context.attachments
    assert cheat.found() is None
    # A complaint that is not recorded as carried out is judged, and here its unit is missing.
    again = ExchangeWorld(spoil(3))
    again.revealed()
    assert carry_out(again.context(), read, True, {}).code == ResultCode.ATTACHMENT_MISSING
    assert again.submit(encoded, [given]) == replayed
    assert again.state.changes == rows
    # Unless it names its unit, pruning what other transactions brought makes it no better.
    third = ExchangeWorld()
    third.revealed()
    unnamed = parse_transaction(third.chain, third.sign(ANYBODY, complaint.message))
    assert carry_out(third.context(), unnamed, True, {}, pruned).code == ResultCode.BAD_COMPLAINT
