"""Cedar itself: the one place that knows its library.

What it says in words is for authors of policies; what is agreed on is yes or no.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Final

import cedarpy

from ledger.chain.policy.attributes import Member, Recording, Use
from ledger.chain.policy.errors import PolicyError
from ledger.chain.policy.schema import SCHEMA

_MEMBER: Final = {"type": "Member", "id": ""}
_RECORDING: Final = {"type": "Recording", "id": ""}
_REQUEST: Final = {
    "principal": _MEMBER,
    "action": {"type": "Action", "id": "use"},
    "resource": _RECORDING,
}
_SCHEMA: Final = cedarpy.Schema.from_str(SCHEMA)


@dataclass(frozen=True, slots=True)
class Parsed:
    """A text that Cedar has parsed."""

    policies: cedarpy.PolicySet = field(repr=False)
    document: Any = field(repr=False)
    """Its JSON form."""


def parse(text: str) -> Parsed:
    """Parse a policy; `text.check_text` has let it through. Raises PolicyError."""
    try:
        return Parsed(
            cedarpy.PolicySet.from_str(text), json.loads(cedarpy.policies_to_json_str(text))
        )
    except ValueError as error:
        raise PolicyError(f"Cedar cannot read the policy: {_in_one_line(error)}") from None


def validate(text: str) -> None:
    """Raise PolicyError where `SCHEMA` does not have what a policy names, or other types."""
    found = cedarpy.validate_policies(text, _SCHEMA)
    if not found.validation_passed:
        words = "; ".join(error.error for error in found.errors[:3])
        raise PolicyError(f"the policy does not fit the schema: {_in_one_line(words)}")


def decide(parsed: Parsed, member: Member, recording: Recording, use: Use) -> bool:
    """Whether a policy allows a use.

    An error anywhere denies: Cedar itself skips a rule that fails, and a forbid that is
    skipped would let through what it is there to stop.
    """
    request = {**_REQUEST, "context": use.context(recording)}
    answer = cedarpy.is_authorized(request, parsed.policies, _entities(member, recording))
    return answer.allowed and not answer.diagnostics.errors


# One block asks about the same offers for members of the same few fleets and levels.
@lru_cache(maxsize=4_096)
def _entities(member: Member, recording: Recording) -> cedarpy.Entities:
    described = {"uid": _MEMBER, "attrs": member.attributes(), "parents": []}
    return _recordings(recording).with_added_json_str(json.dumps([described]))


@lru_cache(maxsize=1_024)
def _recordings(recording: Recording) -> cedarpy.Entities:
    described = {"uid": _RECORDING, "attrs": recording.attributes(), "parents": []}
    return cedarpy.Entities.from_json_str(json.dumps([described]))


def _in_one_line(words: object) -> str:
    return " ".join(str(words).split())[:300]
