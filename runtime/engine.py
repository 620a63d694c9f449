"""An engine runs one graph on one backend."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

import numpy as np

from edgefuse.runtime.errors import BundleError
from edgefuse.runtime.manifest import GraphSpec, TensorSpec


class Engine(Protocol):
    """Runs one graph.

    Inputs are C-contiguous arrays by name, read before `run` returns and never kept. The outputs are new arrays that
    belong to the caller. An engine is used by one thread at a time.
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


def open_engine(path: Path, spec: GraphSpec) -> Engine:
    """The engine for a bundle's graph; raises BundleError where the graph is not what its manifest says."""
    from edgefuse.runtime.engine_onnxruntime import OnnxRuntimeEngine

    engine = OnnxRuntimeEngine(path)
    for side in ("inputs", "outputs"):
        _same_tensors(path, side, getattr(spec, side), getattr(engine, side))
    return engine


def _same_tensors(path: Path, side: str, said: tuple[TensorSpec, ...], found: tuple[TensorSpec, ...]) -> None:
    if [_fixed(t) for t in said] != [_fixed(t) for t in found]:
        raise BundleError(
            f"{path}: the manifest's {side} are {_listed(said)}, the graph's are {_listed(found)}; export it again"
        )


def _fixed(tensor: TensorSpec) -> tuple[str, str, tuple[int | None, ...]]:
    return tensor.name, tensor.dtype, tuple(d if isinstance(d, int) else None for d in tensor.shape)


def _listed(tensors: tuple[TensorSpec, ...]) -> str:
    return ", ".join(f"{t.name} {t.dtype} {list(t.shape)}" for t in tensors)
