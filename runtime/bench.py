"""What a percept costs over the bare engine calls that it needs."""

from __future__ import annotations

import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edgefuse.runtime.bundle import Bundle
from edgefuse.runtime.errors import EdgefuseError
from edgefuse.runtime.fusion import absent_inputs
from edgefuse.runtime.manifest import ImageModality
from edgefuse.runtime.perceiver import Perceiver
from edgefuse.runtime.samples import Frame
from edgefuse.runtime.streams.clip import Clip
from edgefuse.runtime.streams.sources import Source, open_streams
from edgefuse.runtime.wiring import PRESENT, PROMPTS

_WARM_UP_PERCEPTS = 30
_HALF_A_FRAME_S = 0.016


@dataclass(frozen=True, slots=True)
class Overhead:
    """Latencies [ms] of one paced run, in the order they were measured.

    percepts: sensed to published, of percepts that a frame called for; bare: the frame's graph and the fusion graph
    called directly on the same machine, half a frame later, so that both are paced alike and equally cold.
    """

    percepts_ms: np.ndarray
    bare_ms: np.ndarray

    def ratio(self, percentile: float) -> float:
        """A percentile of the percepts' latency over the same of the bare calls."""
        return float(np.percentile(self.percepts_ms, percentile) / np.percentile(self.bare_ms, percentile))


def measure_overhead(bundle: Bundle, video: Path, audio: Path) -> Overhead:
    """Play the clip in real time through a perceiver, and after each percept make the same engine calls bare.

    Raises EdgefuseError for a bundle that a clip says too little to.
    """
    perceiver = Perceiver(bundle)
    seeing = next((modality for modality in bundle.manifest.modalities if modality.kind == "image"), None)
    if seeing is None:
        raise EdgefuseError(f"bundle {bundle.manifest.name!r} has no sense that sees, so a clip cannot measure it")
    frame = next(sample for sample in Clip(video, None, live=False) if isinstance(sample, Frame))
    bare = _BareCalls(bundle, seeing, frame)
    percepts_ms, bare_ms = [], []
    for percept in perceiver.perceive(*open_streams(Source(video, audio), bundle.manifest, perceiver.senses, False)):
        if percept.senses[seeing.name].age_ms == 0:
            time.sleep(_HALF_A_FRAME_S)
            percepts_ms.append(percept.trace.latency_ms)
            bare_ms.append(bare.run_ms())
    if len(percepts_ms) <= _WARM_UP_PERCEPTS:
        raise EdgefuseError(f"{video} gives {len(percepts_ms)} percepts of frames, too few to measure")
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


class _BareCalls:
    """The graph of the frames, where there is one, and the fusion graph, with inputs such as a percept has."""

    def __init__(self, bundle: Bundle, seeing: ImageModality, frame: Frame) -> None:
        manifest = bundle.manifest
        rng = np.random.default_rng(0)
        fused = {name: rng.normal(size=a.shape).astype(a.dtype) for name, a in absent_inputs(manifest).items()}
        if not manifest.needed:
            fused[PRESENT] = np.array([[modality.kind != "text" for modality in manifest.modalities]])
        if manifest.naming is not None and manifest.dim is not None:
            fused[PROMPTS] = rng.normal(size=(len(manifest.labels), manifest.dim)).astype(np.float32)
        self._calls = [(bundle.engine("fusion"), fused)]
        if seeing.graph is None:
            fused[seeing.name] = frame.image[None]
        else:
            self._calls.insert(0, (bundle.engine(seeing.name), {seeing.graph.inputs[0].name: frame.image[None]}))

    def run_ms(self) -> float:
        """One call of each, timed together."""
        start_ns = time.perf_counter_ns()
        for engine, inputs in self._calls:
            engine.run(inputs)
        return (time.perf_counter_ns() - start_ns) / 1e6
