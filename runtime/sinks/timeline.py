"""A run as one picture: what was seen and heard, what the percepts said of it, how sure, how old, how late."""

from __future__ import annotations

import colorsys
import zlib
from collections.abc import Sequence
from itertools import cycle, groupby
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np

from edgefuse.runtime.arguments import path_of
from edgefuse.runtime.errors import EdgefuseError
from edgefuse.runtime.files.whole_file import write_beside
from edgefuse.runtime.percept import Percept
from edgefuse.runtime.samples import AudioChunk, Frame, Sample
from edgefuse.runtime.streams import Stream
from edgefuse.runtime.streams.tap import Tap

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_SUFFIXES = (".png", ".svg", ".pdf")
_THUMBNAILS = 10
_SIDE = 160
_PICTURE_EVERY_NS = 250_000_000
_NAMED_COLORS = {
    "red": "#d62728", "orange": "#ff8c1a", "yellow": "#e8c91c", "green": "#2ca02c", "blue": "#1f77b4",
    "purple": "#8e55c4", "nothing": "#dddddd",
}  # fmt: skip
_SENSE_COLORS = ("#1f77b4", "#ff7f0e", "#2ca02c", "#9467bd")


class Timeline:
    """Draws the run into `path` (PNG, SVG or PDF) when it is closed; needs matplotlib.

    What passes through `tap` is shown above the percepts, of several cameras or microphones the one that came first.
    Keeps all percepts: for runs of minutes, not of days.
    """

    def __init__(self, path: str | Path) -> None:
        import matplotlib.pyplot  # noqa: F401  # missing, it is missed now rather than after the run

        path = path_of("path", path)
        if path.suffix.lower() not in _SUFFIXES:
            raise EdgefuseError(f"{path} cannot be drawn: expected a name that ends in {', '.join(_SUFFIXES)}")
        if not path.absolute().parent.is_dir():
            raise EdgefuseError(f"{path} cannot be written: there is no directory {path.parent}")
        self._path = path
        self._percepts: list[Percept] = []
        self._pictures: list[tuple[int, np.ndarray]] = []
        self._peaks: list[tuple[int, float]] = []
        self._seen: str | None = None
        self._heard: str | None = None

    def tap(self, stream: Stream) -> Stream:
        """The same stream, whose frames and sound are drawn as well."""
        return Tap(stream, self._take)

    def write(self, percept: Percept) -> None:
        """See Sink."""
        self._percepts.append(percept)

    def close(self) -> None:
        """See Sink; draws nothing if there was no percept."""
        if self._percepts:
            draw_timeline(self._path, self._percepts, self._pictures, self._peaks)

    def _take(self, sample: Sample) -> None:
        if isinstance(sample, Frame):
            self._see(sample)
        elif isinstance(sample, AudioChunk):
            self._hear(sample)

    def _see(self, frame: Frame) -> None:
        self._seen = self._seen or frame.modality
        due = not self._pictures or frame.stamp_ns - self._pictures[-1][0] >= _PICTURE_EVERY_NS
        if frame.modality == self._seen and due:
            self._pictures.append((frame.stamp_ns, _thumbnail(frame)))

    def _hear(self, chunk: AudioChunk) -> None:
        self._heard = self._heard or chunk.modality
        if chunk.modality == self._heard:
            self._peaks.append((chunk.stamp_ns, float(np.abs(chunk.pcm).max(initial=0.0))))


def draw_timeline(
    path: Path,
    percepts: Sequence[Percept],
    pictures: Sequence[tuple[int, np.ndarray]] = (),
    peaks: Sequence[tuple[int, float]] = (),
) -> None:
    """Draw percepts over time into `path`; above them pictures (stamp, RGB) and peaks of the sound (stamp, 0..1)."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    start_ns = percepts[0].stamp_ns
    seconds = np.array([(percept.stamp_ns - start_ns) / 1e9 for percept in percepts])
    senses = [name for name in percepts[0].senses if any(percept.senses[name].valid for percept in percepts)]
    figure, axes = pyplot.subplots(
        7, 1, figsize=(16, 12), sharex=True, height_ratios=(1.1, 0.8, 0.35 * (len(senses) + 1), 1.2, 0.8, 1, 1)
    )
    figure.subplots_adjust(left=0.07, right=0.89, top=0.94, bottom=0.05, hspace=0.22)
    figure.align_ylabels(axes)
    axes[0].set_xlim(0, max(seconds[-1], 1e-3))
    _draw_pictures(axes[0], [((stamp - start_ns) / 1e9, picture) for stamp, picture in pictures], float(seconds[-1]))
    _draw_waveform(axes[1], [((stamp - start_ns) / 1e9, peak) for stamp, peak in peaks])
    _draw_labels(axes[2], seconds, percepts, senses)
    _draw_confidence(axes[3], seconds, percepts)
    _draw_weights(axes[4], seconds, percepts, senses)
    _draw_ages(axes[5], seconds, percepts, senses)
    _draw_latency(axes[6], seconds, percepts)
    for panel in axes[3:]:
        panel.legend(loc="upper left", bbox_to_anchor=(1.0, 1.05), fontsize=9, frameon=False, reverse=True)
    figure.suptitle("edgefuse: what was seen and said, and what the percepts made of it", x=0.01, ha="left")
    with write_beside(path) as beside:
        figure.savefig(beside, dpi=90)
    pyplot.close(figure)


def _thumbnail(frame: Frame) -> np.ndarray:
    """The middle square in RGB, small."""
    height, width, _ = frame.image.shape
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    square = cv2.resize(frame.image[top : top + side, left : left + side], (_SIDE, _SIDE), interpolation=cv2.INTER_AREA)
    return cv2.cvtColor(square, cv2.COLOR_BGR2RGB) if frame.encoding == "bgr8" else square


def _draw_pictures(axes: Axes, pictures: Sequence[tuple[float, np.ndarray]], end_s: float) -> None:
    axes.set_ylabel("seen")
    axes.set_yticks([])
    width = end_s / _THUMBNAILS
    for index in range(_THUMBNAILS if pictures else 0):
        middle = (index + 0.5) * width
        _, picture = min(pictures, key=lambda one: abs(one[0] - middle))
        axes.imshow(picture, extent=(index * width, (index + 0.97) * width, 0, 1), aspect="auto")
    axes.set_ylim(0, 1)
    axes.set_xlim(0, end_s)


def _draw_waveform(axes: Axes, peaks: Sequence[tuple[float, float]]) -> None:
    axes.set_ylabel("heard")
    axes.set_yticks([])
    if peaks:
        seconds, heights = np.array(peaks).T
        axes.fill_between(seconds, -heights, heights, color="#555555", linewidth=0)


def _draw_labels(axes: Axes, seconds: np.ndarray, percepts: Sequence[Percept], senses: Sequence[str]) -> None:
    rows = ["fused", *senses]
    axes.set_yticks(range(len(rows)), rows)
    axes.set_ylim(-0.5, len(rows) - 0.5)
    axes.invert_yaxis()
    _draw_row(axes, 0, seconds, [percept.label for percept in percepts])
    for row, name in enumerate(senses, start=1):
        _draw_row(axes, row, seconds, [percept.senses[name].label for percept in percepts])
    apart = seconds[[percept.contradiction for percept in percepts]]
    axes.plot(apart, np.full(len(apart), -0.46), "v", color="black", markersize=4, clip_on=False)
    axes.set_title("percept (black marks: the senses disagree)", fontsize=9, loc="left")


def _draw_row(axes: Axes, row: int, seconds: np.ndarray, labels: Sequence[str | None]) -> None:
    period = float(np.median(np.diff(seconds))) if len(seconds) > 1 else 1.0
    for label, group in groupby(range(len(labels)), key=lambda index: labels[index]):
        indices = list(group)
        begin, end = seconds[indices[0]], seconds[indices[-1]] + period
        if label is None:
            continue
        axes.barh(row, end - begin, left=begin, height=0.8, color=label_color(label), linewidth=0)
        if end - begin > len(label) * seconds[-1] * 0.006:
            axes.text((begin + end) / 2, row, label, ha="center", va="center", fontsize=8, clip_on=True)


def _draw_confidence(axes: Axes, seconds: np.ndarray, percepts: Sequence[Percept]) -> None:
    axes.set_ylabel("confidence")
    axes.set_ylim(0, 1.02)
    axes.plot(seconds, [percept.confidence for percept in percepts], color="black", label="fused")
    agreement = [np.nan if percept.agreement is None else percept.agreement for percept in percepts]
    axes.plot(seconds, agreement, color="#d62728", linewidth=1, label="agreement")


def _draw_weights(axes: Axes, seconds: np.ndarray, percepts: Sequence[Percept], senses: Sequence[str]) -> None:
    weights = [[percept.senses[name].weight or 0.0 for percept in percepts] for name in senses]
    axes.stackplot(seconds, weights, labels=senses, colors=_SENSE_COLORS, step="post", linewidth=0)
    axes.set_ylabel("weight")
    axes.set_ylim(0, 1)


def _draw_ages(axes: Axes, seconds: np.ndarray, percepts: Sequence[Percept], senses: Sequence[str]) -> None:
    for name, color in zip(senses, cycle(_SENSE_COLORS), strict=False):
        ages = [percept.senses[name].age_ms for percept in percepts]
        axes.plot(seconds, [np.nan if age is None else age for age in ages], color=color, linewidth=1, label=name)
    axes.set_ylabel("age [ms]")


def _draw_latency(axes: Axes, seconds: np.ndarray, percepts: Sequence[Percept]) -> None:
    stages = list(percepts[0].trace.stages_ms)
    parts = [[percept.trace.stages_ms[stage] for percept in percepts] for stage in stages]
    axes.stackplot(seconds, parts, labels=stages, linewidth=0)
    latencies = [percept.trace.latency_ms for percept in percepts]
    axes.set_ylim(0, float(np.percentile(latencies, 99)) * 1.3)
    axes.set_ylabel("latency [ms]")
    axes.set_xlabel("time [s]")


def label_color(label: str) -> str | tuple[float, float, float]:
    """The colour that a label names, else one that is always the same for that label."""
    named = [color for word in label.split() for known, color in _NAMED_COLORS.items() if word == known]
    return named[0] if named else colorsys.hls_to_rgb(zlib.crc32(label.encode()) % 360 / 360, 0.7, 0.5)
