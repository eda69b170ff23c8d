"""Atomic sales, both ends on disk: sold, refused, complained of, refunded; and what is checked."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from ledger.chain.codes import ResultCode
from ledger.chain.sale.identity import key_hash
from ledger.chain.transaction import parse_transaction
from ledger.errors import (
    CorruptStoreError,
    NotFoundError,
    RefusedError,
    VerificationError,
)
from ledger.exchange.buyer import BadUnitError, SellerRefusedError
from ledger.exchange.messages import Reason, Reply, encode_refused
from ledger.exchange.session import agree, public_agreement_key, sale_agreement_key
from ledger.exchange.swap_buyer import FetchingMasked, OpeningSwap
from ledger.exchange.swap_cipher import Part, SwapCipher
from ledger.exchange.swap_driver import swap, where
from ledger.exchange.swap_file import SwapStage, read_swap, swap_grants
from ledger.exchange.swap_messages import (
    SealedPart,
    SwapOpened,
    SwapOpening,
    encode_part,
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
from ledger.exchange.swap_purchase import BuyingStage, SwapPurchase
from ledger.exchange.swap_seller import (
    EndedSwap,
    LockedSwap,
    PreparedSwap,
    ProposedSwap,
    RevealedSwap,
)
from ledger.schema.chain_exchange_pb2 import ProposeSale
from ledger.schema.chain_payment_pb2 import Transfer
from tests.ledger.chain.rules.chain_world import account_of, known_key
from tests.ledger.chain.rules.exchange_world import DEPOSIT, PRICE, UNITS
from tests.ledger.exchange.stream_world import units_of
from tests.ledger.exchange.swap_world import CONTENT, SELLING, Shelf, Spoilt, SwapWorld, cheating

ROYALTIES = 17 + 53
"""Of the price, rounded down."""


@pytest.fixture
def world(tmp_path: Path) -> SwapWorld:
    return SwapWorld(tmp_path)


def proposals(world: SwapWorld) -> list[ProposeSale]:
    """Every proposal that was ever submitted."""
    parsed = [parse_transaction(world.chain.chain, each) for each in world.chain.transactions]
    return [each.message for each in parsed if isinstance(each.message, ProposeSale)]


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
    refused(world, OpeningSwap(end, 0).request(), Reason.NO_SALE)
    row = read_swap(tmp_path / "sales", world.world.grant)
    assert row is not None
    assert (row.stage, row.key, row.leaves) == (SwapStage.ENDED, bytes(32), ())


def refused(world: SwapWorld, request: bytes, reason: Reason) -> None:
    assert world.ask(request) == encode_refused(reason)


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


# Cheats, and sides that do not come


@pytest.mark.parametrize("wrong", [[0], [4], [1, 3]])
def test_one_wrong_unit_gives_price_and_deposit_to_the_buyer(
    tmp_path: Path, wrong: list[int]
) -> None:
    world = cheating(tmp_path, *wrong)
    ended = world.buy()
    assert isinstance(ended, ReturnedSwap)
    assert world.world.earned() == (-DEPOSIT, DEPOSIT)
    assert ended.purchase.opened.kept == wrong[0]
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


# Keys


def test_a_key_is_never_used_again(world: SwapWorld) -> None:
    """However often a proposal fails for another transaction of the account, or a crash."""
    end, used = world.begin(), []
    for turn in range(4):
        state = where(end)
        assert isinstance(state, OpeningSwap)
        refused(world, state.request(), Reason.NOT_YET)
        # Prepared, and never submitted: a seller that dies there.
        submit, world.chain.submit = world.chain.submit, _Dies()
        with pytest.raises(ConnectionError):
            world.counter.tend()
        world.chain.submit = submit
        row = read_swap(world.root / "sales", world.world.grant)
        assert row is not None
        if turn % 2:
            world.restart_seller()
        # It is proposed with this key, or its sequence is gone, and the key with it.
        world.spend_sequence()
        world.counter.tend()
        assert read_swap(world.root / "sales", world.world.grant) is None
        used.append(row.key)
    assert isinstance(world.buy(), BoughtSwap)
    hashes = [each.key_hash for each in proposals(world)]
    assert len(set(used)) == 4
    assert not {key_hash(key) for key in used} & set(hashes)


class _Dies:
    def __call__(self, *args: object) -> ResultCode:
        raise ConnectionError


def test_every_proposal_has_a_key_of_its_own(tmp_path: Path) -> None:
    """Many sales of one content, each to its end, and each proposal submitted twice."""
    hashes: list[bytes] = []
    for turn in range(4):
        root = tmp_path / str(turn)
        root.mkdir()
        world = SwapWorld(root)
        assert isinstance(world.buy(), BoughtSwap)
        (proposal,) = proposals(world)
        hashes.append(proposal.key_hash)
        world.leave()
    assert len(set(hashes)) == len(hashes)


def test_what_is_on_the_chain_opens_nothing_that_was_overheard(world: SwapWorld) -> None:
    """Who recorded all requests and replies, and has k from the chain, has ciphertext."""
    heard: list[tuple[bytes, Reply]] = []

    class Recording:
        def ask(self, request: bytes) -> Reply:
            reply = world.ask(request)
            heard.append((request, reply))
            return reply

    assert isinstance(swap(world.begin(), Recording(), world.wait), BoughtSwap)
    state = world.counter.swap(world.world.grant)
    assert isinstance(state, RevealedSwap)
    key = state.record.key
    assert key == state.row.key
    said = b"".join(request + reply.message + reply.sealed for request, reply in heard)
    assert CONTENT[:64] not in said
    # The seller's side of the session does not follow from k, as a stream's does.
    (opened,) = {
        answer for _, reply in heard if isinstance(answer := parse_swap_reply(reply), SwapOpened)
    }
    assert public_agreement_key(sale_agreement_key(key)) != opened.session_key
    opening = parse_swap_request(
        next(request for request, reply in heard if reply.message and is_open(request))
    )
    wrong = agree(opening.encoded, key, opening.session_key, opened.session_key)  # type: ignore[union-attr]
    unit = next(
        reply.sealed
        for _, reply in heard
        if isinstance(answer := parse_swap_reply(reply), SealedPart) and answer.part is Part.UNIT
    )
    with pytest.raises(VerificationError):
        SwapCipher(wrong, state.row.sale, UNITS).open(Part.UNIT, 0, unit)


def is_open(request: bytes) -> bool:
    return isinstance(parse_swap_request(request), SwapOpening)


def test_nothing_that_is_shown_has_a_secret(world: SwapWorld) -> None:
    end = world.begin()
    buy_until(world, AwaitingKey)
    state = world.counter.swap(world.world.grant)
    assert state is not None
    (revealed,) = world.counter.tend()
    secrets = [state.row.key, state.row.agreement, end.purchase.agreement]
    for shown in (state, revealed.row, world.purchase, end, where(world.begin())):
        for secret in secrets:
            assert secret.hex() not in repr(shown)
            assert repr(secret)[2:-1] not in repr(shown)


# Files


def test_files_that_were_altered_are_refused(world: SwapWorld) -> None:
    buy_until(world, AwaitingKey)
    world.leave()
    (sold,) = (world.root / "sales").glob("*.swap")
    for path in (sold, world.root / "bought" / "purchase", world.root / "bought" / "sale"):
        whole = path.read_bytes()
        assert path.stat().st_mode & 0o777 == 0o600
        for at in (0, 20, len(whole) // 2, len(whole) - 1):
            path.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
            with pytest.raises(CorruptStoreError):
                world.restart_seller() if path == sold else SwapPurchase.open(world.root / "bought")
        for cut in (b"", whole[:-1], whole + b"\0"):
            path.write_bytes(cut)
            with pytest.raises(CorruptStoreError):
                world.restart_seller() if path == sold else SwapPurchase.open(world.root / "bought")
        path.write_bytes(whole)
    world.restart_seller()
    assert isinstance(world.buy(), BoughtSwap)


def test_leaves_that_were_altered_are_fetched_again(world: SwapWorld) -> None:
    buy_until(world, LockableSwap)
    world.leave()
    path = world.root / "bought" / "leaves"
    path.write_bytes(bytes(len(path.read_bytes())))
    end = world.begin()
    assert (end.purchase.units, end.purchase.held) == (None, 0)
    assert isinstance(world.buy(end), BoughtSwap)


def test_folders_that_are_none(world: SwapWorld) -> None:
    with pytest.raises(NotFoundError):
        SwapPurchase.open(world.root / "nothing")
    end = world.begin()
    with pytest.raises(RefusedError):
        replace_wallet(end, world)
    world.leave()
    with pytest.raises(RefusedError, match="was begun"):
        SwapPurchase.create(world.root / "bought", world.grant)
    with pytest.raises(RefusedError, match="free"):
        SwapPurchase.create(
            world.root / "free", replace(world.grant, chunk_price=0, record_price=0)
        )


def replace_wallet(end: object, world: SwapWorld) -> None:
    replace(end, wallet=world.seller_wallet)  # type: ignore[type-var]


def buy_until(world: SwapWorld, kind: type) -> object:
    """The purchase, as far as this state, then left."""
    end = world.begin()
    state = where(end)
    while not isinstance(state, kind):
        if isinstance(state, LockableSwap):
            state.lock()
            state = where(end)
        elif isinstance(state, OpeningSwap):
            reply = world.ask(state.request())
            if reply == encode_refused(Reason.NOT_YET):
                world.counter.tend()
                continue
            state.receive(reply)
            state = where(end)
        else:
            assert not isinstance(state, BoughtSwap | ReturnedSwap)
            state = state.receive(world.ask(state.request())) or where(end)  # type: ignore[union-attr]
    assert end.purchase.sale is None or end.purchase.sale.stage is not BuyingStage.BOUGHT
    return state
