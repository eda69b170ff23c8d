"""JSON values of a chain (`ledger.chain.as_json`) as lines for people."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any


def json_lines(document: Mapping[str, Any], indent: str = "  ") -> Iterator[str]:
    """JSON values as lines for people, the nested ones further in."""
    for name, value in document.items():
        words = name.replace("_", " ")
        if isinstance(value, Mapping):
            yield f"{indent}{words}"
            yield from json_lines(value, indent + "  ")
        elif isinstance(value, list) and any(isinstance(each, Mapping) for each in value):
            for each in value:
                yield f"{indent}{words}"
                yield from json_lines(each, indent + "  ")
        elif isinstance(value, list):
            yield f"{indent}{words} {', '.join(map(str, value)) or '-'}"
        elif isinstance(value, str) and "\n" in value:
            yield f"{indent}{words}"
            yield from (f"{indent}  {line}" for line in value.splitlines())
        elif value is not None:
            yield f"{indent}{words} {value}"
