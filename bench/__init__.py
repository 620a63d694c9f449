"""What a bundle costs on this machine: per graph, per percept, beside other variants and other ways to run it."""

from typing import TYPE_CHECKING

from edgefuse import imported_when_asked_for

if TYPE_CHECKING:
    from edgefuse.bench.comparison import Change, compare
    from edgefuse.bench.errors import BenchError
    from edgefuse.bench.extent import QUICK, THOROUGH, Extent, Progress, Wish
    from edgefuse.bench.measurement import measure, measure_devices
    from edgefuse.bench.page import page_from_result
    from edgefuse.bench.result import Result, read_result
    from edgefuse.bench.variants import Variant, open_variants
else:
    __getattr__, __dir__ = imported_when_asked_for(
        __name__,
        {
            "comparison": "Change compare",
            "errors": "BenchError",
            "extent": "QUICK THOROUGH Extent Progress Wish",
            "measurement": "measure measure_devices",
            "page": "page_from_result",
            "result": "Result read_result",
            "variants": "Variant open_variants",
        },
    )

__all__ = [
    "QUICK",
    "THOROUGH",
    "BenchError",
    "Change",
    "Extent",
    "Progress",
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
