"""The paid end: what it accepts, what it refuses, and how it gets its money."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

import pytest

from ledger.chain.channel.payword import Link
from ledger.chain.channel.voucher import Voucher, sign_voucher
from ledger.chain.codes import ResultCode
from ledger.errors import LedgerError, RefusedError, StorageError, VerificationError
from ledger.wallet import channel_file
from ledger.wallet.payee import PayeeClosing, PayeeOpen, Payment
from ledger.wallet.payer import PayerClosing, close_message
from tests.ledger.chain.rules.chain_world import PEOPLE_MONEY
from tests.ledger.wallet.channel_ends import ALICE, BOB, CHALLENGE, DEPOSIT, EXPIRY, LINKS, Ends


def test_payments_are_what_came_on_top(ends: Ends) -> None:
    for amount, total in ((10, 10), (40, 50), (950, 1000)):
        claim = ends.open_payer.pay(amount)
        assert ends.open_payee.accept(claim, 1) == Payment(amount, total)
        assert ends.open_payee.accept(claim, 1) == Payment(0, total)
        assert (ends.open_payee.earned, ends.open_payee.best) == (total, claim)


def test_the_newest_claim_stands_for_those_before_it(ends: Ends) -> None:
    claims = [ends.open_payer.pay(10) for _ in range(5)]
    assert ends.open_payee.accept(claims[2], 1) == Payment(30, 30)
    for old in claims[:2]:
        with pytest.raises(VerificationError, match="pays nothing"):
            ends.open_payee.accept(old, 1)
    assert ends.open_payee.accept(claims[4], 1) == Payment(20, 50)


def test_what_was_accepted_survives_a_restart(ends: Ends) -> None:
    claim = ends.open_payer.pay(120)
    ends.open_payee.accept(claim, 1)
    ends.restart()
    assert (ends.open_payee.earned, ends.open_payee.best) == (120, claim)
    assert ends.open_payee.accept(claim, 1) == Payment(0, 120)
    assert ends.open_payee.accept(ends.open_payer.pay(10), 1) == Payment(10, 130)


def test_what_cannot_be_written_was_not_accepted(
    ends: Ends, monkeypatch: pytest.MonkeyPatch
) -> None:
    ends.open_payee.accept(ends.open_payer.pay(10), 1)
    claim = ends.open_payer.pay(20)

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(channel_file, "write_durably", full)
        with pytest.raises(StorageError):
            ends.open_payee.accept(claim, 1)
    assert ends.open_payee.earned == 10
    # It is asked for again, and earns what it did not then.
    assert ends.open_payee.accept(claim, 1) == Payment(20, 30)


def forged(ends: Ends) -> list[Voucher | Link]:
    claim = ends.open_payer.pay(50)
    chain, channel, other = ends.world.chain, ends.channel, bytes(32)
    if isinstance(claim, Link):
        return [
            Link(6, claim.link),
            Link(4, claim.link),
            Link(0, claim.link),
            Link(-1, claim.link),
            Link(5, bytes(32)),
            Link(5, claim.link[:31]),
            Link(5, claim.link + b"\0"),
            Link(101, claim.link),
            Link(2**64, claim.link),
            sign_voucher(chain, channel, ALICE, 50),
        ]
    return [
        Voucher(51, claim.signature),
        Voucher(0, claim.signature),
        Voucher(-1, claim.signature),
        Voucher(50, bytes(64)),
        Voucher(50, claim.signature[:63]),
        sign_voucher(chain, channel, BOB, 50),
        sign_voucher(other, channel, ALICE, 50),
        sign_voucher(chain, other, ALICE, 50),
        sign_voucher(chain, channel, ALICE, DEPOSIT + 1),
        sign_voucher(chain, channel, ALICE, 2**64 - 1),
        Voucher(2**64, bytes(64)),
        Link(5, bytes(32)),
    ]


def test_claims_that_are_not_this_channels(ends: Ends) -> None:
    for first in (True, False):
        for claim in forged(ends):
            before = (ends.open_payee.earned, ends.open_payee.best)
            with pytest.raises(VerificationError):
                ends.open_payee.accept(claim, 1)
            assert (ends.open_payee.earned, ends.open_payee.best) == before
        if first:
            assert ends.open_payee.accept(ends.open_payer.pay(10), 1) == Payment(60, 60)


def test_an_equal_link_must_be_the_one_that_is_known(tmp_path: Path) -> None:
    ends = Ends(tmp_path, LINKS)
    ends.open_payee.accept(ends.open_payer.pay(50), 1)
    with pytest.raises(VerificationError, match="not of this channel"):
        ends.open_payee.accept(Link(5, bytes(32)), 1)


def test_nothing_is_accepted_within_a_challenge_of_the_expiry(ends: Ends) -> None:
    last = EXPIRY - CHALLENGE - 1
    first, second = ends.open_payer.pay(10), ends.open_payer.pay(10)
    assert ends.open_payee.accept(first, last) == Payment(10, 10)
    for height in (last + 1, EXPIRY, 2**64 - 1):
        with pytest.raises(RefusedError, match="too soon"):
            ends.open_payee.accept(second, height)
    assert ends.open_payee.accept(first, EXPIRY) == Payment(0, 10)
    # Whatever was accepted can be claimed: a challenge's blocks are left.
    ends.world.advance(EXPIRY - 1 - ends.world.height)
    assert ends.world.do(BOB, ends.open_payee.close().message()).code == ResultCode.OK
    assert ends.world.balance(BOB) == PEOPLE_MONEY + 10


def test_states_go_one_way(ends: Ends) -> None:
    was_open, claim = ends.open_payee, ends.open_payer.pay(10)
    closing = was_open.close()
    assert not hasattr(closing, "accept")
    for call in (lambda: was_open.accept(claim, 1), was_open.close):
        with pytest.raises(RefusedError, match="gone on"):
            call()
    closing.release()
    assert isinstance(ends.bob.payee(ends.channel), PayeeClosing)


def test_a_payers_close_ends_acceptance_and_is_answered(ends: Ends) -> None:
    claims = [ends.open_payer.pay(10) for _ in range(3)]
    for claim in claims:
        ends.open_payee.accept(claim, 1)
    ends.world.must(ALICE, close_message(ends.channel, claims[0]))
    closing = ends.open_payee.observe(ends.record())
    assert isinstance(closing, PayeeClosing)
    assert ends.world.do(BOB, closing.challenge()).code == ResultCode.OK
    assert ends.record().claimed == 30
    # The chain knows all now: the payee takes it without a claim.
    message = closing.message(ends.record().claimed)
    assert message.WhichOneof("claim") is None
    ends.world.must(BOB, message)
    assert ends.world.balance(BOB) == PEOPLE_MONEY + 30
    closing.forget()
    assert ends.bob.channels() == ()


def test_an_open_record_changes_nothing(ends: Ends) -> None:
    payee = ends.open_payee
    assert payee.observe(ends.record()) is payee
    assert isinstance(payee, PayeeOpen)


def test_a_close_claims_the_best(ends: Ends) -> None:
    ends.open_payee.accept(ends.open_payer.pay(10), 1)
    ends.open_payee.accept(ends.open_payer.pay(70), 1)
    ends.world.must(BOB, ends.open_payee.close().message())
    assert ends.world.balance(BOB) == PEOPLE_MONEY + 80


def test_nothing_earned_is_nothing_to_claim(ends: Ends) -> None:
    with pytest.raises(RefusedError, match="nothing was earned"):
        ends.open_payee.challenge()
    ends.world.must(BOB, ends.open_payee.close().message())
    assert ends.world.balance(ALICE) == PEOPLE_MONEY


def test_channels_that_are_not_to_be_begun(ends: Ends) -> None:
    ends.open_payee.close().forget()
    with pytest.raises(RefusedError, match="another account"):
        ends.alice.begin_payee(ends.world.chain, ends.channel, ends.record())
    closing = ends.open_payer.close()
    assert isinstance(closing, PayerClosing)
    ends.world.must(ALICE, closing.message)
    with pytest.raises(RefusedError, match="closing"):
        ends.bob.begin_payee(ends.world.chain, ends.channel, ends.record())
    weak = ends.record()
    weak.closing_height, weak.payer = 0, b"\x01" + bytes(31)
    with pytest.raises(LedgerError, match="small order"):
        ends.bob.begin_payee(ends.world.chain, ends.channel, weak)
    assert ends.bob.channels() == ()


def test_the_layout_of_a_payees_file(ends: Ends, tmp_path: Path) -> None:
    claim = ends.open_payer.pay(70)
    ends.open_payee.accept(claim, 1)
    (path,) = tmp_path.rglob("*.payee")
    proof = claim.link + bytes(32) if isinstance(claim, Link) else claim.signature
    terms = ends.open_payee.terms.encode()
    expected = b"quipu-payee/v1\n" + terms + b"\x02" + (70).to_bytes(8, "big") + proof
    assert path.read_bytes() == expected + sha256(expected).digest()
    assert len(terms) == 228
