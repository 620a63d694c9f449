"""Whether a bundle's engines are what its manifest says and belong to its graphs: on any machine, without a GPU."""

from __future__ import annotations

from dataclasses import dataclass

from edgefuse.export.errors import ExportError
from edgefuse.export.tensorrt.interface import disagreement
from edgefuse.export.tensorrt.network import parse_graph
from edgefuse.export.tensorrt.package import Package, load_package
from edgefuse.export.tensorrt.storage import engine_file
from edgefuse.runtime.bundle.bundle import Bundle
from edgefuse.runtime.bundle.manifest import EngineSpec


@dataclass(frozen=True, slots=True)
class EngineCheck:
    """One engine of a bundle, or one that it should have.

    engine: None where the graph has no engine for the bundle's target. size_bytes: of its file. parsed_again: whether
    the package that built it is here and understands the graph today as it did then. failure: what is wrong and what to
    do, in one line, or None.
    """

    graph: str
    engine: EngineSpec | None
    size_bytes: int
    parsed_again: bool
    failure: str | None


def check_engines(bundle: Bundle) -> tuple[EngineCheck, ...]:
    """Every engine of an opened bundle, whose files therefore have their checksums.

    Shown on any machine: each graph has an engine for the bundle's target; an engine's key follows from what the
    manifest says of it; it was built from this very graph; and the inputs, outputs and sizes that TensorRT saw when it
    built the engine are the graph's. Where the package of the same version is installed, the graph is parsed again too.
    Not shown: what a plan computes. It opens only on its GPU, where the runtime compares its inputs and outputs with
    these, and its numbers with the golden vectors, whenever it loads it.
    """
    manifest = bundle.manifest
    missing = [
        EngineCheck(name, None, 0, False, f"graph {name} has no engine for {manifest.target}; export the bundle again")
        for name, graph in manifest.graphs.items()
        if manifest.target not in ("onnx", *(engine.target for engine in graph.engines))
    ]
    engines = [(name, engine) for name, graph in manifest.graphs.items() for engine in graph.engines]
    return (*missing, *(_check(bundle, name, engine) for name, engine in engines))


def _check(bundle: Bundle, name: str, engine: EngineSpec) -> EngineCheck:
    package = _package_of(engine)
    failure = _contradiction(bundle, name, engine)
    if failure is None and package is not None:
        failure = _misunderstanding(package, bundle, name, engine)
    line = None if failure is None else f"{engine.file}: {failure}; export the bundle again"
    size_bytes = (bundle.directory / engine.file).stat().st_size
    return EngineCheck(name, engine, size_bytes, failure is None and package is not None, line)


def _contradiction(bundle: Bundle, name: str, engine: EngineSpec) -> str | None:
    """Where the manifest contradicts itself, in a few words."""
    graph = bundle.manifest.graphs[name]
    own = bundle.manifest.files[graph.file].sha256
    if engine.graph_sha256 != own:
        return f"was built from another {graph.file}, sha256 {engine.graph_sha256[:12]}..., this one has {own[:12]}..."
    if engine.file != engine_file(name, engine):
        return f"what the manifest says of it has the key {engine.key}, which is not in its name"
    return disagreement(graph, engine)


def _misunderstanding(package: Package, bundle: Bundle, name: str, engine: EngineSpec) -> str | None:
    """Where the package, parsing the graph again, sees other inputs or outputs than those that were kept."""
    try:
        network = parse_graph(package, name, bundle.directory / bundle.manifest.graphs[name].file)
    except ExportError as error:
        return str(error)
    same = (network.inputs, network.outputs) == (engine.inputs, engine.outputs)
    return None if same else f"{package.module.__name__} sees other inputs and outputs in graph {name} than are kept"


def _package_of(engine: EngineSpec) -> Package | None:
    """The package that built the engine; None if it is not here in that version, or does not work without a GPU."""
    try:
        package = load_package(engine.target)
        package.capability(None)
    except ExportError:
        return None
    return package if package.version == engine.version else None
