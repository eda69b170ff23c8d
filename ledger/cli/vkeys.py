"""Verifier keys on the command line: written out, or in a file with one a line."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from ledger.cli.files import read_input
from ledger.note import VerifierKey


def read_vkeys(given: Iterable[str]) -> list[VerifierKey]:
    """The keys that were given. Raises `MalformedError`."""
    lines: list[str] = []
    for text in given:
        if Path(text).is_file():
            lines += read_input(Path(text), "verifier keys").decode("utf-8", "replace").split()
        else:
            lines.append(text)
    return [VerifierKey.parse(line) for line in lines]
