"""What a fleet says of a robot, and how it becomes the scalars that are signed.

    index   0 fleet   1 role   2 level   3 expiry   4 robot id   5 nym

A number is signed as it is, so that ranges can be proven of it; a text is hashed to a
scalar. The nym is the holder's secret and is not here. Layout of all attributes:

    fleet (64) || role (64) || level (4) || expiry (4) || robot id (4)      140 bytes
    text       u8 length, 1 to 63 || UTF-8 || zeros up to 64 bytes
    number     u32be
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from zkproofs.bbs.interface import Interface
from zkproofs.errors import DecodingError, ParameterError
from zkproofs.group import Scalar, group
from zkproofs.group.encoding import check_size

NUMBER_BITS: Final = 32
MAX_NUMBER: Final = (1 << NUMBER_BITS) - 1
MAX_TEXT_SIZE: Final = 63
_NUMBER_SIZE: Final = NUMBER_BITS // 8
_TEXT_SIZE: Final = 1 + MAX_TEXT_SIZE

Value = str | int


class Attribute(IntEnum):
    """An attribute; its number is its index among the signed messages."""

    FLEET = 0
    ROLE = 1
    LEVEL = 2
    EXPIRY = 3
    """The last second in which the credential is good, in seconds since 1970."""
    ROBOT_ID = 4
    """From 1 to 2^32 - 2: the ends are the outermost bounds of revocation gaps."""

    @property
    def label(self) -> str:
        """The attribute's name for people."""
        return self.name.lower().replace("_", " ")

    @property
    def is_text(self) -> bool:
        """Whether its value is a `str`; otherwise it is an `int`."""
        return self in (Attribute.FLEET, Attribute.ROLE)

    @property
    def size(self) -> int:
        """Bytes that a value takes, whatever it is."""
        return _TEXT_SIZE if self.is_text else _NUMBER_SIZE

    def check(self, value: Value) -> None:
        """Raise `ParameterError` unless ``value`` is one of this attribute."""
        if self.is_text:
            if not isinstance(value, str) or not 1 <= len(_utf8(value)) <= MAX_TEXT_SIZE:
                raise ParameterError(f"{self.label} is a text of 1 to {MAX_TEXT_SIZE} bytes")
            return
        spare = 1 if self is Attribute.ROBOT_ID else 0
        if type(value) is not int or not spare <= value <= MAX_NUMBER - spare:
            raise ParameterError(f"{self.label} is an integer from {spare} to {MAX_NUMBER - spare}")

    def encode(self, value: Value) -> bytes:
        """Write a value in `size` bytes. Raises `ParameterError`."""
        self.check(value)
        if isinstance(value, int):
            return value.to_bytes(_NUMBER_SIZE, "big")
        data = value.encode()
        return bytes([len(data)]) + data.ljust(MAX_TEXT_SIZE, b"\0")

    def decode(self, data: bytes) -> Value:
        """Read `encode`. Raises `DecodingError`."""
        check_size(data, self.size, self.label)
        try:
            value: Value = (
                data[1 : 1 + data[0]].decode() if self.is_text else int.from_bytes(data, "big")
            )
            canonical = self.encode(value) == data
        except (UnicodeDecodeError, ParameterError):
            canonical = False
        if not canonical:
            raise DecodingError(f"{self.label} is not canonically encoded")
        return value

    def scalar(self, value: Value, interface: Interface) -> Scalar:
        """The message that is signed. Raises `ParameterError`."""
        self.check(value)
        if isinstance(value, int):
            return group().scalar(value)
        (scalar,) = interface.messages_to_scalars([value.encode()])
        return scalar


ATTRIBUTES_SIZE: Final = sum(attribute.size for attribute in Attribute)


@dataclass(frozen=True, slots=True)
class Attributes:
    """A robot's attributes. Raises `ParameterError` for values that none can have."""

    fleet: str
    role: str
    level: int
    expiry: int
    """seconds since 1970; good up to and including this one"""
    robot_id: int

    def __post_init__(self) -> None:
        for attribute in Attribute:
            attribute.check(self.value(attribute))

    def value(self, attribute: Attribute) -> Value:
        """The value of one attribute."""
        value: Value = getattr(self, attribute.name.lower())
        return value

    def scalars(self, interface: Interface) -> list[Scalar]:
        """The signed messages, without the nym."""
        return [attribute.scalar(self.value(attribute), interface) for attribute in Attribute]

    def to_bytes(self) -> bytes:
        """Write the layout above."""
        return encode_values(tuple(Attribute), [self.value(each) for each in Attribute])

    @classmethod
    def from_bytes(cls, data: bytes) -> Attributes:
        """Read `to_bytes`. Raises `DecodingError`."""
        check_size(data, ATTRIBUTES_SIZE, "attributes")
        values = dict(zip(Attribute, decode_values(tuple(Attribute), data), strict=True))
        return cls(**{each.name.lower(): value for each, value in values.items()})  # type: ignore[arg-type]


def encode_values(attributes: Sequence[Attribute], values: Sequence[Value]) -> bytes:
    """Write values one after the other. Raises `ParameterError`."""
    if len(attributes) != len(values):
        raise ParameterError(f"{len(values)} values of {len(attributes)} attributes")
    return b"".join(
        attribute.encode(value) for attribute, value in zip(attributes, values, strict=True)
    )


def decode_values(attributes: Sequence[Attribute], data: bytes) -> tuple[Value, ...]:
    """Read `encode_values`. Raises `DecodingError`."""
    check_size(data, sum(attribute.size for attribute in attributes), "attributes")
    values, start = [], 0
    for attribute in attributes:
        values.append(attribute.decode(data[start : start + attribute.size]))
        start += attribute.size
    return tuple(values)


def _utf8(value: str) -> bytes:
    try:
        return value.encode()
    except UnicodeEncodeError:  # a lone surrogate
        return b""
