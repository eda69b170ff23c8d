"""Headers: their one encoding, their limits, and which may follow which."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.chain.header import MAX_HEIGHT, MAX_TIME_NS, Header, check_succession
from ledger.chain.leaf import LeafKind, decode_leaf, encode_leaf
from ledger.errors import MalformedError, VerificationError
from ledger.merkle.hashing import MAX_SIZE, leaf_hash
from ledger.schema import chain_pb2

FIRST: Final = Header(
    chain=b"c" * 32,
    height=1,
    time_ns=1_000,
    previous=b"c" * 32,
    log_size=3,
    log_root=b"l" * 32,
    transactions=2,
    results_root=b"r" * 32,
    state_root=b"s" * 32,
)
SECOND: Final = replace(
    FIRST, height=2, time_ns=1_001, previous=FIRST.app_hash, log_size=4 + 5, transactions=5
)
HASHES: Final = ("chain", "previous", "log_root", "results_root", "state_root")


def test_is_read_as_it_was_written() -> None:
    for header in (FIRST, SECOND, replace(FIRST, transactions=0)):
        assert Header.parse(header.encode()) == header


def test_leaf_and_hash() -> None:
    assert decode_leaf(FIRST.leaf) == (LeafKind.HEADER, FIRST.encode())
    assert FIRST.app_hash == leaf_hash(FIRST.leaf)
    assert FIRST.first_transaction == 1
    assert SECOND.first_transaction == 4


def test_every_field_is_hashed() -> None:
    others: list[dict[str, Any]] = [{field: b"x" * 32} for field in HASHES]
    others += [{"height": 2, "transactions": 1}, {"time_ns": 7}, {"log_size": 4}]
    others += [{"transactions": 1}]
    assert len({replace(FIRST, **other).app_hash for other in others} | {FIRST.app_hash}) == 10


@pytest.mark.parametrize("field", HASHES)
@pytest.mark.parametrize("length", [0, 31, 33])
def test_hashes_of_another_length(field: str, length: int) -> None:
    with pytest.raises(MalformedError):
        replace(FIRST, **{field: bytes(length)})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "fields",
    [
        {"height": 0},
        {"height": MAX_HEIGHT + 1, "log_size": MAX_SIZE - 1},
        {"time_ns": 0},
        {"time_ns": MAX_TIME_NS + 1},
        {"log_size": 0},
        {"log_size": 2},
        {"log_size": 2**63},
        {"transactions": 3},
        {"transactions": 2**64 - 1},
        {"height": 2},
    ],
)
def test_numbers_that_no_block_has(fields: dict[str, Any]) -> None:
    with pytest.raises(MalformedError):
        replace(FIRST, **fields)
    message = chain_pb2.Header.FromString(FIRST.encode())
    for field, value in fields.items():
        setattr(message, field, value)
    with pytest.raises(MalformedError):
        Header.parse(message.SerializeToString())


def test_numbers_at_their_limits() -> None:
    replace(FIRST, time_ns=1)
    replace(FIRST, time_ns=MAX_TIME_NS)
    replace(FIRST, log_size=MAX_SIZE - 1)
    replace(FIRST, transactions=0, log_size=1)


@pytest.mark.parametrize("version", [0, 2, 2**32 - 1])
def test_other_versions(version: int) -> None:
    message = chain_pb2.Header.FromString(FIRST.encode())
    message.version = version
    with pytest.raises(MalformedError, match="version"):
        Header.parse(message.SerializeToString())


def test_every_byte_matters() -> None:
    encoded = FIRST.encode()
    for at in range(len(encoded)):
        spoilt = bytearray(encoded)
        spoilt[at] ^= 1
        try:
            other = Header.parse(bytes(spoilt))
        except MalformedError:
            continue
        assert other.app_hash != FIRST.app_hash


def test_one_encoding() -> None:
    good = FIRST.encode()
    for bad in (b"", good[:-1], good + b"\0", good + b"\x58\x01", b"\x08\x01" + good, good * 2):
        with pytest.raises(MalformedError):
            Header.parse(bad)


@given(st.binary(max_size=250))
def test_noise(noise: bytes) -> None:
    with pytest.raises(MalformedError):
        Header.parse(noise)


class TestSuccession:
    def test_the_next(self) -> None:
        check_succession(FIRST, SECOND)
        # A block without transactions, long after.
        empty = replace(
            SECOND,
            height=3,
            time_ns=MAX_TIME_NS,
            previous=SECOND.app_hash,
            log_size=10,
            transactions=0,
        )
        check_succession(SECOND, empty)

    @pytest.mark.parametrize(
        "fields",
        [
            {"chain": b"x" * 32},
            {"previous": b"x" * 32},
            {"previous": FIRST.chain},
            {"height": 1},
            {"height": 3},
            {"time_ns": 1_000},
            {"time_ns": 999},
            {"log_size": 8},
            {"log_size": 10},
            {"transactions": 4},
            {"transactions": 6},
        ],
    )
    def test_anything_else(self, fields: dict[str, Any]) -> None:
        with pytest.raises(VerificationError):
            check_succession(FIRST, replace(SECOND, **fields))

    def test_itself(self) -> None:
        with pytest.raises(VerificationError):
            check_succession(FIRST, FIRST)


class TestLeaves:
    @pytest.mark.parametrize("kind", LeafKind)
    def test_kinds(self, kind: LeafKind) -> None:
        for message in (b"", b"m"):
            assert decode_leaf(encode_leaf(kind, message)) == (kind, message)

    @pytest.mark.parametrize("leaf", [b"", b"\x00", b"\x04message", b"\xff"])
    def test_of_no_kind(self, leaf: bytes) -> None:
        with pytest.raises(MalformedError):
            decode_leaf(leaf)
