"""What a recorder knows of a topic: its type, its definition, and what its publishers offer."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

FOR_EVER_NS: Final = 2**63 - 1
"""What ROS says for a duration that never ends."""

LATCHED: Final = "transient_local"


@dataclass(frozen=True, slots=True)
class QosProfile:
    """The quality of service a publisher offers, in rosbag2's words. Durations in ns."""

    reliability: str = "reliable"
    durability: str = "volatile"
    history: str = "unknown"
    depth: int = 0
    deadline_ns: int = FOR_EVER_NS
    lifespan_ns: int = FOR_EVER_NS
    liveliness: str = "automatic"
    lease_ns: int = FOR_EVER_NS
    avoid_ros_namespace_conventions: bool = False

    def yaml_lines(self) -> list[str]:
        """One item of ``offered_qos_profiles``, as metadata version 9 spells it."""
        return [
            f"- history: {self.history}",
            f"  depth: {self.depth}",
            f"  reliability: {self.reliability}",
            f"  durability: {self.durability}",
            *_duration("deadline", self.deadline_ns),
            *_duration("lifespan", self.lifespan_ns),
            f"  liveliness: {self.liveliness}",
            *_duration("liveliness_lease_duration", self.lease_ns),
            "  avoid_ros_namespace_conventions: "
            + ("true" if self.avoid_ros_namespace_conventions else "false"),
        ]


@dataclass(frozen=True, slots=True)
class ChannelSpec:
    """A topic of one type. ``definition`` is the full text that readers decode it by."""

    topic: str
    type: str
    definition: str = field(default="", repr=False)
    definition_encoding: str = "ros2msg"
    type_hash: str = ""
    offers: tuple[QosProfile, ...] = ()
    message_encoding: str = "cdr"

    @property
    def latched_offers(self) -> int:
        """How many publishers keep their last messages for those who come later."""
        return sum(offer.durability == LATCHED for offer in self.offers)

    def metadata(self) -> dict[str, str]:
        """The channel's metadata in the file, as rosbag2_storage_mcap writes it."""
        lines = [line for offer in self.offers for line in offer.yaml_lines()]
        return {
            "offered_qos_profiles": "\n".join(lines) if lines else "[]",
            "topic_type_hash": self.type_hash,
        }


def _duration(name: str, value_ns: int) -> list[str]:
    sec, nsec = divmod(value_ns, 10**9)
    return [f"  {name}:", f"    sec: {sec}", f"    nsec: {nsec}"]
