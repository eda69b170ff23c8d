"""What anybody can see of purchases, field by field, and what tells two members apart in it.

A `Seen` purchase is every field of every message about it: transactions, results with their
events, what the state has of its grant, nullifier, channel and key, and what its seller was
asked. `tell_apart` looks for one field by which whoever knows which member made which of some
purchases could say it of all of them:

- a threshold, or a bit, of a number or a length;
- a value that comes again and again, and with one member alone;
- eight bytes of a key, id, signature or proof that occur in some purchases, and not in all.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from google.protobuf.message import Message

WINDOW = 8
"""Bytes that no two purchases have in common by chance."""
BITS = 64


@dataclass
class Seen:
    """One purchase by the member of this name."""

    member: str
    begun_height: int
    numbers: dict[str, int] = field(default_factory=dict)
    texts: dict[str, str] = field(default_factory=dict)
    octets: dict[str, bytes] = field(default_factory=dict)

    def add(self, name: str, message: Message) -> None:
        """Every field of a message, those of messages in it too."""
        for path, value in _fields(name, message):
            self.add_value(path, value)

    def add_value(self, path: str, value: object) -> None:
        """One field."""
        if isinstance(value, bool | int):
            self.numbers[path] = int(value)
            # Heights say when it was; how long after its begin, whoever made it.
            self.numbers[f"{path} since"] = int(value) - self.begun_height
        elif isinstance(value, str):
            self.texts[path] = value
        elif isinstance(value, bytes):
            self.octets[path] = value
            self.numbers[f"len {path}"] = len(value)


def tell_apart(purchases: Sequence[Seen]) -> list[str]:
    """The fields that tell which member made which purchase, and how."""
    found = list(_by_presence(purchases))
    for path in sorted({path for each in purchases for path in each.numbers}):
        found += _by_number(path, _of(purchases, "numbers", path))
    for path in sorted({path for each in purchases for path in each.texts}):
        found += _by_value(path, _of(purchases, "texts", path))
    for path in sorted({path for each in purchases for path in each.octets}):
        found += _by_value(path, _of(purchases, "octets", path))
    return found + _by_windows(purchases)


def _fields(name: str, message: Message) -> Iterator[tuple[str, object]]:
    for descriptor in message.DESCRIPTOR.fields:
        path, value = f"{name}.{descriptor.name}", getattr(message, descriptor.name)
        if descriptor.message_type is None and not descriptor.is_repeated:
            yield path, value
        elif not descriptor.is_repeated:
            if message.HasField(descriptor.name):
                yield from _fields(path, value)
        else:
            yield f"{path} count", len(value)
            for place, each in enumerate(value):
                if descriptor.message_type is None:
                    yield f"{path}[{place}]", each
                else:
                    yield from _fields(f"{path}[{place}]", each)


def _of(purchases: Sequence[Seen], kind: str, path: str) -> list[tuple[str, object]]:
    """(member, value) of each purchase that has the field."""
    found = []
    for each in purchases:
        values: Mapping[str, object] = getattr(each, kind)
        if path in values:
            found.append((each.member, values[path]))
    return found


def _separates(members: Sequence[str], signs: Sequence[bool]) -> bool:
    """Whether a yes or no says which of two members it was, every time."""
    pairs = set(zip(members, signs, strict=True))
    return len(set(members)) == 2 and len(set(signs)) == 2 and len(pairs) == 2


def _by_presence(purchases: Sequence[Seen]) -> Iterator[str]:
    members = [each.member for each in purchases]
    for kind in ("numbers", "texts", "octets"):
        for path in sorted({path for each in purchases for path in getattr(each, kind)}):
            if _separates(members, [path in getattr(each, kind) for each in purchases]):
                yield f"{path}: is there or not"


def _by_number(path: str, values: Sequence[tuple[str, object]]) -> list[str]:
    members = [member for member, _ in values]
    numbers = [int(str(value)) for _, value in values]
    found = [
        f"{path}: below {threshold}"
        for threshold in sorted(set(numbers))
        if _separates(members, [number < threshold for number in numbers])
    ]
    found += [
        f"{path}: bit {bit}"
        for bit in range(BITS)
        if _separates(members, [bool(number >> bit & 1) for number in numbers])
    ]
    return found + _by_value(path, values)


def _by_value(path: str, values: Sequence[tuple[str, object]]) -> list[str]:
    """Values that come three times each at least, and tell."""
    whose = defaultdict(set)
    for member, value in values:
        whose[value].add(member)
    often = len(whose) * 3 <= len(values)
    tells = len({member for member, _ in values}) == 2 and all(
        len(each) == 1 for each in whose.values()
    )
    return [f"{path}: its value"] if often and tells else []


def _by_windows(purchases: Sequence[Seen]) -> list[str]:
    where: dict[bytes, set[int]] = defaultdict(set)
    path_of: dict[bytes, str] = {}
    for place, each in enumerate(purchases):
        for path, value in each.octets.items():
            for at in range(len(value) - WINDOW + 1):
                window = value[at : at + WINDOW]
                where[window].add(place)
                path_of[window] = path
    return sorted(
        {
            f"{path_of[window]}: bytes of another purchase"
            for window, places in where.items()
            if 1 < len(places) < len(purchases)
        }
    )
