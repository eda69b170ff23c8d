"""Sealed chunks open only as what, and where, they were sealed."""

from __future__ import annotations

import random

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from ledger.errors import MalformedError, VerificationError
from ledger.experience.content_root import CHUNK_SIZE
from ledger.experience.sealing import ChunkSealer, sealed_size

RECORD, KEY = bytes(range(16)), bytes(range(32))


def test_a_chunk_is_sealed_as_the_format_says() -> None:
    sealed = ChunkSealer(RECORD, KEY, 9).seal(3, b"content")
    nonce = (3).to_bytes(12, "big")
    aad = RECORD + (3).to_bytes(8, "big") + (9).to_bytes(8, "big")
    assert AESGCM(KEY).decrypt(nonce, sealed, aad) == b"content"
    assert ChunkSealer(RECORD, KEY, 9).open(3, sealed) == b"content"


def test_moved_exchanged_or_cut_chunks_do_not_open() -> None:
    sealed = ChunkSealer(RECORD, KEY, 9).seal(3, b"content")
    for sealer, index, data in (
        (ChunkSealer(RECORD, KEY, 9), 4, sealed),
        (ChunkSealer(RECORD, KEY, 8), 3, sealed),
        (ChunkSealer(bytes(16), KEY, 9), 3, sealed),
        (ChunkSealer(RECORD, bytes(32), 9), 3, sealed),
        (ChunkSealer(RECORD, KEY, 9), 3, sealed[:-1]),
        (ChunkSealer(RECORD, KEY, 9), 3, b""),
    ):
        with pytest.raises(VerificationError, match=f"sealed chunk {index}"):
            sealer.open(index, data)


def test_every_byte_counts_and_the_error_names_the_place() -> None:
    sealer = ChunkSealer(RECORD, KEY, 2)
    sealed = sealer.seal(1, b"some content")
    for position in range(len(sealed)):
        damaged = bytearray(sealed)
        damaged[position] ^= 1
        with pytest.raises(VerificationError, match="bytes 262160 to 262187"):
            sealer.open(1, bytes(damaged))


def test_sizes() -> None:
    assert sealed_size(0) == 0
    assert sealed_size(1) == 17
    assert sealed_size(CHUNK_SIZE + 1) == CHUNK_SIZE + 1 + 32


def test_no_key_in_repr_and_lengths_are_checked() -> None:
    key = random.Random(1).randbytes(32)
    assert key.hex() not in repr(ChunkSealer(RECORD, key, 1))
    for record_id, content_key in ((b"r", KEY), (RECORD, b"k")):
        with pytest.raises(MalformedError):
            ChunkSealer(record_id, content_key, 1)
