"""The deed goes with the data: true, or the buyer knows that it has none and nothing else."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from ledger.errors import CorruptStoreError, ErasedError, LedgerError, MalformedError
from ledger.exchange.buyer import (
    BoughtContent,
    FetchingDeed,
    FetchingUnit,
    OpeningStream,
    SellerRefusedError,
)
from ledger.exchange.deed import (
    BadDeedError,
    Deed,
    DeedFault,
    MissingDeed,
    Promise,
    ProvenBound,
    check_deed,
    open_deed,
    seal_deed,
)
from ledger.exchange.deed_file import read_deed, write_deed
from ledger.exchange.messages import (
    DeedFetch,
    DeedReply,
    Reason,
    Refused,
    Reply,
    encode_deed,
    encode_deed_fetch,
    encode_fetch,
    encode_refused,
    parse_reply,
    parse_request,
)
from ledger.exchange.purchase import Purchase
from ledger.exchange.session import Session
from ledger.exchange.transport import buy
from ledger.experience.kinds import CommitmentKind, RewardSource
from ledger.experience.record_keys import CommitmentOpening
from ledger.schema.chain_sharing_pb2 import OfferRecord, QualityBound
from ledger.wallet.payer import PayWordOffer
from tests.ledger.exchange.deed_world import REWARD, DeedWorld, entry_of, hidden_values
from tests.ledger.exchange.stream_world import PRICE, UNITS, content_of

REWARD_KIND = (CommitmentKind.REWARD, RewardSource.TASK)


@pytest.fixture(params=["vouchers", "links"])
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[DeedWorld]:
    offer = PayWordOffer(unit=5, count=100) if request.param == "links" else None
    made = DeedWorld(tmp_path, payword=offer)
    yield made
    made.close()


@pytest.fixture
def plain(tmp_path: Path) -> Iterator[DeedWorld]:
    made = DeedWorld(tmp_path)
    yield made
    made.close()


class Edited:
    """The way to the seller, on which replies with a deed are changed."""

    def __init__(self, world: DeedWorld, edit: Callable[[Reply], Reply]) -> None:
        self.world, self.edit, self.asked = world, edit, 0

    def ask(self, request: bytes) -> Reply:
        reply = self.world.ask(request)
        try:
            is_deed = isinstance(parse_request(request), DeedFetch)
        except MalformedError:
            is_deed = False
        self.asked += is_deed
        return self.edit(reply) if is_deed else reply


def bought(world: DeedWorld, edit: Callable[[Reply], Reply] = lambda reply: reply) -> BoughtContent:
    world.begin()
    way = Edited(world, edit)
    whole = buy(world.bought, world.alice, world.payer, way, promise=world.promise)
    assert world.received() == world.content
    assert world.paid == world.earned == UNITS * PRICE
    return whole


def fetching(world: DeedWorld) -> FetchingDeed:
    """The buyer that has all units, and asks for the deed next."""
    world.begin()
    buy(world.bought, world.alice, world.payer, world.transport)
    opening = OpeningStream(world.bought, world.alice, world.payer, world.promise)
    state = opening.receive(world.ask(opening.request()))
    assert isinstance(state, FetchingDeed)
    return state


def test_the_deed_comes_with_the_content_and_stays(world: DeedWorld) -> None:
    whole = bought(world)
    assert whole.deed == world.bought.deed == world.deed
    assert whole.place(world.root / "placed", world.deed.files)
    opened = world.deed.opening(*REWARD_KIND)
    assert opened is not None and opened.value == REWARD
    world.leave()
    again = Purchase.open(world.root / "bought")
    assert again.deed == world.deed
    assert (world.root / "bought" / "deed").stat().st_mode & 0o777 == 0o600
    again.close()


def test_what_is_here_is_not_asked_for_again(plain: DeedWorld) -> None:
    bought(plain)

    class Nobody:
        def ask(self, request: bytes) -> Reply:
            raise AssertionError("asked again")

    plain.begin()
    whole = buy(plain.bought, plain.alice, plain.payer, Nobody(), promise=plain.promise)
    assert whole.deed == plain.deed
    # A later refusal takes nothing away.
    plain.bought.keep_deed(MissingDeed(DeedFault.FALSE))
    assert plain.bought.deed == plain.deed == read_deed(plain.root / "bought")


def test_who_does_not_ask_gets_none(plain: DeedWorld) -> None:
    plain.begin()
    way = Edited(plain, lambda reply: reply)
    whole = buy(plain.bought, plain.alice, plain.payer, way)
    assert whole.deed is None
    assert not way.asked


@pytest.mark.parametrize("units", range(UNITS))
def test_it_is_not_given_before_all_is_paid(plain: DeedWorld, units: int) -> None:
    opening = plain.begin()
    state = opening.receive(plain.ask(opening.request()))
    assert isinstance(state, FetchingUnit)
    stream = state._stream
    if units:
        assert plain.payer is not None
        plain.payer.pay(units * PRICE)
    reply = plain.ask(encode_deed_fetch(stream.session, stream.claim))
    assert parse_reply(reply) == Refused(Reason.UNPAID)
    assert plain.earned == units * PRICE, "the claim that came along was taken"


def test_the_claim_in_the_request_is_enough(plain: DeedWorld) -> None:
    """The seller lost its last payments in a power cut, and nobody asks for a unit again."""
    opening = plain.begin()
    state = opening.receive(plain.ask(opening.request()))
    assert isinstance(state, FetchingUnit)
    assert plain.payer is not None
    plain.payer.pay(UNITS * PRICE)
    reply = plain.ask(encode_deed_fetch(state._stream.session, state._stream.claim))
    assert isinstance(parse_reply(reply), DeedReply)
    assert plain.earned == UNITS * PRICE


def test_free_content_has_a_deed_until_the_grant_is_over(tmp_path: Path) -> None:
    world = DeedWorld(tmp_path)
    world.free()
    opening = world.begin()
    state = opening.receive(world.ask(opening.request()))
    assert isinstance(state, FetchingUnit)
    asked = encode_deed_fetch(state._stream.session, None)
    assert isinstance(parse_reply(world.ask(asked)), DeedReply)
    world.now = world.granted.expiry_height + 1
    assert parse_reply(world.ask(asked)) == Refused(Reason.NO_GRANT)
    world.close()


def test_what_is_paid_is_given_after_the_grants_end_and_by_a_closed_sale(plain: DeedWorld) -> None:
    state = fetching(plain)
    plain.now = plain.granted.expiry_height + 1
    plain.counter.close_sale(plain.granted.grant)
    sale = plain.counter.sale(plain.granted.grant)
    assert sale is not None and not sale.deed_given
    assert state.receive(plain.ask(state.request())).deed == plain.deed
    assert sale.deed_given


# Sellers that give no true deed


def refused(reason: Reason) -> Callable[[Reply], Reply]:
    return lambda reply: encode_refused(reason)


@pytest.mark.parametrize(
    ("edit", "fault"),
    [
        pytest.param(refused(Reason.UNPAID), DeedFault.WITHHELD, id="withheld"),
        pytest.param(refused(Reason.MALFORMED), DeedFault.WITHHELD, id="knows no deeds"),
        pytest.param(refused(Reason.GONE), DeedFault.GONE, id="gone"),
        pytest.param(refused(Reason.NO_SESSION), DeedFault.WITHHELD, id="forgets the session"),
        pytest.param(lambda reply: Reply(b"\xff"), DeedFault.FALSE, id="garbage"),
        pytest.param(
            lambda reply: reply._replace(sealed=reply.sealed[:-1]), DeedFault.FALSE, id="cut"
        ),
        pytest.param(
            lambda reply: reply._replace(sealed=bytes(len(reply.sealed))),
            DeedFault.FALSE,
            id="zeros",
        ),
    ],
)
def test_a_buyer_without_a_deed_has_everything_else(
    plain: DeedWorld, edit: Callable[[Reply], Reply], fault: DeedFault
) -> None:
    whole = bought(plain, edit)
    assert whole.deed == MissingDeed(fault)
    plain.leave()
    again = Purchase.open(plain.root / "bought")
    assert again.deed == MissingDeed(fault)
    again.close()
    # A seller that thinks better of it is asked once more, for nothing.
    assert bought(plain).deed == plain.deed


def test_a_seller_that_knows_the_sale_no_more_has_no_deed(plain: DeedWorld) -> None:
    bought(plain, refused(Reason.UNPAID))
    plain.begin()

    class Forgetful:
        def ask(self, request: bytes) -> Reply:
            return encode_refused(Reason.NO_CHANNEL)

    whole = buy(plain.bought, plain.alice, plain.payer, Forgetful(), promise=plain.promise)
    assert whole.deed == MissingDeed(DeedFault.WITHHELD)


def test_a_seller_without_a_deed_says_so(plain: DeedWorld) -> None:
    plain.give(None)
    assert bought(plain).deed == MissingDeed(DeedFault.GONE)


def test_erased_content_has_no_deed_any_more(plain: DeedWorld) -> None:
    state = fetching(plain)
    assert plain.units is not None

    def gone() -> Deed:
        raise ErasedError("the content was erased")

    plain.units.deed = gone  # type: ignore[method-assign]
    with pytest.raises(SellerRefusedError) as refusal:
        state.receive(plain.ask(state.request()))
    assert refusal.value.reason is Reason.GONE


def _other_entry(world: DeedWorld) -> Deed:
    return Deed(entry_of(world.content, world.hidden, name="else"), world.deed.openings)


def _other_values(world: DeedWorld) -> Deed:
    hidden = hidden_values()
    return Deed.of(entry_of(world.content, hidden), [value.opening for value in hidden])


def _swapped(world: DeedWorld) -> Deed:
    one, two, *rest = world.deed.openings
    return Deed.of(
        world.deed.entry,
        [
            replace(one, kind=two.kind, source=two.source),
            replace(two, kind=one.kind, source=one.source),
            *rest,
        ],
    )


FALSE_DEEDS: dict[str, Callable[[DeedWorld], Deed]] = {
    "another entry of this content": _other_entry,
    "the same with other commitments": _other_values,
    "openings of each other": _swapped,
    "the proven one left out": lambda w: Deed(w.deed.entry, w.deed.openings[1:]),
    "none": lambda w: Deed(w.deed.entry),
    "one that is not committed to": lambda w: Deed.of(
        w.deed.entry,
        [*w.deed.openings, CommitmentOpening(*_unknown(), 1, bytes(32))],
    ),
    **{
        f"value {at}": lambda w, at=at: w.edited(at, value=w.deed.openings[at].value + 1)  # type: ignore[misc]
        for at in range(3)
    },
    **{
        f"blinding {at}": lambda w, at=at: w.edited(at, blinding=bytes(31) + b"\1")  # type: ignore[misc]
        for at in range(3)
    },
    "a blinding that is no scalar": lambda w: w.edited(0, blinding=b"\xff" * 32),
}


def _unknown() -> tuple[CommitmentKind, RewardSource]:
    return CommitmentKind.REWARD, RewardSource.SELF


@pytest.mark.parametrize("name", FALSE_DEEDS)
def test_a_false_deed_is_not_kept(plain: DeedWorld, name: str) -> None:
    plain.give(FALSE_DEEDS[name](plain))
    assert bought(plain).deed == MissingDeed(DeedFault.FALSE)


def test_a_deed_of_other_content_is_false_even_if_it_was_offered(plain: DeedWorld) -> None:
    """Chain and grant contradict each other: the content is what was paid for."""
    for content, changes in (
        (content_of(UNITS, 999), {}),
        (plain.content, {"content_root": b"r" * 32}),
    ):
        entry = entry_of(content, plain.hidden, **changes)
        deed = Deed(entry, plain.deed.openings)
        with pytest.raises(BadDeedError, match="other content"):
            check_deed(deed, plain.granted, Promise(deed.leaf))
    check_deed(plain.deed, plain.granted, plain.promise)


def test_what_was_proven_must_be_true(plain: DeedWorld) -> None:
    for low, high in ((REWARD + 1, REWARD + 9), (0, REWARD - 1)):
        promise = replace(plain.promise, bounds=(ProvenBound(*REWARD_KIND, low, high),))
        with pytest.raises(BadDeedError, match="not what was proven"):
            check_deed(plain.deed, plain.granted, promise)


def test_a_negative_integer_opens(plain: DeedWorld) -> None:
    from zkproofs.group import ORDER, group
    from zkproofs.pedersen import Opening

    opening = Opening.of(-5 % ORDER)
    value = replace(plain.hidden[0].commitment, point=group().encode_g1(opening.commitment()))
    entry = entry_of(plain.content, (), commitments=(value,))
    kept = CommitmentOpening(*REWARD_KIND, -5, group().encode_scalar(opening.blinding))
    check_deed(Deed(entry, (kept,)), plain.granted, Promise(Deed(entry).leaf))


# Bytes


def test_no_byte_of_a_reply_can_change(plain: DeedWorld) -> None:
    state = fetching(plain)
    reply = plain.ask(state.request())
    for part in range(2):
        for at in range(len(reply[part])):
            broken = [bytearray(reply.message), bytearray(reply.sealed)]
            broken[part][at] ^= 1
            with pytest.raises((MalformedError, BadDeedError)):
                state.receive(Reply(bytes(broken[0]), bytes(broken[1])))
    assert plain.bought.deed is None
    assert state.receive(reply).deed == plain.deed


def test_no_byte_of_a_deed_can_change(plain: DeedWorld) -> None:
    encoded = plain.deed.encode()
    assert Deed.decode(encoded) == plain.deed
    for at in range(len(encoded)):
        broken = bytes([*encoded[:at], encoded[at] ^ 1, *encoded[at + 1 :]])
        with pytest.raises((MalformedError, BadDeedError)):
            check_deed(Deed.decode(broken), plain.granted, plain.promise)
    for cut in (encoded[:-1], encoded + b"\0", b"", encoded * 2, bytes(70_000)):
        with pytest.raises(MalformedError):
            Deed.decode(cut)


def test_a_deed_in_disorder_is_none(plain: DeedWorld) -> None:
    entry, openings = plain.deed.entry, plain.deed.openings
    for wrong in (openings[::-1], (openings[0], *openings)):
        with pytest.raises(MalformedError, match="openings"):
            Deed(entry, wrong)
    for no_entry in (b"", b"\xff", entry[:-1]):
        with pytest.raises(MalformedError):
            Deed(no_entry)
    # Of the numbers that exist, and of no others.
    for field in (b"\x08\x07", b"\x08\x01\x10\x09"):
        opening = field + b"\x22\x20" + bytes(32)
        with pytest.raises(MalformedError, match="no kind"):
            Deed.decode(
                b"\x0a" + _varint(len(entry)) + entry + b"\x12" + _varint(len(opening)) + opening
            )


def _varint(number: int) -> bytes:
    return bytes([number & 0x7F | 0x80, number >> 7]) if number > 0x7F else bytes([number])


def test_a_request_is_one_sessions_and_for_nothing_else(plain: DeedWorld) -> None:
    session = Session(bytes(16), b"m" * 32, b"k" * 32)
    request = encode_deed_fetch(session, None)
    for at in range(len(request)):
        broken = bytes([*request[:at], request[at] ^ 1, *request[at + 1 :]])
        with pytest.raises(LedgerError):
            fetch = parse_request(broken)
            assert isinstance(fetch, DeedFetch)
            if fetch.session == session.session:
                fetch.check(session)
            else:
                raise MalformedError("another session")
    # The code under a fetch of unit 0 says nothing of the deed, nor the other way round.
    unit = parse_request(encode_fetch(session, 0, None))
    deed = parse_request(request)
    assert isinstance(deed, DeedFetch)
    assert unit.signed == deed.signed  # type: ignore[union-attr]
    assert unit.mac != deed.mac  # type: ignore[union-attr]
    stream = fetching(plain)._stream
    for wrong, reason in (
        (replace(stream.session, mac_key=bytes(32)), Reason.WRONG_SIGNATURE),
        (replace(stream.session, session=bytes(16)), Reason.NO_SESSION),
    ):
        reply = plain.ask(encode_deed_fetch(wrong, None))
        assert parse_reply(reply) == Refused(reason)


def test_it_opens_in_its_session_for_its_grant_and_content(plain: DeedWorld) -> None:
    session = Session(bytes(16), b"m" * 32, b"k" * 32)
    salt, sealed = seal_deed(plain.deed, plain.granted, session)
    assert open_deed(sealed, salt, plain.granted, session) == plain.deed
    for other in (
        replace(plain.granted, grant=b"g" * 32),
        replace(plain.granted, content_root=b"r" * 32),
    ):
        with pytest.raises(BadDeedError):
            open_deed(sealed, salt, other, session)
    with pytest.raises(BadDeedError):
        open_deed(sealed, salt, plain.granted, replace(session, unit_key=b"u" * 32))
    with pytest.raises(BadDeedError):
        open_deed(sealed, bytes(32), plain.granted, session)
    assert seal_deed(plain.deed, plain.granted, session) != (salt, sealed)


@pytest.mark.parametrize(
    "reply",
    [
        encode_deed(DeedReply(b"short", b"x")),
        encode_deed(DeedReply(b"s" * 32, bytes(70_000))),
        Reply(encode_deed(DeedReply(b"s" * 32, b"xy")).message, b"x"),
    ],
)
def test_bad_replies_are_refused(reply: Reply) -> None:
    with pytest.raises(MalformedError):
        parse_reply(reply)


def test_who_listens_learns_nothing_of_it(plain: DeedWorld) -> None:
    heard: list[bytes] = []

    class Tapped:
        def ask(self, request: bytes) -> Reply:
            reply = plain.ask(request)
            heard.extend([request, *reply])
            return reply

    plain.begin()
    buy(plain.bought, plain.alice, plain.payer, Tapped(), promise=plain.promise)
    traffic = b"".join(heard)
    assert plain.deed.entry[:64] not in traffic
    for opening in plain.deed.openings:
        assert opening.blinding not in traffic


def test_no_secret_is_shown(plain: DeedWorld) -> None:
    salt, sealed = seal_deed(plain.deed, plain.granted, Session(bytes(16), b"m" * 32, b"k" * 32))
    shown = repr([plain.deed, DeedReply(salt, sealed)])
    assert "value" not in shown
    for secret in (plain.deed.entry, sealed, *(each.blinding for each in plain.deed.openings)):
        assert repr(secret) not in shown


# On disk, and from the chain


def test_no_byte_of_the_file_can_change(plain: DeedWorld, tmp_path: Path) -> None:
    path = tmp_path / "deed"
    for outcome in (plain.deed, MissingDeed(DeedFault.WITHHELD)):
        write_deed(tmp_path, outcome)
        assert read_deed(tmp_path) == outcome
        whole = path.read_bytes()
        flipped = [
            bytes([*whole[:at], whole[at] ^ 1, *whole[at + 1 :]]) for at in range(len(whole))
        ]
        for data in [*flipped, whole[:-1], whole + b"\0", b""]:
            path.write_bytes(data)
            with pytest.raises(CorruptStoreError):
                read_deed(tmp_path)


def test_a_damaged_file_stops_the_purchase(plain: DeedWorld) -> None:
    bought(plain)
    plain.leave()
    path = plain.root / "bought" / "deed"
    path.write_bytes(path.read_bytes()[:-1])
    for _ in range(2):
        with pytest.raises(CorruptStoreError):
            Purchase.open(plain.root / "bought")


def test_the_promise_is_what_the_chain_says() -> None:
    bound = QualityBound(kind=1, source=2, low=-3, high=4, offset=5, scale=6)
    promise = Promise.of_record(OfferRecord(leaf=b"l" * 32, qualities=[bound]))
    assert promise == Promise(b"l" * 32, (ProvenBound(*REWARD_KIND, -3, 4),))
    for record in (OfferRecord(), OfferRecord(leaf=b"l" * 32, qualities=[QualityBound(kind=9)])):
        with pytest.raises(MalformedError):
            Promise.of_record(record)
