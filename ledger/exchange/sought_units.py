"""A seller's content that is looked for whenever something of it is asked for."""

from __future__ import annotations

from typing import Final

from ledger.errors import ErasedError, NotFoundError
from ledger.exchange.deed import Deed
from ledger.exchange.grant import Grant
from ledger.exchange.unit_source import Contents, UnitSource


class SoughtUnits:
    """The content of a grant, looked for whenever something of it is asked for.

    It may be out of reach when a sale is taken up, and back before its buyer is.
    """

    __slots__ = ("_contents", "_grant")

    def __init__(self, contents: Contents, grant: Grant) -> None:
        self._contents: Final = contents
        self._grant: Final = grant

    @property
    def size(self) -> int:
        """Bytes of content. Raises ErasedError, CorruptStoreError."""
        return self._found().size

    @property
    def root(self) -> bytes:
        """The content root. Raises ErasedError, CorruptStoreError."""
        return self._found().root

    def unit(self, index: int) -> bytes | memoryview:
        """See `UnitSource.unit`."""
        return self._found().unit(index)

    def path(self, index: int) -> tuple[bytes, ...]:
        """See `UnitSource.path`. Raises ErasedError, CorruptStoreError."""
        return self._found().path(index)

    def require_here(self) -> None:
        """See `UnitSource.require_here`."""
        self._found().require_here()

    def deed(self) -> Deed:
        """See `UnitSource.deed`."""
        return self._found().deed()

    def _found(self) -> UnitSource:
        try:
            return self._contents.find(self._grant)
        except NotFoundError as error:
            raise ErasedError(error.message, hint=error.hint) from error
