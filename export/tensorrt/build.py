"""The engines of a bundle: one per graph and compute capability, each under the key of all that it depends on."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path

from edgefuse.export.errors import ExportError
from edgefuse.export.tensorrt.interface import disagreement
from edgefuse.export.tensorrt.network import parse_graph
from edgefuse.export.tensorrt.package import Package, load_package
from edgefuse.export.tensorrt.plan import FLAGS, plan_of
from edgefuse.export.tensorrt.profile import Sizes, profile_of
from edgefuse.export.tensorrt.storage import engine_file, former_engine, write_engine
from edgefuse.fusion.progress import Progress, unseen
from edgefuse.runtime.bundle.bundle import described
from edgefuse.runtime.bundle.manifest import EngineSpec, GraphSpec, Manifest
from edgefuse.runtime.engines.tensorrt_package import EngineTarget

STAGE = "build engines"
_SHARES = 100


@dataclass(frozen=True, slots=True)
class EngineRequest:
    """What to build: `--target`, `--compute-capability` and `--size` of `edgefuse export`.

    compute_capabilities: one engine per graph for each, such as "8.9"; None is every GPU from 8.0 on with tensorrt-rtx,
    and this machine's with tensorrt. sizes: smallest, usual and largest by the name of a varying dimension, where
    they differ from profile.SIZES.
    """

    target: EngineTarget
    compute_capabilities: tuple[str | None, ...] = (None,)
    sizes: Mapping[str, Sizes] = field(default_factory=dict)


def check_request(request: EngineRequest) -> None:
    """Raise at once what build_engines would raise for the package or the GPU, before any other work."""
    _capabilities(load_package(request.target), request)


def build_engines(
    directory: Path,
    manifest: Manifest,
    request: EngineRequest,
    former: Path | None = None,
    progress: Progress = unseen,
) -> Manifest:
    """Build the engines of every graph of the bundle in `directory`; its manifest with them and their checksums.

    The graphs lie there already, as `manifest.files` says; engines go into `engines/` beside them. The manifest is not
    written. An engine of the same key in the bundle at `former` (which may not exist) is taken over, not built again.
    `progress` has the stage "build engines", of 100 steps an engine. Raises ExportError in one line: a package that is
    not installed, a GPU that is missing or not known, an operator that TensorRT does not take, no room to write.
    Ctrl-C ends the build at its next step.
    """
    package = load_package(request.target)
    wanted = list(_wanted(package, manifest, request))
    engines: dict[str, tuple[EngineSpec, ...]] = {}
    for index, (graph, spec) in enumerate(wanted):
        report = _within(progress, index, len(wanted))
        report(0.0)
        whole = _write_former(former, directory, spec) or _write_built(
            package, directory, manifest, graph, spec, report
        )
        engines[graph] = (*engines.get(graph, ()), whole)
    progress(STAGE, len(wanted) * _SHARES, len(wanted) * _SHARES)
    return with_engines(directory, manifest, engines).model_copy(update={"target": request.target})


def with_engines(directory: Path, manifest: Manifest, engines: Mapping[str, tuple[EngineSpec, ...]]) -> Manifest:
    """The manifest with these engines of its graphs in place of those it has, and the checksums of their files."""

    def equip(name: str, graph: GraphSpec) -> GraphSpec:
        return graph.model_copy(update={"engines": engines.get(name, ())})

    modalities = tuple(
        sense if sense.graph is None else sense.model_copy(update={"graph": equip(sense.name, sense.graph)})
        for sense in manifest.modalities
    )
    replaced = {engine.file for graph in manifest.graphs.values() for engine in graph.engines}
    files = {file: spec for file, spec in manifest.files.items() if file not in replaced}
    files |= {engine.file: described(directory / engine.file) for specs in engines.values() for engine in specs}
    changed = {"modalities": modalities, "fusion": equip("fusion", manifest.fusion), "files": files}
    return manifest.model_copy(update=changed)


def _wanted(package: Package, manifest: Manifest, request: EngineRequest) -> Iterator[tuple[str, EngineSpec]]:
    """By graph, all that decides about each engine; its inputs and outputs are known when the graph is parsed."""
    for graph, capability in product(manifest.graphs, _capabilities(package, request)):
        spec = EngineSpec(
            file="unnamed",
            target=package.target,
            version=package.version,
            compute_capability=capability,
            graph_sha256=manifest.files[manifest.graphs[graph].file].sha256,
            profile=profile_of(graph, manifest, request.sizes),
            flags=FLAGS,
            inputs=(),
            outputs=(),
        )
        yield graph, spec.model_copy(update={"file": engine_file(graph, spec)})


def _capabilities(package: Package, request: EngineRequest) -> tuple[str | None, ...]:
    return tuple(dict.fromkeys(map(package.capability, request.compute_capabilities)))


def _write_former(former: Path | None, directory: Path, spec: EngineSpec) -> EngineSpec | None:
    """Copy the former bundle's engine of the same key; None if it has none."""
    found = None if former is None else former_engine(former, spec.key)
    if former is None or found is None:
        return None
    with _room_for(directory / spec.file):
        write_engine(directory / spec.file, (former / found.file).read_bytes())
    return found.model_copy(update={"file": spec.file})


def _write_built(
    package: Package, directory: Path, manifest: Manifest, graph: str, spec: EngineSpec, report: Callable[[float], None]
) -> EngineSpec:
    """Build the engine and write it."""
    network = parse_graph(package, graph, directory / manifest.graphs[graph].file)
    whole = spec.model_copy(update={"inputs": network.inputs, "outputs": network.outputs})
    difference = disagreement(manifest.graphs[graph], whole)
    if difference is not None:
        raise ExportError(f"graph {graph}: TensorRT understands it otherwise: {difference}")
    plan = plan_of(package, network, spec.profile, spec.compute_capability, report)
    with _room_for(directory / spec.file):
        write_engine(directory / spec.file, plan)
    return whole


@contextmanager
def _room_for(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ExportError(f"cannot write the engine {path}: {error.strerror or error}") from error


def _within(progress: Progress, index: int, engines: int) -> Callable[[float], None]:
    """The progress of one engine as a part of that of all."""
    return lambda share: progress(STAGE, index * _SHARES + int(share * _SHARES), engines * _SHARES)
