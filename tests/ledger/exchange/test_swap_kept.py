"""What both ends of an atomic sale keep: keys that are used once, and files that are whole."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from ledger.chain.codes import ResultCode
from ledger.chain.sale.identity import key_hash
from ledger.errors import (
    CorruptStoreError,
    NotFoundError,
    RefusedError,
    VerificationError,
)
from ledger.exchange.messages import Reason, Reply
from ledger.exchange.session import agree, public_agreement_key, sale_agreement_key
from ledger.exchange.swap_buyer import OpeningSwap
from ledger.exchange.swap_cipher import Part, SwapCipher
from ledger.exchange.swap_driver import swap, where
from ledger.exchange.swap_file import read_swap
from ledger.exchange.swap_messages import (
    SealedPart,
    SwapOpened,
    SwapOpening,
    parse_swap_reply,
    parse_swap_request,
)
from ledger.exchange.swap_payment import (
    AwaitingKey,
    BoughtSwap,
    LockableSwap,
)
from ledger.exchange.swap_purchase import SwapPurchase
from ledger.exchange.swap_seller import (
    RevealedSwap,
)
from tests.ledger.chain.rules.exchange_world import UNITS
from tests.ledger.exchange.swap_world import (
    CONTENT,
    SwapWorld,
    buy_until,
    proposals,
    refused,
)


@pytest.fixture
def world(tmp_path: Path) -> SwapWorld:
    return SwapWorld(tmp_path)


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


def altered(path: Path) -> Iterator[None]:
    """A file with a byte of it changed, cut short, and longer; then as it was."""
    whole = path.read_bytes()
    assert path.stat().st_mode & 0o777 == 0o600
    for at in (0, 20, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        yield
    for cut in (b"", whole[:-1], whole + b"\0"):
        path.write_bytes(cut)
        yield
    path.write_bytes(whole)


def test_a_buyers_files_that_were_altered_are_refused(world: SwapWorld) -> None:
    buy_until(world, AwaitingKey)
    world.leave()
    for name in ("purchase", "sale"):
        for _ in altered(world.root / "bought" / name):
            with pytest.raises(CorruptStoreError):
                SwapPurchase.open(world.root / "bought")
    assert isinstance(world.buy(), BoughtSwap)


def test_a_sellers_file_that_was_altered_is_left_alone(world: SwapWorld) -> None:
    """It may still have the key of a price that is locked: nothing is written over it."""
    end = world.begin()
    buy_until(world, AwaitingKey)
    (path,) = (world.root / "sales").glob("*.swap")
    for _ in altered(path):
        damaged = path.read_bytes()
        world.restart_seller()
        assert world.counter.tend() == ()
        refused(world, OpeningSwap(world.begin(), 0).request(), Reason.NO_SALE)
        assert world.counter.tend() == ()
        assert path.read_bytes() == damaged
    world.restart_seller()
    assert isinstance(world.buy(), BoughtSwap)
    assert end.purchase.folder.exists()


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
