"""Anchoring a log: the one message that brings the chain up to the log's newest checkpoint.

Between two anchors may lie a minute or a month offline: a consistency proof is of some
hundred bytes to some two thousand, whatever the leaves in between, so one message covers
them all. How it is signed, sent and repeated is for others.

What the chain says is compared with the log before anything is sent. A home that came back
from an old backup, or a log that two hands write, is found out here by its owner, and not by
strangers who report it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Protocol

from ledger.checkpoint import Checkpoint
from ledger.errors import BehindError, ForkError, RefusedError, VerificationError
from ledger.merkle.consistency import verify_consistency
from ledger.schema.chain_anchor_pb2 import AnchorCheckpoint, AnchorRecord


class AnchorSource(Protocol):
    """A log, as far as anchoring it goes; `ledger.log_reader.LogReader` is one."""

    def latest_checkpoint(self) -> bytes | None:
        """The signed note of the greatest size, or None."""
        ...

    def checkpoints(self, start: int = 0) -> Iterator[tuple[int, bytes]]:
        """Notes of ``start`` leaves or more, with their sizes, smallest first."""
        ...

    def prove_consistency(self, old_size: int, size: int) -> tuple[bytes, ...]:
        """The proof that the first ``old_size`` of ``size`` leaves are an older tree."""
        ...


def needs_nobody(note: bytes) -> bool:
    """That a checkpoint has cosignatures enough, in a fleet that asks for none."""
    return True


def next_anchor(
    source: AnchorSource,
    anchored: AnchorRecord | None,
    is_cosigned: Callable[[bytes], bool] = needs_nobody,
) -> AnchorCheckpoint | None:
    """The message that anchors what is new since ``anchored``; None if nothing is.

    ``anchored`` is what the chain's state has of the log, if anything. ``is_cosigned`` says
    whether enough of the fleet's witnesses signed a note; the newest with enough is taken.

    Raises BehindError if the chain has anchored more leaves than any checkpoint of the log
    has; ForkError if the log is another one than what was anchored; RefusedError if there
    are newer checkpoints, but none that is cosigned; and as ``source`` does.
    """
    latest = source.latest_checkpoint()
    newest = Checkpoint.of_note(latest) if latest is not None else None
    if anchored is None or not anchored.size:
        old_size = 0
    elif newest is None or newest.size < anchored.size:
        raise BehindError(
            f"the chain has {anchored.size} leaves of this log, and its newest checkpoint is of"
            f" {newest.size if newest else 0}",
            hint="catch up from a newer backup or a peer's export first",
        )
    else:
        old_size = anchored.size
        _require_continued(source, anchored, newest)
    if latest is None or newest is None or newest.size <= old_size:
        return None
    note = latest if is_cosigned(latest) else _newest_cosigned(source, old_size, is_cosigned)
    size = Checkpoint.of_note(note).size
    proof = source.prove_consistency(old_size, size) if old_size else ()
    return AnchorCheckpoint(note=note, proof=proof)


def _require_continued(source: AnchorSource, anchored: AnchorRecord, newest: Checkpoint) -> None:
    proof = source.prove_consistency(anchored.size, newest.size)
    try:
        verify_consistency(anchored.size, newest.size, anchored.root, newest.root, proof)
    except VerificationError as error:
        raise ForkError(
            f"the {anchored.size} leaves of this log that the chain has anchored are not those"
            " of the log",
            hint="sign nothing more with this home; ask the fleet for a successor",
        ) from error


def _newest_cosigned(
    source: AnchorSource, old_size: int, is_cosigned: Callable[[bytes], bool]
) -> bytes:
    newer = [note for _, note in source.checkpoints(old_size + 1)]
    for note in reversed(newer):
        if is_cosigned(note):
            return note
    raise RefusedError(
        f"none of the {len(newer)} checkpoints since {old_size} leaves has the cosignatures that"
        " the fleet asks for",
        hint="gather them first, or wait until the witnesses can be reached",
    )
