"""TensorRT engines, built ahead of time: one code path over `tensorrt` and `tensorrt_rtx`."""

from edgefuse.export.tensorrt.build import EngineRequest, build_engines, check_request
from edgefuse.export.tensorrt.check import EngineCheck, check_engines
from edgefuse.export.tensorrt.numbers import NumbersCheck, check_numbers
from edgefuse.export.tensorrt.profile import Sizes, sizes_from
from edgefuse.export.tensorrt.table import engine_table
from edgefuse.runtime.engines.tensorrt_package import EngineTarget

__all__ = [
    "EngineCheck",
    "EngineRequest",
    "EngineTarget",
    "NumbersCheck",
    "Sizes",
    "build_engines",
    "check_engines",
    "check_numbers",
    "check_request",
    "engine_table",
    "sizes_from",
]
