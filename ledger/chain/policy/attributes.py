"""What a policy is asked about: who wants to use what, and what for.

Frozen values, so that Cedar's form of them is kept between decisions. Times are whole
seconds since 1970.
"""

from __future__ import annotations

from dataclasses import dataclass
from json.encoder import encode_basestring_ascii
from typing import Any, Final

from ledger.chain.policy.errors import PolicyError
from ledger.chain.policy.schema import QUALITIES

MAX_LONG: Final = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Member:
    """Whoever asks, as far as it shows itself."""

    fleet: str
    """The fleet's name on the chain."""
    proven_min_level: int = 0
    """N of the proof that the level is N or more; 0: nothing is proven."""
    role: str | None = None
    certifications: tuple[str, ...] = ()

    def attributes(self) -> dict[str, Any]:
        """The attributes of Cedar's ``Member``."""
        found: dict[str, Any] = {
            "fleet": self.fleet,
            "proven_min_level": self.proven_min_level,
            "certifications": self.certifications,
        }
        if self.role is not None:
            found["role"] = self.role
        return found


@dataclass(frozen=True, slots=True)
class Quality:
    """Proven bounds of a hidden value, in thousandths; None where a Long cannot hold one."""

    name: str
    """One of `schema.QUALITIES`."""
    low: int | None
    high: int | None

    def __post_init__(self) -> None:
        if self.name not in QUALITIES:
            raise PolicyError(f"no quality is called {self.name[:40]!r}")


@dataclass(frozen=True, slots=True)
class Recording:
    """What is offered."""

    kind: str
    fleet: str
    origin: str
    media_type: str
    tags: tuple[str, ...]
    """``key=value`` each."""
    topics: tuple[str, ...]
    start_s: int
    end_s: int
    size: int
    """bytes"""
    qualities: tuple[Quality, ...] = ()

    def attributes(self) -> dict[str, Any]:
        """The attributes of Cedar's ``Recording``."""
        found: dict[str, Any] = {
            "kind": self.kind,
            "fleet": self.fleet,
            "origin": self.origin,
            "media_type": self.media_type,
            "tags": self.tags,
            "topics": self.topics,
            "start_s": self.start_s,
            "end_s": self.end_s,
            "size": self.size,
        }
        for quality in self.qualities:
            for bound, value in (("min", quality.low), ("max", quality.high)):
                if value is not None:
                    found[f"{quality.name}_{bound}"] = value
        return found


@dataclass(frozen=True, slots=True)
class Use:
    """What the recording is wanted for, when, and what it would cost."""

    purpose: str
    time_s: int
    price: int
    """Of the whole recording, in units of the contract's asset; at most `MAX_LONG` is said."""

    def context(self, recording: Recording) -> str:
        """Cedar's context of a use of ``recording``, as JSON."""
        age_s = min(max(0, self.time_s - recording.end_s), MAX_LONG)
        price = min(self.price, MAX_LONG)
        return (
            f'{{"purpose":{encode_basestring_ascii(self.purpose)},'
            f'"time_s":{self.time_s},"age_s":{age_s},"price":{price}}}'
        )
