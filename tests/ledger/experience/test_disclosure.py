"""The extra of a proof file, and single chunks opened with it."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.errors import MalformedError, NotFoundError
from ledger.experience.content_root import (
    CHUNK_SIZE,
    chunk_leaf,
    content_root_of_leaves,
    disclose_chunk,
    leaves_of_chunks,
    rechunk,
)
from ledger.experience.disclosure import (
    ChunkDisclosure,
    Disclosure,
    encode_disclosure,
    parse_disclosure,
)
from ledger.merkle.inclusion import verify_inclusion

hashes = st.binary(min_size=32, max_size=32)
disclosures = st.builds(
    Disclosure,
    st.binary(min_size=1, max_size=300),
    st.none() | hashes,
    st.lists(
        st.builds(
            ChunkDisclosure,
            st.integers(0, 2**64 - 1),
            hashes,
            st.lists(hashes, max_size=4).map(tuple),
        ),
        max_size=3,
        unique_by=lambda chunk: chunk.index,
    ).map(lambda chunks: tuple(sorted(chunks, key=lambda chunk: chunk.index))),
)


@settings(max_examples=150, deadline=None)
@given(disclosures)
def test_what_is_encoded_parses_to_the_same(disclosure: Disclosure) -> None:
    assert parse_disclosure(encode_disclosure(disclosure)) == disclosure


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=120))
def test_noise_parses_or_is_malformed(noise: bytes) -> None:
    try:
        disclosure = parse_disclosure(noise)
    except MalformedError:
        return
    assert encode_disclosure(disclosure) == noise


@pytest.mark.parametrize(
    "encoded",
    [
        b"",
        b"\x0a\x00",
        b"\x0a\x01e\x12\x1f" + bytes(31),
        b"\x0a\x01e\x20\x01",
        b"\x0a\x01e" + b"\x1a\x02\x08\x01",
        b"\x0a\x01e" + (b"\x1a\x24\x08\x01\x12\x20" + bytes(32)) * 2,
        b"\x0a\x01e" + b"\x1a\x45\x08\x01\x12\x20" + bytes(32) + b"\x1a\x1f" + bytes(31),
    ],
    ids=["empty", "no entry", "salt key", "unknown", "no salt", "chunk twice", "short path"],
)
def test_other_bytes_are_malformed(encoded: bytes) -> None:
    with pytest.raises(MalformedError):
        parse_disclosure(encoded)


def test_a_path_is_not_longer_than_a_tree_is_high() -> None:
    ChunkDisclosure(0, bytes(32), (bytes(32),) * 63)
    with pytest.raises(MalformedError):
        ChunkDisclosure(0, bytes(32), (bytes(32),) * 64)


def test_no_secret_in_repr() -> None:
    secret = bytes(range(32))
    disclosure = Disclosure(b"e", secret, (ChunkDisclosure(1, secret, ()),))
    assert repr(secret)[2:-1] not in repr(disclosure)
    assert secret.hex() not in repr(disclosure)


@pytest.mark.parametrize("count", [1, 2, 3, 5, 8])
def test_each_chunk_opens_by_itself(count: int) -> None:
    chance = random.Random(count)
    content = chance.randbytes((count - 1) * CHUNK_SIZE + 1)
    chunks = list(rechunk([content]))
    salt_key = chance.randbytes(32)
    leaves = leaves_of_chunks(salt_key, chunks)
    root = content_root_of_leaves(leaves)
    for index, chunk in enumerate(chunks):
        opened = disclose_chunk(leaves, salt_key, index)
        verify_inclusion(chunk_leaf(opened.salt, chunk), index, count, opened.path, root)
    with pytest.raises(NotFoundError):
        disclose_chunk(leaves, salt_key, count)
