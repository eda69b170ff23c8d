"""What a verifier asks for: the statement that a presentation proves, but for its answers.

    Equals     the attribute is shown, and has this value
    AtLeast    the attribute is hidden, and is at least this
    AtMost     the attribute is hidden, and is at most this
    Between    the attribute is hidden, and lies between two bounds, both included
    disclose   the attribute is shown, whatever it is
    scope      a nullifier is shown: one a robot and scope
    epoch      the robot id is hidden, and not revoked in this epoch

All other attributes stay hidden. Each attribute is asked for once, in the order of
`Attribute`, so that a question is written in one way only. The bounds of a range are
those of signed numbers, which take 32 bits, so that ranges are of 32 bits, or of as few
as the narrowest `Between` needs where that is all there is.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from itertools import pairwise
from typing import NamedTuple

from zkproofs.credential.attributes import MAX_NUMBER, NUMBER_BITS, Attribute, Value
from zkproofs.credential.revocation import GapMessage, check_epoch
from zkproofs.errors import ParameterError
from zkproofs.group import Scalar, group
from zkproofs.interval import Interval


@dataclass(frozen=True, slots=True)
class Equals:
    """The attribute is shown and has this value. Raises `ParameterError` for another's."""

    attribute: Attribute
    value: Value

    def __post_init__(self) -> None:
        _check_attributes((self.attribute,))
        self.attribute.check(self.value)


@dataclass(frozen=True, slots=True)
class AtLeast:
    """attribute >= bound. Raises `ParameterError` for a text, or more than 32 bits."""

    attribute: Attribute
    bound: int

    def __post_init__(self) -> None:
        _check_range(self.attribute, self.bound, MAX_NUMBER)

    @property
    def interval(self) -> Interval:
        """The 2^32 values from the bound on."""
        return Interval.at_least(self.bound, NUMBER_BITS)


@dataclass(frozen=True, slots=True)
class AtMost:
    """attribute <= bound. Raises `ParameterError` for a text, or more than 32 bits."""

    attribute: Attribute
    bound: int

    def __post_init__(self) -> None:
        _check_range(self.attribute, 0, self.bound)

    @property
    def interval(self) -> Interval:
        """The 2^32 values up to the bound."""
        return Interval.at_most(self.bound, NUMBER_BITS)


@dataclass(frozen=True, slots=True)
class Between:
    """low <= attribute <= high. Raises `ParameterError` for a text, or no 32-bit range."""

    attribute: Attribute
    low: int
    high: int

    def __post_init__(self) -> None:
        _check_range(self.attribute, self.low, self.high)

    @property
    def interval(self) -> Interval:
        """[low, high]."""
        return Interval(self.low, self.high)


Predicate = Equals | AtLeast | AtMost | Between


class Source(Enum):
    """Which signature a message is in."""

    CREDENTIAL = "credential"
    GAP = "gap"


class Term(NamedTuple):
    """``sign`` times the hidden message at ``place``."""

    sign: int
    source: Source
    place: int


@dataclass(frozen=True, slots=True)
class RangedSum:
    """A sum of hidden messages that is committed to, and lies in an interval."""

    terms: tuple[Term, ...]
    interval: Interval

    def evaluate(self, of_message: Callable[[Source, int], Scalar]) -> Scalar:
        """Σ sign·x over the terms, for the x that each message stands for."""
        total = group().scalar(0)
        for sign, source, place in self.terms:
            x = of_message(source, place)
            total = total + x if sign > 0 else total - x
        return total


@dataclass(frozen=True, slots=True)
class Policy:
    """A question. Raises `ParameterError` unless it is written in its one way."""

    predicates: tuple[Predicate, ...] = ()
    disclose: tuple[Attribute, ...] = ()
    scope: bytes | None = None
    epoch: int | None = None

    def __post_init__(self) -> None:
        if not all(isinstance(each, Predicate) for each in self.predicates):
            raise ParameterError("a predicate is Equals, AtLeast, AtMost or Between")
        _check_order([predicate.attribute for predicate in self.predicates])
        _check_attributes(self.disclose)
        _check_order(self.disclose)
        shown = self.shown
        if len(set(shown)) != len(shown):
            raise ParameterError("an attribute is disclosed and has a value to equal")
        if any(attribute in shown for attribute, _ in self.ranges):
            raise ParameterError("an attribute is disclosed and has a range to be in")
        if self.scope is not None and (not isinstance(self.scope, bytes) or not self.scope):
            raise ParameterError("a scope is bytes, and not empty")
        if self.epoch is not None:
            check_epoch(self.epoch)
            if Attribute.ROBOT_ID in shown:
                raise ParameterError("a robot id that is shown is looked up, not proven of")

    @property
    def shown(self) -> tuple[Attribute, ...]:
        """Attributes that are not hidden, in order."""
        equal = [each.attribute for each in self.predicates if isinstance(each, Equals)]
        return tuple(sorted([*self.disclose, *equal]))

    @property
    def expected(self) -> dict[Attribute, Value]:
        """The shown attributes whose values are asked for."""
        return {each.attribute: each.value for each in self.predicates if isinstance(each, Equals)}

    @property
    def ranges(self) -> tuple[tuple[Attribute, Interval], ...]:
        """The hidden attributes that have to lie in a range."""
        return tuple(
            (each.attribute, each.interval)
            for each in self.predicates
            if not isinstance(each, Equals)
        )

    @property
    def ranged_sums(self) -> tuple[RangedSum, ...]:
        """All that one range proof is about, in the order of its commitments."""
        sums = [
            RangedSum((Term(1, Source.CREDENTIAL, attribute),), interval)
            for attribute, interval in self.ranges
        ]
        if self.epoch is not None:
            # robot id - a and b - robot id are both from 1 on
            robot_id = (Source.CREDENTIAL, Attribute.ROBOT_ID)
            low, high = (Source.GAP, GapMessage.LOW), (Source.GAP, GapMessage.HIGH)
            positive = Interval.at_least(1, NUMBER_BITS)
            sums.append(RangedSum((Term(1, *robot_id), Term(-1, *low)), positive))
            sums.append(RangedSum((Term(1, *high), Term(-1, *robot_id)), positive))
        return tuple(sums)

    @property
    def gap_indexes(self) -> tuple[int, ...]:
        """What is shown of a gap: the epoch, and the fleet iff it is shown anyway."""
        if Attribute.FLEET in self.shown:
            return (int(GapMessage.FLEET), int(GapMessage.EPOCH))
        return (int(GapMessage.EPOCH),)


def _check_range(attribute: Attribute, low: int, high: int) -> None:
    _check_attributes((attribute,))
    if attribute.is_text:
        raise ParameterError(f"{attribute.label} is a text, which has no range")
    if type(low) is not int or type(high) is not int or not 0 <= low <= high <= MAX_NUMBER:
        raise ParameterError(f"a range of {attribute.label} lies in 0 to 2^{NUMBER_BITS} - 1")


def _check_attributes(attributes: Sequence[Attribute]) -> None:
    if not all(isinstance(each, Attribute) for each in attributes):
        raise ParameterError("an attribute is one of Attribute")


def _check_order(attributes: Sequence[Attribute]) -> None:
    if any(before >= after for before, after in pairwise(attributes)):
        raise ParameterError("attributes are asked for once each, in their order")
