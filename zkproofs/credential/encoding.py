"""Taking apart what has a version byte and a size that is known beforehand."""

from __future__ import annotations

from zkproofs.errors import DecodingError
from zkproofs.group.encoding import check_size


class FieldReader:
    """Hands out the fields of an encoding one after the other."""

    __slots__ = ("_at", "_data")

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def take(self, size: int) -> bytes:
        """The next ``size`` bytes."""
        start, self._at = self._at, self._at + size
        return self._data[start : self._at]


def open_version(data: bytes, version: int, size: int, what: str) -> FieldReader:
    """The fields after the version byte of ``size`` bytes of ``data``.

    Raises `DecodingError` for another size or version; ``what`` names it.
    """
    check_size(data, size, what)
    if data[0] != version:
        raise DecodingError(f"{what} of version {data[0]}, not {version}")
    return FieldReader(data[1:])
