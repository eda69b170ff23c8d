"""What LMDB itself relies on and never checks: the pages of ``data.mdb``.

A flipped bit in a page can make LMDB loop, read past its map and kill the process,
or show an older snapshot as if it were the newest. Here the file is read as bytes.

The two meta pages (LMDB 0.9 and 1.0, native byte order, 64 bits; h is the size of
a page header, 16 or 24)::

    h + 0    u32  0xBEEFC0DE
    h + 4    u32  version of the format
    h + 24   u32  page size
    h + 128  u64  transaction id; the greater one wins, page id & 1 holds id
"""

from __future__ import annotations

import struct
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import lmdb.verify

from ledger.storage.os_errors import storage_errors

_MAGIC: Final = struct.pack("=I", 0xBEEFC0DE)
_U32: Final = struct.Struct("=I")
_U64: Final = struct.Struct("=Q")
_HEADER_SIZES: Final = (16, 24)
_VERSION_AT: Final = 4
_PAGE_SIZE_AT: Final = 24
_TXNID_AT: Final = 128
_META_BYTES: Final = 24 + 136
_TRIES: Final = 5
_WAIT_S: Final = 0.05


def verify_pages(path: Path) -> list[str]:
    """Say what is wrong with the pages of the store at ``path``; empty if nothing is.

    Reads ``data.mdb`` as bytes, in Python and without LMDB, so nothing in it can kill
    the process: every page in use, the key order, the counters and the free list. It
    takes some 50 us a page, and runs again when a writer commits meanwhile. Raises
    StorageError if the file cannot be read.
    """
    return verify_meta_pages(path) or verify_unless_written(path, lambda: _walk_pages(path))


def verify_meta_pages(path: Path) -> list[str]:
    """Say what is wrong with the two meta pages of the store at ``path``.

    LMDB takes whichever page has the greater transaction id, so a flipped bit in one
    brings back the state before the last commit, or one that never was. Ids follow one
    another; that shows it. Raises StorageError if the file cannot be read.
    """
    return verify_unless_written(path, lambda: _meta_problems(path))


def last_transaction(path: Path) -> int | None:
    """The id of the last committed transaction, or None if the meta pages are damaged."""
    try:
        return max(_transaction_ids(path))
    except ValueError:
        return None


def verify_unless_written(path: Path, check: Callable[[], list[str]]) -> list[str]:
    """Run a check again while a writer commits under it."""
    problems: list[str] = []
    for _ in range(_TRIES):
        before = last_transaction(path)
        problems = check()
        if not problems or (before is not None and before == last_transaction(path)):
            break
        time.sleep(_WAIT_S)
    return problems


def _meta_problems(path: Path) -> list[str]:
    try:
        first, second = _transaction_ids(path)
    except ValueError as error:
        return [str(error)]
    if first == second == 0:
        return []
    if first & 1 or not second & 1 or abs(first - second) != 1:
        return [f"meta pages 0 and 1 are of transactions {first} and {second}, which do not follow"]
    return []


def _transaction_ids(path: Path) -> tuple[int, int]:
    """The ids in both meta pages. Raises ValueError if there are none."""
    data = path / "data.mdb"
    with storage_errors(data), data.open("rb") as file:
        head = file.read(_META_BYTES)
        header = next((size for size in _HEADER_SIZES if head[size : size + 4] == _MAGIC), None)
        if header is None or len(head) < _META_BYTES:
            raise ValueError("meta page 0 is not one of LMDB's")
        (page_size,) = _U32.unpack_from(head, header + _PAGE_SIZE_AT)
        file.seek(page_size)
        second = file.read(_META_BYTES)
    if len(second) < _META_BYTES or second[header : header + 4] != _MAGIC:
        raise ValueError("meta page 1 is not one of LMDB's")
    for at in (_VERSION_AT, _PAGE_SIZE_AT):
        if _U32.unpack_from(second, header + at) != _U32.unpack_from(head, header + at):
            raise ValueError("meta pages 0 and 1 do not agree about the format")
    return (
        _U64.unpack_from(head, header + _TXNID_AT)[0],
        _U64.unpack_from(second, header + _TXNID_AT)[0],
    )


def _walk_pages(path: Path) -> list[str]:
    data = path / "data.mdb"
    try:
        with storage_errors(data):
            problems: list[str] = lmdb.verify.verify(  # type: ignore[no-untyped-call]
                str(data), subdir=False
            )
            return problems
    except lmdb.verify.VerifyError as error:
        return [str(error)]
    except (struct.error, ArithmeticError, LookupError, ValueError, RecursionError) as error:
        # The walker believes some lengths that it has read.
        return [f"the pages could not be followed to the end ({type(error).__name__})"]
