"""A story as JSON values and back, by the types of its fields: for the pipe of a child process."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from functools import cache
from types import NoneType, UnionType
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

from ledger.errors import MalformedError

T = TypeVar("T")


def to_json(value: Any) -> Any:
    """A dataclass of plain fields as JSON values."""
    if is_dataclass(value):
        return {item.name: to_json(getattr(value, item.name)) for item in fields(value)}
    if isinstance(value, tuple):
        return [to_json(each) for each in value]
    return value.value if isinstance(value, Enum) else value


def from_json(kind: type[T], document: Any) -> T:
    """Read what `to_json` wrote. Raises MalformedError for anything else."""
    try:
        made = _read(kind, document)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise MalformedError(f"no {kind.__name__.lower()}: {error}") from error
    if not isinstance(made, kind):
        raise MalformedError(f"no {kind.__name__.lower()}")
    return made


def _read(kind: Any, document: Any) -> Any:
    if isinstance(kind, UnionType):  # T | None
        (inner,) = (each for each in get_args(kind) if each is not NoneType)
        return None if document is None else _read(inner, document)
    if get_origin(kind) is tuple:  # tuple[T, ...]
        inner, _ = get_args(kind)
        return tuple(_read(inner, each) for each in document)
    if isinstance(kind, type) and is_dataclass(kind):
        hints = _hints(kind)
        return kind(**{name: _read(hints[name], value) for name, value in document.items()})
    if issubclass(kind, Enum):
        return kind(document)
    if type(document) is not kind:
        raise TypeError(f"{document!r} for {kind.__name__}")
    return document


@cache
def _hints(kind: type) -> Mapping[str, Any]:
    return get_type_hints(kind)
