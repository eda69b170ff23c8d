"""What a proof discloses: some of the signed messages, by their places."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from zkproofs.errors import ParameterError
from zkproofs.group import Scalar


@dataclass(frozen=True, slots=True)
class Disclosure:
    """The disclosed messages and their indexes, from 0, strictly ascending.

    Raises `ParameterError` for indexes that repeat, do not ascend or are negative, and
    for a message too many or too few.
    """

    indexes: tuple[int, ...]
    messages: tuple[Scalar, ...]

    def __post_init__(self) -> None:
        check_indexes(self.indexes)
        if len(self.indexes) != len(self.messages):
            raise ParameterError(
                f"{len(self.messages)} messages disclosed at {len(self.indexes)} indexes"
            )

    @classmethod
    def of(cls, messages: Sequence[Scalar], indexes: Sequence[int]) -> Disclosure:
        """Disclose ``indexes`` of all the signed ``messages``."""
        check_indexes(indexes)
        check_range(indexes, len(messages))
        return cls(tuple(indexes), tuple(messages[i] for i in indexes))

    @classmethod
    def at(cls, messages: Mapping[int, Scalar]) -> Disclosure:
        """Disclose ``messages`` by their indexes, in any order."""
        indexes = tuple(sorted(messages))
        return cls(indexes, tuple(messages[i] for i in indexes))

    def hidden(self, message_count: int) -> tuple[int, ...]:
        """The other indexes below ``message_count``, ascending."""
        check_range(self.indexes, message_count)
        disclosed = frozenset(self.indexes)
        return tuple(j for j in range(message_count) if j not in disclosed)

    def hidden_position(self, index: int) -> int:
        """Which of the hidden messages the one at ``index`` is, from 0."""
        position = bisect_left(self.indexes, index)
        if index < 0 or index in self.indexes[position : position + 1]:
            raise ParameterError(f"no message is hidden at index {index}")
        return index - position


def check_indexes(indexes: Sequence[int]) -> None:
    """Raise `ParameterError` unless ``indexes`` are whole numbers that strictly ascend."""
    for previous, index in zip((-1, *indexes), indexes, strict=False):
        if type(index) is not int or index <= previous:
            raise ParameterError("indexes are whole numbers from 0, each above the one before")


def check_range(indexes: Sequence[int], count: int) -> None:
    """Raise `ParameterError` unless the last of ascending ``indexes`` is below ``count``."""
    if indexes and indexes[-1] >= count:
        raise ParameterError(f"index {indexes[-1]} of {count} messages")
