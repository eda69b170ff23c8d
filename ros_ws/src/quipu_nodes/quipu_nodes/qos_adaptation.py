"""Quality of service: what publishers offer, what is asked for, and what people override.

A subscription asks for what every publisher offers: reliable only when all are, transient
local only when all are (as rosbag2 does). An override file is rosbag2's: YAML, a profile
by topic.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from rclpy.duration import Duration
from rclpy.qos import (
    DurabilityPolicy,
    HistoryPolicy,
    LivelinessPolicy,
    QoSProfile,
    ReliabilityPolicy,
)

from ledger.recording.channel import FOR_EVER_NS, QosProfile

DEPTH: Final = 1000
"""Messages that the middleware keeps for us: many, for we come by every few milliseconds."""

_POLICIES: Final[Mapping[str, Any]] = {
    "history": HistoryPolicy,
    "reliability": ReliabilityPolicy,
    "durability": DurabilityPolicy,
    "liveliness": LivelinessPolicy,
}
_DURATIONS: Final = ("deadline", "lifespan", "liveliness_lease_duration")


class OverridesError(Exception):
    """A file of QoS overrides cannot be read; the message says where it is wrong."""


def offered(profile: QoSProfile) -> QosProfile:
    """What a publisher offers, in rosbag2's words."""
    return QosProfile(
        reliability=profile.reliability.name.lower(),
        durability=profile.durability.name.lower(),
        history=profile.history.name.lower(),
        depth=profile.depth,
        deadline_ns=_nanoseconds(profile.deadline),
        lifespan_ns=_nanoseconds(profile.lifespan),
        liveliness=profile.liveliness.name.lower(),
        lease_ns=_nanoseconds(profile.liveliness_lease_duration),
        avoid_ros_namespace_conventions=profile.avoid_ros_namespace_conventions,
    )


def adapted(offers: Sequence[QosProfile]) -> QoSProfile:
    """What to ask for so that every one of these publishers is heard."""
    reliable = bool(offers) and all(offer.reliability == "reliable" for offer in offers)
    latched = bool(offers) and all(offer.durability == "transient_local" for offer in offers)
    return QoSProfile(
        depth=DEPTH,
        history=HistoryPolicy.KEEP_LAST,
        reliability=ReliabilityPolicy.RELIABLE if reliable else ReliabilityPolicy.BEST_EFFORT,
        durability=DurabilityPolicy.TRANSIENT_LOCAL if latched else DurabilityPolicy.VOLATILE,
    )


def hears(asked: QoSProfile, offer: QosProfile) -> bool:
    """Whether a subscription that asks for ``asked`` gets what ``offer`` publishes."""
    if asked.reliability == ReliabilityPolicy.RELIABLE and offer.reliability != "reliable":
        return False
    return not (
        asked.durability == DurabilityPolicy.TRANSIENT_LOCAL
        and offer.durability != "transient_local"
    )


def read_overrides(path: Path) -> dict[str, QoSProfile]:
    """The profiles of an override file, by topic. Raises `OverridesError`."""
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    try:
        document = YAML(typ="safe", pure=True).load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, YAMLError) as error:
        raise OverridesError(f"{path} cannot be read: {' '.join(str(error).split())}") from error
    if document is None:
        return {}
    if not isinstance(document, dict):
        raise OverridesError(f"{path} is no map of topics to profiles")
    profiles = {}
    for topic, values in document.items():
        if not isinstance(topic, str) or not isinstance(values, dict):
            raise OverridesError(f"{path}: {topic!r} has no profile")
        profiles[topic] = _profile(path, topic, values)
    return profiles


def _profile(path: Path, topic: str, values: Mapping[str, Any]) -> QoSProfile:
    given: dict[str, Any] = {}
    for key, value in values.items():
        try:
            given[key] = _value(key, value)
        except (KeyError, TypeError, ValueError) as error:
            raise OverridesError(f"{path}: {topic}: {key} cannot be {value!r}") from error
    keeps_all = given.get("history") == HistoryPolicy.KEEP_ALL
    given.setdefault("depth", 0 if keeps_all else DEPTH)
    return QoSProfile(**given)


def _value(key: str, value: Any) -> Any:
    if key in _POLICIES:
        return _POLICIES[key][str(value).upper()]
    if key in _DURATIONS:
        if set(value) - {"sec", "nsec"}:
            raise ValueError(value)
        return Duration(seconds=int(value.get("sec", 0)), nanoseconds=int(value.get("nsec", 0)))
    if key == "depth" and isinstance(value, int) and value >= 0:
        return value
    if key == "avoid_ros_namespace_conventions" and isinstance(value, bool):
        return value
    raise ValueError(key)


def reasons(asked: QoSProfile, offers: Iterable[QosProfile]) -> list[str]:
    """Why publishers with these offers are not heard, in words."""
    return [
        f"offers {offer.reliability}, {offer.durability}; asked for "
        f"{asked.reliability.name.lower()}, {asked.durability.name.lower()}"
        for offer in offers
        if not hears(asked, offer)
    ]


def _nanoseconds(duration: Duration) -> int:
    return min(int(duration.nanoseconds), FOR_EVER_NS)
