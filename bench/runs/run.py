"""A run: the percepts that came, the graphs that ran for them, and what became of the rest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from edgefuse.bench.report.figures import figure_from
from edgefuse.bench.report.result import Figure, Flow
from edgefuse.runtime.percept import Percept


@dataclass(frozen=True, slots=True)
class Moment:
    """A percept as far as time goes: what called for it, when it was out, and the evidence behind it [ns]."""

    stamp_ns: int
    published_ns: int
    evidence_ns: Mapping[str, int]
    stages_ms: Mapping[str, float]

    @property
    def latency_ms(self) -> float:
        """From sensed to published."""
        return (self.published_ns - self.stamp_ns) / 1e6


@dataclass(frozen=True, slots=True)
class Call:
    """A graph that ran from `start_ns` to `end_ns`."""

    graph: str
    start_ns: int
    end_ns: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What came after the warm-up: `seconds` of it, the CPU time of all processes [s], counts by sense."""

    moments: Sequence[Moment]
    calls: Sequence[Call]
    start_ns: int
    seconds: float
    cpu_s: float
    overtaken: Mapping[str, int]

    @property
    def latencies_ms(self) -> np.ndarray:
        """Of each percept, sensed to published."""
        return np.array([moment.latency_ms for moment in self.moments])

    @property
    def cpu_per_percept_ms(self) -> float:
        """All CPU time of the run, shared out."""
        return 1e3 * self.cpu_s / len(self.moments)

    def news_ms(self, sense: str) -> np.ndarray:
        """From each new evidence of a sense to the first percept that heeds it."""
        heeded = [(m.evidence_ns.get(sense, 0), m.published_ns) for m in self.moments]
        return np.array([out - new for (old, _), (new, out) in pairwise(heeded) if new > old > 0]) / 1e6

    def ages_ms(self, sense: str) -> np.ndarray:
        """How old a sense's evidence was, in the percepts that it took part in."""
        return np.array([m.stamp_ns - m.evidence_ns[sense] for m in self.moments if sense in m.evidence_ns]) / 1e6


def moment_from_percept(percept: Percept) -> Moment:
    """Of the senses that took part."""
    ages_ms = {name: sense.age_ms for name, sense in percept.senses.items() if sense.valid}
    evidence_ns = {name: percept.stamp_ns - round(age * 1e6) for name, age in ages_ms.items() if age is not None}
    trace = percept.trace
    return Moment(percept.stamp_ns, trace.published_ns, evidence_ns, trace.stages_ms)


def flow_from(runs: Sequence[Run], senses: Sequence[str]) -> Flow:
    """Over all runs, each of which is a round."""
    return Flow(
        percepts_hz=percepts_hz_from_runs(runs),
        latency_ms=figure_from([run.latencies_ms for run in runs]),
        stages_ms=_stages_from_runs(runs),
        ages_ms=_ages_from_runs(runs, senses),
        overtaken=add_up([run.overtaken for run in runs]),
        cpu_per_percept_ms=figure_from([[run.cpu_per_percept_ms] for run in runs]),
        cpu_share=sum(run.cpu_s for run in runs) / sum(run.seconds for run in runs),
    )


def percepts_hz_from_runs(runs: Sequence[Run]) -> float:
    """Over all runs."""
    return sum(len(run.moments) for run in runs) / sum(run.seconds for run in runs)


def add_up(counts: Sequence[Mapping[str, int]]) -> dict[str, int]:
    """By what they are of, over all runs."""
    names = dict.fromkeys(name for one in counts for name in one)
    return {name: sum(one.get(name, 0) for one in counts) for name in names}


def _stages_from_runs(runs: Sequence[Run]) -> dict[str, Figure]:
    names = runs[0].moments[0].stages_ms
    return {name: figure_from([[moment.stages_ms[name] for moment in run.moments] for run in runs]) for name in names}


def _ages_from_runs(runs: Sequence[Run], senses: Sequence[str]) -> dict[str, Figure]:
    """Of the senses that took part."""
    found = {sense: [run.ages_ms(sense) for run in runs] for sense in senses}
    return {sense: figure_from(rounds) for sense, rounds in found.items() if any(len(one) for one in rounds)}
