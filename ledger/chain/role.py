"""A role, and the certifications that are shown with it.

What a fleet's issuer signs as a member's role, and a request for a grant shows, is one text::

    role [ "+" certification ]*         certifications ascending, each once

as in ``courier+iso-13482+rescue-2``. All of it is shown or nothing: each part more narrows down
who the member may be, and parts that could be left out would have to be hidden one by one. Like
a level, a certification is the word of the fleet that issued the credential.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from ledger.errors import MalformedError

BETWEEN: Final = "+"


@dataclass(frozen=True, slots=True)
class Role:
    """A role's name and certifications, ascending. Raises MalformedError for what is none."""

    name: str
    certifications: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        parts = (self.name, *self.certifications)
        if not all(parts) or any(BETWEEN in part for part in parts):
            raise MalformedError(
                f"a role and its certifications are texts without {BETWEEN!r}, and not empty",
                hint="name each certification by itself",
            )
        # Of UTF-8 bytes and of code points it is the same order.
        if any(before >= after for before, after in pairwise(self.certifications)):
            raise MalformedError("certifications ascend, and each is there once")

    @classmethod
    def parse(cls, text: str) -> Role:
        """Read the one text of a role. Raises MalformedError."""
        name, *certifications = text.split(BETWEEN)
        return cls(name, tuple(certifications))

    @property
    def text(self) -> str:
        """What is signed, and shown."""
        return BETWEEN.join((self.name, *self.certifications))
