"""The deed of what was bought whole: after the key, not before, and never a false one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from ledger.chain.codes import ResultCode
from ledger.errors import RefusedError
from ledger.exchange import swap_seller
from ledger.exchange.deed import Deed, DeedFault, MissingDeed, Promise
from ledger.exchange.deed_file import read_deed
from ledger.exchange.messages import (
    DeedFetch,
    Reason,
    Refused,
    Reply,
    encode_deed_fetch,
    encode_refused,
    parse_reply,
    parse_request,
)
from ledger.exchange.session import Session
from ledger.exchange.swap_buyer import OpeningSwap
from ledger.exchange.swap_deed import ask_for_deed
from ledger.exchange.swap_file import SwapRow, SwapStage, read_swap, swap_grants, write_swap
from ledger.exchange.swap_messages import is_swap_request
from ledger.exchange.swap_payment import AwaitingKey, BoughtSwap, LockableSwap, ReturnedSwap
from ledger.exchange.swap_seller import EndedSwap, RevealedSwap
from ledger.exchange.unit_source import StoredUnits
from ledger.experience.content_root import leaves_of_chunks, rechunk
from ledger.schema.chain_exchange_pb2 import SettleSale
from tests.ledger.chain.rules.exchange_world import ANYBODY
from tests.ledger.exchange.deed_world import entry_of, hidden_values
from tests.ledger.exchange.stream_world import SALT_KEY, BytesSource
from tests.ledger.exchange.swap_world import (
    CONTENT,
    SELLING,
    Nothing,
    Shelf,
    SwapWorld,
    buy_until,
    cheating,
    refused,
)

HIDDEN = hidden_values()
DEED = Deed.of(entry_of(CONTENT, HIDDEN), [value.opening for value in HIDDEN])
PROMISE = Promise(DEED.leaf)


def units_with(deed: Deed | None) -> StoredUnits:
    leaves = leaves_of_chunks(SALT_KEY, rechunk([CONTENT]))
    return StoredUnits(BytesSource(CONTENT), SALT_KEY, leaves, deed)


@pytest.fixture
def world(tmp_path: Path) -> SwapWorld:
    return SwapWorld(tmp_path, shelf=Shelf(units_with(DEED)))


def bought(world: SwapWorld) -> None:
    assert isinstance(world.buy(), BoughtSwap)
    assert isinstance(world.counter.swap(world.grant_id), RevealedSwap)


def test_who_has_the_content_gets_the_deed(world: SwapWorld) -> None:
    bought(world)
    assert ask_for_deed(world.begin(), world, PROMISE) == DEED
    assert read_deed(world.root / "bought") == DEED

    class Nobody:
        def ask(self, request: bytes) -> Reply:
            raise AssertionError("asked again")

    assert ask_for_deed(world.begin(), Nobody(), PROMISE) == DEED


def test_a_restarted_seller_and_a_buyer_with_its_session(
    world: SwapWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Nothing, "answer", lambda self, request: encode_refused(Reason.NO_SESSION))
    end = world.begin()
    world.buy(end)
    assert end.session is not None
    world.restart_seller()
    assert ask_for_deed(end, world, PROMISE) == DEED


@pytest.mark.parametrize("until", [LockableSwap, AwaitingKey])
def test_nothing_is_given_before_the_key_is_out(world: SwapWorld, until: type) -> None:
    buy_until(world, until)
    (opened,) = world.counter._sessions._open.values()
    reply = world.ask(encode_deed_fetch(opened.session, None))
    assert parse_reply(reply) == Refused(Reason.NOT_YET)
    with pytest.raises(RefusedError, match="not bought"):
        ask_for_deed(world.begin(), world, PROMISE)


def kept(world: SwapWorld) -> SwapRow:
    row = read_swap(world.root / "sales", world.grant_id)
    assert row is not None
    return row


def settled(world: SwapWorld) -> None:
    """Bought, and by the seller brought to its end; the buyer's session is of before."""
    bought(world)
    before = kept(world)
    world.finish_seller()
    state = world.counter.swap(world.grant_id)
    assert isinstance(state, EndedSwap)
    assert (state.is_sold, state.row) == (True, kept(world))
    assert state.row.key == bytes(32)
    # What was said before cannot be read with what is kept now.
    assert state.row.agreement not in (before.agreement, bytes(32))


@pytest.mark.parametrize("is_restarted", [False, True])
def test_a_buyer_that_was_away_past_the_settlement_gets_the_deed(
    world: SwapWorld, is_restarted: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Nothing, "answer", lambda self, request: encode_refused(Reason.NO_SESSION))
    end = world.begin()
    world.buy(end)
    settled(world)
    if is_restarted:
        world.restart_seller()
    old = end.session
    # The session that it had is no more, and it opens another.
    assert ask_for_deed(end, world, PROMISE) == DEED
    assert old is not None
    assert end.session not in (old, None)
    assert read_deed(world.root / "bought") == DEED


def test_somebody_else_settles_while_the_seller_is_away(world: SwapWorld) -> None:
    bought(world)
    world.pass_blocks(SELLING.complaint_blocks + 1)
    settle = world.world.sign(ANYBODY, SettleSale(sale=kept(world).sale))
    assert world.chain.submit(settle) is ResultCode.OK
    world.restart_seller()
    assert ask_for_deed(world.begin(), world, PROMISE) == DEED


def test_a_deed_is_given_until_the_grant_is_over(world: SwapWorld) -> None:
    settled(world)
    world.pass_blocks(world.grant.expiry_height - world.chain.height())
    world.counter.tend()
    assert ask_for_deed(world.begin(), world, PROMISE) == DEED
    (world.root / "bought" / "deed").unlink()
    world.pass_blocks(1)
    world.counter.tend()
    assert swap_grants(world.root / "sales") == ()
    assert ask_for_deed(world.begin(), world, PROMISE) == MissingDeed(DeedFault.WITHHELD)


def test_who_has_its_money_back_gets_no_deed(tmp_path: Path) -> None:
    world = cheating(tmp_path, 1)
    assert isinstance(world.buy(), ReturnedSwap)
    for _ in range(2):
        world.counter.tend()
        state = world.counter.swap(world.grant_id)
        assert isinstance(state, EndedSwap)
        assert not state.is_sold
        assert kept(world).agreement == bytes(32)
        refused(world, OpeningSwap(world.begin(), 0).request(), Reason.NO_SALE)
        world.restart_seller()


@pytest.mark.parametrize("is_kept", [False, True], ids=["before", "after"])
def test_a_seller_that_dies_as_it_writes_that_it_is_paid(
    world: SwapWorld, is_kept: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    bought(world)
    world.pass_blocks(SELLING.complaint_blocks + 1)

    def dies(folder: Path, row: SwapRow) -> None:
        if is_kept:
            write_swap(folder, row)
        raise ConnectionError

    with monkeypatch.context() as patch:
        patch.setattr(swap_seller, "write_swap", dies)
        with pytest.raises(ConnectionError):
            world.counter.tend()
    assert kept(world).stage is (SwapStage.SOLD if is_kept else SwapStage.PROPOSED)
    world.restart_seller()
    assert kept(world).stage is SwapStage.SOLD
    assert ask_for_deed(world.begin(), world, PROMISE) == DEED


def test_secrets_stay_until_the_chain_says_how_it_ended(
    world: SwapWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody hides the settlement: nothing is taken for it, and nothing forgotten."""
    bought(world)
    row = kept(world)
    with monkeypatch.context() as patch:
        patch.setattr(world.chain, "ended", lambda sale, from_height: None)
        world.finish_seller()
        world.pass_blocks(world.grant.expiry_height)
        world.counter.tend()
        world.restart_seller()
        assert kept(world) == row
        refused(world, OpeningSwap(world.begin(), 0).request(), Reason.NO_SALE)
    world.restart_seller()
    assert kept(world).stage is SwapStage.SOLD


def test_only_its_session_asks(world: SwapWorld) -> None:
    end = world.begin()
    world.buy(end)
    assert end.session is not None
    forged = Session(end.session.session, bytes(32), end.session.unit_key)
    assert parse_reply(world.ask(encode_deed_fetch(forged, None))) == Refused(
        Reason.WRONG_SIGNATURE
    )
    stranger = Session(bytes(16), bytes(32), bytes(32))
    # Not known here: it is for the streams to say.
    assert parse_reply(world.ask(encode_deed_fetch(stranger, None))) == Refused(Reason.NO_GRANT)


@pytest.mark.parametrize(
    ("deed", "fault"),
    [
        (Deed(DEED.entry, DEED.openings[1:]), None),
        (Deed(entry_of(CONTENT, HIDDEN, name="else"), DEED.openings), DeedFault.FALSE),
        (Deed.of(DEED.entry, [value.opening for value in hidden_values()]), DeedFault.FALSE),
        (None, DeedFault.GONE),
    ],
    ids=["an opening less", "another entry", "other openings", "none"],
)
def test_what_is_not_true_is_not_kept(
    tmp_path: Path, deed: Deed | None, fault: DeedFault | None
) -> None:
    world = SwapWorld(tmp_path, shelf=Shelf(units_with(deed)))
    bought(world)
    expected = deed if fault is None else MissingDeed(fault)
    assert ask_for_deed(world.begin(), world, PROMISE) == expected
    # Asked once more, an honest seller gives it.
    world.shelf.units = units_with(DEED)
    again = ask_for_deed(world.begin(), world, PROMISE)
    assert again == (deed if fault is None else DEED)


def broken(reply: Reply) -> Reply:
    return reply._replace(sealed=reply.sealed[:-1] + bytes([reply.sealed[-1] ^ 1]))


@pytest.mark.parametrize(
    ("edit", "fault"),
    [
        (lambda _: encode_refused(Reason.GONE), DeedFault.GONE),
        (lambda _: encode_refused(Reason.NO_SESSION), DeedFault.WITHHELD),
        (lambda _: Reply(b"\xff"), DeedFault.FALSE),
        (broken, DeedFault.FALSE),
    ],
    ids=["erased", "forgets again and again", "garbage", "altered"],
)
def test_a_seller_that_gives_none(
    world: SwapWorld, edit: Callable[[Reply], Reply], fault: DeedFault
) -> None:
    bought(world)

    class Edited:
        def ask(self, request: bytes) -> Reply:
            reply = world.ask(request)
            is_deed = not is_swap_request(request) and isinstance(parse_request(request), DeedFetch)
            return edit(reply) if is_deed else reply

    assert ask_for_deed(world.begin(), Edited(), PROMISE) == MissingDeed(fault)
    assert world.received() == CONTENT
