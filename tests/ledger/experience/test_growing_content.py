"""Hashing as content grows gives what hashing it whole gives, however it came."""

from __future__ import annotations

import random
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.errors import MalformedError, VerificationError
from ledger.experience.content_hashing import hash_content
from ledger.experience.content_root import (
    CHUNK_SIZE,
    chunk_leaf,
    chunk_salt,
    content_root_of_leaves,
    leaves_of_chunks,
    rechunk,
)
from ledger.experience.growing import contradiction
from ledger.experience.growing_content import GrowingContent, ProgressMark, regrow
from ledger.experience.growing_seal import contradictions
from ledger.merkle.consistency import prove_consistency, verify_consistency
from ledger.merkle.hashing import EMPTY_ROOT, tree_root

SALT_KEY = bytes(range(32))
CONTENT = random.Random(5).randbytes(5 * CHUNK_SIZE + 1234)
LEAVES = leaves_of_chunks(SALT_KEY, rechunk([CONTENT]))

near_borders = st.builds(
    lambda chunk, off: max(0, chunk * CHUNK_SIZE + off), st.integers(0, 5), st.integers(-2, 2)
)
lengths = st.one_of(st.integers(0, len(CONTENT)), near_borders)
splits = st.lists(lengths, max_size=12).map(sorted)


class _Bytes:
    """A content in memory, as `hash_content` wants one."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    @property
    def size(self) -> int:
        return len(self._data)

    def read_into(self, offset: int, view: memoryview) -> None:
        view[:] = self._data[offset : offset + len(view)]


class _Subtrees:
    """What `prove_consistency` reads, from a list of leaves."""

    def read_hashes(self, addresses: object) -> list[bytes]:
        return [tree_root(LEAVES[i << level : i + 1 << level]) for level, i in addresses]  # type: ignore[attr-defined]


def expected_mark(length: int) -> ProgressMark:
    """By the equations of the format, with none of the code under test."""
    count, tail = divmod(length, CHUNK_SIZE)
    salt, start = chunk_salt(SALT_KEY, count), count * CHUNK_SIZE
    return ProgressMark(
        count,
        content_root_of_leaves(LEAVES[:count]),
        length,
        chunk_leaf(salt, CONTENT[start:length]) if tail else b"",
    )


def grown(ends: list[int]) -> tuple[GrowingContent, list[ProgressMark]]:
    content, marks, start = GrowingContent(SALT_KEY), [], 0
    for end in ends:
        content.update(memoryview(CONTENT)[start:end])
        marks.append(content.mark())
        start = max(start, end)
    return content, marks


def read_at(data: bytes) -> object:
    def read(offset: int, view: memoryview) -> int:
        piece = data[offset : offset + len(view)]
        view[: len(piece)] = piece
        return len(piece)

    return read


@settings(max_examples=60, deadline=None)
@given(splits)
def test_any_split_gives_the_same_marks_and_the_same_digest(ends: list[int]) -> None:
    content, marks = grown(ends)
    assert marks == [expected_mark(end) for end in ends]
    whole = CONTENT[: ends[-1] if ends else 0]
    assert content.finish() == hash_content(_Bytes(whole), SALT_KEY)
    assert content.finish().leaves == content.finish().leaves  # and finishing changes nothing
    content.update(CONTENT[len(whole) :])
    assert content.finish() == hash_content(_Bytes(CONTENT), SALT_KEY)


@settings(max_examples=60, deadline=None)
@given(splits)
def test_every_mark_is_a_beginning_of_the_whole(ends: list[int]) -> None:
    _, marks = grown(ends)
    assert list(contradictions(marks, LEAVES, len(CONTENT))) == []
    final = content_root_of_leaves(LEAVES)
    for mark in marks:
        if mark.leaf_count:
            proof = prove_consistency(mark.leaf_count, len(LEAVES), _Subtrees())
            verify_consistency(mark.leaf_count, len(LEAVES), mark.root, final, proof)
    assert {contradiction(*pair) for pair in pairwise(marks)} <= {None}


@settings(max_examples=30, deadline=None)
@given(st.lists(lengths, min_size=1, max_size=6).map(sorted), st.integers(0, len(CONTENT) - 1))
def test_a_changed_byte_lies_between_the_two_marks_that_are_named(
    ends: list[int], position: int
) -> None:
    _, marks = grown(ends)
    assert regrow(SALT_KEY, read_at(CONTENT), marks).mark() == marks[-1]
    changed = bytearray(CONTENT)
    changed[position] ^= 1
    if position >= ends[-1]:
        regrow(SALT_KEY, read_at(bytes(changed)), marks)
        return
    after = next(end for end in ends if end > position)
    before = max((end for end in ends if end <= position), default=0)
    with pytest.raises(VerificationError, match=rf"bytes \[{before}, {after}\) of the content"):
        regrow(SALT_KEY, read_at(bytes(changed)), marks)


def test_content_that_ends_early_or_goes_on() -> None:
    _, marks = grown([100, 300_000])
    with pytest.raises(VerificationError, match="ends at byte 299999; 300000 were committed"):
        regrow(SALT_KEY, read_at(CONTENT[:299_999]), marks)
    assert regrow(SALT_KEY, read_at(CONTENT), marks).length == 300_000
    assert regrow(SALT_KEY, read_at(CONTENT), marks, 400_000).length == 400_000
    assert regrow(SALT_KEY, read_at(CONTENT), marks, 1 << 40).length == len(CONTENT)
    assert regrow(SALT_KEY, read_at(CONTENT), ()).length == 0


def test_every_field_of_a_mark_counts() -> None:
    _, marks = grown([CHUNK_SIZE + 10, 3 * CHUNK_SIZE + 5])
    for at, mark in enumerate(marks):
        for wrong in (
            replace(mark, leaf_count=mark.leaf_count - 1),
            replace(mark, root=bytes(32)),
            replace(mark, length=mark.length + 1),
            replace(mark, length=mark.length - 1),
            replace(mark, tail_hash=bytes(32)),
        ):
            with pytest.raises(VerificationError):
                regrow(SALT_KEY, read_at(CONTENT), [*marks[:at], wrong, *marks[at + 1 :]])


def test_marks_that_are_no_beginning_are_all_named() -> None:
    _, marks = grown([CHUNK_SIZE, 2 * CHUNK_SIZE, 3 * CHUNK_SIZE, 4 * CHUNK_SIZE])
    false = [marks[0], replace(marks[1], root=bytes(32)), marks[0], marks[3]]
    assert [at for at, _ in contradictions(false, LEAVES, len(CONTENT))] == [1, 2]
    assert [at for at, _ in contradictions(marks, LEAVES[:3], 3 * CHUNK_SIZE)] == [3]


def test_what_contradicts_the_mark_before() -> None:
    _, (first, second) = grown([CHUNK_SIZE + 10, CHUNK_SIZE + 20])
    assert contradiction(first, second) is None
    assert contradiction(first, first) is None
    assert "shrinks" in str(contradiction(second, first))
    assert "another root" in str(contradiction(first, replace(second, root=bytes(32))))
    assert "another tail" in str(contradiction(first, replace(first, tail_hash=bytes(32))))


def test_any_buffer_will_do_and_none_is_kept() -> None:
    content = GrowingContent(SALT_KEY)
    piece = bytearray(CONTENT[:1000])
    content.update(piece)
    piece[:] = bytes(1000)  # a recorder uses its buffer again; and may resize it
    piece.clear()
    content.update(memoryview(CONTENT[1000:3000]).cast("H"))
    content.update(b"")
    content.update(memoryview(CONTENT)[3000:5001])
    assert content.mark() == expected_mark(5001)
    assert SALT_KEY.hex() not in repr(content)


def test_an_empty_content_and_a_bad_key() -> None:
    empty = GrowingContent(SALT_KEY)
    assert empty.mark() == ProgressMark(0, EMPTY_ROOT, 0, b"")
    assert (empty.finish().root, empty.finish().leaves) == (EMPTY_ROOT, ())
    with pytest.raises(MalformedError):
        GrowingContent(b"short")


def test_memory_is_a_leaf_a_chunk() -> None:
    content = GrowingContent(SALT_KEY)
    chunk = bytes(CHUNK_SIZE)
    for _ in range(200):
        content.update(chunk)
    assert len(content._leaves) == 200 * 32
    assert len(content._range.hashes) == (200).bit_count()
