"""The paying end: what it signs, what it refuses, what it remembers."""

from __future__ import annotations

from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pytest

from ledger import durable_file
from ledger.chain.channel.payword import Link, PayWordReceiver
from ledger.chain.channel.voucher import Voucher, VoucherVerifier
from ledger.chain.codes import ResultCode
from ledger.errors import (
    CorruptStoreError,
    LockedError,
    RefusedError,
    StorageError,
    VerificationError,
)
from ledger.wallet import channel_file
from ledger.wallet.payer import Claim, PayerClosing, PayerOpen, PayerOpening
from ledger.wallet.wallet import Wallet
from tests.ledger.wallet.channel_ends import ALICE, BOB, DEPOSIT, LINKS, Ends, terms, wallet


def worth(ends: Ends, claim: Claim) -> int:
    """What a claim is worth to somebody who knows the chain alone."""
    record = ends.record()
    if isinstance(claim, Voucher):
        VoucherVerifier(ends.world.chain, ends.channel, record.payer).verify(claim)
        return claim.cumulative
    mode = record.payword
    return mode.unit * PayWordReceiver(ends.channel, mode.count, mode.w0).accept(claim)


def test_claims_add_up(ends: Ends) -> None:
    total = 0
    for amount in (10, 30, 10, 500, 450):
        total += amount
        assert worth(ends, ends.open_payer.pay(amount)) == total
        assert (ends.open_payer.paid, ends.open_payer.left) == (total, DEPOSIT - total)
    newest = ends.open_payer.newest()
    assert newest is not None
    assert worth(ends, newest) == DEPOSIT


def test_nothing_is_paid_beyond_what_is_left(ends: Ends) -> None:
    ends.open_payer.pay(990)
    for amount in (-10, 0, 11, 20, 2**64):
        with pytest.raises(RefusedError):
            ends.open_payer.pay(amount)
    assert ends.open_payer.paid == 990
    ends.open_payer.pay(10)
    with pytest.raises(RefusedError, match="0 is left"):
        ends.open_payer.pay(10)


def test_links_pay_whole_units(tmp_path: Path) -> None:
    ends = Ends(tmp_path, LINKS)
    with pytest.raises(RefusedError, match="links of 10 each"):
        ends.open_payer.pay(15)
    assert isinstance(ends.open_payer.pay(20), Link)


def test_a_restart_forgets_nothing(ends: Ends) -> None:
    assert ends.open_payer.newest() is None
    claim = ends.open_payer.pay(120)
    ends.restart()
    assert ends.open_payer.paid == 120
    assert ends.open_payer.newest() == claim
    assert worth(ends, ends.open_payer.pay(10)) == 130


def test_what_is_paid_is_on_disk_before_the_claim_is_made(
    ends: Ends, monkeypatch: pytest.MonkeyPatch
) -> None:
    ends.open_payer.pay(10)

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(channel_file, "write_durably", full)
        with pytest.raises(StorageError):
            ends.open_payer.pay(500)
    assert ends.open_payer.paid == 10
    ends.restart()
    assert ends.open_payer.paid == 10

    signed = []
    real = durable_file.write_durably

    def watching(path: Path, data: bytes, *, mode: int) -> None:
        real(path, data, mode=mode)
        signed.append(path.read_bytes())

    monkeypatch.setattr(channel_file, "write_durably", watching)
    ends.open_payer.pay(40)
    kept = channel_file.PayerRow.decode(signed[-1])
    assert kept.paid == 50


def test_states_go_one_way(tmp_path: Path) -> None:
    ends = Ends(tmp_path)
    was_open = ends.open_payer
    was_open.pay(50)
    closing = was_open.close()
    assert isinstance(closing, PayerClosing)
    for call in (lambda: was_open.pay(1), was_open.close, was_open.newest, was_open.forget):
        with pytest.raises(RefusedError, match="gone on"):
            call()
    closing.release()
    resumed = ends.alice.payer(ends.channel)
    assert isinstance(resumed, PayerClosing)
    assert not hasattr(resumed, "pay")
    assert resumed.paid == 50


def test_an_opening_waits_for_the_chain(tmp_path: Path) -> None:
    alice = wallet(tmp_path, "alice")
    opening = alice.open_channel(bytes(32), 0, **terms(payword=LINKS))
    message = opening.message
    opening.release()
    resumed = alice.payer(opening.channel)
    assert isinstance(resumed, PayerOpening)
    assert not hasattr(resumed, "pay")
    assert resumed.message == message


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("payer", bytes(BOB.public_key)),
        ("payee", bytes(ALICE.public_key)),
        ("asset", 1),
        ("deposit", DEPOSIT - 1),
        ("expiry_height", 5),
        ("challenge", 6),
    ],
)
def test_a_record_of_other_terms_is_not_the_channel(
    tmp_path: Path, field: str, value: object
) -> None:
    ends = Ends(tmp_path)
    record = ends.record()
    setattr(record, field, value)
    with pytest.raises(VerificationError):
        ends.open_payer.observe(record)
    with pytest.raises(VerificationError):
        ends.open_payee.observe(record)


def test_a_record_of_other_links_is_not_the_channel(tmp_path: Path) -> None:
    ends = Ends(tmp_path, LINKS)
    for field, value in (("w0", bytes(32)), ("unit", 9), ("count", 99)):
        record = ends.record()
        setattr(record.payword, field, value)
        with pytest.raises(VerificationError):
            ends.open_payer.observe(record)
    record = ends.record()
    record.voucher.SetInParent()
    with pytest.raises(VerificationError):
        ends.open_payer.observe(record)


def test_a_top_up_counts_once_the_chain_has_it(tmp_path: Path) -> None:
    ends = Ends(tmp_path)
    ends.open_payer.pay(DEPOSIT)
    message = ends.open_payer.top_up(500)
    with pytest.raises(RefusedError):
        ends.open_payer.pay(1)
    ends.world.must(ALICE, message)
    ends.open_payer.observe(ends.record())
    assert ends.open_payer.left == 500
    ends.restart()
    ends.open_payer.pay(500)
    with pytest.raises(VerificationError, match="beyond the deposit"):
        ends.open_payee.accept(ends.open_payer.newest(), 1)  # type: ignore[arg-type]
    ends.open_payee.observe(ends.record())
    assert ends.open_payee.accept(ends.open_payer.newest(), 1).total == DEPOSIT + 500  # type: ignore[arg-type]


def test_links_are_not_topped_up(tmp_path: Path) -> None:
    with pytest.raises(RefusedError, match="cannot be topped up"):
        Ends(tmp_path, LINKS).open_payer.top_up(10)


@pytest.mark.parametrize("amount", [0, 10, DEPOSIT])
def test_a_close_says_what_was_paid(ends: Ends, amount: int) -> None:
    if amount:
        ends.open_payer.pay(amount)
    closing = ends.open_payer.close()
    ends.world.must(ALICE, closing.message)
    assert ends.record().claimed == amount
    ends.world.advance(6)
    ends.world.must(ALICE, closing.settle())
    closing.forget()
    assert ends.alice.channels() == ()


def test_after_the_expiry_the_payer_settles(ends: Ends) -> None:
    ends.open_payer.pay(10)
    ends.world.advance(200)
    assert ends.world.do(ALICE, ends.open_payer.settle()).code == ResultCode.OK
    assert ends.find_record() is None


def test_one_process_at_a_time(ends: Ends) -> None:
    with pytest.raises(LockedError, match="open"):
        ends.alice.payer(ends.channel)
    with pytest.raises(LockedError, match="open"):
        ends.bob.payee(ends.channel)
    ends.payer.release()
    ends.payer.release()
    ends.alice.payer(ends.channel).release()


def test_every_byte_of_a_file_counts(ends: Ends, tmp_path: Path) -> None:
    ends.open_payee.accept(ends.open_payer.pay(10), 1)
    ends.payer.release()
    ends.payee.release()
    for path in (*tmp_path.rglob("*.payer"), *tmp_path.rglob("*.payee")):
        data = path.read_bytes()
        resume = ends.alice.payer if path.suffix == ".payer" else ends.bob.payee
        for at in range(len(data)):
            path.write_bytes(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])
            with pytest.raises(CorruptStoreError, match="damaged"):
                resume(ends.channel)
        for wrong in (b"", data[:-1], data + b"\0"):
            path.write_bytes(wrong)
            with pytest.raises(CorruptStoreError, match="damaged"):
                resume(ends.channel)
        path.write_bytes(data)
        resume(ends.channel).release()


def test_files_in_the_wrong_place(ends: Ends, tmp_path: Path) -> None:
    ends.payer.release()
    (path,) = tmp_path.rglob("*.payer")
    moved = path.with_name(f"{'00' * 32}.payer")
    moved.write_bytes(path.read_bytes())
    with pytest.raises(CorruptStoreError, match="another channel"):
        ends.alice.payer(bytes(32))
    other = Wallet.create(tmp_path / "carol")
    stolen = tmp_path / "carol" / "channels" / path.name
    stolen.write_bytes(path.read_bytes())
    with pytest.raises(CorruptStoreError, match="another wallet"):
        other.payer(ends.channel)


def test_a_seed_of_another_chain_of_links(tmp_path: Path) -> None:
    ends = Ends(tmp_path, LINKS)
    (path,) = tmp_path.rglob("*.payer")
    ends.payer.release()
    row = replace(channel_file.PayerRow.decode(path.read_bytes()), seed=b"x" * 32)
    path.write_bytes(row.encode())
    with pytest.raises(CorruptStoreError, match="seed") as refused:
        ends.alice.payer(ends.channel)
    assert "xxxx" not in str(refused.value)


def test_the_layout_of_a_payers_file(tmp_path: Path) -> None:
    ends = Ends(tmp_path, LINKS)
    ends.open_payer.pay(70)
    (path,) = tmp_path.rglob("*.payer")
    data, mode = path.read_bytes(), ends.record().payword
    expected = b"".join(
        [
            b"quipu-payer/v1\n",
            ends.world.chain,
            ends.channel,
            bytes(ALICE.public_key),
            bytes(BOB.public_key),
            (0).to_bytes(4, "big"),
            (1000).to_bytes(8, "big"),
            (101).to_bytes(8, "big"),
            (5).to_bytes(4, "big"),
            mode.w0,
            (10).to_bytes(8, "big"),
            (100).to_bytes(4, "big"),
            bytes(32),
            b"\x02",
            (70).to_bytes(8, "big"),
            ends.open_payer._file.row.seed,
        ]
    )
    assert data == expected + sha256(expected).digest()


def test_an_end_that_is_there_is_not_begun_anew(ends: Ends) -> None:
    assert isinstance(ends.payer, PayerOpen)
    ends.payee.release()
    with pytest.raises(RefusedError, match="already"):
        ends.bob.begin_payee(ends.world.chain, ends.channel, ends.record())
