"""Percepts on the terminal: a table that lives while they come, and a summary when they end."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text as StyledText

from edgefuse.runtime.arguments import check_kind
from edgefuse.runtime.heads.drift import DRIFT_WARN
from edgefuse.runtime.percept import Percept
from edgefuse.runtime.sinks.statistics import RunStatistics

_REFRESH_HZ = 10


class LiveTable:
    """Shows the newest percept ten times a second, drawn in a thread of its own so that no percept waits for it."""

    def __init__(self, console: Console, statistics: RunStatistics) -> None:
        check_kind("console", console, Console)
        check_kind("statistics", statistics, RunStatistics)
        self._statistics = statistics
        self._percept: Percept | None = None
        self._live = Live(console=console, get_renderable=self._render, refresh_per_second=_REFRESH_HZ, transient=True)
        self._live.start()

    def write(self, percept: Percept) -> None:
        """See Sink."""
        self._percept = percept

    def close(self) -> None:
        """See Sink."""
        self._live.stop()

    def _render(self) -> RenderableType:
        if self._percept is None:
            return StyledText("waiting for the first percept ...", style="dim")
        return percept_panel(self._percept, self._statistics)


def percept_panel(percept: Percept, statistics: RunStatistics) -> Panel:
    """One percept: its label and confidence, a row per sense, and the run's latency."""
    warning = "  the senses disagree" if percept.contradiction else ""
    doubt = "  not certain" if percept.certain is False else ""
    doubt += "  prompt far from training" if percept.far_prompt else ""
    head = StyledText.assemble(
        (percept.label, "bold"), f"  {percept.confidence:.0%}", (doubt, "yellow"), (warning, "bold red")
    )
    agreement = "-" if percept.agreement is None else f"{percept.agreement:.2f}"
    foot = (
        f"latency p50 {statistics.latency_ms(50):.1f} ms, p99 {statistics.latency_ms(99):.1f} ms   "
        f"agreement {agreement}   {statistics.percepts} percepts at {statistics.rate_hz:.1f} Hz"
    )
    return Panel(Group(head, _senses_table(percept), StyledText(foot, style="dim")), title="edgefuse", expand=False)


def _senses_table(percept: Percept) -> Table:
    table = Table("sense", "weight", "", "age", "says", box=None, header_style="dim", pad_edge=False)
    for name, sense in percept.senses.items():
        says = f"{sense.label} {sense.confidence:.0%}" if sense.valid and sense.confidence is not None else "-"
        age = "never" if sense.age_ms is None else f"{sense.age_ms:.0f} ms"
        weight = "-" if sense.weight is None else f"{sense.weight:.2f}"
        bar = ProgressBar(total=1.0, completed=sense.weight or 0.0, width=24)
        style = "" if sense.valid else "dim"
        table.add_row(name, weight, bar, f"{age:>8}", says, style=style)
    return table


def summary(
    statistics: RunStatistics,
    senses: tuple[str, ...],
    drops: dict[str, dict[str, int]],
    drift: Mapping[str, float] = MappingProxyType({}),
    set_back: int = 0,
) -> Group:
    """What a run amounted to: one row per sense, then its percepts, latencies and labels.

    Then what is odd: a drift that is much, and how often time was set back.
    """
    table = Table("sense", "valid", "mean weight", "mean age", "not used", title="summary", title_justify="left")
    for name in senses:
        part = statistics.sense(name)
        dropped = ", ".join(f"{count} {reason.replace('_', ' ')}" for reason, count in drops[name].items()) or "-"
        if part.valid_share == 0:
            table.add_row(name, "never", "-", "-", dropped, style="dim")
            continue
        weight = "-" if part.mean_weight is None else f"{part.mean_weight:.2f}"
        table.add_row(name, f"{part.valid_share:.0%}", weight, f"{part.mean_age_ms:.0f} ms", dropped)
    doubt = f"{statistics.uncertain} not certain, " if statistics.judged else ""
    doubt += f"{statistics.far_prompts} of prompts far from training, " if statistics.far_prompts else ""
    most = ", ".join(f"{label} {count}" for label, count in statistics.labels.most_common(5))
    odd = [
        f"{name} is unlike what the bundle was made for: drift {score:.1f}"
        for name, score in drift.items()
        if score > DRIFT_WARN
    ]
    if set_back:
        odd.append(f"time was set back, and a new run began: {'once' if set_back == 1 else f'{set_back} times'}")
    return Group(
        table,
        f"{statistics.percepts} percepts at {statistics.rate_hz:.1f} Hz, {statistics.contradictions} contradictions, "
        f"{doubt}latency p50 {statistics.latency_ms(50):.2f} ms, p99 {statistics.latency_ms(99):.2f} ms",
        f"most seen: {most or '-'}",
        *(StyledText(line, style="yellow") for line in odd),
    )
