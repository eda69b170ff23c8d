"""Answers about the state: presence and absence, at a height, and nothing made up."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from ledger.chain.account import Account
from ledger.chain.light.answer import verify_answer
from ledger.chain.light.signed_header import verify_signed_header
from ledger.chain.light.trust import Trust
from ledger.chain.state_keys import PARAMETERS_KEY, account_key
from ledger.errors import MalformedError, NotFoundError, VerificationError
from ledger.schema.chain_receipt_pb2 import SignedHeader, StateAnswer
from tests.ledger.chain.light.lying_operator import LyingOperator
from tests.ledger.chain.machine.small_chain import SmallChain
from tests.ledger.chain.rules.chain_world import account_of, known_key

BOB = account_key(account_of(known_key("bob")))
NOBODY = account_key(account_of(known_key("nobody")))


@pytest.fixture(scope="module")
def chain(tmp_path_factory: pytest.TempPathFactory) -> SmallChain:
    chain = SmallChain(tmp_path_factory.mktemp("chain"))
    for amount in (5, 6, 7):
        chain.block([chain.pay("alice", "bob", amount)])
    return chain


@pytest.fixture(scope="module")
def trust(chain: SmallChain) -> Trust:
    return Trust(chain.chain, [chain.vkey])


def test_an_answer_is_what_the_state_was(chain: SmallChain, trust: Trust) -> None:
    for height, more in ((1, 5), (2, 11), (3, 18), (None, 18)):
        for key in (BOB, NOBODY, PARAMETERS_KEY, b"x"):
            answer = verify_answer(chain.receipts.answer(key, height), key, trust)
            assert answer.value == chain.rows(height).get(key)
            assert answer.header.height == (height or 3)
        bob = verify_answer(chain.receipts.answer(BOB, height), BOB, trust).value
        assert bob is not None
        assert Account.decode(bob).amount(0) == 1_000_000 + more


@pytest.mark.parametrize("key", [BOB, NOBODY], ids=["there", "absent"])
def test_no_byte_of_an_answer_is_of_no_account(chain: SmallChain, trust: Trust, key: bytes) -> None:
    good = chain.receipts.answer(key)
    verify_answer(good, key, trust)
    for at in range(len(good)):
        bad = good[:at] + bytes([good[at] ^ 1]) + good[at + 1 :]
        with pytest.raises((MalformedError, VerificationError)):
            verify_answer(bad, key, trust)
    for bad in (b"", good[:-1], good + b"\x00", good + good, bytes(4 << 20)):
        with pytest.raises((MalformedError, VerificationError)):
            verify_answer(bad, key, trust)


def test_an_answer_is_to_its_question(chain: SmallChain, trust: Trust) -> None:
    with pytest.raises(VerificationError):
        verify_answer(chain.receipts.answer(BOB), NOBODY, trust)
    with pytest.raises(VerificationError):
        verify_answer(chain.receipts.answer(NOBODY), BOB, trust)
    for key in (b"", b"k" * 1_025):
        with pytest.raises(MalformedError):
            verify_answer(chain.receipts.answer(BOB), key, trust)
        with pytest.raises(MalformedError):
            chain.receipts.answer(key)


@pytest.mark.parametrize("field", ["proof", "header", "header_path", "checkpoint"])
def test_parts_of_two_answers_make_none(chain: SmallChain, trust: Trust, field: str) -> None:
    mine, other = (StateAnswer.FromString(chain.receipts.answer(BOB, height)) for height in (3, 2))
    if field == "checkpoint":
        other.checkpoint = chain.log.checkpoint_at(1 + 2 * 2) or b""
    mine.ClearField(field)
    mine.MergeFrom(StateAnswer(**{field: getattr(other, field)}))
    with pytest.raises((MalformedError, VerificationError)):
        verify_answer(mine.SerializeToString(deterministic=True), BOB, trust)


def test_a_height_that_is_not_kept_is_not_answered(tmp_path: Path) -> None:
    chain = SmallChain(tmp_path, kept=1)
    for _ in range(3):
        chain.block()
    trust = Trust(chain.chain, [chain.vkey])
    assert verify_answer(chain.receipts.answer(BOB, 2), BOB, trust).header.height == 2
    for height in (-1, 0, 1, 4, 2**70):
        with pytest.raises(NotFoundError):
            chain.receipts.answer(BOB, height)


def test_a_block_under_no_checkpoint_is_waited_for(tmp_path: Path) -> None:
    chain = SmallChain(tmp_path)
    for _ in range(2):
        chain.block(checkpoint=False)
        with pytest.raises(NotFoundError, match="checkpoint"):
            chain.receipts.answer(BOB)
    first = chain.checkpoint()
    chain.block(checkpoint=False)
    trust = Trust(chain.chain, [chain.vkey])
    answer = verify_answer(chain.receipts.answer(BOB), BOB, trust)
    assert (answer.header.height, answer.signed.checkpoint.note) == (2, first)
    for ask in (chain.receipts.answer, lambda _, height: chain.receipts.signed_header(height)):
        with pytest.raises(NotFoundError, match="block 3 is under no checkpoint"):
            ask(BOB, 3)
    chain.checkpoint()
    assert verify_answer(chain.receipts.answer(BOB, 2), BOB, trust).header.height == 2
    assert verify_answer(chain.receipts.answer(BOB), BOB, trust).header.height == 3


def test_no_byte_of_a_signed_header_is_of_no_account(chain: SmallChain, trust: Trust) -> None:
    good = chain.receipts.signed_header(2)
    assert verify_signed_header(good, trust).encode() == good
    for at in range(len(good)):
        bad = good[:at] + bytes([good[at] ^ 1]) + good[at + 1 :]
        with pytest.raises((MalformedError, VerificationError)):
            verify_signed_header(bad, trust)


class TestWhatAnOperatorSigns:
    """Genuinely signed, and still refused."""

    def verify(self, liar: LyingOperator, signed: bytes) -> int:
        trust = Trust(liar.genesis.chain, [liar.signer.verifier_key])
        return verify_signed_header(signed, trust).header.height

    def test_the_truth_is_accepted(self) -> None:
        liar = LyingOperator()
        header = liar.append_header(liar.next_header())
        assert self.verify(liar, liar.sign_header(header, 1)) == 1

    @pytest.mark.parametrize("size", [2, 3, 4, 5, 9])
    def test_another_log_before_the_header(self, size: int) -> None:
        liar = LyingOperator()
        header = liar.append_header(liar.next_header(), log_root=bytes(32))
        liar.append(*[b"\x02more"] * (size - 2))
        with pytest.raises(VerificationError, match="another log"):
            self.verify(liar, liar.sign_header(header, 1))

    def test_another_place_of_the_header(self) -> None:
        liar = LyingOperator()
        header = liar.next_header()
        liar.append(b"\x02more")
        liar.append_header(header)
        for index in (1, 2):
            with pytest.raises(VerificationError):
                self.verify(liar, liar.sign_header(header, index))

    def test_a_header_after_the_checkpoint(self) -> None:
        liar = LyingOperator()
        header = liar.append_header(liar.next_header())
        early = SignedHeader(header=header.encode(), checkpoint=liar.note(1))
        with pytest.raises(VerificationError, match="cannot be in a tree"):
            self.verify(liar, early.SerializeToString())

    def test_a_header_of_another_chain(self) -> None:
        liar = LyingOperator()
        header = liar.append_header(liar.next_header(), chain=bytes(32))
        with pytest.raises(VerificationError, match="another chain"):
            self.verify(liar, liar.sign_header(header, 1))

    def test_a_transaction_that_reads_as_a_header(self) -> None:
        liar = LyingOperator()
        header = liar.next_header()
        liar.append(b"\x02" + header.encode())
        with pytest.raises(VerificationError, match="does not lead to the root"):
            self.verify(liar, liar.sign_header(header, 1))

    def test_a_newer_version(self) -> None:
        liar = LyingOperator()
        encoded = liar.next_header().encode().replace(b"\x08\x01", b"\x08\x02", 1)
        liar.append(b"\x03" + encoded)
        signed = SignedHeader.FromString(liar.sign_header(replace(liar.next_header()), 1))
        signed.header = encoded
        with pytest.raises(MalformedError, match="version 2"):
            self.verify(liar, signed.SerializeToString(deterministic=True))
