"""Quality of service: what the nodes offer and ask for, and a clear line where two ends do not fit."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any, Final

from rclpy.lifecycle import LifecycleNode
from rclpy.node import Node
from rclpy.publisher import Publisher
from rclpy.qos import HistoryPolicy, QoSProfile, ReliabilityPolicy, qos_policy_name_from_kind
from rclpy.qos_overriding_options import QoSOverridingOptions
from rclpy.subscription import Subscription

try:
    from rclpy.event_handler import PublisherEventCallbacks, SubscriptionEventCallbacks
except ImportError:  # Humble
    from rclpy.qos_event import PublisherEventCallbacks, SubscriptionEventCallbacks

_KEEP_LAST = HistoryPolicy.KEEP_LAST
# What a perceiver asks for. A frame waits for its callback, which takes no longer than a copy; newest wins behind it.
IMAGE: Final = QoSProfile(reliability=ReliabilityPolicy.BEST_EFFORT, history=_KEEP_LAST, depth=5)
RELIABLE_IMAGE: Final = QoSProfile(reliability=ReliabilityPolicy.RELIABLE, history=_KEEP_LAST, depth=5)
# What a camera offers: reliable, as REP-2003 wants it of drivers, so that every subscriber gets along with it.
CAMERA: Final = QoSProfile(reliability=ReliabilityPolicy.RELIABLE, history=_KEEP_LAST, depth=5)
DEBUG_IMAGE: Final = QoSProfile(reliability=ReliabilityPolicy.RELIABLE, history=_KEEP_LAST, depth=1)
# Never lose sound: 10 s of chunks of 20 ms wait for a subscriber that is busy, loading a bundle say.
AUDIO: Final = QoSProfile(reliability=ReliabilityPolicy.RELIABLE, history=_KEEP_LAST, depth=500)
# What audio_capturer_node of mgonzs13/audio_common offers.
DRIVER_AUDIO: Final = QoSProfile(reliability=ReliabilityPolicy.BEST_EFFORT, history=_KEEP_LAST, depth=500)
# Said again every 5 s by audio_capture of ros-drivers, to whoever is there.
AUDIO_INFO: Final = QoSProfile(reliability=ReliabilityPolicy.RELIABLE, history=_KEEP_LAST, depth=1)
TEXT: Final = QoSProfile(reliability=ReliabilityPolicy.RELIABLE, history=_KEEP_LAST, depth=10)
# Best effort gets along with whatever a driver offers.
SIGNAL: Final = QoSProfile(reliability=ReliabilityPolicy.BEST_EFFORT, history=_KEEP_LAST, depth=100)
PERCEPT: Final = QoSProfile(reliability=ReliabilityPolicy.RELIABLE, history=_KEEP_LAST, depth=10)


def subscribe(
    node: Node,
    kind: type[Any],
    topic: str,
    take: Callable[[Any], None],
    qos: QoSProfile,
    lose: Callable[[int], None],
) -> Subscription[Any]:
    """A subscription whose reliability, history and depth are parameters (qos_overrides.TOPIC.subscription.*).

    `lose` is told how many more messages were sent and never came.
    """
    own = copy.copy(qos)  # the overrides are written into it
    events = SubscriptionEventCallbacks(
        incompatible_qos=lambda event: _warn(
            node, topic, own, node.get_publishers_info_by_topic(topic), event.last_policy_kind
        ),
        message_lost=lambda event: lose(event.total_count_change),
    )
    options = QoSOverridingOptions.with_default_policies()
    return node.create_subscription(kind, topic, take, own, event_callbacks=events, qos_overriding_options=options)


def publisher(node: Node, kind: type[Any], topic: str, qos: QoSProfile) -> Publisher[Any]:
    """A publisher whose reliability, history and depth are parameters (qos_overrides.TOPIC.publisher.*).

    That of a lifecycle node publishes only while the node is active.
    """
    own = copy.copy(qos)
    events = PublisherEventCallbacks(
        incompatible_qos=lambda event: _warn(
            node, topic, own, node.get_subscriptions_info_by_topic(topic), event.last_policy_kind
        )
    )
    create = node.create_lifecycle_publisher if isinstance(node, LifecycleNode) else node.create_publisher
    return create(
        kind, topic, own, event_callbacks=events, qos_overriding_options=QoSOverridingOptions.with_default_policies()
    )


def in_words(qos: QoSProfile) -> str:
    """What two ends must agree on."""
    return f"{qos.reliability.name}, {qos.durability.name}, liveliness {qos.liveliness.name}".lower()


def _warn(node: Node, topic: str, own: QoSProfile, others: list[Any], policy_kind: int) -> None:
    theirs = "; ".join(f"{_name(other)}: {in_words(other.qos_profile)}" for other in others) or "unknown so far"
    name = qos_policy_name_from_kind(policy_kind).lower()
    node.get_logger().warning(
        f"{node.resolve_topic_name(topic)}: no data, since the {name} of two ends does not fit. Here: {in_words(own)}. "
        f"There: {theirs}. Change either, here with the parameter qos_overrides.{node.resolve_topic_name(topic)}.*"
    )


def _name(end: Any) -> str:
    """Of a node that was discovered a moment ago only its profile is known."""
    return "a node" if end.node_name.startswith("_") else str(end.node_name)
