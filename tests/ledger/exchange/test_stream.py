"""Buying a stream: what each side gives and gets, and what neither ever loses."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from ledger.errors import ErasedError, MalformedError, RefusedError, VerificationError
from ledger.exchange.buyer import (
    BadUnitError,
    BoughtContent,
    FetchingUnit,
    HeldUnit,
    OpeningStream,
    PaidUnit,
    SellerRefusedError,
)
from ledger.exchange.messages import (
    Reason,
    Reply,
    UnitReply,
    encode_fetch,
    encode_unit,
    parse_reply,
)
from ledger.exchange.seller import ClosingSale, OpenSale
from ledger.exchange.transport import buy
from ledger.exchange.unit_source import StoredUnits
from ledger.experience.content_root import CHUNK_SIZE
from ledger.schema.chain_channel_pb2 import CloseChannel
from ledger.wallet.payer import PayWordOffer
from ledger.wallet.wallet import Wallet
from tests.ledger.chain.rules.chain_world import ChainWorld, known_key
from tests.ledger.exchange.stream_world import (
    EXPIRY,
    GRANT,
    PRICE,
    UNITS,
    StreamWorld,
    content_of,
    units_of,
)


def reason_of(error: pytest.ExceptionInfo[SellerRefusedError]) -> Reason:
    return error.value.reason


def opened(world: StreamWorld) -> FetchingUnit:
    """The buyer that has opened the stream, and misses units."""
    opening = world.begin()
    state = opening.receive(world.ask(opening.request()))
    assert isinstance(state, FetchingUnit)
    return state


def held(world: StreamWorld, units: int = 0) -> HeldUnit:
    """The buyer that has ``units`` units and holds the next, sealed."""
    fetching = opened(world)
    state = fetching.receive(world.ask(fetching.request()))
    for _ in range(units):
        assert isinstance(state, HeldUnit)
        paid = state.pay()
        following = paid.receive(world.ask(paid.request()))
        assert isinstance(following, HeldUnit)
        state = following
    assert isinstance(state, HeldUnit)
    return state


def edited(reply: Reply, edit: Callable[[UnitReply], UnitReply]) -> Reply:
    unit = parse_reply(reply)
    assert isinstance(unit, UnitReply)
    return encode_unit(edit(unit))


def test_all_is_bought_chunk_by_chunk(world: StreamWorld) -> None:
    world.begin()
    heard: list[int] = []
    whole = buy(world.bought, world.alice, world.payer, world.transport, heard.append)
    assert isinstance(whole, BoughtContent)
    assert world.received() == world.content
    assert world.paid == world.earned == UNITS * PRICE
    assert heard == [1, 2, 3, 4, 5]


@pytest.mark.parametrize("content", [b"", b"x", content_of(1, CHUNK_SIZE), content_of(3)])
def test_contents_of_any_size(tmp_path: Path, content: bytes) -> None:
    world = StreamWorld(tmp_path, content=content)
    if not content:
        world.free()
    world.begin()
    buy(world.bought, world.alice, world.payer, world.transport)
    assert world.received() == content
    assert world.paid == -(-len(content) // CHUNK_SIZE) * PRICE
    world.close()


def test_what_is_free_takes_no_channel(tmp_path: Path) -> None:
    world = StreamWorld(tmp_path)
    world.free()
    world.begin()
    buy(world.bought, world.alice, None, world.transport)
    assert world.received() == world.content
    world.close()


@pytest.mark.parametrize("chunk_price", [0, PRICE])
def test_a_price_of_the_whole_is_paid_with_the_chunks(world: StreamWorld, chunk_price: int) -> None:
    world.granted = replace(world.granted, record_price=50, chunk_price=chunk_price)
    state: HeldUnit | BoughtContent = held(world)
    for number in range(UNITS):
        assert isinstance(state, HeldUnit)
        paid = state.pay()
        # A cheat, or a death, costs the share of one chunk and not the whole record's price.
        assert world.paid == (number + 1) * (50 // UNITS + chunk_price)
        following = paid.receive(world.ask(paid.request()))
        assert isinstance(following, HeldUnit | BoughtContent)
        state = following
    assert isinstance(state, BoughtContent)
    assert world.received() == world.content
    assert world.paid == world.earned == 50 + UNITS * chunk_price


@pytest.mark.parametrize("record_price", [2, 53])
def test_a_price_that_does_not_divide_is_paid_all_the_same(
    tmp_path: Path, record_price: int
) -> None:
    world = StreamWorld(tmp_path)
    world.granted = replace(world.granted, record_price=record_price, chunk_price=0)
    world.begin()
    buy(world.bought, world.alice, world.payer, world.transport)
    assert world.received() == world.content
    assert world.paid == world.earned == record_price
    world.close()


def test_the_content_gets_its_files(world: StreamWorld) -> None:
    world.begin()
    files = [("metadata.yaml", 7), ("empty", 0), ("bag/0.mcap", len(world.content) - 7)]
    with pytest.raises(RefusedError, match="0 of 5"):
        world.bought.place(world.root / "placed", files)
    whole = buy(world.bought, world.alice, world.payer, world.transport)
    paths = whole.place(world.root / "placed", files)
    assert b"".join(path.read_bytes() for path in paths) == world.content
    assert [path.stat().st_mode & 0o777 for path in paths] == [0o600] * 3
    for bad in ([("../x", len(world.content))], [("a", 1)], [*files, files[1]]):
        with pytest.raises(MalformedError):
            whole.place(world.root / "other", bad)
    with pytest.raises(RefusedError, match="there already"):
        whole.place(world.root / "placed", files)


# The buyer risks one chunk


def test_a_unit_is_paid_once_it_is_here_and_the_last_was_checked(world: StreamWorld) -> None:
    state: HeldUnit | BoughtContent = held(world)
    for number in range(UNITS):
        assert isinstance(state, HeldUnit)
        assert world.paid == world.bought.kept * PRICE == number * PRICE
        paid = state.pay()
        assert world.paid == (number + 1) * PRICE
        following = paid.receive(world.ask(paid.request()))
        assert world.bought.kept == number + 1
        assert isinstance(following, HeldUnit | BoughtContent)
        state = following
    assert isinstance(state, BoughtContent)


@pytest.mark.parametrize(
    "edit",
    [
        pytest.param(lambda unit: replace(unit, secret=bytes(32)), id="wrong secret"),
        pytest.param(lambda unit: replace(unit, secret=b""), id="no secret"),
        pytest.param(lambda unit: replace(unit, index=3), id="another unit"),
        pytest.param(lambda unit: replace(unit, sealed=unit.sealed[:-1]), id="short unit"),
        pytest.param(lambda unit: replace(unit, secret=bytes(31)), id="short secret"),
    ],
)
def test_a_wrong_reply_costs_nothing_more(
    world: StreamWorld, edit: Callable[[UnitReply], UnitReply]
) -> None:
    """Whatever comes, the state stays, and the right reply is still good."""
    paid = held(world, 1).pay()
    right = world.ask(paid.request())
    with pytest.raises((BadUnitError, MalformedError)):
        paid.receive(edited(right, edit))
    assert (world.bought.kept, world.paid) == (1, 2 * PRICE)
    assert isinstance(paid.receive(right), HeldUnit)


@pytest.mark.parametrize(
    "edit",
    [
        pytest.param(lambda unit: replace(unit, path=unit.path[:-1]), id="short path"),
        pytest.param(lambda unit: replace(unit, path=(*unit.path, bytes(32))), id="long path"),
        pytest.param(lambda unit: replace(unit, path=unit.path[::-1]), id="reordered path"),
        pytest.param(
            lambda unit: replace(unit, sealed=bytes([unit.sealed[0] ^ 1]) + unit.sealed[1:]),
            id="altered unit",
        ),
    ],
)
def test_a_bad_unit_is_not_kept_and_the_next_not_paid(
    world: StreamWorld, edit: Callable[[UnitReply], UnitReply]
) -> None:
    fetching = opened(world)
    bad = fetching.receive(edited(world.ask(fetching.request()), edit))
    assert isinstance(bad, HeldUnit)
    paid = bad.pay()
    with pytest.raises(BadUnitError):
        paid.receive(world.ask(paid.request()))
    assert (world.bought.kept, world.paid) == (0, PRICE)


@pytest.mark.parametrize("cheat", ["other content", "swapped chunks", "other salt"])
def test_a_cheating_seller_gets_the_price_of_one_chunk(world: StreamWorld, cheat: str) -> None:
    honest = world.units
    assert honest is not None

    class Cheat(StoredUnits):
        def unit(self, index: int) -> memoryview:
            if index < 2:
                return super().unit(index)
            if cheat == "swapped chunks":
                return super().unit(5 - index)
            unit = super().unit(index)
            unit[0 if cheat == "other salt" else 100] ^= 1
            return unit

    world.units = Cheat(honest._content, honest._salt_key, honest._tree._levels[0])
    world.begin()
    with pytest.raises(BadUnitError):
        buy(world.bought, world.alice, world.payer, world.transport)
    assert (world.bought.kept, world.paid) == (2, 3 * PRICE)
    world.begin()
    with pytest.raises(BadUnitError):
        buy(world.bought, world.alice, world.payer, world.transport)
    assert (world.bought.kept, world.paid) == (2, 3 * PRICE)


def test_a_unit_that_came_broken_is_asked_for_again_for_nothing(world: StreamWorld) -> None:
    class Noise:
        def __init__(self) -> None:
            self.left = 1

        def ask(self, request: bytes) -> Reply:
            reply = world.ask(request)
            if world.bought.kept == 2 and reply.sealed and self.left:
                self.left -= 1
                return reply._replace(sealed=reply.sealed[:-1] + bytes([reply.sealed[-1] ^ 1]))
            return reply

    world.begin()
    buy(world.bought, world.alice, world.payer, Noise())
    assert world.received() == world.content
    assert world.paid == UNITS * PRICE


# The seller risks nothing


def test_a_buyer_that_stops_paying_gets_no_more(world: StreamWorld) -> None:
    state = held(world, 2)
    unpaid = PaidUnit(state._stream, state._unit, state._stream.claim)
    with pytest.raises(SellerRefusedError) as refusal:
        unpaid.receive(world.ask(unpaid.request()))
    assert reason_of(refusal) is Reason.UNPAID
    assert world.earned == 2 * PRICE


def test_the_same_payment_brings_the_same_secret(world: StreamWorld) -> None:
    paid = held(world, 1).pay()
    replies = [parse_reply(world.ask(paid.request())) for _ in range(3)]
    world.restart_seller()
    world.ask(OpeningStream(world.bought, world.alice, world.payer).request())
    replies.append(parse_reply(world.ask(paid.request())))
    assert replies[0] == replies[1] == replies[2] == replies[3]
    assert world.earned == 2 * PRICE
    assert isinstance(paid.receive(world.ask(paid.request())), HeldUnit)


def test_nothing_is_skipped_or_beyond_the_end(world: StreamWorld) -> None:
    stream = held(world, 1)._stream
    for index, reason in ((2, Reason.UNPAID), (UNITS, Reason.UNPAID), (UNITS + 1, Reason.NO_UNIT)):
        with pytest.raises(SellerRefusedError) as refusal:
            stream.unit_of(world.ask(encode_fetch(stream.session, index, stream.claim)), index)
        assert reason_of(refusal) is reason


def test_a_request_with_another_code_is_refused(world: StreamWorld) -> None:
    stream = held(world)._stream
    for session, reason in (
        (replace(stream.session, mac_key=bytes(32)), Reason.WRONG_SIGNATURE),
        (replace(stream.session, session=bytes(16)), Reason.NO_SESSION),
    ):
        with pytest.raises(SellerRefusedError) as refusal:
            stream.unit_of(world.ask(encode_fetch(session, 0, None)), 0)
        assert reason_of(refusal) is reason


def test_who_listens_gets_no_content(world: StreamWorld) -> None:
    """Every byte on the wire, and still no key: the session's is not among them."""
    heard: list[bytes] = []

    class Tapped:
        def ask(self, request: bytes) -> Reply:
            reply = world.ask(request)
            heard.extend([request, *reply])
            return reply

    world.begin()
    buy(world.bought, world.alice, world.payer, Tapped())
    traffic = b"".join(heard)
    (opened,) = world.counter._sessions._open.values()
    session = opened.session
    assert session.unit_key not in traffic
    assert session.mac_key not in traffic
    assert world.content[100:132] not in traffic


# Who may open


def test_only_the_grants_key_opens(world: StreamWorld) -> None:
    request = world.begin().request()
    other = Wallet.create(world.root / "mallory")
    with pytest.raises(RefusedError, match="another key"):
        OpeningStream(world.bought, other, world.payer)
    for position in (10, 50, 80, 110, len(request) - 1):
        broken = bytearray(request)
        broken[position] ^= 1
        answer = world.begin()
        with pytest.raises(SellerRefusedError) as refusal:
            answer.receive(world.ask(bytes(broken)))
        assert reason_of(refusal) in (Reason.WRONG_SIGNATURE, Reason.NO_GRANT)


def test_only_the_seller_agrees(world: StreamWorld) -> None:
    opening = world.begin()
    reply = world.ask(opening.request())
    for position in (6, 40, 60, 100):
        broken = bytearray(reply.message)
        broken[position] ^= 1
        with pytest.raises((VerificationError, MalformedError)):
            opening.receive(Reply(bytes(broken)))
    # The agreement on another opening, by the same seller.
    world.leave()
    other = world.begin("another folder")
    with pytest.raises(VerificationError):
        other.receive(reply)


@pytest.mark.parametrize("other", ["payee", "asset", "grant", "unknown", "closing", "unit"])
def test_a_channel_that_does_not_pay_the_grant_is_refused(world: StreamWorld, other: str) -> None:

    carol = bytes(known_key("bank").public_key)
    match other:
        case "payee":
            world.channel_id = world.open_channel(payee=carol, grant=b"")
        case "asset":
            world.world.fund(known_key("alice"), 5_000, 1)
            world.channel_id = world.open_channel(asset=1, grant=b"")
        case "grant":
            world.channel_id = world.open_channel(grant=b"")
        case "unknown":
            world.world = ChainWorld()
        case "closing":
            world.world.must(known_key("alice"), CloseChannel(channel=world.channel_id))
        case "unit":
            world.channel_id = world.open_channel(PayWordOffer(unit=3, count=100))
    if other in ("payee", "asset", "grant"):
        with pytest.raises(RefusedError):
            world.begin()
        return
    opening = world.begin()
    with pytest.raises(SellerRefusedError) as refusal:
        opening.receive(world.ask(opening.request()))
    assert reason_of(refusal) is Reason.NO_CHANNEL


@pytest.mark.parametrize("grant", [b"", bytes(range(32))])
def test_nor_does_the_seller_take_a_channel_of_another_grant(
    world: StreamWorld, monkeypatch: pytest.MonkeyPatch, grant: bytes
) -> None:
    """Whatever the buyer thinks of it: through such a one no royalties would be paid."""
    opening = world.begin()
    record = world.channel(world.channel_id)
    assert record is not None
    record.grant = grant
    monkeypatch.setattr(world, "channel", lambda channel: record)
    with pytest.raises(SellerRefusedError) as refusal:
        opening.receive(world.ask(opening.request()))
    assert reason_of(refusal) is Reason.NO_CHANNEL
    record.grant = GRANT
    assert isinstance(opening.receive(world.ask(opening.request())), FetchingUnit)


def test_a_second_channel_does_not_take_over_a_sale(world: StreamWorld) -> None:
    held(world, 1)
    world.leave()
    world.channel_id = world.open_channel()
    opening = world.begin("second")
    with pytest.raises(SellerRefusedError) as refusal:
        opening.receive(world.ask(opening.request()))
    assert reason_of(refusal) is Reason.NO_CHANNEL
    world.restart_seller()
    with pytest.raises(SellerRefusedError) as refusal:
        opening.receive(world.ask(opening.request()))
    assert reason_of(refusal) is Reason.NO_CHANNEL


def test_unknown_and_expired_grants_are_refused(world: StreamWorld) -> None:
    opening = world.begin()
    world.now = EXPIRY + 1
    with pytest.raises(SellerRefusedError) as refusal:
        opening.receive(world.ask(opening.request()))
    assert reason_of(refusal) is Reason.NO_GRANT
    world.now = EXPIRY
    world.granted = replace(world.granted, grant=bytes(32))
    with pytest.raises(SellerRefusedError) as refusal:
        opening.receive(world.ask(opening.request()))
    assert reason_of(refusal) is Reason.NO_GRANT


def test_content_that_is_not_what_was_granted_is_not_sold(world: StreamWorld) -> None:
    opening = world.begin()
    for units in (units_of(content_of(UNITS, 999)), units_of(content_of(2)), None):
        world.units = units
        with pytest.raises(SellerRefusedError) as refusal:
            opening.receive(world.ask(opening.request()))
        assert reason_of(refusal) is Reason.GONE


# Ends


def test_at_the_grants_end_the_unit_that_is_here_can_be_paid_and_no_other(
    world: StreamWorld,
) -> None:
    state = held(world, 2)
    world.now = EXPIRY + 1
    paid = state.pay()
    after = paid.receive(world.ask(paid.request()))
    assert (world.bought.kept, world.earned) == (3, 3 * PRICE)
    assert isinstance(after, FetchingUnit)
    with pytest.raises(SellerRefusedError):
        after.receive(world.ask(after.request()))
    # Not even blindly.
    assert world.payer is not None
    world.payer.pay(PRICE)
    stream = after._stream
    with pytest.raises(SellerRefusedError) as refusal:
        stream.unit_of(world.ask(encode_fetch(stream.session, 4, stream.claim)), 4)
    assert reason_of(refusal) is Reason.NO_GRANT
    assert world.earned == 3 * PRICE


def test_what_is_paid_is_given_after_the_grants_end(world: StreamWorld) -> None:
    paid = held(world, 1).pay()
    world.ask(paid.request())  # the reply is lost
    world.now = EXPIRY + 1
    world.restart_seller()
    fetching = opened(world)
    again = fetching.receive(world.ask(fetching.request()))
    assert isinstance(again, PaidUnit)
    again.receive(world.ask(again.request()))
    assert world.bought.kept == 2


def test_content_that_is_erased_in_mid_sale(world: StreamWorld) -> None:
    assert world.units is not None
    paid = held(world, 1).pay()
    sale = world.counter.sale(world.granted.grant)
    assert isinstance(sale, OpenSale)

    def gone(index: int) -> memoryview:
        raise ErasedError(f"chunk {index} was erased")

    world.units.unit = gone  # type: ignore[method-assign]
    after = paid.receive(world.ask(paid.request()))
    assert world.bought.kept == 2, "what was paid and is here is opened all the same"
    assert isinstance(after, FetchingUnit)
    with pytest.raises(SellerRefusedError):
        after.receive(world.ask(after.request()))
    assert world.paid == 2 * PRICE


def test_a_closed_sale_gives_what_was_paid_and_takes_nothing(world: StreamWorld) -> None:

    state = held(world, 2)
    sale = world.counter.close_sale(world.granted.grant)
    assert isinstance(sale, ClosingSale)
    fetching = state._stream.next_state()
    assert isinstance(fetching, FetchingUnit)
    assert isinstance(fetching.receive(world.ask(fetching.request())), HeldUnit)
    paid = state.pay()
    with pytest.raises(SellerRefusedError) as refusal:
        paid.receive(world.ask(paid.request()))
    assert reason_of(refusal) is Reason.CHANNEL_ENDS
    message = sale.message()
    assert isinstance(message, CloseChannel)
    world.world.must(known_key("bob"), message)
    assert world.channel(world.channel_id) is None
    assert world.world.balance(known_key("bob")) == 1_000_000 + 2 * PRICE
    sale.forget()
    assert not list((world.root / "sales").iterdir())


def test_a_payers_close_ends_the_sale(world: StreamWorld) -> None:

    held(world, 1)
    world.world.must(known_key("alice"), CloseChannel(channel=world.channel_id))
    record = world.channel(world.channel_id)
    assert record is not None
    world.counter.observe(world.granted.grant, record)
    sale = world.counter.sale(world.granted.grant)
    assert isinstance(sale, ClosingSale)
    assert sale.message() is not None


def test_a_channel_with_too_little_stops_the_buyer(world: StreamWorld) -> None:
    world.begin()
    assert world.payer is not None
    world.granted = replace(world.granted, chunk_price=300)
    world.leave()
    world.begin("dear")
    with pytest.raises(RefusedError, match="left in the channel"):
        buy(world.bought, world.alice, world.payer, world.transport)
    assert world.paid == world.earned <= 900
    assert world.bought.kept == world.paid // 300
