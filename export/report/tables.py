"""What export and verify measured, as tables to look at."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich.console import Group
from rich.table import Table
from rich.text import Text

from edgefuse.export.precision.candidates import Candidate
from edgefuse.export.report.files import ExportReport
from edgefuse.export.report.page import size_in_words
from edgefuse.runtime.bundle.verification import GraphCheck, Verification


def precision_table(report: ExportReport) -> Group:
    """Every candidate of every graph: what it costs, and why it was taken or not; then the layers to blame."""
    table = Table(title="Precision of each graph", title_justify="left")
    for heading in ("graph", "candidate"):
        table.add_column(heading, no_wrap=True)
    for heading in ("size", "cosine p1", "ms", "speedup"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("")
    for graph, candidates in report.graphs.items():
        for index, candidate in enumerate(candidates):
            table.add_row(graph if index == 0 else "", *_candidate_cells(candidate))
        table.add_section()
    return Group(table, *(Text(f"{one.graph}: {one.layer} adds an error of {one.noise:.2g}") for one in report.blamed))


def _candidate_cells(one: Candidate) -> tuple[str | Text, ...]:
    return (
        Text(one.name, "bold" if one.chosen else ""),
        "-" if one.size_bytes is None else size_in_words(one.size_bytes),
        _cosine(one.cosine_p1),
        "-" if one.latency_ms is None else f"{one.latency_ms:.3f}",
        "-" if one.speedup is None else f"{one.speedup:.2f}",
        Text("chosen", "green") if one.chosen else Text(one.refused or ""),
    )


def verification_table(verification: Verification) -> Group:
    """Graphs, alignment and accuracies against PyTorch, each row with its bound and whether it is kept."""
    tables = [graph_table(verification)]
    tables += [alignment_table(verification)] if verification.alignment else []
    tables += [accuracy_table(verification)] if verification.accuracy else []
    return Group(*tables)


def samples_text(samples: Mapping[str, str], remarks: Sequence[str]) -> Group:
    """What samples were used, by what was done on them, and what could not be measured."""
    lines = [*(f"{done} {what}" for done, what in samples.items()), *(f"careful: {remark}" for remark in remarks)]
    return Group(*map(Text, lines))


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


def alignment_table(verification: Verification) -> Table:
    """One row per sense whose embeddings are compared with prompts."""
    table = Table(title="Alignment with the prompts", title_justify="left")
    table.add_column("sense")
    for heading in ("samples", "prompts", "rank agreement", "bound"):
        table.add_column(heading, justify="right")
    table.add_column("")
    for row in verification.alignment:
        cells = str(row.samples), str(row.prompts), f"{row.rank_agreement:.4f}", f"{row.bound}"
        table.add_row(row.sense, *cells, _mark(row.failure))
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


def _mark(failure: str | None) -> Text:
    return Text("ok", "green") if failure is None else Text("FAILS", "red")
