"""Everything that a policy can name, with its type: the Cedar schema of contracts.

Long is 64 bits, signed. Bounds of quality are there where the offer proves them, in
thousandths (so `length_min` is in milliseconds); the rest of a recording is what its entry
in the robot's log says. See docs/contracts.md.
"""

from __future__ import annotations

from typing import Final

QUALITIES: Final = (
    "reward_operator",
    "reward_task",
    "reward_self",
    "success",
    "success_operator",
    "success_task",
    "success_self",
    "length",
)
"""What can be committed to and proven: its kind, and who says so."""

_BOUNDS: Final = "".join(f"  {each}_min?: Long,\n  {each}_max?: Long,\n" for each in QUALITIES)

SCHEMA: Final = (
    """\
entity Member {
  fleet: String,
  proven_min_level: Long,
  role?: String,
  certifications: Set<String>,
};
entity Recording {
  kind: String,
  fleet: String,
  origin: String,
  media_type: String,
  tags: Set<String>,
  topics: Set<String>,
  start_s: Long,
  end_s: Long,
  size: Long,
"""
    + _BOUNDS
    + """\
};
action use appliesTo {
  principal: Member,
  resource: Recording,
  context: {
    purpose: String,
    time_s: Long,
    age_s: Long,
    price: Long,
  },
};
"""
)
