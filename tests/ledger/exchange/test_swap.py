"""Atomic sales, both ends on disk: sold, refused, complained of, refunded; and what is checked."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from ledger.chain.codes import ResultCode
from ledger.errors import (
    CorruptStoreError,
    RefusedError,
    VerificationError,
)
from ledger.exchange.buyer import BadUnitError, SellerRefusedError
from ledger.exchange.messages import Reason, Reply, encode_refused
from ledger.exchange.swap_buyer import FetchingMasked, OpeningSwap
from ledger.exchange.swap_cipher import Part
from ledger.exchange.swap_driver import swap, where
from ledger.exchange.swap_file import SwapRow, SwapStage, read_swap, swap_grants
from ledger.exchange.swap_messages import (
    SealedPart,
    SwapOpened,
    encode_part,
    encode_part_fetch,
    encode_swap_opened,
    is_swap_request,
    parse_swap_reply,
    parse_swap_request,
)
from ledger.exchange.swap_payment import (
    AwaitingKey,
    BoughtSwap,
    LateComplaintError,
    LockableSwap,
    RefundableSwap,
    ReturnedSwap,
)
from ledger.exchange.swap_seller import (
    EndedSwap,
    LockedSwap,
    PreparedSwap,
    ProposedSwap,
    RevealedSwap,
)
from ledger.experience.content_root import CHUNK_SIZE
from ledger.schema.chain_payment_pb2 import Transfer
from tests.ledger.chain.rules.chain_world import account_of, known_key
from tests.ledger.chain.rules.exchange_world import DEPOSIT, PRICE, UNITS
from tests.ledger.exchange.stream_world import units_of
from tests.ledger.exchange.swap_world import (
    CONTENT,
    SELLING,
    Shelf,
    Spoilt,
    SwapWorld,
    buy_until,
    cheating,
    proposals,
    refused,
)

ROYALTIES = 17 + 53
"""Of the price, rounded down."""


@pytest.fixture
def world(tmp_path: Path) -> SwapWorld:
    return SwapWorld(tmp_path)


# A sale from end to end


def test_an_honest_sale(world: SwapWorld, tmp_path: Path) -> None:
    heard: list[tuple[int, int]] = []
    end = world.begin()
    bought = world.buy(end, lambda held, opened: heard.append((held, opened)))
    assert isinstance(bought, BoughtSwap)
    assert heard == [
        *((held, 0) for held in range(1, UNITS + 1)),
        *((UNITS, opened) for opened in range(1, UNITS + 1)),
    ]
    assert world.world.earned() == (-DEPOSIT, -PRICE)
    assert isinstance(world.counter.swap(world.world.grant), RevealedSwap)
    placed = bought.purchase.place(tmp_path / "files", [("a", 1_000), ("b", len(CONTENT) - 1_000)])
    assert b"".join(path.read_bytes() for path in placed) == CONTENT
    # What was masked is not needed any more, and takes no room.
    assert (bought.purchase.folder / "masked").stat().st_size == 0
    world.finish_seller()
    assert world.world.earned() == (PRICE - ROYALTIES, -PRICE)
    assert isinstance(where(end), BoughtSwap)
    # Under the same grant nothing is sold again, and k is gone.
    opening = OpeningSwap(end, 0)
    opening.receive(world.ask(opening.request()))
    assert end.session is not None
    for part in Part:
        refused(world, encode_part_fetch(end.session, part, 0), Reason.NO_SALE)
    assert len(proposals(world)) == 1
    row = read_swap(tmp_path / "sales", world.world.grant)
    assert row is not None
    assert (row.stage, row.key, row.leaves) == (SwapStage.SOLD, bytes(32), ())


def test_each_state_of_the_seller(world: SwapWorld) -> None:
    end = world.begin()
    state = where(end)
    assert isinstance(state, OpeningSwap)
    refused(world, state.request(), Reason.NOT_YET)
    (proposed,) = world.counter.tend()
    assert isinstance(proposed, ProposedSwap)
    state.receive(world.ask(state.request()))
    world.counter.tend()
    assert world.world.earned() == (-DEPOSIT, 0)
    while not isinstance(state, LockableSwap):
        assert not isinstance(state, BoughtSwap | ReturnedSwap | AwaitingKey | RefundableSwap)
        state = state.receive(world.ask(state.request())) or where(end)  # type: ignore[union-attr]
    state.lock()
    assert isinstance(where(end), AwaitingKey)
    (revealed,) = world.counter.tend()
    assert isinstance(revealed, RevealedSwap)
    assert world.chain.sale(revealed.row.sale).key == revealed.row.key
    world.pass_blocks(SELLING.complaint_blocks)
    (ended,) = world.counter.tend()
    assert isinstance(ended, EndedSwap)


def test_a_grant_that_is_over_leaves_no_trace_at_the_seller(world: SwapWorld) -> None:
    world.buy()
    world.finish_seller()
    world.pass_blocks(100)
    world.counter.tend()
    assert swap_grants(world.root / "sales") == ()


def test_nothing_is_proposed_that_costs_the_deposit_for_nothing(tmp_path: Path) -> None:
    """The disk has another content than the log says: nothing is masked, nothing proposed."""
    shelf = Shelf()
    assert shelf.units is not None
    shelf.units = Spoilt(shelf.units, [2])
    world = SwapWorld(tmp_path, shelf=shelf)
    state = where(world.begin())
    assert isinstance(state, OpeningSwap)
    refused(world, state.request(), Reason.NOT_YET)
    assert world.counter.tend() == ()
    refused(world, state.request(), Reason.GONE)
    assert world.chain.transactions == []
    # Put right, it is sold.
    shelf.units = units_of(CONTENT)
    assert isinstance(world.buy(), BoughtSwap)


def test_only_the_grants_key_opens_a_sale(world: SwapWorld) -> None:
    state = where(world.begin())
    assert isinstance(state, OpeningSwap)
    ask = parse_swap_request(state.request())
    assert is_swap_request(state.request())
    for at in (5, 40, 70, 100):
        spoilt = bytearray(state.request())
        spoilt[at] ^= 1
        assert world.ask(bytes(spoilt)) in (
            encode_refused(Reason.WRONG_SIGNATURE),
            encode_refused(Reason.NO_GRANT),
            encode_refused(Reason.MALFORMED),
        )
    assert world.counter.tend() == ()
    assert ask == parse_swap_request(state.request())


# What the buyer checks


class Wire:
    """A way to the seller on which replies of one kind are changed."""

    def __init__(self, world: SwapWorld, kind: type, change: object) -> None:
        self.world, self.kind, self.change = world, kind, change

    def ask(self, request: bytes) -> Reply:
        reply = self.world.ask(request)
        answer = parse_swap_reply(reply)
        return self.change(answer, reply) if isinstance(answer, self.kind) else reply  # type: ignore[operator]


def buy_over(world: SwapWorld, wire: Wire) -> object:
    return swap(world.begin(), wire, world.wait)


def test_a_seller_is_known_by_its_signature(world: SwapWorld) -> None:
    def another_sale(answer: SwapOpened, reply: Reply) -> Reply:
        return encode_swap_opened(replace(answer, sale=bytes(32)))

    with pytest.raises(VerificationError):
        buy_over(world, Wire(world, SwapOpened, another_sale))
    assert world.world.earned() == (-DEPOSIT, 0)


@pytest.mark.parametrize("at", [0, 20, -1])
def test_units_that_are_not_as_sealed_are_not_kept(world: SwapWorld, at: int) -> None:
    def flip(answer: SealedPart, reply: Reply) -> Reply:
        sealed = bytearray(reply.sealed)
        sealed[at] ^= 1
        return encode_part(replace(answer, sealed=bytes(sealed)))

    with pytest.raises(BadUnitError):
        buy_over(world, Wire(world, SealedPart, flip))
    assert world.purchase is not None
    assert (world.purchase.units, world.purchase.held) == (None, 0)
    assert isinstance(world.buy(), BoughtSwap)


def test_a_unit_that_is_not_the_sales_is_not_kept_however_well_it_is_sealed(
    world: SwapWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    parts = world.counter._parts
    unit = parts.unit

    def other(row: SwapRow, index: int) -> bytes:
        masked = unit(row, index)
        return masked[:-1] + bytes([masked[-1] ^ 1]) if index == 3 else masked

    monkeypatch.setattr(parts, "unit", other)
    with pytest.raises(BadUnitError):
        world.buy()
    assert world.purchase is not None
    assert world.purchase.held == 3
    assert world.world.earned() == (-DEPOSIT, 0)
    monkeypatch.undo()
    assert isinstance(world.buy(), BoughtSwap)


@pytest.mark.parametrize(("lost", "held"), [(0, 0), (2, 2), (4, 4)])
def test_units_that_did_not_reach_the_disk_come_again(
    world: SwapWorld, lost: int, held: int
) -> None:
    """After a power cut the file may be as long as it was, and a unit of it zeros."""
    buy_until(world, LockableSwap)
    world.leave()
    masked = world.root / "bought" / "masked"
    data = bytearray(masked.read_bytes())
    at = lost * (32 + CHUNK_SIZE)
    data[at : at + 4_096] = bytes(len(data[at : at + 4_096]))
    masked.write_bytes(data)
    assert world.begin().purchase.held == held
    # Or it is shorter.
    world.leave()
    masked.write_bytes(data[: at + 5])
    assert world.begin().purchase.held == held
    assert isinstance(world.buy(), BoughtSwap)
    assert world.received() == CONTENT


def test_a_sale_that_is_not_of_the_grant_is_not_locked(tmp_path: Path) -> None:
    """The chain keeps price and content to the grant; a seller of two grants may mix them up."""
    world = SwapWorld(tmp_path)
    state = where(world.begin())
    assert isinstance(state, OpeningSwap)
    world.ask(state.request())
    world.counter.tend()

    class Lying(type(world.chain)):  # type: ignore[misc]
        def sale(self, sale: bytes) -> object:
            record = super().sale(sale)
            if record is not None:
                setattr(record, self.field, self.value)
            return record

    for field, value in (
        ("price", PRICE + 1),
        ("content_root", bytes(32)),
        ("content_size", 5),
        ("buyer", bytes(32)),
        ("seller", bytes(32)),
        ("grant", bytes(32)),
        ("asset", 1),
        ("reveal_height", 9),
        ("reveal_blocks", 7),
        ("complaint_blocks", 5),
        ("lock_height", 1),
    ):
        lying = Lying(world.world)
        lying.field, lying.value = field, value
        end = world.begin()
        end.chain = lying
        opening = where(end)
        assert isinstance(opening, OpeningSwap)
        with pytest.raises((VerificationError, RefusedError)):
            opening.receive(world.ask(opening.request()))
        assert end.purchase.sale is None, field
    assert isinstance(world.buy(), BoughtSwap)


def test_the_price_is_locked_for_what_is_on_disk_alone(world: SwapWorld) -> None:
    """A unit that was altered after it came is fetched again, before and after the lock."""
    end = world.begin()
    masked = end.purchase.folder / "masked"

    def spoil() -> None:
        with masked.open("r+b") as file:
            file.seek(300_000)
            file.write(b"spoilt")

    fetched = []

    class Counting:
        def ask(self, request: bytes) -> Reply:
            answer = parse_swap_reply(world.ask(request))
            if isinstance(answer, SealedPart) and answer.part is Part.UNIT:
                fetched.append(answer.index)
                if len(fetched) == UNITS:
                    spoiling.append("now")
            return world.ask(request)

    spoiling: list[str] = []

    def told(held: int, opened: int) -> None:
        if spoiling:
            spoiling.clear()
            spoil()

    def wait(height: int) -> None:
        if end.purchase.held == UNITS and len(fetched) < 2 * UNITS:
            spoil()
        world.wait(height)

    assert isinstance(swap(end, Counting(), wait, told), BoughtSwap)
    assert fetched == [*range(UNITS), *range(1, UNITS), *range(1, UNITS)]
    assert world.received() == CONTENT


def test_a_disk_that_keeps_nothing_is_told(world: SwapWorld) -> None:
    end = world.begin()
    write = end.purchase.keep_masked
    end.purchase.keep_masked = lambda masked: write(bytes(len(masked)))  # type: ignore[method-assign]
    with pytest.raises(CorruptStoreError, match="does not keep"):
        world.buy(end)
    assert world.world.earned() == (-DEPOSIT, 0)


# Cheats, and sides that do not come


@pytest.mark.parametrize("wrong", [[0], [4], [1, 3]])
def test_one_wrong_unit_gives_price_and_deposit_to_the_buyer(
    tmp_path: Path, wrong: list[int]
) -> None:
    world = cheating(tmp_path, *wrong)
    ended = world.buy()
    assert isinstance(ended, ReturnedSwap)
    assert world.world.earned() == (-DEPOSIT, DEPOSIT)
    # What was not paid for is not kept.
    assert ended.purchase.opened.kept == 0
    with pytest.raises(RefusedError):
        ended.purchase.place(tmp_path / "files", [("a", len(CONTENT))])
    world.finish_seller()
    assert world.world.earned() == (-DEPOSIT, DEPOSIT)


def test_a_complaint_after_the_deadline_moves_nothing(tmp_path: Path) -> None:
    world = cheating(tmp_path, 2)
    end = world.begin()
    buy_until(world, AwaitingKey)
    world.counter.tend()
    world.pass_blocks(SELLING.complaint_blocks)
    with pytest.raises(LateComplaintError):
        world.buy()
    assert world.world.earned() == (-DEPOSIT, -PRICE)
    world.finish_seller()
    assert world.world.earned() == (PRICE - ROYALTIES, -PRICE)
    with pytest.raises(LateComplaintError):
        world.buy()
    assert end.purchase.folder.exists()


def test_a_buyer_that_was_away_finds_the_key_in_the_blocks(world: SwapWorld) -> None:
    buy_until(world, AwaitingKey)
    world.leave()
    world.finish_seller()
    assert world.world.earned() == (PRICE - ROYALTIES, -PRICE)
    assert isinstance(world.buy(), BoughtSwap)
    assert world.received() == CONTENT


def test_a_wrong_unit_that_is_found_after_the_end_is_told(tmp_path: Path) -> None:
    world = cheating(tmp_path, 2)
    buy_until(world, AwaitingKey)
    world.leave()
    world.finish_seller()
    with pytest.raises(LateComplaintError):
        world.buy()
    assert world.purchase is not None
    assert world.purchase.opened.kept == 2


def test_no_key_in_time_gives_price_and_deposit_to_the_buyer(world: SwapWorld) -> None:
    buy_until(world, AwaitingKey)
    world.pass_blocks(SELLING.reveal_blocks)
    # Too late for the seller: what it showed now would be seen, and earn nothing.
    (state,) = world.counter.tend()
    assert isinstance(state, LockedSwap)
    key = state.row.key
    assert not any(key in each for each in world.chain.transactions)
    assert isinstance(world.buy(), ReturnedSwap)
    assert world.world.earned() == (-DEPOSIT, DEPOSIT)
    world.counter.tend()
    assert not any(key in each for each in world.chain.transactions)


@pytest.mark.parametrize("late", range(SELLING.reveal_blocks))
def test_the_key_is_not_shown_in_the_last_blocks(world: SwapWorld, late: int) -> None:
    buy_until(world, AwaitingKey)
    world.pass_blocks(late)
    (state,) = world.counter.tend()
    in_time = late + SELLING.margin + 1 <= SELLING.reveal_blocks
    assert isinstance(state, RevealedSwap if in_time else LockedSwap)


def test_who_never_locks_costs_the_seller_nothing(world: SwapWorld) -> None:
    buy_until(world, LockableSwap)
    world.leave()
    world.pass_blocks(SELLING.lock_blocks)
    (state,) = world.counter.tend()
    assert isinstance(state, EndedSwap)
    assert world.world.earned() == (0, 0)
    # And comes too late: under this grant nothing is proposed again.
    with pytest.raises(SellerRefusedError) as refusal:
        world.buy()
    assert refusal.value.reason is Reason.NO_SALE
    world.pass_blocks(20)
    assert isinstance(world.buy(), ReturnedSwap)
    assert world.world.earned() == (0, 0)


def test_who_cannot_pay_locks_nothing(world: SwapWorld) -> None:
    world.world.code(
        world.buyer, Transfer(recipient=account_of(known_key("bank")), amount=1_000 - PRICE + 1)
    )
    with pytest.raises(RefusedError, match="INSUFFICIENT_FUNDS"):
        world.buy()
    world.world.fund(world.buyer, 1)
    assert isinstance(world.buy(), BoughtSwap)


def test_a_seller_that_cannot_pay_the_deposit_sells_nothing(world: SwapWorld) -> None:
    poor = Transfer(recipient=account_of(known_key("bank")), amount=1_000 - DEPOSIT + 1)
    assert world.world.code(world.seller, poor) == ResultCode.OK
    with pytest.raises(SellerRefusedError) as refusal:
        world.buy()
    assert refusal.value.reason is Reason.NO_SALE
    (state,) = world.counter.tend()
    assert isinstance(state, PreparedSwap)
    assert state.refusal is ResultCode.INSUFFICIENT_FUNDS


def test_content_that_is_erased_before_the_lock_is_sold_to_nobody(world: SwapWorld) -> None:
    buy_until(world, FetchingMasked)
    world.shelf.units = None
    with pytest.raises(SellerRefusedError) as refusal:
        world.buy()
    assert refusal.value.reason is Reason.GONE
    world.pass_blocks(SELLING.lock_blocks)
    world.finish_seller()
    assert world.world.earned() == (0, 0)
