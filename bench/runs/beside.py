"""Variants beside each other, from rounds in which each had its turn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np

from edgefuse.bench.report.figures import figure_from, ratio_from
from edgefuse.bench.report.result import Figure, Row, Table
from edgefuse.bench.runs.pipeline import Turn
from edgefuse.bench.runs.run import Run, percepts_hz_from_runs


def table_from(fused: Literal["lead", "any"], turns: Mapping[str, Sequence[Turn]], news_of: str | None) -> Table:
    """One row per variant, the sensors' CPU time left out; the first is what the others are compared with."""
    rows: list[Row] = []
    for name, own in turns.items():
        runs = [turn.without_sensors for turn in own]
        rows.append(_row_from_runs(name, runs, news_of, rows[0] if rows else None))
    return Table(fused=fused, rows=tuple(rows))


def _row_from_runs(name: str, runs: Sequence[Run], news_of: str | None, first: Row | None) -> Row:
    latency = figure_from([run.latencies_ms for run in runs])
    cpu = figure_from([[run.cpu_per_percept_ms] for run in runs])
    news = _news_from_rounds([run.news_ms(news_of) for run in runs] if news_of else [])
    first_news = first.news_ms if first else news
    return Row(
        variant=name,
        latency_ms=latency,
        cpu_per_percept_ms=cpu,
        percepts_hz=percepts_hz_from_runs(runs),
        news_of=news_of,
        news_ms=news,
        latency_ratio=ratio_from(latency.rounds, (first.latency_ms if first else latency).rounds),
        cpu_ratio=ratio_from(cpu.rounds, (first.cpu_per_percept_ms if first else cpu).rounds),
        news_ratio=ratio_from(news.rounds, first_news.rounds) if news and first_news else None,
    )


def _news_from_rounds(rounds: Sequence[np.ndarray]) -> Figure | None:
    """None where a round heard of nothing."""
    return figure_from(rounds) if rounds and all(len(one) for one in rounds) else None
