"""An engine runs one graph on one backend."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal, Protocol

if TYPE_CHECKING:
    import numpy as np

    from edgefuse.runtime.bundle.manifest import TensorSpec

Backend = Literal["auto", "cpu", "openvino", "cuda", "tensorrt"]
"""What is asked for; `open_engine` in backends.py says what each of them means."""


class Engine(Protocol):
    """Runs one graph.

    Inputs are C-contiguous arrays by name, read before `run` returns and never kept. The outputs are new arrays that
    belong to the caller. An engine is used by one thread at a time.

    `backend` says what really runs: onnxruntime-cpu, openvino-cpu (in float32), openvino-cpu-bf16, onnxruntime-cuda,
    onnxruntime-tensorrt, onnxruntime-tensorrt-rtx, tensorrt or tensorrt-rtx.
    """

    backend: str

    @property
    def inputs(self) -> tuple[TensorSpec, ...]:
        """What the graph itself declares, whatever the manifest says."""
        ...

    @property
    def outputs(self) -> tuple[TensorSpec, ...]:
        """Likewise."""
        ...

    def run(self, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """All outputs by name; raises EngineError on a wrong name, shape or dtype."""
        ...


def first_line(error: Exception) -> str:
    """What a backend's exception says, in one line."""
    return (str(error).strip() or type(error).__name__).splitlines()[0]


def mismatch(side: str, said: tuple[TensorSpec, ...], found: tuple[TensorSpec, ...]) -> str | None:
    """How tensors differ, in any order, from those that the manifest says are on this side; None if they do not.

    A named dimension is any dimension that varies.
    """
    if {t.name: _fixed(t) for t in said} == {t.name: _fixed(t) for t in found}:
        return None
    return f"the manifest's {side} are {_listed(said)}, the graph's are {_listed(found)}; export it again"


def _fixed(tensor: TensorSpec) -> tuple[str, tuple[int | None, ...]]:
    return tensor.dtype, tuple(d if isinstance(d, int) else None for d in tensor.shape)


def _listed(tensors: tuple[TensorSpec, ...]) -> str:
    return ", ".join(f"{t.name} {t.dtype} {list(t.shape)}" for t in tensors)
