"""Variants: bundles on backends, each with a name of its own and what it is fed with."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

from edgefuse.bench.errors import BenchError
from edgefuse.bench.load.workload import Workload, workload_from
from edgefuse.runtime.bundle.bundle import Bundle
from edgefuse.runtime.bundle.manifest import Modality
from edgefuse.runtime.engines.backends import open_engine
from edgefuse.runtime.engines.engine import Backend, Engine
from edgefuse.runtime.perceiver import Perceiver


@dataclass(frozen=True, slots=True)
class Variant:
    """One bundle on one backend; `backends` is what really runs each graph."""

    name: str
    bundle: Bundle
    backend: Backend
    workload: Workload
    backends: Mapping[str, str]

    @property
    def lead(self) -> Modality:
        """The sense whose evidence calls for percepts."""
        return self.bundle.manifest.modalities[0]

    def engines(self) -> dict[str, Engine]:
        """All of the bundle's, newly opened, by graph."""
        return {graph: open_engine(self.bundle, graph, self.backend) for graph in self.bundle.manifest.graphs}


def backends_from(names: Sequence[str]) -> tuple[Backend, ...]:
    """Raises BenchError for a name that is none."""
    known: dict[str, Backend] = {backend: backend for backend in get_args(Backend)}
    for name in names:
        if name not in known:
            raise BenchError(f"--backend {name}: expected {', '.join(known)}")
    return tuple(dict.fromkeys(known[name] for name in names))


def open_variants(directories: Sequence[Path], backends: Sequence[Backend], source: Path) -> list[Variant]:
    """Every bundle on every backend, self-tested; raises BundleError, EngineError or StreamError."""
    variants: list[Variant] = []
    seen: Counter[str] = Counter()
    for directory in directories:
        bundle = Bundle.open(directory)
        workload = workload_from(bundle.manifest, source)
        for backend in backends:
            tried = Perceiver(bundle, backend=backend)
            plain = _name_plainly(directory, backend, backends)
            seen[plain] += 1
            name = plain if seen[plain] == 1 else f"{plain} #{seen[plain]}"
            variants.append(Variant(name, bundle, backend, workload, tried.backends))
    return variants


def _name_plainly(directory: Path, backend: Backend, backends: Sequence[Backend]) -> str:
    name = Path(os.path.realpath(directory)).name
    return f"{name} on {backend}" if len(backends) > 1 else name
