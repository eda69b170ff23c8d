"""What each kind of field of an entry may hold; everything else is `MalformedError`.

The same checks run when an entry is made and when a stranger's entry is parsed.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, Final

from ledger.errors import MalformedError

UINT64_MAX: Final = 2**64 - 1
INT64_MIN: Final = -(2**63)
INT64_MAX: Final = 2**63 - 1

RECORD_ID_SIZE: Final = 16
"""Bytes in a record id."""

CHUNK_SIZE: Final = 262_144
"""Bytes in every chunk of a content but the last."""

HASH_SIZE: Final = 32
KEY_SIZE: Final = 32
SIGNATURE_SIZE: Final = 64

MAX_NAME: Final = 255
"""Bytes in the name of a log or of a model."""

MAX_FILE_NAME_PART: Final = 255
"""Bytes in one part of a file name (Linux NAME_MAX)."""


def require_bytes(value: bytes, size: int, name: str) -> None:
    """Refuse what is not exactly ``size`` bytes. Raises `MalformedError`."""
    if type(value) is not bytes:
        raise MalformedError(f"{name} is not bytes")
    if len(value) != size:
        raise MalformedError(f"{name} has {len(value)} bytes, {size} expected")


def require_uint64(value: int, name: str) -> None:
    """Refuse what is not an integer in 0 .. 2**64 - 1. Raises `MalformedError`."""
    _require_integer(value, 0, UINT64_MAX, name)


def require_uint32(value: int, name: str) -> None:
    """Refuse what is not an integer in 0 .. 2**32 - 1. Raises `MalformedError`."""
    _require_integer(value, 0, 2**32 - 1, name)


def require_int64(value: int, name: str) -> None:
    """Refuse what is not an integer in -2**63 .. 2**63 - 1. Raises `MalformedError`."""
    _require_integer(value, INT64_MIN, INT64_MAX, name)


def _require_integer(value: int, low: int, high: int, name: str) -> None:
    if type(value) is not int:
        raise MalformedError(f"{name} is not an integer")
    if not low <= value <= high:
        raise MalformedError(f"{name} is outside {low} .. {high}")


def require_text(value: str, name: str) -> None:
    """Refuse what is not Unicode text without NUL. Raises `MalformedError`."""
    if type(value) is not str:
        raise MalformedError(f"{name} is not text")
    if "\0" in value:
        raise MalformedError(f"{name} holds a NUL character")
    try:
        value.encode("utf-8")
    except UnicodeEncodeError:
        raise MalformedError(f"{name} is not UTF-8") from None


def require_name(value: str, name: str) -> None:
    """Refuse what is not 1 to 255 bytes of text without NUL. Raises `MalformedError`."""
    require_text(value, name)
    if not 0 < len(value.encode("utf-8")) <= MAX_NAME:
        raise MalformedError(f"{name} has not 1 to {MAX_NAME} bytes")


def require_file_name(value: str, name: str) -> None:
    """Refuse a file name that could leave the folder it is written into.

    A name is relative; its parts are separated by one ``/`` each; no part is
    empty, ``.``, ``..`` or longer than 255 bytes. Raises `MalformedError`.
    """
    require_text(value, name)
    for part in value.split("/"):
        if part in ("", ".", ".."):
            raise MalformedError(f"{name} {value!r} is not a relative path inside its folder")
        if len(part.encode("utf-8")) > MAX_FILE_NAME_PART:
            raise MalformedError(f"{name} has a part longer than {MAX_FILE_NAME_PART} bytes")


def require_file_tree(names: Sequence[str]) -> None:
    """Refuse file names that cannot lie in one folder together.

    None twice, and none that another one needs as a folder. Raises `MalformedError`.
    """
    files = set(names)
    if len(files) != len(names):
        raise MalformedError("a file is listed twice")
    for name in names:
        folder = name
        while "/" in folder:
            folder = folder.rpartition("/")[0]
            if folder in files:
                raise MalformedError(f"{folder!r} is listed both as a file and as a folder")


def require_ascending(items: Sequence[Any], name: str) -> None:
    """Refuse items that are not strictly ascending: sorted, none twice. `MalformedError`."""
    for before, after in pairwise(items):
        if not before < after:
            raise MalformedError(f"{name} are not sorted, or hold one twice")


def require_record_ids(record_ids: Sequence[bytes]) -> None:
    """Refuse a list of record ids that is empty or not strictly ascending. `MalformedError`."""
    if not record_ids:
        raise MalformedError("no record id is listed")
    for record_id in record_ids:
        require_bytes(record_id, RECORD_ID_SIZE, "record id")
    require_ascending(record_ids, "record ids")
