"""The content root, against its definition written down plainly, and in parallel from files."""

from __future__ import annotations

import hmac
import os
import random
import threading
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.errors import MalformedError, NotFoundError, RecordingError
from ledger.experience.content_hashing import RUN_CHUNKS, hash_content
from ledger.experience.content_root import (
    CHUNK_SIZE,
    chunk_count,
    chunk_length,
    content_root_of_leaves,
    leaves_of_chunks,
    rechunk,
    split_leaves,
)
from ledger.experience.file_span import MAX_OPEN_FILES, ReadSpan, SpanFile
from ledger.merkle.hashing import EMPTY_ROOT

SALT_KEY = bytes(range(32))


def plain_root(content: bytes) -> bytes:
    """``docs/format.md`` section 4, word for word."""
    units = []
    for i in range(-(-len(content) // 262144)):
        salt = hmac.new(SALT_KEY, b"quipu/chunk-salt/v1" + i.to_bytes(8, "big"), "sha256").digest()
        units.append(salt + content[i * 262144 : (i + 1) * 262144])

    def root(items: list[bytes]) -> bytes:
        if not items:
            return sha256(b"").digest()
        if len(items) == 1:
            return sha256(b"\0" + items[0]).digest()
        k = 1
        while k * 2 < len(items):
            k *= 2
        return sha256(b"\1" + root(items[:k]) + root(items[k:])).digest()

    return root(units)


def write_files(folder: Path, pieces: list[bytes]) -> list[SpanFile]:
    files = []
    for number, piece in enumerate(pieces):
        path = folder / f"{number}.bin"
        path.write_bytes(piece)
        files.append(SpanFile(path, len(piece)))
    return files


@pytest.mark.parametrize("size", [0, 1, CHUNK_SIZE - 1, CHUNK_SIZE, CHUNK_SIZE + 1, 5 * CHUNK_SIZE])
@pytest.mark.parametrize("workers", [1, 3])
def test_one_file_gives_the_root_of_the_definition(tmp_path: Path, size: int, workers: int) -> None:
    content = random.Random(size).randbytes(size)
    with ReadSpan(write_files(tmp_path, [content])) as source:
        digest = hash_content(source, SALT_KEY, workers=workers)
    assert digest.root == plain_root(content)
    assert digest.size == size
    assert list(digest.leaves) == leaves_of_chunks(SALT_KEY, rechunk([content]))
    assert content_root_of_leaves(digest.leaves) == digest.root
    if size == 0:
        assert digest.root == EMPTY_ROOT


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(0, 2 * CHUNK_SIZE), max_size=6), st.integers(1, 4))
def test_chunks_cross_the_borders_of_files(
    tmp_path_factory: pytest.TempPathFactory, sizes: list[int], workers: int
) -> None:
    chance = random.Random(sum(sizes))
    pieces = [chance.randbytes(size) for size in sizes]
    files = write_files(tmp_path_factory.mktemp("files"), pieces)
    with ReadSpan(files) as source:
        assert hash_content(source, SALT_KEY, workers=workers).root == plain_root(b"".join(pieces))


def test_more_files_than_are_kept_open(tmp_path: Path) -> None:
    pieces = [bytes([n % 251]) * (n * 37) for n in range(MAX_OPEN_FILES * 3)]
    with ReadSpan(write_files(tmp_path, pieces)) as source:
        assert hash_content(source, SALT_KEY).root == plain_root(b"".join(pieces))
        source.check_unchanged()
        (tmp_path / "100.bin").write_bytes(b"x" * 3700)
        with pytest.raises(RecordingError, match=r"100\.bin changed"):
            source.check_unchanged()


def test_pieces_of_any_length_are_cut_into_chunks() -> None:
    content = random.Random(3).randbytes(3 * CHUNK_SIZE + 5)
    pieces = [content[:1], content[1:700_000], b"", content[700_000:]]
    chunks = list(rechunk(pieces))
    assert [len(chunk) for chunk in chunks] == [CHUNK_SIZE] * 3 + [5]
    assert b"".join(chunks) == content


def test_progress_is_told_every_byte_and_the_sink_every_chunk(tmp_path: Path) -> None:
    content = random.Random(4).randbytes(7 * CHUNK_SIZE + 9)
    told: list[int] = []
    seen: dict[int, tuple[bytes, bytes]] = {}
    lock = threading.Lock()

    def sink(index: int, chunk: memoryview, leaf: bytes) -> None:
        with lock:
            seen[index] = (bytes(chunk), leaf)

    with ReadSpan(write_files(tmp_path, [content])) as source:
        digest = hash_content(source, SALT_KEY, workers=3, progress=told.append, sink=sink)
    assert sum(told) == len(content)
    assert max(told) <= RUN_CHUNKS * CHUNK_SIZE
    assert b"".join(seen[index][0] for index in sorted(seen)) == content
    assert [seen[index][1] for index in sorted(seen)] == list(digest.leaves)


class StopNow(Exception):  # noqa: N818
    pass


@pytest.mark.parametrize("workers", [1, 3])
def test_what_the_sink_raises_stops_everybody(tmp_path: Path, workers: int) -> None:
    calls: list[int] = []

    def sink(index: int, _chunk: memoryview, _leaf: bytes) -> None:
        calls.append(index)
        raise StopNow

    before = threading.active_count()
    with (
        ReadSpan(write_files(tmp_path, [bytes(100 * CHUNK_SIZE)])) as source,
        pytest.raises(StopNow),
    ):
        hash_content(source, SALT_KEY, workers=workers, sink=sink)
    assert len(calls) <= workers
    assert threading.active_count() == before


def test_a_file_that_grows_or_shrinks_while_it_is_read(tmp_path: Path) -> None:
    for change, verb in ((1, "grew"), (-1, "shrank")):
        files = write_files(tmp_path, [bytes(20 * CHUNK_SIZE)])
        path = files[0].path

        def alter(_: int, path: Path = path, change: int = change) -> None:
            with path.open("r+b") as stream:
                stream.truncate(20 * CHUNK_SIZE + change)

        with ReadSpan(files) as source, pytest.raises(RecordingError, match=verb) as caught:
            hash_content(source, SALT_KEY, workers=1, progress=alter)
            source.check_unchanged()
        assert caught.value.hint


def test_a_file_written_over_while_it_is_read(tmp_path: Path) -> None:
    files = write_files(tmp_path, [bytes(CHUNK_SIZE)])
    os.utime(files[0].path, (1, 1))  # a clock may tick only every few milliseconds
    with ReadSpan(files) as source:
        hash_content(source, SALT_KEY)
        source.check_unchanged()
        files[0].path.write_bytes(b"x" * CHUNK_SIZE)
        with pytest.raises(RecordingError, match="changed while it was read"):
            source.check_unchanged()


def test_what_is_not_a_file_of_that_size_is_refused(tmp_path: Path) -> None:
    (path,) = (file.path for file in write_files(tmp_path, [b"abc"]))
    link, loop, folder = tmp_path / "link", tmp_path / "loop", tmp_path / "folder"
    link.symlink_to(path)
    loop.symlink_to(loop)
    folder.mkdir()
    for wrong in (link, loop, folder, tmp_path / "nothing"):
        with pytest.raises(RecordingError), ReadSpan([SpanFile(wrong, 3)]):
            pass
    with pytest.raises(RecordingError, match="shrank from 4 to 3"), ReadSpan([SpanFile(path, 4)]):
        pass


def test_lengths() -> None:
    assert [chunk_count(size) for size in (0, 1, CHUNK_SIZE, CHUNK_SIZE + 1)] == [0, 1, 1, 2]
    assert chunk_length(1, CHUNK_SIZE + 5) == 5
    for index in (-1, 2):
        with pytest.raises(NotFoundError):
            chunk_length(index, CHUNK_SIZE + 5)
    assert split_leaves(bytes(64)) == [bytes(32)] * 2
    with pytest.raises(MalformedError):
        split_leaves(bytes(33))
    with pytest.raises(MalformedError):
        leaves_of_chunks(b"short", [])
