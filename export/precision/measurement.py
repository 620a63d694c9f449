"""What a candidate graph costs: its error on held-out samples, its time beside the others on this machine."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import onnx
import onnxruntime

from edgefuse.calibration.ranges import Method
from edgefuse.export.errors import ExportError
from edgefuse.export.feeds import Feed
from edgefuse.export.parity import graph_checks
from edgefuse.export.precision.candidates import Candidate
from edgefuse.runtime.bundle.verification import Precision
from edgefuse.runtime.engines.engine_onnxruntime import OnnxRuntimeEngine, session_options

SAMPLES = 256
"""Of the hold-out, evenly taken: enough for a 1st percentile, few enough for a large graph."""

BATCH = 16
SECONDS = 4.0
"""How long the candidates of one graph are timed, unless they need FEWEST_ROUNDS longer."""

FEWEST_ROUNDS = 24
MOST_ROUNDS = 300
WARM_UP = 3

Arrays = dict[str, np.ndarray]


@dataclass(frozen=True, slots=True)
class Built:
    """A candidate with its graph."""

    model: onnx.ModelProto
    candidate: Candidate


class Holdout:
    """Held-out samples of one graph, with what its float32 model makes of them."""

    def __init__(self, model: onnx.ModelProto, feed: Feed) -> None:
        count = len(next(iter(feed.arrays.values()), ()))
        if count == 0:
            raise ExportError(f"graph {model.graph.name} has no hold-out samples to measure its error on")
        rows = np.linspace(0, count - 1, min(count, SAMPLES)).astype(int)
        self._feed = Feed({name: array[rows] for name, array in feed.arrays.items()}, feed.constant)
        self._count = len(rows)
        self._reference = self._outputs(model)

    def measure(
        self, model: onnx.ModelProto, precision: Precision, method: Method | None = None, wider: Sequence[str] = ()
    ) -> Built:
        """`model` with its size and its errors."""
        graph = model.graph.name
        checks = graph_checks(graph, precision, self._reference, self._outputs(model)) if precision != "fp32" else []
        candidate = Candidate(
            graph=graph,
            precision=precision,
            method=method,
            wider=tuple(wider),
            size_bytes=model.ByteSize(),
            outputs=tuple(checks),
        )
        return Built(model, candidate)

    def time(self, built: Sequence[Built]) -> list[Built]:
        """All of them with their latency, and their speedup over the first, which is the float32 one."""
        with TemporaryDirectory(prefix="edgefuse-") as directory:
            engines = [_engine(one.model, Path(directory) / f"{index}.onnx") for index, one in enumerate(built)]
            seconds = self._rounds(engines)
        return [
            Built(one.model, one.candidate.model_copy(update=_timing(seconds[:, 0], seconds[:, index])))
            for index, one in enumerate(built)
        ]

    def _rounds(self, engines: Sequence[OnnxRuntimeEngine]) -> np.ndarray:
        """Seconds (rounds, engines): in each round all run on the same sample, in an order of its own.

        Only the quieter half of the rounds is kept.
        """
        shuffled = np.random.default_rng(0)
        rounds: list[list[float]] = []
        until = time.monotonic() + SECONDS
        while len(rounds) < WARM_UP + FEWEST_ROUNDS or (time.monotonic() < until and len(rounds) < MOST_ROUNDS):
            sample = self._rows(slice(index := len(rounds) % self._count, index + 1))
            taken = [0.0] * len(engines)
            for which in shuffled.permutation(len(engines)):
                begun = time.perf_counter()
                engines[which].run(sample)
                taken[which] = time.perf_counter() - begun
            rounds.append(taken)
        return _quieter_half(np.array(rounds[WARM_UP:]))

    def _outputs(self, model: onnx.ModelProto) -> Arrays:
        with TemporaryDirectory(prefix="edgefuse-") as directory:
            engine = _engine(model, Path(directory) / "graph.onnx")
            parts = [engine.run(self._rows(slice(first, first + BATCH))) for first in range(0, self._count, BATCH)]
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}

    def _rows(self, rows: slice) -> Arrays:
        return {name: array[rows] for name, array in self._feed.arrays.items()} | dict(self._feed.constant)


def _engine(model: onnx.ModelProto, path: Path) -> OnnxRuntimeEngine:
    """As the runtime opens it on the CPU, but for the cache of optimised graphs."""
    onnx.save(model, path)
    try:
        session = onnxruntime.InferenceSession(path, session_options(), providers=["CPUExecutionProvider"])
    except Exception as error:  # ONNX Runtime's exceptions share no base class of their own
        raise ExportError(f"graph {model.graph.name} does not load: {str(error).splitlines()[0]}") from error
    return OnnxRuntimeEngine(path, session, "onnxruntime-cpu")


def _quieter_half(seconds: np.ndarray) -> np.ndarray:
    """The rounds in which the machine was less busy with something else: those that took least in all."""
    return seconds[np.argsort(seconds.sum(axis=1), kind="stable")[: (len(seconds) + 1) // 2]]


def _timing(reference: np.ndarray, taken: np.ndarray) -> dict[str, object]:
    """Of seconds (rounds,) of float32 and of a candidate: the fields of Candidate.

    The speedup is the median of the rounds' ratios, its range the distribution-free 95 % confidence interval of that.
    """
    ratios = np.sort(reference / taken)
    middle, reach = len(ratios) / 2, 0.98 * np.sqrt(len(ratios))
    low, high = int(max(0, middle - reach)), int(min(len(ratios) - 1, middle + reach))
    return {
        "latency_ms": 1e3 * float(np.median(taken)),
        "speedup": float(np.median(ratios)),
        "speedup_range": (float(ratios[low]), float(ratios[high])),
    }
