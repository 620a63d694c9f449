"""Other ways to run the network: PyTorch, ONNX Runtime in float32, OpenVINO; each graph of it by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal, cast, get_args

import numpy as np

from edgefuse.bench.errors import BenchError
from edgefuse.bench.extent import Effort, Peer
from edgefuse.bench.load.feeds import Feed
from edgefuse.bench.runs.engines import Fed, measure_graph
from edgefuse.bench.runs.uncached import open_uncached
from edgefuse.runtime.bundle.bundle import Bundle
from edgefuse.runtime.bundle.manifest import Dtype, GraphSpec, TensorSpec
from edgefuse.runtime.engines.engine import Engine, first_line
from edgefuse.runtime.engines.engine_openvino import OpenVinoEngine, open_on_openvino
from edgefuse.runtime.engines.plan import OnnxRuntimeWay, OpenVinoWay
from edgefuse.runtime.files.digest import sha256_of

if TYPE_CHECKING:
    import torch

    from edgefuse.export.spec import FusionSpec
    from edgefuse.export.tracing.graphs import GraphSource

TITLES: Mapping[Peer, str] = {
    "torch": "PyTorch eager, whole network",
    "torch-compile": "PyTorch compiled, whole network",
    "ort": "ONNX Runtime fp32, whole network",
    "openvino": "OpenVINO, whole network",
}
_TRIAL = Effort(60, 4.0)
_OPENVINO_TYPES: tuple[Literal["bf16", "f32"], ...] = ("bf16", "f32")

Engines = dict[str, Engine]
"""By graph."""


def peers_from(text: str) -> tuple[Peer, ...]:
    """Of names with commas between; raises BenchError for another."""
    known = {str(peer): peer for peer in get_args(Peer)}
    names = [name.strip() for name in text.split(",") if name.strip()]
    for name in names:
        if name not in known:
            raise BenchError(f"--vs {name}: expected some of {', '.join(known)}")
    return tuple(dict.fromkeys(known[name] for name in names))


class Peers:
    """The network that a bundle was made from, opened in other ways, on one thread each like ours.

    `checkpoint` is what the user called it. Raises BenchError where the bundle was made from another one.
    """

    def __init__(self, checkpoint: str, spec: FusionSpec, bundle: Bundle, directory: Path) -> None:
        from edgefuse.export.tracing.graphs import graph_sources
        from edgefuse.export.tracing.inspection import inspect

        inspect(spec)
        made_from = bundle.manifest.made.checkpoint_sha256
        if None not in (made_from, spec.checkpoint_sha256) and made_from != spec.checkpoint_sha256:
            raise BenchError(f"{bundle.directory} was not made from {checkpoint}: compare it with its own checkpoint")
        self._sources = {source.name: source for source in graph_sources(spec)}
        if set(self._sources) != set(bundle.manifest.graphs):
            raise BenchError(
                f"{checkpoint} has other graphs than {bundle.directory}: compare it with its own checkpoint"
            )
        self._bundle = bundle
        self._directory = directory

    def open(self, peer: Peer, feeds: Mapping[str, Feed]) -> Engines:
        """One engine per graph; `feeds` are inputs to warm it up on, and to find out what is fastest here."""
        opened: dict[Peer, Callable[[Mapping[str, Feed]], Engines]] = {
            "torch": self._open_torch,
            "torch-compile": self._compile_torch,
            "ort": self._open_onnxruntime,
            "openvino": self._open_openvino,
        }
        return opened[peer](feeds)

    def _open_torch(self, feeds: Mapping[str, Feed]) -> Engines:
        return {name: TorchEngine(source, source.module) for name, source in self._sources.items()}

    def _compile_torch(self, feeds: Mapping[str, Feed]) -> Engines:
        import torch

        compiled = {name: torch.compile(source.module) for name, source in self._sources.items()}
        engines: Engines = {name: TorchEngine(source, compiled[name]) for name, source in self._sources.items()}
        for graph, engine in engines.items():
            try:
                engine.run(feeds[graph][0])
            except Exception as error:  # the compiler and what it calls raise what they like
                raise BenchError(
                    f"--vs torch-compile: graph {graph} does not compile here: {first_line(error)}"
                ) from error
        return engines

    def _open_onnxruntime(self, feeds: Mapping[str, Feed]) -> Engines:
        return {
            name: open_uncached(self._export(name), OnnxRuntimeWay(), "onnxruntime-cpu, fp32") for name in self._sources
        }

    def _open_openvino(self, feeds: Mapping[str, Feed]) -> Engines:
        """Of each graph the fastest: float32 weights run as bf16 or f32, or the bundle's own file."""
        return {graph: self._find_fastest(graph, feeds[graph]) for graph in self._sources}

    def _find_fastest(self, graph: str, feed: Feed) -> Engine:
        spec = self._bundle.manifest.graphs[graph]
        engines = {str(kind): _open_on_openvino(self._export(graph), spec, kind, kind) for kind in _OPENVINO_TYPES}
        if spec.precision == "int8":
            engines["int8"] = _open_on_openvino(self._bundle.directory / spec.file, spec, "f32", "int8")
        fed = {name: Fed(engine, feed, name) for name, engine in engines.items()}
        results = measure_graph(graph, fed, _TRIAL)
        return engines[min(results, key=lambda result: result.latency_ms.p50).variant]

    def _export(self, graph: str) -> Path:
        """The graph in float32, exported once."""
        import onnx

        from edgefuse.export.tracing.onnx_export import onnx_from_source

        path = self._directory / f"{graph}.onnx"
        if not path.exists():
            onnx.save(onnx_from_source(self._sources[graph]), path)
        return path


class TorchEngine:
    """One graph in PyTorch; see Engine."""

    backend = "torch"

    def __init__(self, source: GraphSource, module: Callable[..., Sequence[torch.Tensor]]) -> None:
        import torch

        torch.set_num_threads(1)
        self._source = source
        self._module = module
        self._tensor, self._inference = torch.from_numpy, torch.inference_mode

    @property
    def inputs(self) -> tuple[TensorSpec, ...]:
        """See Engine."""
        return _specs_from_tensors(self._source.inputs, self._source.arguments)

    @property
    def outputs(self) -> tuple[TensorSpec, ...]:
        """See Engine."""
        with self._inference():
            return _specs_from_tensors(self._source.outputs, self._module(*self._source.arguments))

    def run(self, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """See Engine."""
        with self._inference():
            values = self._module(*(self._tensor(inputs[name]) for name in self._source.inputs))
        return {name: value.numpy() for name, value in zip(self._source.outputs, values, strict=True)}


def _specs_from_tensors(names: Sequence[str], tensors: Sequence[torch.Tensor]) -> tuple[TensorSpec, ...]:
    return tuple(
        TensorSpec(name=name, dtype=cast(Dtype, str(tensor.dtype).removeprefix("torch.")), shape=tuple(tensor.shape))
        for name, tensor in zip(names, tensors, strict=True)
    )


def _open_on_openvino(path: Path, spec: GraphSpec, arithmetic: Literal["bf16", "f32"], kind: str) -> OpenVinoEngine:
    """As our own engine of it runs the graph; `kind` names the precision in tables."""
    engine = open_on_openvino(path, spec, sha256_of(path), OpenVinoWay(arithmetic=arithmetic))
    engine.backend = f"openvino, {kind}"
    return engine
