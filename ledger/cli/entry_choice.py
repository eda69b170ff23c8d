"""How a person names an entry: by its index, or by the start of its record id."""

from __future__ import annotations

from ledger.errors import NotFoundError, RefusedError
from ledger.experience.entry import Entry, Experience, parse_entry
from ledger.log_reader import LogReader

_SHORTEST_PREFIX = 4
_MAX_DIGITS = 19
"""Decimal digits of the largest index, 2^63 - 1."""


def find_entry(log: LogReader, wanted: str) -> int:
    """The leaf index that ``wanted`` names: decimal, or at least 4 hex digits of a record id.

    A number that is an index in the log is one. Raises `NotFoundError`, and
    `RefusedError` where several records start so.
    """
    if wanted.isascii() and wanted.isdecimal() and len(wanted) <= _MAX_DIGITS:
        index = int(wanted)
        if index < log.size:
            return index
    found = log.find_records(wanted.lower()) if len(wanted) >= _SHORTEST_PREFIX else []
    if len(found) > 1:
        raise RefusedError(
            f"{wanted!r} starts {len(found)} record ids", hint="give more digits of it"
        )
    if not found:
        raise NotFoundError(
            f"no entry {wanted!r} in a log of {log.size}", hint="`quipu log` lists them"
        )
    return found[0]


def find_experience(log: LogReader, wanted: str) -> tuple[int, Entry, Experience]:
    """Like `find_entry`, for an entry that is an experience."""
    index = find_entry(log, wanted)
    entry = parse_entry(log.entry(index))
    if not isinstance(entry.kind, Experience):
        raise RefusedError(f"entry {index} is not a recording", hint="`quipu log` lists them")
    return index, entry, entry.kind
