"""What was found of a bundle's engines, as a table to look at."""

from __future__ import annotations

from collections.abc import Sequence

from rich.table import Table
from rich.text import Text

from edgefuse.export.tensorrt.check import EngineCheck
from edgefuse.export.tensorrt.numbers import NumbersCheck


def engine_table(checks: Sequence[EngineCheck], numbers: NumbersCheck) -> Table:
    """One row per engine; below, whether its numbers could be compared."""
    table = Table(title="Engines", title_justify="left", caption=_caption(numbers), caption_justify="left")
    for heading in ("graph", "built by", "compute capability"):
        table.add_column(heading)
    table.add_column("MB", justify="right")
    for heading in ("inputs and outputs", ""):
        table.add_column(heading)
    for check in checks:
        table.add_row(check.graph, *_engine(check), _mark(check.failure))
    return table


def _mark(failure: str | None) -> Text:
    return Text("ok", "green") if failure is None else Text("broken", "red")


def _engine(check: EngineCheck) -> tuple[str, str, str, str]:
    if check.engine is None:
        return "no engine", "", "", ""
    engine = check.engine
    agreed = "as the graph's, parsed again" if check.parsed_again else "as the graph's"
    return (
        f"{engine.target} {engine.version}",
        engine.compute_capability or "8.0 and later",
        f"{check.size_bytes / 1e6:.1f}",
        agreed if check.failure is None else "",
    )


def _caption(numbers: NumbersCheck) -> str:
    if numbers.left_out is not None:
        return f"numbers not compared: {numbers.left_out}"
    return "numbers as PyTorch's golden vectors" if numbers.failure is None else "numbers differ from PyTorch's"
