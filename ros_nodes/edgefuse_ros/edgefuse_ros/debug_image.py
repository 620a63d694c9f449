"""Frames with what was perceived written on them, for people who look at topics."""

from __future__ import annotations

from collections import deque

import cv2
import numpy as np
from rclpy.lifecycle import LifecycleNode
from sensor_msgs.msg import Image

from edgefuse.runtime import Frame, Percept, Sample, Sense
from edgefuse_ros import profiles
from edgefuse_ros.conversions import image_from_frame

_KEPT = 8  # frames that may come while one is perceived
_LINE_SHARE = 0.055  # of the frame's height
_FONT = cv2.FONT_HERSHEY_SIMPLEX
_FONT_HEIGHT = 30.0  # pixels that a line of this font takes at scale 1
_WHITE, _BLACK, _BAR = (255, 255, 255), (0, 0, 0), (90, 200, 90)


class DebugImage:
    """The topic `debug_image`; costs next to nothing while nobody subscribes it."""

    def __init__(self, node: LifecycleNode) -> None:
        self._publisher = profiles.publisher(node, Image, "debug_image", profiles.DEBUG_IMAGE)
        self._frames: deque[Frame] = deque(maxlen=_KEPT)

    def keep(self, sample: Sample) -> None:
        """A sample on its way to the perceiver."""
        if isinstance(sample, Frame) and self._wanted:
            self._frames.append(sample)

    def publish(self, percept: Percept, ros_ns: int) -> None:
        """The frame whose stamp is nearest to that of the percept, where somebody listens."""
        if not self._wanted:
            self._frames.clear()
            return
        frame = min(list(self._frames), key=lambda kept: abs(kept.stamp_ns - percept.stamp_ns), default=None)
        if frame is not None:
            image = drawn(frame.image, percept)
            shown = Frame(frame.stamp_ns, image, frame.encoding, frame.modality, frame_id=frame.frame_id)
            self._publisher.publish(image_from_frame(shown, ros_ns))

    @property
    def _wanted(self) -> bool:
        return bool(self._publisher.get_subscription_count())


def drawn(image: np.ndarray, percept: Percept) -> np.ndarray:
    """A copy of the frame (height, width, 3) with the percept's label, and each sense's part in it, written over it."""
    canvas = np.ascontiguousarray(image).copy()
    line_px = max(8, round(len(canvas) * _LINE_SHARE))
    for row, text in enumerate([_headline(percept), *map(_line, percept.senses, percept.senses.values())]):
        _write(canvas, text, (row + 1) * line_px, line_px)
    for row, sense in enumerate(percept.senses.values(), start=2):
        right = round((sense.weight or 0.0) * canvas.shape[1])
        cv2.line(canvas, (0, row * line_px + 3), (right, row * line_px + 3), _BAR, max(1, line_px // 8))
    return canvas


def _headline(percept: Percept) -> str:
    doubts = {
        " not certain": percept.certain is False,
        " prompt far from training": percept.far_prompt,
        " contradiction": percept.contradiction,
    }
    return f"{percept.label} {percept.confidence:.2f}{''.join(doubt for doubt, holds in doubts.items() if holds)}"


def _line(name: str, sense: Sense) -> str:
    if not sense.valid:
        return f"{name}: -"
    weight = "" if sense.weight is None else f" weight {sense.weight:.2f}"
    return f"{name}: {sense.label or ''}{weight}, {sense.age_ms:.0f} ms old"


def _write(canvas: np.ndarray, text: str, bottom: int, line_px: int) -> None:
    """White on black lines, so that it is read on any picture."""
    scale = line_px / _FONT_HEIGHT
    for colour, thickness in ((_BLACK, 3), (_WHITE, 1)):
        cv2.putText(canvas, text, (4, bottom), _FONT, scale, colour, thickness, cv2.LINE_AA)
