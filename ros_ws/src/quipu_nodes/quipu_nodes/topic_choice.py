"""Which topics are recorded."""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TopicChoice:
    """Topics by name, by regular expression, or all of them; excluded ones never.

    Hidden topics (a part of the name begins with ``_``) are only taken by name.
    Expressions are searched for anywhere in the name. Raises `ValueError` for one that
    is none.
    """

    names: frozenset[str] = frozenset()
    patterns: tuple[str, ...] = ()
    excluded: tuple[str, ...] = ()
    everything: bool = False

    def __post_init__(self) -> None:
        for pattern in (*self.patterns, *self.excluded):
            try:
                re.compile(pattern)
            except re.error as error:
                raise ValueError(f"{pattern!r} is no regular expression: {error}") from None

    def takes(self, topic: str) -> bool:
        """Whether a topic, by its full name, is recorded."""
        if any(re.search(pattern, topic) for pattern in self.excluded):
            return False
        if topic in self.names:
            return True
        if any(part.startswith("_") for part in topic.split("/")):
            return False
        return self.everything or any(re.search(pattern, topic) for pattern in self.patterns)
