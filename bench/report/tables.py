"""What was measured, as tables for the terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from edgefuse.bench.report import result as measured
from edgefuse.bench.report.comparison import Change
from edgefuse.bench.report.result import Figure, Flow, LiveResult, PipelineResult, Result, RosResult
from edgefuse.bench.report.void import format_ratio, why_busy

_COLOURS = {"faster": "green", "slower": "red", "same": "dim"}


def draw_result(result: Result) -> Iterator[RenderableType]:
    """All of them, in order; then what there is to say of the circumstances."""
    host = result.host
    load = f"load {host.load[0]} before and {host.load[1]} after"
    yield Text(f"{host.cpu}, {host.cores} cores, {load}; {result.power}")
    busy = why_busy(host)
    if busy is not None:
        yield Text(busy, "yellow")
    if result.engines:
        yield draw_engines(result)
    for pipeline in result.pipelines:
        yield draw_pipeline(pipeline, busy is not None)
    for live in result.live:
        yield draw_live(live)
    if result.variants is not None:
        yield draw_beside(
            result.variants, "variants by turns, a percept of everything new of the first sense", busy is not None
        )
    if result.peers is not None:
        yield draw_beside(
            result.peers, "peers by turns, a percept of everything new of any sense; one thread each", busy is not None
        )
    for stack in result.ros:
        yield draw_ros(stack)
    yield from map(Text, result.notes)


def draw_engines(result: Result) -> Table:
    """Each graph alone."""
    table = Table(
        "graph", "variant", "backend", "p50", "p90", "p99", "p99.9", "runs/s", "x", title="each graph alone (ms)"
    )
    table.title_justify = "left"
    for one in result.engines:
        f = one.latency_ms
        percentiles = (f"{value:.3f}" for value in (f.p50, f.p90, f.p99, f.p999))
        rate, ratio = f"{one.throughput_hz:.0f}", format_ratio(one.ratio, why_busy(result.host) is not None)
        _add_row(table, one.graph, one.variant, one.backend, *percentiles, rate, ratio)
    return table


def draw_pipeline(one: PipelineResult, busy: bool = False) -> Table:
    """One variant from samples to percepts; without ratios where the machine was busy."""
    table = _draw_flow(f"{one.variant}, frames at {one.rate_hz:g} Hz", one.flow)
    lost = ", ".join(f"{sense} {one.flow.overtaken[sense]} of {offered}" for sense, offered in one.offered.items())
    _add_row(table, "overtaken", lost)
    for name, *values in _list_limits(one, busy):
        _add_row(table, name, *values)
    return table


def draw_live(one: LiveResult) -> Table:
    """One variant on the machine's own devices."""
    table = _draw_flow(f"{one.variant}, live: {', '.join(one.devices)}", one.flow)
    lost = (f"{sense} {count} {reason}" for sense, counts in one.dropped.items() for reason, count in counts.items())
    _add_row(table, "dropped", ", ".join(lost) or "nothing")
    return table


def draw_ros(one: RosResult) -> Table:
    """One stack of nodes."""
    table = _draw_flow(f"ROS: {one.stack}", one.flow)
    _add_row(table, "sensed to heard by another process (ms)", *_format_percentiles(one.heard_ms))
    _add_row(table, "jitter: second difference of hearing (ms)", *_format_percentiles(one.jitter_ms))
    for node, cost in one.nodes.items():
        _add_row(table, f"{node} node: of one core; memory (MB)", f"{cost.cpu_share:.1%}", f"{cost.memory_mb:.0f}")
    _add_row(table, "frames without a percept", f"{one.unanswered} of {one.frames}")
    _add_row(
        table, "dropped", ", ".join(f"{what} {count}" for what, count in one.dropped.items() if count) or "nothing"
    )
    return table


def _draw_flow(title: str, flow: Flow) -> Table:
    table = Table("", "p50", "p95", "p99", title=Text(title), title_justify="left")
    _add_row(table, "percept, sensed to published (ms)", *_format_percentiles(flow.latency_ms))
    for stage, figure in flow.stages_ms.items():
        _add_row(table, f"  {stage}", *_format_percentiles(figure))
    for sense, figure in flow.ages_ms.items():
        _add_row(table, f"age of {sense} when fused (ms)", *_format_percentiles(figure))
    _add_row(table, "percepts per second", f"{flow.percepts_hz:.1f}")
    _add_row(table, "CPU per percept (ms); of one core", f"{flow.cpu_per_percept_ms.p50:.2f}", f"{flow.cpu_share:.1%}")
    return table


def _list_limits(one: PipelineResult, busy: bool) -> Iterator[Sequence[str]]:
    if one.overhead is not None:
        over = one.overhead
        sensed, handed = (over.p50, over.p95), (over.handed_p50, over.handed_p95)
        yield f"over bare calls, paced alike at {over.rate_hz:.3g} Hz", *(format_ratio(one, busy) for one in sensed)
        yield "  from when the sensor handed over", *(format_ratio(one, busy) for one in handed)
        yield "CPU over that of the calls due", format_ratio(over.cpu, busy)
        yield f"  sensors left out ({over.sensors_cpu_ms:.1f} ms/s alone)", format_ratio(over.cpu_without_sensors, busy)
    if one.held_hz is not None:
        yield "highest frame rate held (Hz)", f"{one.held_hz:.0f}"
    if one.overload is not None:
        yield "latency at 4 x that over at half of it", f"{one.overload.ratio_p50:.2f}", f"{one.overload.ratio_p95:.2f}"
        yield "  its last quarter over its first", f"{one.overload.growth:.2f}"
    yield f"first percept after {one.idle_s:g} s idle (ms)", f"{one.after_idle_ms:.2f}"
    if one.start is not None:
        yield f"start to first percept (s), {len(one.start.seconds)} starts", f"{one.start.p50_s:.2f}"
        if one.start.peak_mb is not None:
            yield "peak memory of the process (MB)", f"{one.start.peak_mb:.0f}"
    if one.energy is not None:
        yield f"energy per percept (mJ), {one.energy.meter}", f"{one.energy.millijoules_per_percept:.1f}"


def draw_beside(beside: measured.Table, title: str, busy: bool = False) -> Table:
    """Variants or peers; without ratios where the machine was busy."""
    news_of = beside.rows[0].news_of
    news = (f"newest {news_of} to percept", "x") if news_of else ()
    table = Table(
        "variant", "percepts/s", "latency p50", "x", *news, "CPU per percept, sensors left out", "x", title=title
    )
    table.title_justify = "left"
    for row in beside.rows:
        heard = (f"{row.news_ms.p50:.2f}" if row.news_ms else "", format_ratio(row.news_ratio, busy)) if news_of else ()
        latency = f"{row.latency_ms.p50:.2f}", format_ratio(row.latency_ratio, busy)
        cpu = f"{row.cpu_per_percept_ms.p50:.2f}", format_ratio(row.cpu_ratio, busy)
        _add_row(table, row.variant, f"{row.percepts_hz:.1f}", *latency, *heard, *cpu)
    return table


def draw_changes(changes: Sequence[Change]) -> Table:
    """New against old."""
    table = Table("variant", "", "old (ms)", "new (ms)", "new / old", "", title="compared", title_justify="left")
    for one in changes:
        ratio = f"{one.ratio:.2f} ({one.low:.2f}-{one.high:.2f})"
        verdict = Text(one.verdict, _COLOURS[one.verdict])
        table.add_row(Text(one.variant), Text(one.what), f"{one.old:.3f}", f"{one.new:.3f}", ratio, verdict)
    return table


def _add_row(table: Table, *cells: str) -> None:
    """Names and devices as they are: a bundle's folder may be called [x]."""
    table.add_row(*map(Text, cells))


def _format_percentiles(figure: Figure) -> tuple[str, str, str]:
    return f"{figure.p50:.2f}", f"{figure.p95:.2f}", f"{figure.p99:.2f}"
