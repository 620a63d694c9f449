"""What the senses are given while bench measures: real samples over and over, each when it is due."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np

from edgefuse.bench.errors import BenchError
from edgefuse.bench.load.sensors import Content, Pace, PacedStream, period_ns, samples_per_piece
from edgefuse.runtime.bundle.manifest import AudioModality, ImageModality, Manifest, Modality, SignalModality
from edgefuse.runtime.samples import AudioChunk, Frame, Sample, Text
from edgefuse.runtime.streams.bags.bag import is_bag
from edgefuse.runtime.streams.clip import Clip, sound_beside
from edgefuse.runtime.streams.recording import Recording
from edgefuse.runtime.streams.video_file import check_readable

_SECONDS = 10.0
_MOST_FRAME_BYTES = 64_000_000
_FRAME_SIZE = (480, 640)
_LEAD_NS = 50_000_000
"""How long after it was made a stream begins: threads have started by then."""


@dataclass(frozen=True, slots=True)
class Workload:
    """What each sense is given, in a circle; `generated` are the senses that the source has nothing of."""

    source: str
    senses: tuple[Modality, ...]
    contents: Mapping[str, Content]
    generated: tuple[str, ...]

    def streams(self, rate_hz: float, seconds: float, counted_after_s: float) -> list[PacedStream]:
        """One live stream per sense, all beginning soon and for so long: frames at `rate_hz`, series at their own."""
        start_ns = time.monotonic_ns() + _LEAD_NS
        end_ns, counted_ns = (start_ns + round(s * 1e9) for s in (seconds, counted_after_s))
        return [
            PacedStream(m, self.contents[m.name], Pace(start_ns, counted_ns, end_ns, period_ns(m, rate_hz)))
            for m in self.senses
        ]


def workload_from(manifest: Manifest, file: Path) -> Workload:
    """Of a video with its sound beside it, or an MCAP recording; a sense that it has nothing of gets made-up samples.

    Raises StreamError for a file that cannot be read.
    """
    senses = manifest.modalities
    found: dict[str, list[Sample]] = {sense.name: [] for sense in senses}
    for sample in _take_first(_open_source(file, senses), _SECONDS):
        if sample.modality in found:
            found[sample.modality].append(sample)
    contents = {
        m.name: _content_from_samples(m, found[m.name]) if found[m.name] else _make_up(m, manifest) for m in senses
    }
    return Workload(str(file), senses, contents, tuple(name for name, samples in found.items() if not samples))


def read_frame_rate_hz(file: Path, manifest: Manifest) -> float | None:
    """At which the source's frames follow each other; None if it has fewer than two."""
    stamps = [s.stamp_ns for s in islice(_open_source(file, manifest.modalities), 200) if isinstance(s, Frame)]
    return None if len(stamps) < 2 else 1e9 / float(np.median(np.diff(stamps)))


def _open_source(file: Path, senses: Sequence[Modality]) -> Iterable[Sample]:
    image = next((sense for sense in senses if sense.kind == "image"), None)
    audio = next((sense for sense in senses if sense.kind == "audio"), None)
    if is_bag(file):
        return Recording(file, live=False, senses=senses)
    if image is None and audio is None:
        return []
    check_readable(file, "video file")
    sound = None if audio is None else sound_beside(file)
    names = (image.name if image else "image", audio.name if audio else "audio")
    return Clip(file if image else None, sound, False, audio.rate_hz if audio else 16_000, names)


def _take_first(samples: Iterable[Sample], seconds: float) -> Iterator[Sample]:
    """Those of the first seconds, and of frames no more than memory should be spent on."""
    frame_bytes = 0
    for sample in samples:
        if sample.stamp_ns > seconds * 1e9 or frame_bytes > _MOST_FRAME_BYTES:
            return
        frame_bytes += sample.image.nbytes if isinstance(sample, Frame) else 0
        yield sample


def _content_from_samples(sense: Modality, samples: Sequence[Sample]) -> Content:
    first = samples[0]
    if isinstance(first, Frame):
        return [sample for sample in samples if isinstance(sample, Frame)]
    if isinstance(first, Text):
        return [sample.text for sample in samples if isinstance(sample, Text)]
    series = [s.pcm if isinstance(s, AudioChunk) else s.values for s in samples if not isinstance(s, Frame | Text)]
    return _cut(sense, np.concatenate(series))


def _cut(sense: Modality, series: np.ndarray) -> list[np.ndarray]:
    """A series (samples[, channels]) cut as its sensor hands it over; a rest at the end is left out."""
    assert isinstance(sense, AudioModality | SignalModality)
    size = samples_per_piece(sense)
    whole = series if len(series) >= size else np.resize(series, (size, *series.shape[1:]))
    return [whole[start : start + size] for start in range(0, len(whole) - size + 1, size)]


def _make_up(sense: Modality, manifest: Manifest) -> Content:
    """Noise, which costs a network what anything else does; texts are the prompts of the labels."""
    generator = np.random.default_rng(0)
    if isinstance(sense, ImageModality):
        size = (30, *_choose_frame_size(sense, manifest), 3)
        return [Frame(0, image) for image in generator.integers(0, 256, size, np.uint8)]
    if isinstance(sense, AudioModality):
        return _cut(sense, generator.normal(0, 0.1, 5 * sense.rate_hz).astype(np.float32))
    if isinstance(sense, SignalModality):
        values = round(5 * sense.rate_hz), sense.channels
        return _cut(sense, generator.normal(0, 1, values).astype(np.float32))
    return list(manifest.labels.values())


def _choose_frame_size(sense: ImageModality, manifest: Manifest) -> tuple[int, ...]:
    """As the graph that takes the frames wants them, or a usual camera's."""
    tensors = sense.graph.inputs if sense.graph else manifest.fusion.inputs
    tensor = next(tensor for tensor in tensors if sense.graph or tensor.name == sense.name)
    wanted = zip(tensor.shape[1:3], _FRAME_SIZE, strict=True)
    return tuple(size if isinstance(size, int) else usual for size, usual in wanted)


def check_rate(rate_hz: float) -> None:
    """Raises BenchError for a rate that no stream can be paced at."""
    if not 0.1 <= rate_hz <= 10_000:
        raise BenchError(f"--rate {rate_hz:g}: expected 0.1 to 10000 frames per second")
