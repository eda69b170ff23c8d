"""Receipts: what they say is what happened, and nothing else can be read out of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.chain.codes import ResultCode
from ledger.chain.light.receipt import VerifiedReceipt, verify_receipt
from ledger.chain.light.trust import Trust
from ledger.chain.result import Result
from ledger.chain.transaction import sign_transaction
from ledger.errors import LedgerError, MalformedError, RefusedError, VerificationError
from ledger.schema.chain_payment_pb2 import Transfer
from ledger.schema.chain_receipt_pb2 import Receipt
from ledger.witness import cosign_checkpoint
from ledger.witnessing.policy import Policy, PolicyWitness
from tests.ledger.chain.light.lying_operator import LyingOperator
from tests.ledger.chain.machine.small_chain import SmallChain, transaction_id, witness
from tests.ledger.chain.rules.chain_world import account_of, body_of, known_key

WITNESS = witness()
POLICY = Policy(
    witnesses=(PolicyWitness("one", WITNESS.verifier_key),),
    quorum="one",
)


class Paid:
    """A chain of three blocks, the second with five transactions; the receipt of the third."""

    def __init__(self, folder: Path) -> None:
        self.chain = SmallChain(folder)
        self.chain.block([self.chain.pay("bank", "bob", 7)])
        transactions = [self.chain.pay("alice", "bob", number) for number in range(1, 5)]
        transactions.insert(3, self.chain.pay("alice", "bob", 1, sequence=77))  # refused
        self.ids = [transaction_id(each) for each in transactions]
        self.header = self.chain.block(transactions)
        self.chain.block()
        self.trust = Trust(self.chain.chain, [self.chain.vkey], POLICY)

    def message(self, place: int = 2) -> Receipt:
        message = Receipt.FromString(self.chain.receipts.receipt(self.ids[place]))
        message.checkpoint = cosign_checkpoint(message.checkpoint, WITNESS, 1_800_000_000)
        return message

    def receipt(self, place: int = 2) -> bytes:
        return self.message(place).SerializeToString(deterministic=True)

    def verify(self, data: bytes) -> VerifiedReceipt:
        return verify_receipt(data, self.trust)


@pytest.fixture(scope="module")
def paid(tmp_path_factory: pytest.TempPathFactory) -> Paid:
    return Paid(tmp_path_factory.mktemp("paid"))


def test_a_receipt_says_what_came_of_its_transaction(paid: Paid) -> None:
    for place, name in enumerate(paid.ids):
        verified = paid.verify(paid.receipt(place))
        assert verified.transaction.id == verified.result.transaction == name
        assert (verified.header, verified.index) == (paid.header, place)
        assert verified.carried_out == (place != 3)
        assert verified.result.code == (ResultCode.SEQUENCE_AHEAD if place == 3 else 0)
        assert verified.signed.checkpoint.cosignatures[0].time_s == 1_800_000_000


def test_no_byte_of_a_receipt_is_of_no_account(paid: Paid) -> None:
    good = paid.receipt()
    paid.verify(good)
    for at in range(len(good)):
        for flip in (1, 0x80):
            bad = good[:at] + bytes([good[at] ^ flip]) + good[at + 1 :]
            with pytest.raises((MalformedError, VerificationError)):
                paid.verify(bad)


def test_a_part_of_a_receipt_is_none(paid: Paid) -> None:
    good = paid.receipt()
    for size in range(0, len(good), 3):
        with pytest.raises((MalformedError, VerificationError)):
            paid.verify(good[:size])
    for more in (b"\x00", b"\x40\x01", good):
        with pytest.raises(MalformedError):
            paid.verify(good + more)


def spoil(step: Callable[[list[bytes]], None], field: str) -> Callable[[Receipt], None]:
    def change(message: Receipt) -> None:
        path = list(getattr(message, field))
        step(path)
        message.ClearField(field)
        getattr(message, field).extend(path)

    return change


def setter(**fields: Any) -> Callable[[Receipt], None]:
    def change(message: Receipt) -> None:
        for name, value in fields.items():
            setattr(message, name, value)

    return change


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(spoil(lambda path: path.pop(), field), id=f"{field} cut")
        for field in ("result_path", "header_path")
    ]
    + [
        pytest.param(spoil(lambda path: path.append(bytes(32)), field), id=f"{field} longer")
        for field in ("result_path", "header_path")
    ]
    + [
        pytest.param(spoil(lambda path: path.reverse(), field), id=f"{field} reversed")
        for field in ("result_path", "header_path")
    ]
    + [
        pytest.param(spoil(lambda path: path.clear(), field), id=f"{field} gone")
        for field in ("result_path", "header_path")
    ]
    + [pytest.param(setter(index=index), id=f"index {index}") for index in (0, 1, 3, 5, 2**63)]
    + [
        pytest.param(setter(**{field: b""}), id=f"no {field}")
        for field in ("transaction", "result", "header", "checkpoint")
    ],
)
def test_every_element_counts(paid: Paid, change: Callable[[Receipt], None]) -> None:
    message = paid.message()
    change(message)
    with pytest.raises((MalformedError, VerificationError)):
        paid.verify(message.SerializeToString(deterministic=True))


@pytest.mark.parametrize(
    "field", ["transaction", "result", "index", "result_path", "header", "header_path"]
)
def test_parts_of_two_receipts_make_none(paid: Paid, field: str) -> None:
    mine = paid.message()
    first = transaction_id(paid.chain.pay("bank", "bob", 7, sequence=0))
    others = [paid.message(place) for place in (0, 1, 3, 4)]
    others.append(Receipt.FromString(paid.chain.receipts.receipt(first)))
    for other in others:
        if getattr(other, field) == getattr(mine, field):
            continue
        mixed = Receipt.FromString(mine.SerializeToString())
        mixed.ClearField(field)
        mixed.MergeFrom(Receipt(**{field: getattr(other, field)}))
        with pytest.raises((MalformedError, VerificationError)):
            paid.verify(mixed.SerializeToString(deterministic=True))


def test_it_takes_the_operators_key_and_the_quorum(paid: Paid) -> None:
    good = paid.receipt()
    chain, key = paid.chain.chain, paid.chain.vkey
    verify_receipt(good, Trust(chain, [key]))
    stranger = SmallChain.signer_of("somebody").verifier_key
    with pytest.raises(VerificationError, match="not signed"):
        verify_receipt(good, Trust(chain, [stranger]))
    both = Trust(chain, [stranger, key])  # as while keys rotate
    assert verify_receipt(good, both).index == 2
    with pytest.raises(VerificationError, match="quorum"):
        paid.verify(paid.chain.receipts.receipt(paid.ids[2]))
    other = Policy(witnesses=(PolicyWitness("two", witness("other").verifier_key),), quorum="two")
    with pytest.raises(VerificationError, match="quorum two"):
        verify_receipt(good, Trust(chain, [key], other))


def test_another_chain_of_the_same_name_and_operator_is_another(paid: Paid, tmp_path: Path) -> None:
    other = SmallChain(tmp_path, min_fee=1)
    assert other.genesis.origin == paid.chain.genesis.origin
    payment = other.pay("alice", "bob", 1)
    other.block([payment])
    receipt = other.receipts.receipt(transaction_id(payment))
    verify_receipt(receipt, Trust(other.chain, [other.vkey]))
    with pytest.raises(VerificationError, match="another chain"):
        verify_receipt(receipt, Trust(paid.chain.chain, [other.vkey]))


def test_trust_that_cannot_be_is_refused(paid: Paid) -> None:
    key = paid.chain.vkey
    other = SmallChain.signer_of("operator", "other.example").verifier_key
    for chain, keys in (
        (b"short", [key]),
        (bytes(32), []),
        (bytes(32), [key, other]),
        (bytes(32), [WITNESS.verifier_key]),
    ):
        with pytest.raises(RefusedError):
            Trust(chain, keys)


def test_an_operator_cannot_say_that_something_unsigned_was_carried_out() -> None:
    liar = LyingOperator()
    alice, bob = known_key("alice"), known_key("bob")
    body = body_of(Transfer(recipient=account_of(bob), amount=1), expiry_height=9)
    signed = sign_transaction(liar.genesis.chain, alice, body)
    forged = signed[:-1] + bytes([signed[-1] ^ 1])
    elsewhere = sign_transaction(bytes(32), alice, body)
    trust = Trust(liar.genesis.chain, [liar.signer.verifier_key])
    for transaction in (forged, elsewhere):
        carried_out = Result(transaction_id(transaction), ResultCode.OK).encode()
        receipt = LyingOperator().receipt_of_block(transaction, [carried_out], 0)
        with pytest.raises(VerificationError, match="not by key"):
            verify_receipt(receipt, trust)
        refused = Result(transaction_id(transaction), ResultCode.WRONG_SIGNATURE).encode()
        receipt = LyingOperator().receipt_of_block(transaction, [refused], 0)
        assert not verify_receipt(receipt, trust).carried_out
    honest = Result(transaction_id(signed), ResultCode.OK).encode()
    assert verify_receipt(liar.receipt_of_block(signed, [honest], 0), trust).carried_out


def test_a_weak_key_signs_nothing() -> None:
    liar = LyingOperator()
    # The identity as the key and as R, S = 0: OpenSSL says yes to it for any message.
    weak = bytes([1]) + bytes(31)
    transaction = LyingOperator.transaction_of(weak, signature=weak + bytes(32))
    carried_out = Result(transaction_id(transaction), ResultCode.OK).encode()
    receipt = liar.receipt_of_block(transaction, [carried_out], 0)
    with pytest.raises(MalformedError, match="small order"):
        verify_receipt(receipt, Trust(liar.genesis.chain, [liar.signer.verifier_key]))


def test_a_result_of_another_transaction_is_refused() -> None:
    liar = LyingOperator()
    body = body_of(Transfer(recipient=bytes(32), amount=1))
    transaction = sign_transaction(liar.genesis.chain, known_key("alice"), body)
    results = [Result(bytes([n]) * 32, ResultCode.OK).encode() for n in range(3)]
    receipt = liar.receipt_of_block(transaction, results, 1)
    with pytest.raises(VerificationError, match="another transaction"):
        verify_receipt(receipt, Trust(liar.genesis.chain, [liar.signer.verifier_key]))


def test_garbage_in_a_block_gets_no_receipt_that_verifies() -> None:
    liar = LyingOperator()
    result = Result(transaction_id(b"garbage"), ResultCode.MALFORMED).encode()
    receipt = liar.receipt_of_block(b"garbage", [result], 0)
    with pytest.raises(MalformedError, match="the receipt's transaction"):
        verify_receipt(receipt, Trust(liar.genesis.chain, [liar.signer.verifier_key]))


def test_too_much_is_not_read(paid: Paid) -> None:
    with pytest.raises(MalformedError, match="at most"):
        paid.verify(bytes(3 << 20))


@given(data=st.binary(max_size=200))
@settings(max_examples=200)
def test_strangers_bytes_are_refused_with_an_error_of_ours(data: bytes) -> None:
    liar = LyingOperator()
    with pytest.raises(LedgerError):
        verify_receipt(data, Trust(liar.genesis.chain, [liar.signer.verifier_key]))
