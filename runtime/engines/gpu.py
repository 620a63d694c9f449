"""The NVIDIA GPU of this machine, asked of its driver; needs no package of NVIDIA's."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass

from edgefuse.runtime.errors import EngineError

_MAJOR, _MINOR = 75, 76  # CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_... in cuda.h


@dataclass(frozen=True, slots=True)
class Gpu:
    """The first GPU, as CUDA counts them (CUDA_VISIBLE_DEVICES chooses). compute_capability: such as "8.9"."""

    name: str
    compute_capability: str
    driver: str

    def __str__(self) -> str:
        return f"{self.name} (compute capability {self.compute_capability}, driver for CUDA {self.driver})"


def find_gpu() -> Gpu:
    """Ask the driver; raises EngineError that says why there is no GPU."""
    try:
        driver = ctypes.CDLL("libcuda.so.1")
    except OSError:
        raise EngineError("this machine has no NVIDIA driver (libcuda.so.1 not found)") from None
    _call(driver, "cuInit", 0)
    if _number(driver, "cuDeviceGetCount") == 0:
        raise EngineError("the NVIDIA driver shows no GPU; look at nvidia-smi and CUDA_VISIBLE_DEVICES")
    name = ctypes.create_string_buffer(256)
    _call(driver, "cuDeviceGetName", name, len(name), 0)
    major, minor = (_number(driver, "cuDeviceGetAttribute", attribute, 0) for attribute in (_MAJOR, _MINOR))
    version = _number(driver, "cuDriverGetVersion")
    return Gpu(name.value.decode(), f"{major}.{minor}", f"{version // 1000}.{version % 1000 // 10}")


def _number(driver: ctypes.CDLL, function: str, *arguments: int) -> int:
    value = ctypes.c_int()
    _call(driver, function, ctypes.byref(value), *arguments)
    return value.value


def _call(driver: ctypes.CDLL, function: str, *arguments: object) -> None:
    error: int = getattr(driver, function)(*arguments)
    if error:
        text = ctypes.c_char_p()
        driver.cuGetErrorString(error, ctypes.byref(text))
        said = (text.value or b"unknown error").decode()
        raise EngineError(f"the NVIDIA driver finds no usable GPU: {function} says {said} ({error})")
