"""foxglove-sdk goes back to fill in what it left open: told so, and never trusted too early."""

from __future__ import annotations

import itertools
import threading
from pathlib import Path

import pytest

from ledger.follow.events import NoteKind, Sealed
from tests.ledger.follow.followed_home import Followed, complete_records

foxglove = pytest.importorskip(
    "foxglove", reason="SKIPPED: foxglove-sdk is not installed (pip install 'quipu-ledger[dev]')"
)
mcap = pytest.importorskip("foxglove.mcap")


def message(number: int) -> bytes:
    return b'{"x": %d, "pad": "%s"}' % (number, b"%08d" % number * 40)


@pytest.mark.parametrize("compression", [None, "Zstd", "Lz4"])
def test_what_is_committed_is_never_rewritten(followed: Followed, compression: str | None) -> None:
    path = followed.bags / "fox" / "fox.mcap"
    path.parent.mkdir()
    options = mcap.MCAPWriteOptions(
        compression=compression and getattr(mcap.MCAPCompression, compression), chunk_size=4096
    )
    channel_context = foxglove.Context()
    channel = foxglove.Channel("/x", message_encoding="json", context=channel_context)
    writer = foxglove.open_mcap(path, context=channel_context, writer_options=options)
    seen: dict[int, bytes] = {}
    for number in range(200):
        channel.log(message(number))
        followed.poll(1)
        for length in followed.lengths(path):
            seen.setdefault(length, path.read_bytes()[:length])
    assert len(seen) > 3
    writer.close()
    followed.until_sealed("fox.mcap")
    data = path.read_bytes()
    assert NoteKind.REWRITING in followed.kinds()
    # The bytes at the moment of each commit are those of the finished file.
    for length, prefix in seen.items():
        assert data.startswith(prefix)
        assert length in complete_records(data)
    sealed = followed.experience("fox.mcap")
    assert [(topic.name, topic.count) for topic in sealed.topics] == [("/x", 200)]
    followed.is_whole()


def test_many_threads_write_while_it_is_followed(followed: Followed) -> None:
    """Going back at any moment, and for as long as it takes to be committed several times."""
    path = followed.bags / "fox.mcap"
    context = foxglove.Context()
    options = mcap.MCAPWriteOptions(compression=None, chunk_size=2048)
    writer = foxglove.open_mcap(path, context=context, writer_options=options)
    enough = threading.Event()

    def work(name: str) -> None:
        channel = foxglove.Channel(name, message_encoding="json", context=context)
        for number in itertools.count():
            channel.log(message(number))
            if number % 50 == 0 and enough.wait(0.001):
                return

    threads = [threading.Thread(target=work, args=(f"/{name}",)) for name in range(3)]
    for thread in threads:
        thread.start()
    try:
        followed.until(lambda: len(followed.lengths(path)) >= 10)
    finally:
        enough.set()
        for thread in threads:
            thread.join()
        writer.close()
    followed.until_sealed("fox.mcap")
    followed.is_whole()


def test_a_killed_one_leaves_an_open_chunk(followed: Followed, tmp_path: Path) -> None:
    """Its length is never filled in; the file is sealed as it lies there."""
    source = tmp_path / "source.mcap"
    context = foxglove.Context()
    options = mcap.MCAPWriteOptions(compression=None, chunk_size=4096)
    writer = foxglove.open_mcap(source, context=context, writer_options=options)
    channel = foxglove.Channel("/x", message_encoding="json", context=context)
    for number in range(100):
        channel.log(message(number))
    cut = source.read_bytes()
    writer.close()
    assert len(cut) != complete_records(cut)[-1]
    (followed.bags / "fox.mcap").write_bytes(cut)
    followed.until_sealed("fox.mcap")
    assert {NoteKind.REWRITING, NoteKind.UNFINISHED} <= set(followed.kinds())
    assert max(followed.lengths(followed.bags / "fox.mcap")) <= complete_records(cut)[-1]
    assert followed.all(Sealed)[0].receipt.content_size == len(cut)
    followed.is_whole()
