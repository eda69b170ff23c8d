"""The units of recordings that a home holds, for as long as it may.

Whether the content was erased meanwhile is looked up before each unit: a consent that is
withdrawn in mid-sale ends the sale, though the files are still open and the salts in memory.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from types import TracebackType
from typing import Final

from ledger.errors import ErasedError, NotFoundError, VerificationError
from ledger.exchange.deed import Deed
from ledger.exchange.grant import Grant
from ledger.exchange.unit_source import StoredUnits
from ledger.experience.access import ExperienceReader
from ledger.experience.content_hashing import ChunkSource
from ledger.experience.content_store import open_content
from ledger.experience.records import Presence
from ledger.experience.restore import find_content


class HomeUnits(StoredUnits):
    """One recording's units; none any more once it is erased."""

    def __init__(self, reader: ExperienceReader, record_id: bytes, content: ChunkSource) -> None:
        """Raises NotFoundError where the salts are gone, KeyStoreError, CorruptStoreError."""
        salt_key = reader.keys.get(record_id).salt_key
        super().__init__(content, salt_key, reader.tables.leaves(record_id))
        self._reader: Final = reader
        self._record_id: Final = record_id

    def unit(self, index: int) -> memoryview:
        """salt_i || chunk_i. Raises ErasedError, CorruptStoreError."""
        self.require_here()
        try:
            return super().unit(index)
        except VerificationError as error:
            # A sealed chunk that does not open is nothing to be sold.
            raise ErasedError(error.message, hint=error.hint) from error

    def deed(self) -> Deed:
        """The recording's entry, and what the home keeps that opens its commitments.

        Raises ErasedError, NotFoundError, KeyStoreError, CorruptStoreError.
        """
        self.require_here()
        reader = self._reader
        entry = reader.log.entry(reader.record(self._record_id).index)
        return Deed.of(entry, reader.keys.get(self._record_id).openings)

    def require_here(self) -> None:
        """Raises ErasedError."""
        if self._reader.tables.state(self._record_id).presence is Presence.ERASED:
            raise ErasedError(f"content of record {self._record_id.hex()} was erased")


class HomeContents:
    """What a home offers, by content root; a `ledger.exchange.seller.Contents`.

    A context manager: what sales have opened is closed at its end.
    """

    def __init__(self, reader: ExperienceReader, offered: Mapping[bytes, bytes]) -> None:
        """``offered`` gives record ids by content root, as the home's offers say."""
        self._reader: Final = reader
        self._offered: Final = offered
        self._open: Final = ExitStack()
        self._units: Final[dict[bytes, HomeUnits]] = {}

    def __enter__(self) -> HomeContents:
        """Open nothing yet."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close what was opened."""
        self._units.clear()
        self._open.close()

    def find(self, grant: Grant) -> HomeUnits:
        """The content of the grant's root.

        Raises NotFoundError for what is not offered or out of reach, ErasedError,
        CorruptStoreError, KeyStoreError.
        """
        known = self._units.get(grant.content_root)
        if known is not None:
            return known
        record_id = self._offered.get(grant.content_root)
        if record_id is None:
            raise NotFoundError("no recording of this content root is offered")
        record = self._reader.record(record_id)
        place = find_content(self._reader, record)
        keys = self._reader.keys.get(record_id)
        content = self._open.enter_context(
            open_content(record.experience, place.paths, keys, sealed=place.sealed)
        )
        units = self._units[grant.content_root] = HomeUnits(self._reader, record_id, content)
        return units
