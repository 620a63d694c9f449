"""What the viewer logs to Rerun: pictures, sounds, percepts and their curves.

Needs rerun-sdk (extra `viz`); importing this module without it raises ModuleNotFoundError.
"""

from __future__ import annotations

from collections import defaultdict
from itertools import cycle
from pathlib import Path

import cv2
import numpy as np
import rerun as rr

from edgefuse.runtime.bundle.manifest import Manifest
from edgefuse.runtime.percept import Percept
from edgefuse.runtime.samples import AudioChunk, Frame, Sample, Text
from edgefuse.runtime.sinks.sound_picture import SoundPainter
from edgefuse.runtime.sinks.viewer_layout import (
    FUSED_COLOR,
    SENSE_COLORS,
    STAGE_COLORS,
    TIMELINE,
    blueprint,
    line,
    rgb,
)
from edgefuse.runtime.sinks.viewer_window import has_display, show_in

DEFAULT_FILE = Path("edgefuse.rrd")
_LARGEST_WIDTH = 960
_JPEG_QUALITY = 80
_SCORE_SHOWN = 0.2  # a label is plotted from the first time it scores this much
_BARS = 5
_PLOT_EVERY_NS = 250_000_000


class RerunLog:
    """A run as Rerun shows it: in its window, or where there is no display in an .rrd file. For one thread at a time.

    Points of a curve are sent four times a second, many at once.
    """

    def __init__(self, path: Path | None, manifest: Manifest) -> None:
        """See Viewer."""
        live = path is None and has_display()
        self.path = None if live else path or DEFAULT_FILE
        self._stream = rr.RecordingStream("edgefuse")
        show_in(self._stream, blueprint(manifest, live), self.path)
        self._zero_ns: int | None = None
        self._now_ns = self._sent_ns = 0
        self._plotted: defaultdict[str, list[tuple[int, float]]] = defaultdict(list)
        self._painters: dict[str, SoundPainter] = {}
        self._styled: set[str] = set()
        self._scored: set[str] = set()
        self._states: dict[str, str] = {}

    def show(self, item: Sample | Percept) -> None:
        """At its time, counted from the first item's."""
        if self._zero_ns is None:
            self._zero_ns = item.stamp_ns
        self._now_ns = item.stamp_ns - self._zero_ns
        self._stream.set_time(TIMELINE, duration=np.timedelta64(self._now_ns, "ns"))
        if isinstance(item, Percept):
            self._show_percept(item)
        elif isinstance(item, Frame):
            self._show_frame(item)
        elif isinstance(item, AudioChunk):
            self._show_sound(item)
        elif isinstance(item, Text):
            self._stream.log(f"{item.modality}/said", rr.TextLog(item.text))

    def close(self) -> None:
        """A window stays open, a file is complete; one of nothing at all is removed."""
        self._send_plots()
        self._stream.flush()
        self._stream.disconnect()
        if self.path is not None and self._zero_ns is None:
            self.path.unlink(missing_ok=True)

    def _show_frame(self, frame: Frame) -> None:
        bgr = frame.image if frame.encoding == "bgr8" else cv2.cvtColor(frame.image, cv2.COLOR_RGB2BGR)
        if bgr.shape[1] > _LARGEST_WIDTH:
            height = round(bgr.shape[0] * _LARGEST_WIDTH / bgr.shape[1])
            bgr = cv2.resize(bgr, (_LARGEST_WIDTH, height), interpolation=cv2.INTER_AREA)
        self._stream.log(frame.modality, _jpeg(bgr))

    def _show_sound(self, chunk: AudioChunk) -> None:
        name = chunk.modality
        painter = self._painters.setdefault(name, SoundPainter(chunk.rate_hz))
        picture = painter.paint(chunk)
        if picture is None:
            return
        self._stream.log(f"{name}/spectrogram", _jpeg(picture.spectrogram))
        times = rr.TimeColumn(TIMELINE, duration=(picture.stamps_ns - self._zero_ns).astype("timedelta64[ns]"))
        for side, values in (("low", picture.low), ("high", picture.high)):
            self._style(f"{name}/waveform/{side}", line(side, SENSE_COLORS[1], 1.0))
            self._stream.send_columns(f"{name}/waveform/{side}", [times], rr.Scalars.columns(scalars=values))

    def _show_percept(self, percept: Percept) -> None:
        self._stream.log("percept", rr.TextDocument(_markdown(percept), media_type=rr.MediaType.MARKDOWN))
        self._show_state("all", percept.label, percept)  # lanes are sorted by name: the first
        self._plot("sureness", "confidence", percept.confidence, FUSED_COLOR)
        if percept.agreement is not None:
            self._plot("sureness", "agreement", percept.agreement, (214, 39, 40))
        for (name, sense), color in zip(percept.senses.items(), cycle(SENSE_COLORS), strict=False):
            self._show_state(name, sense.label or "", percept)
            if sense.weight is not None:
                self._plot("weights", name, sense.weight, color)
            if sense.age_ms is not None:
                self._plot("ages", name, sense.age_ms, color)
        for label, score in percept.scores.items():
            if score >= _SCORE_SHOWN or label in self._scored:
                self._scored.add(label)
                self._plot("scores", label, score, rgb(label))
        for (stage, milliseconds), color in zip(percept.trace.stages_ms.items(), STAGE_COLORS, strict=False):
            self._plot("latency", stage, milliseconds, color)
        self._plot("latency", "latency", percept.trace.latency_ms, FUSED_COLOR)
        if self._now_ns - self._sent_ns >= _PLOT_EVERY_NS:
            self._send_plots()

    def _plot(self, plot: str, name: str, value: float, color: tuple[int, ...] | list[int]) -> None:
        path = rr.new_entity_path([plot, name])
        self._style(path, line(name, color))
        self._plotted[path].append((self._now_ns, value))

    def _send_plots(self) -> None:
        """Many points of a line at once cost a tenth of as many single ones."""
        for path, points in self._plotted.items():
            stamps_ns, values = zip(*points, strict=True)
            times = rr.TimeColumn(TIMELINE, duration=np.array(stamps_ns).astype("timedelta64[ns]"))
            self._stream.send_columns(path, [times], rr.Scalars.columns(scalars=values))
        self._plotted.clear()
        self._sent_ns = self._now_ns

    def _show_state(self, lane: str, label: str, percept: Percept) -> None:
        """The state timeline wants changes only; an empty label is a gap."""
        labels = list(percept.scores)
        path = rr.new_entity_path(["labels", lane])
        self._style(path, rr.StateConfiguration(values=labels, colors=[rgb(label) for label in labels]))
        if self._states.get(lane, "") != label:
            self._states[lane] = label
            self._stream.log(path, rr.StateChange(state=label))

    def _style(self, path: str, style: rr.SeriesLines | rr.StateConfiguration) -> None:
        if path not in self._styled:
            self._styled.add(path)
            self._stream.log(path, style, static=True)


def _markdown(percept: Percept) -> str:
    """One percept to be read: what it says, each sense's part, and the best scores as bars."""
    warning = " - the senses disagree" if percept.contradiction else ""
    warning += " - prompt far from training" if percept.far_prompt else ""
    lines = [f"# {percept.label} {percept.confidence:.0%}{warning}", "", "| sense | says | weight | age |"]
    lines += ["|---|---|---|---|"]
    for name, sense in percept.senses.items():
        says = f"{sense.label} {sense.confidence:.0%}" if sense.valid and sense.confidence is not None else "-"
        age = "never" if sense.age_ms is None else f"{sense.age_ms:.0f} ms"
        weight = "-" if sense.weight is None else f"{sense.weight:.2f}"
        lines.append(f"| {name} | {says} | {weight} | {age} |")
    lines += ["", "| score | | |", "|---|---|---|"]
    best = sorted(percept.scores.items(), key=lambda item: -item[1])[:_BARS]
    lines += [f"| {label} | {score:.0%} | {'█' * round(16 * score)} |" for label, score in best]
    return "\n".join(lines)


def _jpeg(bgr: np.ndarray) -> rr.EncodedImage:
    _, encoded = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])
    return rr.EncodedImage(contents=encoded.tobytes(), media_type="image/jpeg")
