"""The seller's content as units: salt and chunk, and the path to the content root."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Protocol

from ledger.errors import CorruptStoreError, NotFoundError
from ledger.exchange.deed import Deed
from ledger.exchange.grant import Grant
from ledger.experience.content_hashing import ChunkSource
from ledger.experience.content_root import CHUNK_SIZE, chunk_count, chunk_length, chunk_salt
from ledger.experience.disclosure import SALT_SIZE
from ledger.experience.fields import require_bytes
from ledger.merkle.hashing import parent_hashes, tree_root
from ledger.merkle.reader import NodeAddress


class UnitSource(Protocol):
    """Content that can be sold by the unit."""

    @property
    def size(self) -> int:
        """Bytes of content."""
        ...

    @property
    def root(self) -> bytes:
        """The content root."""
        ...

    def unit(self, index: int) -> bytes | memoryview:
        """salt_i || chunk_i, good until the next call. Raises ErasedError, CorruptStoreError."""
        ...

    def path(self, index: int) -> tuple[bytes, ...]:
        """The RFC 6962 path of unit ``index``, lowest sibling first."""
        ...

    def require_here(self) -> None:
        """Look whether units may still be given. Raises ErasedError."""
        ...

    def deed(self) -> Deed:
        """The log entry, and what is kept that opens it.

        Raises NotFoundError where there is none, ErasedError, CorruptStoreError.
        """
        ...


class Contents(Protocol):
    """Where a seller finds what a grant is about."""

    def find(self, grant: Grant) -> UnitSource:
        """The content of this root; asked for at each unit.

        Raises NotFoundError, ErasedError, CorruptStoreError, KeyStoreError.
        """
        ...


class UnitTree:
    """Every node over a content's leaves: n hashes once, and log n look-ups a path."""

    __slots__ = ("_levels", "root")

    def __init__(self, leaves: Sequence[bytes]) -> None:
        # A node without a sibling goes up as it is: pairing so from below makes the tree that
        # RFC 6962 section 2.1 halves from above.
        levels = [list(leaves)]
        while len(row := levels[-1]) > 1:
            levels.append(parent_hashes(row) + row[len(row) & ~1 :])
        self._levels: Final = levels
        self.root: Final = tree_root(levels[-1])

    def path(self, index: int) -> tuple[bytes, ...]:
        """The path of leaf ``index``. Raises NotFoundError beyond the leaves."""
        if not 0 <= index < len(self._levels[0]):
            raise NotFoundError(f"there is no unit {index} in {len(self._levels[0])}")
        path = []
        for row in self._levels[:-1]:
            sibling = index ^ 1
            if sibling < len(row):
                path.append(row[sibling])
            index >>= 1
        return tuple(path)

    def read_hashes(self, addresses: Sequence[NodeAddress]) -> list[bytes]:
        """As `ledger.merkle.reader.HashReader`."""
        if any((index + 1) << level > len(self._levels[0]) for level, index in addresses):
            raise NotFoundError("a subtree beyond the content")
        return [self._levels[level][index] for level, index in addresses]


class StoredUnits:
    """Units of content that a home holds, plain or sealed; see `content_store.open_content`."""

    def __init__(
        self,
        content: ChunkSource,
        salt_key: bytes,
        leaves: Sequence[bytes],
        deed: Deed | None = None,
    ) -> None:
        """``leaves`` are the chunk leaves as the home's tables have them.

        Raises MalformedError for a salt key that is none, CorruptStoreError for too few leaves.
        """
        require_bytes(salt_key, SALT_SIZE, "salt key")
        if len(leaves) != chunk_count(content.size):
            raise CorruptStoreError(
                f"{len(leaves)} leaves are kept of {chunk_count(content.size)} chunks",
                hint="audit the home",
            )
        self._content: Final = content
        self._salt_key: Final = salt_key
        self._deed: Final = deed
        self._tree: Final = UnitTree(leaves)
        self._buffer: Final = memoryview(bytearray(SALT_SIZE + min(CHUNK_SIZE, content.size)))

    def __repr__(self) -> str:
        return f"StoredUnits({self.size} bytes)"

    @property
    def size(self) -> int:
        """Bytes of content."""
        return self._content.size

    @property
    def root(self) -> bytes:
        """The content root."""
        return self._tree.root

    def unit(self, index: int) -> memoryview:
        """salt_i || chunk_i, in a buffer that the next call fills again."""
        unit = self._buffer[: SALT_SIZE + chunk_length(index, self.size)]
        unit[:SALT_SIZE] = chunk_salt(self._salt_key, index)
        self._content.read_into(index * CHUNK_SIZE, unit[SALT_SIZE:])
        return unit

    def path(self, index: int) -> tuple[bytes, ...]:
        """The RFC 6962 path of unit ``index``, lowest sibling first."""
        return self._tree.path(index)

    def require_here(self) -> None:
        """Nothing is erased that is not a home's."""

    def deed(self) -> Deed:
        """The deed that was given. Raises NotFoundError where none was."""
        if self._deed is None:
            raise NotFoundError("this content has no deed")
        return self._deed
