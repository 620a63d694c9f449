"""The page that shows what an export measured: one file that needs nothing else."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from jinja2 import Environment, PackageLoader, StrictUndefined

from edgefuse.export.precision.candidates import strain_of

if TYPE_CHECKING:
    from edgefuse.export.report.files import ExportReport

SMALLEST_STRAIN, LARGEST_STRAIN = 1e-4, 10.0
"""The ends of the logarithmic scale of errors, as shares of what a bound allows."""


def page_from_report(report: ExportReport) -> str:
    """The HTML, with every number in it; dark or light as the reader's system is."""
    environment = page_environment("edgefuse.export.report")
    environment.filters |= {"size": size_in_words, "place": place_on_log_scale}
    environment.globals["strain_of"] = strain_of
    return environment.get_template("export.html.j2").render(
        report=report, bound_place=place_on_log_scale(1.0), totals=_totals(report)
    )


def page_environment(package: str) -> Environment:
    """For the templates in `pages` of a package: what is put in is escaped, and what is missing is an error."""
    return Environment(
        loader=PackageLoader(package, "pages"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def place_on_log_scale(strain: float) -> float:
    """Where an error lies between SMALLEST_STRAIN and LARGEST_STRAIN, in percent of the scale's length."""
    clipped = min(max(strain, SMALLEST_STRAIN), LARGEST_STRAIN)
    return 100 * math.log(clipped / SMALLEST_STRAIN) / math.log(LARGEST_STRAIN / SMALLEST_STRAIN)


def size_in_words(size_bytes: int) -> str:
    """In kB below a megabyte, else in MB."""
    return f"{size_bytes / 1e6:.2f} MB" if size_bytes >= 1_000_000 else f"{size_bytes / 1e3:.0f} kB"


def _totals(report: ExportReport) -> dict[str, float | None]:
    """Of all graphs together, in float32 and as they were chosen: bytes and milliseconds (one run of each)."""
    float32 = [candidates[0] for candidates in report.graphs.values()]
    chosen = [one for one in report.candidates if one.chosen]
    timed = all(one.latency_ms is not None for one in (*float32, *chosen))
    return {
        "float_bytes": sum(one.size_bytes or 0 for one in float32),
        "bytes": sum(one.size_bytes or 0 for one in chosen),
        "float_ms": sum(one.latency_ms or 0.0 for one in float32) if timed else None,
        "ms": sum(one.latency_ms or 0.0 for one in chosen) if timed else None,
    }
