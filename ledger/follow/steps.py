"""Work in steps, so that many files share one thread.

A file's life is a generator. What it yields says whether it could go on at once; it is
resumed when it is its turn again. Raised out of it, an error ends it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from enum import Enum, auto
from typing import TypeAlias

from ledger.errors import VerificationError
from ledger.experience.content_root import CHUNK_SIZE, chunk_leaf, chunk_salt
from ledger.experience.growing_content import GrowingContent, ProgressMark
from ledger.follow.watched_file import WatchedFile


class Turn(Enum):
    """What is left to do when a step is over."""

    MORE = auto()
    """Something, at once."""
    WAIT = auto()
    """Nothing before something happens outside."""


Steps: TypeAlias = Generator[Turn, None, None]
Clock: TypeAlias = Callable[[], float]


def take_turn(steps: Steps, seconds: float, clock: Clock = time.monotonic) -> Turn | None:
    """Let ``steps`` go on for about so long; None when they are done.

    Raises what they raise.
    """
    until = clock() + seconds
    while True:
        turn = next(steps, None)
        if turn is not Turn.MORE or clock() >= until:
            return turn


def grow_to(content: GrowingContent, file: WatchedFile, stop: int) -> Steps:
    """Hash what the file has up to byte ``stop``; less, if it ends before."""
    while content.length < stop and file.feed(content, stop):
        yield Turn.MORE


def regrow_in_steps(
    content: GrowingContent, file: WatchedFile, marks: tuple[ProgressMark, ...]
) -> Steps:
    """Like `ledger.experience.growing_content.regrow`, of which this is the patient form."""
    sound = 0
    for mark in marks:
        yield from grow_to(content, file, mark.length)
        if content.length < mark.length:
            raise VerificationError(
                f"it ends at byte {content.length}; {mark.length} bytes were committed"
            )
        if content.mark() != mark:
            raise VerificationError(
                f"bytes [{min(sound, mark.length)}, {mark.length}) are not what was committed"
            )
        sound = mark.length


def compare_in_steps(content: GrowingContent, salt_key: bytes, file: WatchedFile) -> Steps:
    """Read again all that was hashed. Raises `VerificationError` naming what changed."""
    mark = content.mark()
    buffer = bytearray(CHUNK_SIZE)
    for index in range(mark.leaf_count + bool(mark.tail_hash)):
        start = index * CHUNK_SIZE
        with memoryview(buffer)[: min(CHUNK_SIZE, mark.length - start)] as chunk:
            count = _fill(file, start, chunk)
            whole = index < mark.leaf_count
            wanted = content.leaf(index) if whole else mark.tail_hash
            if chunk_leaf(chunk_salt(salt_key, index), chunk[:count]) != wanted:
                raise VerificationError(
                    f"bytes [{start}, {start + len(chunk)}) are not what was committed"
                )
        yield Turn.MORE


def _fill(file: WatchedFile, offset: int, view: memoryview) -> int:
    filled = 0
    while filled < len(view) and (count := file.read_at(offset + filled, view[filled:])):
        filled += count
    return filled
