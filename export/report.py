"""What verify measured, as tables to look at."""

from __future__ import annotations

from rich.console import Group
from rich.table import Table

from edgefuse.runtime.verification import GraphCheck, Verification


def verification_table(verification: Verification) -> Group:
    """Graphs and accuracies against PyTorch, each row with its bound and whether it is kept."""
    return Group(graph_table(verification), accuracy_table(verification))


def graph_table(verification: Verification) -> Table:
    """One row per output of a graph, and of the whole chain."""
    table = Table(title="Graphs against PyTorch", title_justify="left")
    for heading in ("graph", "output", "precision"):
        table.add_column(heading)
    for heading in ("samples", "cosine p1", "cosine min", "largest difference", "bound"):
        table.add_column(heading, justify="right")
    table.add_column("")
    formerly = ""
    for row in verification.graphs:
        if row.graph != formerly and formerly:
            table.add_section()
        name, formerly = (row.graph if row.graph != formerly else ""), row.graph
        table.add_row(
            name,
            row.output,
            row.precision,
            str(row.samples),
            _cosine(row.cosine_p1),
            _cosine(row.cosine_min),
            f"{row.max_abs_difference:.2g}",
            _bounds(row),
            _mark(row.failure),
        )
    return table


def accuracy_table(verification: Verification) -> Table:
    """One row per subset of the senses."""
    table = Table(title="Task accuracy", title_justify="left")
    table.add_column("senses")
    for heading in ("samples", "PyTorch", "bundle", "difference", "bound"):
        table.add_column(heading, justify="right")
    table.add_column("")
    for row in verification.accuracy:
        table.add_row(
            " + ".join(row.senses),
            str(row.samples),
            f"{row.checkpoint:.1%}",
            f"{row.bundle:.1%}",
            f"{100 * (row.bundle - row.checkpoint):+.1f}",
            f"{-100 * row.loss_bound:.1f}",
            _mark(row.failure),
        )
    return table


def _cosine(value: float | None) -> str:
    return "-" if value is None else f"{value:.5f}"


def _bounds(row: GraphCheck) -> str:
    parts = []
    if row.cosine_bound is not None:
        parts.append(f"p1 ≥ {row.cosine_bound}")
    if row.difference_bound is not None:
        parts.append(f"diff ≤ {row.difference_bound}")
    return ", ".join(parts) or "-"


def _mark(failure: str | None) -> str:
    return "[green]ok[/]" if failure is None else "[red]FAILS[/]"
