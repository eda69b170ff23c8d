"""A YAML document in which every value knows its line, so that errors can name it.

YAML 1.2 (``yes`` and ``on`` are words, not truth values). A key that nobody asked for
is refused, since it is most often one that was mistyped.
"""

from __future__ import annotations

import datetime
import enum
import math
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from ledger.errors import MalformedError, NotFoundError

MAX_DOCUMENT_SIZE: Final = 1 << 20
"""Longest file that is read, in bytes."""

Choice = TypeVar("Choice", bound=enum.Enum)


@dataclass(frozen=True, slots=True)
class Node:
    """A value of the document: what it is called there, its line, and what it is."""

    file: Path
    line: int
    name: str
    value: Any

    def fault(self, problem: str, *, hint: str | None = None) -> MalformedError:
        """The error that ``problem`` is, with file and line."""
        where = f"{self.file}:{self.line}"
        return MalformedError(
            f"{where}: {self.name} {problem}" if self.name else f"{where}: {problem}",
            hint=hint or f"correct line {self.line} of {self.file}",
        )

    def mapping(self, *known: str) -> dict[str, Node]:
        """The values by key. Any key is fine where none is ``known``."""
        if not self.is_mapping:
            raise self.fault(f"must be a mapping, not {_kind(self.value)}")
        found: dict[str, Node] = {}
        for key, value in self.value.items():
            line = self._line_of(key)
            if not isinstance(key, str):
                raise Node(self.file, line, self.name, key).fault(
                    f"has a key that is no word: {key!r}"
                )
            node = Node(self.file, line, f"{self.name}.{key}".lstrip("."), value)
            if known and key not in known:
                raise Node(self.file, line, "", key).fault(
                    f"unknown key {key!r} in {self.name or 'the file'}",
                    hint=f"known are: {', '.join(known)}",
                )
            found[key] = node
        return found

    def items(self) -> Iterator[Node]:
        """The values of a sequence."""
        if not self.is_list:
            raise self.fault(f"must be a list, not {_kind(self.value)}")
        for number, value in enumerate(self.value):
            line, _ = self.value.lc.item(number)
            yield Node(self.file, line + 1, f"{self.name}[{number}]", value)

    def text(self) -> str:
        """A string, not empty."""
        if not isinstance(self.value, str) or not self.value:
            raise self.fault(f"must be a word, not {_kind(self.value)}")
        if not self.value.isprintable():
            raise self.fault("holds a control character")
        return str(self.value)

    def whole(self, low: int, high: int) -> int:
        """A whole number from ``low`` to ``high``."""
        if isinstance(self.value, bool) or not isinstance(self.value, int):
            raise self.fault(f"must be a whole number, not {_kind(self.value)}")
        if not low <= self.value <= high:
            raise self.fault(f"must be from {low} to {high}, not {self.value}")
        return int(self.value)

    def truth(self) -> bool:
        """A truth value."""
        if not isinstance(self.value, bool):
            raise self.fault(f"must be true or false, not {_kind(self.value)}")
        return self.value

    def path(self, base: Path) -> Path:
        """A path, taken from ``base`` where it is relative."""
        try:
            return base / Path(self.text()).expanduser()
        except RuntimeError as error:  # ~somebody whom nobody knows
            raise self.fault(f"is no path: {error}") from error

    def choice(self, kind: type[Choice]) -> Choice:
        """One of the values of an enumeration."""
        for member in kind:
            if member.value == self.value:
                return member
        raise self.fault(
            f"must be one of {', '.join(str(member.value) for member in kind)}, "
            f"not {_shown(self.value)}"
        )

    def scalar(self) -> bool | int | float | str:
        """A truth value, a number or a string, as a plain Python value."""
        match self.value:
            case bool() | str():
                return self.value if isinstance(self.value, bool) else str(self.value)
            case int():
                return int(self.value)
            case float() if math.isfinite(self.value):
                return float(self.value)
        raise self.fault(f"must be a number, a word or a truth value, not {_kind(self.value)}")

    def scalars(self) -> tuple[bool | int | float | str, ...]:
        """A list of scalars of one kind, not empty."""
        values = tuple(item.scalar() for item in self.items())
        if len({type(value) for value in values}) != 1:
            raise self.fault("must be a list of one kind of values, and not empty")
        return values

    @property
    def is_mapping(self) -> bool:
        """Whether it is a mapping."""
        return isinstance(self.value, CommentedMap)

    @property
    def is_list(self) -> bool:
        """Whether it is a list."""
        return isinstance(self.value, CommentedSeq)

    def _line_of(self, key: object) -> int:
        try:
            line, _ = self.value.lc.key(key)
        except (KeyError, TypeError, AttributeError):  # a key merged in by `<<`
            return self.line
        return int(line) + 1


def read_document(path: Path) -> Node:
    """Read a YAML file. Raises `NotFoundError` and `MalformedError`."""
    try:
        size = path.stat().st_size
        if size > MAX_DOCUMENT_SIZE:
            raise MalformedError(
                f"{path} has {size} bytes; {MAX_DOCUMENT_SIZE} are read at most",
                hint="name the fleet's YAML file",
            )
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise MalformedError(f"{path} is not UTF-8", hint="name the YAML file") from error
    except OSError as error:
        raise NotFoundError(
            f"{path} cannot be read: {os.strerror(error.errno or 0)}",
            hint="name the fleet's YAML file",
        ) from error
    try:
        value = YAML(typ="rt").load(text)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 1
        raise Node(path, line, "", None).fault(
            f"is no YAML: {error.problem or error.context}"
        ) from error
    except (YAMLError, ValueError, RecursionError) as error:
        raise Node(path, 1, "", None).fault(f"is no YAML: {str(error).splitlines()[0]}") from error
    return Node(path, 1, "", value)


def _kind(value: object) -> str:
    match value:
        case None | "":
            return "nothing"
        case bool():
            return "a truth value"
        case str():
            return f"the word {value!r}"
        case int() | float():
            return f"the number {value}"
        case datetime.date():
            return f"the date {value}"
        case CommentedMap():
            return "a mapping"
        case CommentedSeq():
            return "a list"
    return "this"


def _shown(value: object) -> str:
    return repr(value) if isinstance(value, str) else _kind(value)
