"""Which topic of a bag each sense is replayed from: by type and by name, never by a type that may mean anything."""

from __future__ import annotations

import logging
import re
from collections import Counter
from collections.abc import Collection, Mapping
from typing import Final

from edgefuse.runtime.errors import StreamError
from edgefuse.runtime.messages.ros_messages import MODALITY_KEY
from edgefuse.runtime.messages.ros_sounds import UINT8_ARRAY
from edgefuse.runtime.streams.bags import Topic
from edgefuse.runtime.streams.bags.bag import Bag
from edgefuse.runtime.streams.track import KINDS

SPOKEN: Final = frozenset({
    "text", "speech", "transcript", "transcription", "utterance", "asr", "stt", "speech_to_text", "recognized_speech",
    "recognized_text",
})  # fmt: skip
"""How a topic is called, in its last part, whose strings are what somebody says or writes."""

OTHERS: Final[Mapping[str, frozenset[str]]] = {
    "image": frozenset({
        "depth", "disparity", "ir", "infra", "infra1", "infra2", "infrared", "thermal", "mask", "masks", "label",
        "labels", "segmentation", "segmented", "semantic", "instance", "costmap", "map", "heatmap", "confidence",
        "normals", "flow", "debug", "annotated", "overlay",
    }),
    "audio": frozenset({"tts", "speaker", "speakers", "playback", "output"}),
}  # fmt: skip
"""Words in the name of a topic that is of the type of a sense, and no camera's picture, or not what a robot hears."""

_PICTURES: Final = frozenset(("rgb", "color", "colour"))  # such as of a camera that is called depth_camera
_MOST_LISTED: Final = 8

log = logging.getLogger(__name__)


def choose_topics(bag: Bag, named: Mapping[str, str], kinds: Mapping[str, str]) -> dict[str, Topic]:
    """The topic of each sense: `named` by the user, else the one that fits by type and name.

    `kinds` by the senses wanted, in their order; none: one of each kind. What might be meant and is not taken is
    logged. Raises StreamError for a name that is not there or of another type, and for several topics that fit.
    """
    chosen = {sense: _named(bag, sense, topic, kinds.get(sense)) for sense, topic in named.items()}
    fitting: dict[str, list[Topic]] = {}
    doubtful: dict[str, list[Topic]] = {}
    for topic in bag.topics.values():
        sense = _sense(topic, kinds)
        if sense is not None and sense not in chosen and topic not in chosen.values():
            (fitting if _says_so(topic, sense) else doubtful).setdefault(sense, []).append(topic)
    for sense, topics in fitting.items():
        if len(topics) > 1:
            raise StreamError(
                f"{bag.path} has {len(topics)} topics for {sense}: {listed(topics)}; "
                f"choose one with --topic {sense}={topics[0].name}"
            )
        chosen[sense] = topics[0]
    if chosen:  # otherwise an error says it
        _say_what_is_left_out(bag, {sense: topics for sense, topics in doubtful.items() if sense not in chosen})
    return chosen


def how_to_choose(topics: Collection[Topic]) -> str:
    """What to do where nothing was found to replay."""
    fitting = [topic for topic in topics if _kind(topic) is not None]
    if not fitting:
        return f"expected one of the types {', '.join(KINDS)}"
    topic = fitting[0]
    return f"--topic chooses others, such as --topic {KINDS[topic.type]}={topic.name}"


def listed(topics: Collection[Topic]) -> str:
    """Their names and types, of many the first."""
    shown = [f"{topic.name} ({_type(topic)})" for topic in list(topics)[:_MOST_LISTED]]
    more = [f"{len(topics) - len(shown)} more"] if len(topics) > len(shown) else []
    return ", ".join([*shown, *more]) or "none"


def _type(topic: Topic) -> str:
    return topic.type if topic.of_ros2 else ", ".join(filter(None, (topic.type, topic.encoding or "no encoding")))


def _kind(topic: Topic) -> str | None:
    """The kind of sense that a topic's type is of."""
    return KINDS.get(topic.type) if topic.of_ros2 else None


def _sense(topic: Topic, kinds: Mapping[str, str]) -> str | None:
    """The sense that a topic would be of; None if it is of none that is wanted."""
    kind = _kind(topic)
    if kind is None or topic.type == UINT8_ARRAY:  # which may hold anything
        return None
    recorded = topic.metadata.get(MODALITY_KEY)
    if not kinds:
        return recorded or kind
    if recorded is not None:
        return recorded if kinds.get(recorded) == kind else None
    senses = [sense for sense in kinds if kinds[sense] == kind]
    called = [sense for sense in senses if sense in topic.name.split("/")]
    return next(iter(called or senses), None)


def _says_so(topic: Topic, sense: str) -> bool:
    """Whether its name fits what its type may be."""
    *_, last = parts = topic.name.strip("/").split("/")
    kind = KINDS[topic.type]
    if MODALITY_KEY in topic.metadata:
        return True
    if kind == "text":
        return last in SPOKEN or last == sense
    others = OTHERS.get(kind, frozenset())
    words = [frozenset(re.split(r"[_\-.]", part.lower())) for part in parts if part != sense]
    of_others = [part for part in words if part & others]
    return not of_others or any(part & _PICTURES for part in words if part not in of_others)


def _say_what_is_left_out(bag: Bag, doubtful: Mapping[str, list[Topic]]) -> None:
    for sense, topics in doubtful.items():
        log.warning(
            "%s: nothing is replayed as %s, since no name says which it is: choose with --topic %s=%s, of %s",
            *(bag.path, sense, sense, topics[0].name, listed(topics)),
        )
    foreign = Counter(topic.encoding or "no encoding" for topic in bag.topics.values() if not topic.of_ros2)
    if foreign:
        encodings = ", ".join(f"{number} of {encoding}" for encoding, number in foreign.items())
        log.warning("%s: topics whose messages are not of ROS 2 are left out: %s", bag.path, encodings)


def _named(bag: Bag, sense: str, name: str, kind: str | None) -> Topic:
    topic = bag.topics.get(name)
    if topic is None:
        raise StreamError(f"{bag.path} has no topic {name}; it has {listed(bag.topics.values())}")
    of_kind = [type_ for type_ in KINDS if kind in (None, KINDS[type_])]
    if topic.type not in of_kind or not topic.of_ros2:
        raise StreamError(
            f"{name} of {bag.path} is {_type(topic)}, which cannot be replayed as {sense}; "
            f"expected {', '.join(of_kind)}"
        )
    return topic
