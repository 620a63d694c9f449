"""Whether a bundle's engines compute what PyTorch did: only where this machine has the GPU that they were built for."""

from __future__ import annotations

from dataclasses import dataclass

from edgefuse.runtime.bundle.bundle import Bundle
from edgefuse.runtime.engines.backends import open_engine
from edgefuse.runtime.engines.gpu import find_gpu
from edgefuse.runtime.engines.selftest import replay
from edgefuse.runtime.errors import BundleError, EngineError


@dataclass(frozen=True, slots=True)
class NumbersCheck:
    """left_out: why nothing was compared; failure: what differs. Each is one line or None; both None: all agree."""

    left_out: str | None
    failure: str | None


def check_numbers(bundle: Bundle) -> NumbersCheck:
    """Replay the bundle's golden vectors on its TensorRT engines, within the bounds of the manifest."""
    if bundle.manifest.golden is None:
        return NumbersCheck("the bundle has no golden vectors", None)
    if not all(graph.engines for graph in bundle.manifest.graphs.values()):
        return NumbersCheck("the bundle has no engines for all of its graphs", None)
    try:
        find_gpu()
        replay(bundle, {graph: open_engine(bundle, graph, "tensorrt") for graph in bundle.manifest.graphs})
    except EngineError as error:
        return NumbersCheck(str(error), None)
    except BundleError as error:
        return NumbersCheck(None, str(error))
    return NumbersCheck(None, None)
