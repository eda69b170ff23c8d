"""What the ``extra`` of a proof file holds: the entry, and what its holder discloses.

Nothing here is believed because it is here: the entry is checked against the
tree, a salt and a path against the entry's content root.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from ledger.errors import MalformedError
from ledger.experience.entry import MAX_ENTRY_SIZE
from ledger.experience.fields import HASH_SIZE, require_ascending, require_bytes, require_uint64
from ledger.schema import entry_pb2
from ledger.schema.canonical import parse_message, serialize_message

SALT_SIZE: Final = 32
MAX_PATH_LENGTH: Final = 63
"""Hashes in an inclusion path of a tree of fewer than 2**63 leaves."""


@dataclass(frozen=True, slots=True)
class ChunkDisclosure:
    """The salt of chunk ``index`` and its inclusion path under the content root."""

    index: int
    salt: bytes = field(repr=False)
    path: tuple[bytes, ...] = field(repr=False)

    def __post_init__(self) -> None:
        require_uint64(self.index, "chunk index")
        require_bytes(self.salt, SALT_SIZE, "chunk salt")
        if len(self.path) > MAX_PATH_LENGTH:
            raise MalformedError(f"a chunk's path is longer than {MAX_PATH_LENGTH} hashes")
        for step in self.path:
            require_bytes(step, HASH_SIZE, "hash in a chunk's path")


@dataclass(frozen=True, slots=True)
class Disclosure:
    """An entry's bytes with, where disclosed, its salt key and single chunks' salts."""

    entry: bytes
    salt_key: bytes | None = field(default=None, repr=False)
    chunks: tuple[ChunkDisclosure, ...] = ()

    def __post_init__(self) -> None:
        if not 0 < len(self.entry) <= MAX_ENTRY_SIZE:
            raise MalformedError(f"the disclosed entry has {len(self.entry)} bytes")
        if self.salt_key is not None:
            require_bytes(self.salt_key, SALT_SIZE, "salt key")
        require_ascending([chunk.index for chunk in self.chunks], "disclosed chunks")


def encode_disclosure(disclosure: Disclosure) -> bytes:
    """The bytes of a proof file's ``extra``."""
    message = entry_pb2.Disclosure(
        entry=disclosure.entry,
        salt_key=disclosure.salt_key or b"",
        chunks=[
            entry_pb2.ChunkDisclosure(index=chunk.index, salt=chunk.salt, path=chunk.path)
            for chunk in disclosure.chunks
        ],
    )
    return serialize_message(message, "disclosure")


def parse_disclosure(encoded: bytes) -> Disclosure:
    """Parse a proof file's ``extra``, strictly. Raises `MalformedError`."""
    message = parse_message(entry_pb2.Disclosure, encoded, "disclosure")
    return Disclosure(
        entry=message.entry,
        salt_key=message.salt_key or None,
        chunks=tuple(
            ChunkDisclosure(chunk.index, chunk.salt, tuple(chunk.path)) for chunk in message.chunks
        ),
    )
