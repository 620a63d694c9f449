"""Results written by hand, so that what is made of them can be told beforehand."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from edgefuse.bench.report.figures import figure_from, ratio_from
from edgefuse.bench.report.result import (
    Configuration,
    Energy,
    EngineResult,
    Figure,
    Flow,
    Host,
    LiveResult,
    Measured,
    NodeCost,
    Overhead,
    Overload,
    PipelineResult,
    Result,
    RosResult,
    Row,
    Span,
    Start,
    Table,
)

STEADY = (1.00, 1.01, 0.99, 1.00, 1.02, 0.98)
"""Medians of rounds [ms] that differ by noise alone."""

RATIO = ratio_from([2.0, 2.0, 2.0], [1.0, 1.0, 1.0])


def figure(rounds: Sequence[float] = STEADY) -> Figure:
    """One sample a round."""
    return figure_from([[value] for value in rounds])


def engine(variant: str = "bundle", rounds: Sequence[float] = STEADY, graph: str = "image") -> EngineResult:
    """A graph whose rounds had these medians [ms]."""
    latency = figure(rounds)
    return EngineResult(
        variant=variant,
        graph=graph,
        backend="onnxruntime-cpu, fp32",
        latency_ms=latency,
        throughput_hz=1e3 / latency.mean,
        ratio=None if variant == "bundle" else RATIO,
    )


def flow(rounds: Sequence[float] = STEADY) -> Flow:
    """Percepts whose latency had these medians [ms]; two of a hundred frames were overtaken."""
    return Flow(
        percepts_hz=30.0,
        latency_ms=figure(rounds),
        stages_ms={"wait": figure([0.25]), "fuse": figure([0.75])},
        ages_ms={"image": figure([0.0, 0.0])},
        overtaken={"image": 2, "audio": 0},
        cpu_per_percept_ms=figure([2 * value for value in rounds]),
        cpu_share=0.06,
    )


def pipeline(variant: str = "bundle", rounds: Sequence[float] = STEADY, **changed: Any) -> PipelineResult:
    """All that is said of one variant."""
    whole = PipelineResult(
        variant=variant,
        rate_hz=30.0,
        flow=flow(rounds),
        offered={"image": 100, "audio": 60},
        held_hz=412.0,
        overhead=Overhead(
            rate_hz=30.0,
            percept_ms=figure(),
            handed_ms=figure(),
            bare_ms=figure(),
            p50=RATIO,
            p95=RATIO,
            handed_p50=RATIO,
            handed_p95=RATIO,
            cpu=RATIO,
            cpu_without_sensors=RATIO,
            sensors_cpu_ms=7.0,
        ),
        overload=Overload(half_ms=figure(), four_ms=figure(), ratio_p50=1.25, ratio_p95=1.5, growth=1.01),
        idle_s=10.0,
        after_idle_ms=3.5,
        start=Start(seconds=(0.5, 0.7, 0.6), p50_s=0.6, peak_mb=123.0),
        energy=Energy(meter="RAPL, the CPU packages", watts=6.0, millijoules_per_percept=200.0),
        timeline=(Span(what="image", start_ms=1.0, end_ms=2.0), Span(what="fusion", start_ms=2.0, end_ms=2.5)),
    )
    return whole.model_copy(update=changed)


def live(variant: str = "bundle", rounds: Sequence[float] = STEADY) -> LiveResult:
    """On a camera alone."""
    return LiveResult(
        variant=variant,
        devices=("camera 0",),
        flow=flow(rounds),
        dropped={"image": {"overtaken": 4}, "audio": {}},
        timeline=(Span(what="fusion", start_ms=2.0, end_ms=2.5),),
    )


def stack(name: str = "onboard node", rounds: Sequence[float] = STEADY) -> RosResult:
    """One node."""
    return RosResult(
        stack=name,
        flow=flow(rounds),
        heard_ms=figure(),
        jitter_ms=figure(),
        nodes={"onboard": NodeCost(cpu_share=0.25, memory_mb=200.0)},
        frames=300,
        unanswered=3,
        dropped={"image overtaken": 5, "audio gap": 0},
    )


def beside(*variants: str, news_of: str | None = None) -> Table:
    """Each costs twice as much as the first."""
    rows = [
        Row(
            variant=variant,
            latency_ms=figure(),
            cpu_per_percept_ms=figure(),
            percepts_hz=30.0,
            news_of=news_of,
            news_ms=figure() if news_of else None,
            latency_ratio=RATIO,
            cpu_ratio=RATIO,
            news_ratio=RATIO if news_of else None,
        )
        for variant in variants
    ]
    return Table(fused="any" if news_of else "lead", rows=tuple(rows))


def result(**changed: Any) -> Result:
    """A quiet machine on which nothing was measured yet."""
    empty = Result(
        host=Host(cpu="a CPU", cores=2, memory_mb=1000, governor=None, system="Linux", load=(0.0, 0.0)),
        versions={"python": "3.11"},
        configuration=Configuration(
            source="clip", rate_hz=30, quick=False, rounds=5, round_s=1, backends=("cpu",), peers=()
        ),
        bundles=(measured(),),
        engines=(),
        pipelines=(),
        variants=None,
        peers=None,
        power="No power figures",
    )
    return empty.model_copy(update=changed)


def measured(variant: str = "bundle") -> Measured:
    """A bundle of one graph."""
    return Measured(
        variant=variant,
        bundle=f"/bundles/{variant}",
        sha256="0" * 64,
        size_mb=1.5,
        backends={"image": "onnxruntime-cpu"},
        precisions={"image": "fp32"},
    )


def full_result(name: str = "bundle") -> Result:
    """Everything that a result can hold, of one variant and another."""
    return result(
        bundles=(measured(name), measured("other")),
        engines=(engine(), engine(name), engine("other")),
        pipelines=(pipeline(name), pipeline("other")),
        live=(live(name),),
        ros=(stack(), stack("separate nodes")),
        variants=beside(name, "other"),
        peers=beside(name, "PyTorch eager, whole network", news_of="audio"),
        notes=(f"{name}: made-up samples for text, not in the source",),
    )
