"""What a percept costs over the bare engine calls that it needs."""

from __future__ import annotations

import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edgefuse.runtime.bundle import Bundle
from edgefuse.runtime.perceiver import Perceiver
from edgefuse.runtime.percept import Percept
from edgefuse.runtime.samples import Frame
from edgefuse.runtime.streams.clip import Clip

_WARM_UP_PERCEPTS = 30
_HALF_A_FRAME_S = 0.016


@dataclass(frozen=True, slots=True)
class Overhead:
    """Latencies [ms] of one paced run, in the order they were measured.

    percepts: sensed to published, of percepts that a frame called for; bare: the image and the fusion graph called
    directly on the same machine, half a frame later, so that both are paced alike and equally cold.
    """

    percepts_ms: np.ndarray
    bare_ms: np.ndarray

    def ratio(self, percentile: float) -> float:
        """A percentile of the percepts' latency over the same of the bare calls."""
        return float(np.percentile(self.percepts_ms, percentile) / np.percentile(self.bare_ms, percentile))


def measure_overhead(bundle: Bundle, video: Path, audio: Path) -> Overhead:
    """Play the clip in real time through a perceiver, and after each percept make the same engine calls bare."""
    perceiver = Perceiver(bundle)
    bare = _BareCalls(bundle, next(sample for sample in Clip(video, None, live=False) if isinstance(sample, Frame)))
    percepts_ms, bare_ms = [], []
    for percept in perceiver.perceive(Clip(video, audio)):
        if _called_by_a_frame(percept):
            time.sleep(_HALF_A_FRAME_S)
            percepts_ms.append(percept.trace.latency_ms)
            bare_ms.append(bare.run_ms())
    return Overhead(np.array(percepts_ms[_WARM_UP_PERCEPTS:]), np.array(bare_ms[_WARM_UP_PERCEPTS:]))


def cold_start_s(bundle: Path, video: Path) -> float:
    """Seconds from starting the process `edgefuse run` to its first percept."""
    command = [sys.executable, "-m", "edgefuse.cli", "run", str(video), "--bundle", str(bundle), "--jsonl", "-"]
    start = time.monotonic()
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        assert process.stdout is not None
        process.stdout.readline()
        seconds = time.monotonic() - start
        process.kill()
    return seconds


def _called_by_a_frame(percept: Percept) -> bool:
    return percept.senses["image"].age_ms == 0


class _BareCalls:
    """The image and the fusion graph, each with inputs such as a percept of sight and sound has."""

    def __init__(self, bundle: Bundle, frame: Frame) -> None:
        manifest = bundle.manifest
        rng = np.random.default_rng(0)
        self._image, self._fusion = bundle.engine("image"), bundle.engine("fusion")
        self._frame = {manifest.graphs["image"].inputs[0].name: frame.image[None]}
        self._tokens: dict[str, np.ndarray] = {
            "present": np.array([[modality.kind != "text" for modality in manifest.modalities]]),
            "prompts": rng.normal(size=(len(manifest.labels), manifest.dim)).astype(np.float32),
        }
        for modality in manifest.modalities:
            tokens = rng.normal(size=(1, *modality.graph.outputs[0].shape[1:])).astype(np.float32)
            self._tokens |= {f"{modality.name}_tokens": tokens, f"{modality.name}_embedding": tokens[:, 0]}

    def run_ms(self) -> float:
        """One call of each, timed together."""
        start_ns = time.perf_counter_ns()
        self._image.run(self._frame)
        self._fusion.run(self._tokens)
        return (time.perf_counter_ns() - start_ns) / 1e6
