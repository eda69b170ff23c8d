"""Splitting a transaction the fast way finds what protobuf finds, and nothing else."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.chain.transaction import _split
from ledger.errors import MalformedError
from ledger.schema import chain_pb2
from ledger.schema.canonical import parse_message

SIZES = (0, 1, 61, 62, 126, 127, 128, 129, 200, 16_382, 16_383, 16_384, 20_000)


def slowly(encoded: bytes) -> tuple[bytes, bytes] | None:
    try:
        outer = parse_message(chain_pb2.Transaction, encoded, "transaction")
    except MalformedError:
        return None
    return outer.body, outer.signature


def quickly(encoded: bytes) -> tuple[bytes, bytes] | None:
    try:
        return _split(encoded)
    except MalformedError:
        return None


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("signature", [0, 1, 63, 64, 65, 128])
def test_every_size(size: int, signature: int) -> None:
    parts = bytes(range(256)) * 80, bytes(range(200))
    encoded = chain_pb2.Transaction(
        body=parts[0][:size], signature=parts[1][:signature]
    ).SerializeToString()
    assert quickly(encoded) == (parts[0][:size], parts[1][:signature])
    for end in (len(encoded) - 1, len(encoded) // 2):
        assert quickly(encoded[:end]) == slowly(encoded[:end])
    assert quickly(encoded + b"\0") == slowly(encoded + b"\0")


WHOLE = chain_pb2.Transaction(body=bytes(200), signature=b"\x12\x40" * 32).SerializeToString()


@given(st.integers(0, len(WHOLE) - 1), st.integers(0, 255))
def test_any_byte_changed(at: int, byte: int) -> None:
    changed = WHOLE[:at] + bytes([byte]) + WHOLE[at + 1 :]
    assert quickly(changed) == slowly(changed)


@given(st.binary(max_size=4), st.integers(0, 300), st.binary(max_size=4))
def test_heads_and_seams(head: bytes, size: int, seam: bytes) -> None:
    made = head + bytes(size) + seam + b"\x12\x40" + bytes(64)
    assert quickly(made) == slowly(made)


def test_a_length_with_an_idle_byte_is_not_canonical() -> None:
    # 0x80 0x00-style lengths say the same in more bytes.
    body = bytes(100)
    idle = b"\x0a\xe4\x00" + body + b"\x12\x40" + bytes(64)
    assert quickly(idle) is None
    assert slowly(idle) is None
