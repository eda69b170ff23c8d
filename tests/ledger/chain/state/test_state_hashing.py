"""The rule, by hand."""

from __future__ import annotations

from hashlib import sha256

import pytest

from ledger.chain.state.hashing import (
    EMPTY_ROOT,
    MAX_KEY_BYTES,
    MAX_VALUE_BYTES,
    bit_of,
    inner_hash,
    leaf_hash,
    path_of,
)
from ledger.chain.state.leaf import decode_leaf, decode_preimage, encode_leaf
from ledger.chain.state.varint import decode_varint, encode_varint
from ledger.errors import CorruptStoreError, MalformedError


def test_a_path_is_the_hash_of_the_key() -> None:
    assert path_of(b"k") == sha256(b"k").digest()


def test_bit_0_is_the_top_bit_of_byte_0() -> None:
    path = b"\x80" + bytes(30) + b"\x01"
    assert [bit for bit in range(256) if bit_of(path, bit)] == [0, 255]


def test_a_leaf_hashes_lengths_key_and_value() -> None:
    assert leaf_hash(b"k", b"") == sha256(b"\x02\x01k\x00").digest()
    key, value = b"k" * 128, b"v" * 300
    expected = sha256(b"\x02\x80\x01" + key + b"\xac\x02" + value).digest()
    assert leaf_hash(key, value) == expected
    assert encode_leaf(key, value) == expected + b"\x80\x01" + key + b"\xac\x02" + value


def test_where_key_and_value_part_is_hashed() -> None:
    assert leaf_hash(b"ab", b"c") != leaf_hash(b"a", b"bc")


def test_an_inner_node_hashes_its_bit_and_both_sides_in_order() -> None:
    left, right = b"l" * 32, b"r" * 32
    assert inner_hash(255, left, right) == sha256(b"\x03\xff" + left + right).digest()
    assert bytes(32) == EMPTY_ROOT


@pytest.mark.parametrize("key", [b"", b"k" * (MAX_KEY_BYTES + 1)])
def test_a_key_has_its_limits(key: bytes) -> None:
    with pytest.raises(MalformedError, match="keys are 1 to"):
        leaf_hash(key, b"")


def test_a_value_has_its_limit() -> None:
    assert decode_leaf(encode_leaf(b"k", bytes(MAX_VALUE_BYTES)))[1] == bytes(MAX_VALUE_BYTES)
    with pytest.raises(MalformedError, match="at most"):
        leaf_hash(b"k", bytes(MAX_VALUE_BYTES + 1))


@pytest.mark.parametrize(
    ("number", "encoded"),
    [(0, "00"), (127, "7f"), (128, "8001"), (16_383, "ff7f"), (16_384, "808001")],
)
def test_varints(number: int, encoded: str) -> None:
    data = bytes.fromhex(encoded)
    assert encode_varint(number) == data
    assert decode_varint(b"x" + data + b"y", 1) == (number, 1 + len(data))


@pytest.mark.parametrize("encoded", ["", "80", "8000", "ff00", "808000", "ffffffffff01"])
def test_varints_that_are_refused(encoded: str) -> None:
    with pytest.raises(MalformedError):
        decode_varint(bytes.fromhex(encoded), 0)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x01",
        b"\x01k",
        b"\x01k\x01",
        b"\x01k\x00v",
        b"\x00\x00",
        b"\x81\x00k\x00",
        b"\x05k\x00",
    ],
)
def test_a_leaf_has_one_form(data: bytes) -> None:
    with pytest.raises(MalformedError):
        decode_preimage(data, 0)
    with pytest.raises(CorruptStoreError, match="damaged"):
        decode_leaf(bytes(32) + data)
