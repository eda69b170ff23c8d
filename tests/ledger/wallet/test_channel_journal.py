"""Payments of a stream: written at once, synced by the dozen, lost by nothing but a power cut."""

from __future__ import annotations

import errno
import os
import shutil
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from ledger.chain.channel.payword import Link
from ledger.chain.channel.voucher import Voucher, sign_voucher
from ledger.errors import CorruptStoreError, StorageError, StorageFullError, VerificationError
from ledger.storage.paced_sync import SYNC_LIMIT, PacedSync
from ledger.wallet.channel_file import Durability
from ledger.wallet.payee import PayeeOpen
from ledger.wallet.payer import PayerOpen
from ledger.wallet.wallet import Wallet
from tests.ledger.wallet.channel_ends import ALICE, BOB, DEPOSIT, Ends

PRICE = 10


def stream(ends: Ends, count: int) -> None:
    for _ in range(count):
        claim = ends.open_payer.pay(PRICE, Durability.WRITTEN)
        assert ends.open_payee.accept(claim, 1, Durability.WRITTEN).amount == PRICE


def journal(root: Path, ends: Ends, end: str) -> Path:
    return root / ends_folder(end) / "channels" / f"{ends.channel.hex()}.{end}.journal"


def ends_folder(end: str) -> str:
    return "alice" if end == "payer" else "bob"


def after_a_crash(ends: Ends, root: Path, copy: Path) -> tuple[PayerOpen, PayeeOpen]:
    """Both ends as another process finds the files now."""
    shutil.copytree(root, copy)
    payer = Wallet.open(copy / "alice").payer(ends.channel)
    payee = Wallet.open(copy / "bob").payee(ends.channel)
    assert isinstance(payer, PayerOpen)
    assert isinstance(payee, PayeeOpen)
    return payer, payee


def test_a_killed_process_forgets_nothing(ends: Ends, tmp_path: Path) -> None:
    stream(ends, 5)
    payer, payee = after_a_crash(ends, tmp_path, tmp_path / "copy")
    assert (payer.paid, payee.earned) == (5 * PRICE, 5 * PRICE)
    assert payer.newest() == ends.open_payer.newest() == payee.best
    assert payee.accept(payer.pay(PRICE), 1).total == 6 * PRICE


def test_modes_of_payment_mix(ends: Ends, tmp_path: Path) -> None:
    stream(ends, 3)
    assert ends.open_payee.accept(ends.open_payer.pay(PRICE), 1).total == 4 * PRICE
    stream(ends, 2)
    payer, payee = after_a_crash(ends, tmp_path, tmp_path / "copy")
    assert (payer.paid, payee.earned) == (6 * PRICE, 6 * PRICE)
    ends.restart()
    assert (ends.open_payer.paid, ends.open_payee.earned) == (6 * PRICE, 6 * PRICE)


@pytest.mark.parametrize("end", ["payer", "payee"])
def test_a_torn_journal_is_good_up_to_the_tear(ends: Ends, tmp_path: Path, end: str) -> None:
    stream(ends, 3)
    ends.payer.release()
    ends.payee.release()
    whole = journal(tmp_path, ends, end).read_bytes()
    row = len(whole) // 3
    for length in range(0, len(whole) + 1, 7):
        # Never what belongs there, or the row would be whole.
        torn = bytes(each ^ 0xFF for each in (whole + bytes(4))[length : length + length % 5])
        journal(tmp_path, ends, end).write_bytes(whole[:length] + torn)
        state = ends.alice.payer(ends.channel) if end == "payer" else ends.bob.payee(ends.channel)
        total = state.paid if isinstance(state, PayerOpen) else getattr(state, "earned", -1)
        assert total == PRICE * (length // row)
        state.release()


@pytest.mark.parametrize("end", ["payer", "payee"])
def test_no_bit_of_a_journal_can_change(ends: Ends, tmp_path: Path, end: str) -> None:
    stream(ends, 2)
    ends.payer.release()
    ends.payee.release()
    whole = bytearray(journal(tmp_path, ends, end).read_bytes())
    row = len(whole) // 2
    for position in range(0, len(whole), 3):
        whole[position] ^= 1
        journal(tmp_path, ends, end).write_bytes(whole)
        state = ends.alice.payer(ends.channel) if end == "payer" else ends.bob.payee(ends.channel)
        total = state.paid if isinstance(state, PayerOpen) else getattr(state, "earned", -1)
        assert total == (PRICE if position >= row else 0)
        state.release()
        whole[position] ^= 1


def test_rows_of_a_file_that_was_replaced_mean_nothing(ends: Ends, tmp_path: Path) -> None:
    stream(ends, 3)
    old = [(journal(tmp_path, ends, end), end) for end in ("payer", "payee")]
    kept = {end: path.read_bytes() for path, end in old}
    assert ends.open_payee.accept(ends.open_payer.pay(PRICE), 1).total == 4 * PRICE
    for path, end in old:
        assert path.read_bytes() == b""
        path.write_bytes(kept[end])  # as if cutting it had not reached the disk
    payer, payee = after_a_crash(ends, tmp_path, tmp_path / "copy")
    assert (payer.paid, payee.earned) == (4 * PRICE, 4 * PRICE)


def test_a_journal_that_contradicts_its_file_is_damage(ends: Ends, tmp_path: Path) -> None:
    file = ends.open_payer._file
    file._journal.append(replace(file.row, paid=DEPOSIT + 1).progress)
    ends.payer.release()
    with pytest.raises(CorruptStoreError, match="journal"):
        ends.alice.payer(ends.channel)


def test_a_payer_that_forgot_learns_from_the_payee(ends: Ends, tmp_path: Path) -> None:
    shutil.copytree(tmp_path / "alice", tmp_path / "old")
    stream(ends, 4)
    payer = Wallet.open(tmp_path / "old").payer(ends.channel)
    best = ends.open_payee.best
    assert isinstance(payer, PayerOpen)
    assert best is not None
    assert payer.paid == 0
    payer.recover(best)
    assert (payer.paid, payer.newest()) == (4 * PRICE, best)
    assert ends.open_payee.accept(payer.pay(PRICE), 1).amount == PRICE
    payer.recover(best)  # less than it knows
    assert payer.paid == 5 * PRICE


def test_a_payer_takes_over_only_what_it_made(ends: Ends) -> None:
    chain, channel = ends.world.chain, ends.channel
    forged: list[Voucher | Link] = [
        sign_voucher(chain, channel, BOB, 50),
        sign_voucher(bytes(32), channel, ALICE, 50),
        sign_voucher(chain, bytes(32), ALICE, 50),
        sign_voucher(chain, channel, ALICE, DEPOSIT + 1),
        Link(5, bytes(32)),
        Link(101, bytes(32)),
    ]
    for claim in forged:
        before = ends.open_payer.paid
        with suppress(VerificationError):  # one of the other mode is worth nothing here
            ends.open_payer.recover(claim)
        assert ends.open_payer.paid == before


def test_a_forgotten_channel_has_no_journal(ends: Ends, tmp_path: Path) -> None:
    stream(ends, 2)
    ends.open_payer.forget()
    ends.open_payee.close().forget()
    assert not list(tmp_path.glob("*/channels/*.journal"))


def test_a_payment_that_could_not_be_written_is_taken_when_it_comes_again(
    ends: Ends, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    stream(ends, 3)
    claim, payee = ends.open_payer.pay(PRICE, Durability.WRITTEN), ends.open_payee
    with monkeypatch.context() as patched:
        patched.setattr(os, "pwrite", full)
        with pytest.raises(StorageFullError):
            payee.accept(claim, 1, Durability.WRITTEN)
    assert payee.earned == 3 * PRICE
    assert payee.accept(claim, 1, Durability.WRITTEN).amount == PRICE
    assert payee.accept(claim, 1, Durability.WRITTEN).amount == 0


# Pace


class CountedSync:
    """Stands in for fdatasync, and says how many writes each call made safe."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.written = self.safe = 0
        self.error: OSError | None = None
        monkeypatch.setattr("ledger.storage.paced_sync.os.fdatasync", self)

    def __call__(self, descriptor: int) -> None:
        if self.error is not None:
            raise self.error
        self.safe = max(self.safe, self.written)


def test_no_more_than_the_limit_is_ever_at_risk(monkeypatch: pytest.MonkeyPatch) -> None:
    counted = CountedSync(monkeypatch)
    paced = PacedSync(Path("journal"), [0])
    for _ in range(100):
        counted.written += 1
        paced.wrote()
        assert counted.written - counted.safe < SYNC_LIMIT
    paced.close()
    assert counted.safe == 100


def test_a_sync_that_fails_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    counted = CountedSync(monkeypatch)
    counted.error = OSError(5, os.strerror(5))
    paced = PacedSync(Path("journal"), [0])
    with pytest.raises(StorageError, match="journal"):
        for _ in range(SYNC_LIMIT):
            paced.wrote()
    with pytest.raises(StorageError):
        paced.close()
