"""Proof files: one entry's inclusion in a signed tree (C2SP tlog-proof v1).

A proof file is text, each line ending in a newline::

    c2sp.org/tlog-proof@v1
    extra YWdlLXYxLjIuMS1kYXJ3aW4=                      optional, anything, not signed
    index 73894                                         of the entry, from 0
    gSKyXoYZUgZ6jduWYrkDOARinOMGJveXjgMkBTcdPlQ=        inclusion proof, from the leaf's
    B95lDa8R83lS8n0eG+o0buTxRKQTYFi//1U8anccXmA=        sibling up: 0 to 63 hashes
                                                        <- empty line
    example.com/fancylog                                the checkpoint, verbatim
    ...

Parsing says only that the form is right; `ledger.verifier` checks the claim.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from ledger.canonical import (
    NUMBER_LIMIT,
    decode_base64,
    decode_hash,
    decode_number,
    encode_base64,
)
from ledger.checkpoint import Checkpoint
from ledger.errors import MalformedError

HEADER: Final = "c2sp.org/tlog-proof@v1"

MAX_PATH: Final = 63
"""Most hashes of an inclusion proof in a tree of fewer than 2^63 leaves."""

MAX_PROOF_SIZE: Final = 1 << 28
"""Longest proof file that is read, in bytes: one that discloses some 100 GiB by chunk."""

_HASH_SIZE: Final = 32


@dataclass(frozen=True, slots=True)
class TlogProof:
    """The four parts of a proof file.

    ``path`` starts with the leaf's sibling; ``checkpoint_note`` is the signed note's
    bytes; ``extra`` is None where the file has no such line.
    """

    index: int
    path: tuple[bytes, ...]
    checkpoint_note: bytes
    extra: bytes | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.index < NUMBER_LIMIT:
            raise MalformedError("proof needs an index from 0 to 2^63 - 1")
        if len(self.path) > MAX_PATH:
            raise MalformedError(f"proof has {len(self.path)} hashes, {MAX_PATH} at most expected")
        if any(len(item) != _HASH_SIZE for item in self.path):
            raise MalformedError(f"proof has a hash that is not {_HASH_SIZE} bytes long")
        if self.extra == b"":
            raise MalformedError("proof has an empty extra line; without extra data it has none")
        Checkpoint.of_note(self.checkpoint_note)

    @classmethod
    def parse(cls, proof: bytes) -> TlogProof:
        """Read a proof file. Raises `MalformedError`."""
        if len(proof) > MAX_PROOF_SIZE:
            raise MalformedError(f"proof is longer than {MAX_PROOF_SIZE} bytes")
        head, blank, note = bytes(proof).partition(b"\n\n")
        if not blank:
            raise MalformedError("proof has no empty line before its checkpoint")
        try:
            header, *lines = head.decode("ascii").split("\n")
        except UnicodeDecodeError:
            raise MalformedError("proof is not ASCII before its checkpoint") from None
        if header != HEADER:
            raise MalformedError(f"proof does not start with the line {HEADER}")
        extra = None
        if lines and lines[0].startswith("extra "):
            extra = decode_base64(lines.pop(0).removeprefix("extra "), "proof's extra data")
        if not lines or not lines[0].startswith("index "):
            raise MalformedError("proof has no index line where it must stand")
        index = decode_number(lines.pop(0).removeprefix("index "), "proof's index")
        if len(lines) > MAX_PATH:  # here too, before a million lines are decoded
            raise MalformedError(f"proof has {len(lines)} hashes, {MAX_PATH} at most expected")
        path = tuple(decode_hash(line, "proof's hash") for line in lines)
        return cls(index, path, note, extra)

    def encode(self) -> bytes:
        """Write the proof file."""
        lines = [HEADER]
        if self.extra is not None:
            lines.append(f"extra {encode_base64(self.extra)}")
        lines.append(f"index {self.index}")
        lines.extend(encode_base64(item) for item in self.path)
        return "\n".join(lines).encode("ascii") + b"\n\n" + self.checkpoint_note
