"""Follows the graph: subscribes to what is to be recorded as soon as somebody publishes it.

A publisher that comes later and would not be heard changes what is asked for: the
subscription is made anew, unless an override file said what to ask. Topics whose type is
not installed here are named, not forgotten.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from rclpy.event_handler import QoSSubscriptionEventType, SubscriptionEventCallbacks
from rclpy.impl.implementation_singleton import rclpy_implementation as _rclpy
from rclpy.node import Node
from rclpy.qos import QoSProfile
from rclpy.subscription import Subscription

from ledger.recording.channel import ChannelSpec, QosProfile
from quipu_nodes.message_definitions import (
    TypeNotInstalledError,
    full_definition,
    message_type,
)
from quipu_nodes.qos_adaptation import adapted, hears, offered, reasons
from quipu_nodes.raw_intake import NotExecuted, RawIntake
from quipu_nodes.topic_choice import TopicChoice

AddChannel = Callable[[ChannelSpec], int]

RCLError = _rclpy.RCLError

_NO_HASH: Final = "INVALID"


@dataclass(slots=True)
class _Topic:
    """One topic of one type that is being recorded."""

    subscription: Subscription
    losses: Any
    asked: QoSProfile
    offers: tuple[QosProfile, ...]
    channel: int


@dataclass(slots=True)
class HearingReport:
    """What is heard, and what is not and why."""

    topics: dict[str, str] = field(default_factory=dict)
    """Recorded topics with their types."""
    uncovered: dict[str, str] = field(default_factory=dict)
    """Topics that are to be recorded and whose types are not installed."""
    unheard: dict[str, list[str]] = field(default_factory=dict)
    """Why publishers of a topic are not heard."""
    lost_in_middleware: int = 0
    """Messages that the middleware said it has lost on their way here."""


class TopicSubscriptions:
    """The subscriptions of a recorder. Only on the executor's thread."""

    def __init__(
        self,
        node: Node,
        choice: TopicChoice,
        overrides: Mapping[str, QoSProfile],
        intake: RawIntake,
        add_channel: AddChannel,
    ) -> None:
        self.report: Final = HearingReport()
        self._node = node
        self._choice = choice
        self._overrides = overrides
        self._intake = intake
        self._add_channel = add_channel
        self._group = NotExecuted()
        self._topics: dict[tuple[str, str], _Topic] = {}
        self._definitions: dict[str, tuple[str, str]] = {}
        self._seen: dict[str, tuple[int, tuple[str, ...]]] = {}

    def look(self) -> None:
        """Look at the graph, and act on what has changed in it."""
        self._count_losses()
        for topic, types in self._node.get_topic_names_and_types():
            if not self._choice.takes(topic):
                continue
            now = self._node.count_publishers(topic), tuple(types)
            if self._seen.get(topic) != now and (not now[0] or self._hear(topic)):
                self._seen[topic] = now

    def close(self) -> None:
        """Take what has come in, and unsubscribe."""
        self._intake.remove([topic.subscription for topic in self._topics.values()])
        for topic in self._topics.values():
            self._destroy(topic)
        self._topics.clear()

    def _hear(self, topic: str) -> bool:
        """Subscribe as the publishers of a topic need it; False to look again soon."""
        offers: dict[str, list[QosProfile]] = {}
        hashes: dict[str, str] = {}
        complete = True
        for info in self._node.get_publishers_info_by_topic(topic):
            text = str(info.topic_type_hash)
            # Discovery tells of an endpoint before it tells of its type's hash.
            complete = complete and _NO_HASH not in text
            offers.setdefault(info.topic_type, []).append(offered(info.qos_profile))
            hashes[info.topic_type] = "" if _NO_HASH in text else text
        for name, kind in list(self._topics):
            if name == topic and kind not in offers and offers:
                # The middleware lets a participant hear one type of a topic at a time.
                self._node.get_logger().warning(f"{topic} is not {kind} any more")
                self._forget(topic, kind)
        for kind, profiles in offers.items():
            self._hear_type(topic, kind, hashes[kind], tuple(profiles))
        return complete and bool(offers)

    def _hear_type(
        self, topic: str, kind: str, type_hash: str, offers: tuple[QosProfile, ...]
    ) -> None:
        try:
            message_class = message_type(kind)
        except TypeNotInstalledError as error:
            if self.report.uncovered.get(topic) != kind:
                self.report.uncovered[topic] = kind
                self._node.get_logger().warning(
                    f"{topic} is not recorded: {error}; follow mode covers it"
                )
            return
        if kind not in self._definitions:
            self._definitions[kind] = full_definition(kind)
        encoding, text = self._definitions[kind]
        spec = ChannelSpec(topic, kind, text, encoding, type_hash, offers)
        known = self._topics.get((topic, kind))
        override = self._overrides.get(topic)
        if known is None:
            asked = override or adapted(offers)
            self._subscribe(spec, message_class, asked)
        elif known.offers != offers:
            self._add_channel(spec)
            known.offers = offers
            if override is None and not all(hears(known.asked, offer) for offer in offers):
                self._node.get_logger().warning(
                    f"{topic}: a publisher that came later offers less; subscribing anew"
                )
                self._forget(topic, kind)
                self._subscribe(spec, message_class, adapted(offers))
        self._say_unheard(topic, self._topics.get((topic, kind)), kind)

    def _subscribe(self, spec: ChannelSpec, message_class: type, asked: QoSProfile) -> None:
        channel = self._add_channel(spec)
        node, topic = self._node, spec.topic
        try:
            subscription = node.create_subscription(
                message_class,
                topic,
                _never_called,
                asked,
                callback_group=self._group,
                event_callbacks=SubscriptionEventCallbacks(use_default_callbacks=False),
                raw=True,
            )
        except RCLError as error:
            node.get_logger().debug(f"{topic}: {error}")
            return
        # Asked now and then, never waited for: to wait for an event of a subscription wakes
        # whoever waits at every message of it.
        with subscription.handle:
            losses = _rclpy.EventHandle(
                subscription.handle, QoSSubscriptionEventType.RCL_SUBSCRIPTION_MESSAGE_LOST
            )
        self._topics[topic, spec.type] = _Topic(subscription, losses, asked, spec.offers, channel)
        self._intake.add(subscription, channel)
        self.report.topics[topic] = spec.type
        node.get_logger().info(f"recording {topic} ({spec.type})")

    def _say_unheard(self, topic: str, known: _Topic | None, kind: str) -> None:
        if known is None:
            heard = self.report.topics.get(topic, "none")
            why = [f"publishes {kind}; of one topic one type can be heard at a time, now {heard}"]
        else:
            why = reasons(known.asked, known.offers)
        if why and self.report.unheard.get(topic) != why:
            self._node.get_logger().warning(f"{topic}: publishers not heard: {'; '.join(why)}")
        if why:
            self.report.unheard[topic] = why
        else:
            self.report.unheard.pop(topic, None)

    def _forget(self, topic: str, kind: str) -> None:
        """Take what has come in, and unsubscribe."""
        known = self._topics.pop((topic, kind))
        self.report.topics.pop(topic, None)
        self._intake.remove([known.subscription])
        self._destroy(known)

    def _count_losses(self) -> None:
        for known in self._topics.values():
            with known.losses:
                info = known.losses.take_event()
            if info is not None:
                self.report.lost_in_middleware += info.total_count_change

    def _destroy(self, topic: _Topic) -> None:
        topic.losses.destroy_when_not_in_use()
        self._node.destroy_subscription(topic.subscription)


def _never_called(_: object) -> None:
    """The intake takes the messages; no executor ever calls this."""
