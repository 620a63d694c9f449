"""What a bundle costs on this machine: per graph, per percept, beside other variants and other ways to run it."""

from typing import TYPE_CHECKING

from edgefuse import imported_when_asked_for

if TYPE_CHECKING:
    from edgefuse.bench.errors import BenchError
    from edgefuse.bench.extent import QUICK, THOROUGH, Extent, Wish
    from edgefuse.bench.load.variants import Variant, open_variants
    from edgefuse.bench.measurement import measure, measure_devices
    from edgefuse.bench.report.comparison import Change, compare
    from edgefuse.bench.report.page import page_from_result
    from edgefuse.bench.report.result import Result, read_result
else:
    __getattr__, __dir__ = imported_when_asked_for(
        __name__,
        {
            "report.comparison": "Change compare",
            "errors": "BenchError",
            "extent": "QUICK THOROUGH Extent Wish",
            "measurement": "measure measure_devices",
            "report.page": "page_from_result",
            "report.result": "Result read_result",
            "load.variants": "Variant open_variants",
        },
    )

__all__ = [
    "QUICK",
    "THOROUGH",
    "BenchError",
    "Change",
    "Extent",
    "Result",
    "Variant",
    "Wish",
    "compare",
    "measure",
    "measure_devices",
    "open_variants",
    "page_from_result",
    "read_result",
]
