"""The page that shows what bench measured: one file that needs nothing else."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from edgefuse.bench.report.result import Figure, Result, Span
from edgefuse.bench.report.void import is_wide, why_busy
from edgefuse.export.report.page import page_environment

_WIDTH, _HEIGHT = 1000.0, 180.0
_COARSE, _FINE = (1, 2, 5), (1, 1.5, 2, 3, 4, 5, 6, 8)
_FEWEST_TICKS = 4
_BINS = 90


@dataclass(frozen=True, slots=True)
class Scale:
    """Logarithmic, from `low` to `high` ms over the width of a drawing."""

    low: float
    high: float

    def x(self, value_ms: float) -> float:
        """Where a value lies."""
        clipped = min(max(value_ms, self.low), self.high)
        return round(_WIDTH * math.log(clipped / self.low) / math.log(self.high / self.low), 2)

    @property
    def ticks(self) -> list[tuple[float, str]]:
        """Place and text of each."""
        coarse = self._within(_COARSE)
        return coarse if len(coarse) >= _FEWEST_TICKS else self._within(_FINE)

    def _within(self, steps: Sequence[float]) -> list[tuple[float, str]]:
        ticks = (step * 10.0**power for power in range(-3, 5) for step in steps)
        return [(self.x(tick), f"{tick:g} ms") for tick in ticks if self.low <= tick <= self.high]


def page_from_result(result: Result) -> str:
    """The HTML, with every number in it; dark or light as the reader's system is."""
    environment = page_environment("edgefuse.bench.report")
    environment.globals |= {
        "scale_from_figures": scale_from_figures,
        "path_from_figure": path_from_figure,
        "sort_lanes": sort_lanes,
        "choose_latencies": choose_latencies,
        "heard_from_result": heard_from_result,
    }
    environment.filters |= {"ms": format_ms}
    environment.globals["busy"], environment.tests["wide"] = why_busy(result.host), is_wide
    return environment.get_template("bench.html.j2").render(result=result, width=_WIDTH, height=_HEIGHT)


def choose_latencies(result: Result) -> dict[str, Figure]:
    """What is drawn beside each other: peers if there are any, or variants."""
    beside = result.peers or result.variants
    rows = {row.variant: row.latency_ms for row in beside.rows} if beside else {}
    paced = {one.variant: one.flow.latency_ms for one in result.pipelines}
    live = {one.variant: one.flow.latency_ms for one in result.live}
    return (rows or paced) | live


def heard_from_result(result: Result) -> dict[str, Figure]:
    """Of the stacks on ROS, sensed to heard."""
    return {one.stack: one.heard_ms for one in result.ros}


def scale_from_figures(figures: Sequence[Figure]) -> Scale:
    """That takes in all of them, from the 0th to the 99.9th percentile."""
    low = min(figure.curve[0] for figure in figures) * 0.9
    high = max(figure.p999 for figure in figures) * 1.1
    return Scale(max(low, 1e-3), max(high, 2 * low, 2e-3))


def path_from_figure(figure: Figure, scale: Scale) -> str:
    """The outline of a histogram over the scale as an SVG path, its highest point at the top.

    Each step of the curve holds a 100th of the samples, spread evenly over the scale between its ends.
    """
    heights = [0.0] * _BINS
    for left, right in zip(figure.curve, figure.curve[1:], strict=False):
        start, end = (_BINS * scale.x(value) / _WIDTH for value in (left, right))
        _spread(heights, start, max(end, start + 0.5))
    smooth = [sum(heights[max(0, i - 1) : i + 2]) for i in range(_BINS)]
    top = max(smooth)
    points = [f"{(i + 0.5) * _WIDTH / _BINS:.1f},{_HEIGHT * (1 - 0.95 * h / top):.1f}" for i, h in enumerate(smooth)]
    return f"M0,{_HEIGHT} L{' L'.join(points)} L{_WIDTH},{_HEIGHT} Z"


def _spread(heights: list[float], start: float, end: float) -> None:
    """Add one to the bins between two places, each its share."""
    for index in range(int(start), min(_BINS, math.ceil(end))):
        heights[index] += (min(end, index + 1) - max(start, index)) / (end - start)


def sort_lanes(spans: Sequence[Span]) -> dict[str, list[Span]]:
    """The timeline's spans by graph, the fusion last."""
    names = sorted({span.what for span in spans}, key=lambda name: (name == "fusion", name != "image", name))
    return {name: [span for span in spans if span.what == name] for name in names}


def format_ms(value: float) -> str:
    """With about three digits."""
    return f"{value:.3f}" if value < 1 else f"{value:.2f}" if value < 100 else f"{value:.0f}"
