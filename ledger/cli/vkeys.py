"""Verifier keys on the command line: written out, or in a file with one a line."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from ledger.cli.failure import advice
from ledger.cli.files import read_input
from ledger.errors import MalformedError
from ledger.note import VerifierKey

_HINT = "give what the robot's `quipu key show` prints, or a file that holds it"


def read_vkeys(given: Iterable[str]) -> list[VerifierKey]:
    """The keys that were given. Raises `MalformedError`."""
    lines: list[str] = []
    for text in given:
        if _is_file(text):
            lines += _lines(Path(text))
        else:
            lines.append(text)
    with advice(_HINT):
        return [VerifierKey.parse(line) for line in lines]


def _lines(path: Path) -> list[str]:
    lines = read_input(path, "verifier keys").decode("utf-8", "replace").splitlines()
    found = [line.strip() for line in lines if line.strip() and not line.startswith("#")]
    if not found:
        raise MalformedError(f"{path} holds no verifier key", hint=_HINT)
    return found


def _is_file(text: str) -> bool:
    try:
        return Path(text).is_file()
    except (OSError, ValueError):  # a name that no file can have
        return False
