"""Transactions of good form, and nothing else, come out of strangers' bytes."""

from __future__ import annotations

from hashlib import sha256
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.chain.codes import RefusalError, ResultCode
from ledger.chain.transaction import (
    MAX_TRANSACTION_BYTES,
    SIGNATURE_TAG,
    parse_transaction,
    sign_transaction,
)
from ledger.ed25519 import is_signed
from ledger.schema import chain_pb2
from ledger.schema.chain_consent_pb2 import GrantConsent, ReportErasure
from ledger.schema.chain_identity_pb2 import RegisterRobot
from ledger.schema.chain_payment_pb2 import SetSpendingCap, Transfer
from tests.ledger.chain.rules.chain_world import account_of, body_of, known_key, name_attachments

CHAIN: Final = bytes(range(32))
ALICE: Final = known_key("alice")
LARGEST: Final = 2**64 - 1


def whole_body() -> chain_pb2.TransactionBody:
    """A body with every field in use."""
    return body_of(
        Transfer(asset=7, recipient=account_of(known_key("bob")), amount=300, memo=b"for tea"),
        sequence=5,
        expiry_height=1_000,
        fee=12,
        sponsor=bytes(range(32, 64)),
        attachments=name_attachments([b"one", b"two"]),
    )


def enclose(body: bytes, signature: bytes = bytes(64)) -> bytes:
    return chain_pb2.Transaction(body=body, signature=signature).SerializeToString()


def code_of(encoded: bytes) -> ResultCode:
    with pytest.raises(RefusalError) as refusal:
        parse_transaction(CHAIN, encoded)
    return refusal.value.code


def filled(**fields: object) -> bytes:
    """A body that is good but for ``fields``, in its one encoding, unsigned."""
    body = whole_body()
    body.version, body.signer = 1, account_of(ALICE)
    for name, value in fields.items():
        setattr(body, name, value)
    return enclose(body.SerializeToString())


def test_is_read_as_it_was_signed() -> None:
    encoded = sign_transaction(CHAIN, ALICE, whole_body())
    read = parse_transaction(CHAIN, encoded)
    assert read.encoded == encoded
    assert read.id == sha256(b"\x00\x02" + encoded).digest()
    assert read.signer == read.claim.key == account_of(ALICE)
    assert (read.sequence, read.expiry_height, read.fee) == (5, 1_000, 12)
    assert read.sponsor == bytes(range(32, 64))
    assert sorted(read.attachments) == list(read.attachments)
    assert dict(read.attachments) == {sha256(each).digest(): 3 for each in (b"one", b"two")}
    assert (read.action, read.message) == ("transfer", whole_body().transfer)
    body = chain_pb2.Transaction.FromString(encoded).body
    assert read.claim.message == SIGNATURE_TAG + CHAIN + body
    assert is_signed(*read.claim)


def test_is_signed_for_one_chain() -> None:
    encoded = sign_transaction(CHAIN, ALICE, whole_body())
    assert not is_signed(*parse_transaction(bytes(32), encoded).claim)


def test_signing_says_who_and_which_version() -> None:
    body = whole_body()
    body.version, body.signer = 9, b"somebody"
    read = parse_transaction(CHAIN, sign_transaction(CHAIN, ALICE, body))
    assert read.signer == account_of(ALICE)
    assert body.version == 9, "the caller's body is the caller's"


def test_every_byte_matters() -> None:
    """Whatever byte is changed: refused with a code, or no longer signed, and another id."""
    encoded = sign_transaction(CHAIN, ALICE, whole_body())
    whole, refused, unsigned = parse_transaction(CHAIN, encoded), 0, 0
    for at in range(len(encoded)):
        for bit in (0x01, 0x08, 0x40, 0x80):
            spoilt = bytearray(encoded)
            spoilt[at] ^= bit
            try:
                read = parse_transaction(CHAIN, bytes(spoilt))
            except RefusalError as refusal:
                assert refusal.code != ResultCode.OK
                refused += 1
            else:
                assert not is_signed(*read.claim)
                assert read.id != whole.id
                unsigned += 1
    assert refused > 100
    assert unsigned > 100


def test_every_length() -> None:
    encoded = sign_transaction(CHAIN, ALICE, whole_body())
    for length in range(len(encoded)):
        code_of(encoded[:length])
    for more in (b"\0", b"\x0a\x00", b"\x1a\x00", encoded):
        assert code_of(encoded + more) == ResultCode.MALFORMED


@given(st.binary(max_size=300))
def test_noise(noise: bytes) -> None:
    code_of(noise)


@given(st.binary(max_size=300))
def test_noise_as_a_body(noise: bytes) -> None:
    code_of(enclose(noise))


def test_size() -> None:
    # Form alone: whether the entry is one, the rule says.
    overhead = len(sign_transaction(CHAIN, ALICE, body_of(ReportErasure(entry=bytes(59_000)))))
    fits = 59_000 + MAX_TRANSACTION_BYTES - overhead
    encoded = sign_transaction(CHAIN, ALICE, body_of(ReportErasure(entry=bytes(fits))))
    assert len(encoded) == MAX_TRANSACTION_BYTES
    assert parse_transaction(CHAIN, encoded).action == "report_erasure"
    larger = sign_transaction(CHAIN, ALICE, body_of(ReportErasure(entry=bytes(fits + 1))))
    assert code_of(larger) == ResultCode.TOO_LARGE
    assert code_of(bytes(10_000_000)) == ResultCode.TOO_LARGE


@pytest.mark.parametrize(
    ("encoded", "code"),
    [
        (filled(version=0), ResultCode.UNKNOWN_VERSION),
        (filled(version=2), ResultCode.UNKNOWN_VERSION),
        (filled(version=2**32 - 1), ResultCode.UNKNOWN_VERSION),
        (filled(signer=b""), ResultCode.FIELD_REFUSED),
        (filled(signer=bytes(31)), ResultCode.FIELD_REFUSED),
        (filled(signer=bytes(33)), ResultCode.FIELD_REFUSED),
        (filled(sponsor=bytes(31)), ResultCode.FIELD_REFUSED),
        (filled(sponsor=bytes(33)), ResultCode.FIELD_REFUSED),
        (enclose(chain_pb2.TransactionBody().SerializeToString()), ResultCode.UNKNOWN_VERSION),
        (
            enclose(chain_pb2.TransactionBody(version=1).SerializeToString()),
            ResultCode.UNKNOWN_ACTION,
        ),
        (b"", ResultCode.UNKNOWN_VERSION),
    ],
)
def test_fields_that_no_transaction_has(encoded: bytes, code: ResultCode) -> None:
    assert code_of(encoded) == code


@pytest.mark.parametrize("length", [0, 1, 63, 65, 128])
def test_signatures_of_another_length(length: int) -> None:
    body = chain_pb2.Transaction.FromString(filled()).body
    assert code_of(enclose(body, b"s" * length)) == ResultCode.FIELD_REFUSED


def test_largest_numbers() -> None:
    body = body_of(
        SetSpendingCap(asset=2**32 - 1, amount=LARGEST, period=2**32 - 1),
        sequence=LARGEST,
        expiry_height=LARGEST,
        fee=LARGEST,
    )
    read = parse_transaction(CHAIN, sign_transaction(CHAIN, ALICE, body))
    assert (read.sequence, read.expiry_height, read.fee) == (LARGEST,) * 3


class TestOneEncoding:
    """Each of these is the same to a lenient reader of protobuf."""

    BODY: Final = chain_pb2.Transaction.FromString(filled()).body

    def test_the_plain_one_is_good(self) -> None:
        assert parse_transaction(CHAIN, enclose(self.BODY)).sequence == 5

    @pytest.mark.parametrize(
        "spoilt",
        [
            BODY + b"\x18\x05",  # a field twice
            BODY + b"\x28\x00",  # a default that is written out, and after higher fields
            b"\x08\x81\x00" + BODY[2:],  # a varint of two bytes where one does
            BODY[2:] + BODY[:2],  # fields out of order
            BODY + b"\xf8\x07\x01",  # field 127, which nobody knows
            BODY + b"\x82\x01\x00",  # the action again, empty
            BODY + b"\x8a\x01\x00",  # a second action
            BODY + b"\xd2\x03\x00",  # action 58, empty, after action 16
            b"\x08\x01" + BODY,  # the version twice
            BODY[:-1],  # cut
            BODY + b"\xff",
            BODY + b"\x0b\x0c",  # a group
        ],
        ids=lambda spoilt: spoilt.hex()[-12:],
    )
    def test_bodies(self, spoilt: bytes) -> None:
        assert code_of(enclose(spoilt)) == ResultCode.MALFORMED

    def test_the_outer_message(self) -> None:
        good = enclose(self.BODY)
        length = len(self.BODY)
        header = bytes([0x0A]) + (
            bytes([length]) if length < 128 else bytes([length & 0x7F | 0x80, length >> 7])
        )
        assert good.startswith(header)
        signature = good[len(header) + length :]
        idle = header[:-1] + bytes([header[-1] | 0x80, 0x00])
        for spoilt in (
            signature + header + self.BODY,
            good + signature,
            idle + self.BODY + signature,
            good + b"\x18\x01",
        ):
            assert code_of(spoilt) == ResultCode.MALFORMED

    def test_unknown_fields_deep_inside(self) -> None:
        for message in (
            Transfer.FromString(b"\x10\x00" + b"\x28\x01"),
            Transfer.FromString(b"\x18\x01" + b"\xf8\x07\x01"),
        ):
            body = body_of(message, version=1, signer=account_of(ALICE))
            assert code_of(enclose(body.SerializeToString())) == ResultCode.MALFORMED

    def test_text_that_is_not_utf_8(self) -> None:
        action = RegisterRobot(origin="robot").SerializeToString()
        for text in (b"r\xffbot", b"\xed\xa0\x80ab", b"\xc0\x80abc"):
            spoilt = action.replace(b"robot", text)
            assert len(spoilt) == len(action)
            body = chain_pb2.TransactionBody(version=1, signer=account_of(ALICE))
            encoded = body.SerializeToString() + b"\xf2\x01" + bytes([len(spoilt)]) + spoilt
            assert code_of(enclose(encoded)) == ResultCode.MALFORMED

    def test_numbers_that_do_not_fit(self) -> None:
        grant = GrantConsent(origin="o").SerializeToString()
        for number in (b"\x28" + b"\xff" * 9 + b"\x02", b"\x28" + b"\xff" * 10 + b"\x01"):
            action = grant + number
            body = chain_pb2.TransactionBody(version=1, signer=account_of(ALICE))
            encoded = body.SerializeToString() + b"\xc2\x03" + bytes([len(action)]) + action
            assert code_of(enclose(encoded)) == ResultCode.MALFORMED
        # A version of 2^32 + 1, which 32 bits would take for 1.
        assert code_of(enclose(b"\x08\x81\x80\x80\x80\x10" + self.BODY[2:])) == ResultCode.MALFORMED
