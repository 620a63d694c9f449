"""A network to a serialized plan: strict float32, one optimisation profile, seen from outside, and stoppable."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from typing import Any

from edgefuse.export.errors import ExportError
from edgefuse.export.tensorrt.network import Network
from edgefuse.export.tensorrt.package import Package
from edgefuse.export.tensorrt.phases import Phases, monitor_of
from edgefuse.export.tensorrt.profile import Profile
from edgefuse.export.tensorrt.refusal import advice, reason_in
from edgefuse.export.tensorrt.timing import timing_cache

FLAGS = ("no_tf32", "strongly_typed")
"""As the manifest keeps them: float32 is float32 (TF32 has 10 bits of mantissa), and types are the graph's own."""

_LOOK_S = 0.1


def plan_of(
    package: Package, network: Network, profile: Profile, capability: str | None, report: Callable[[float], None]
) -> bytes:
    """Build the engine; `report` is called in this thread with the share that is done, 0..1.

    Ctrl-C, or an error in `report`, ends the build at its next step. Raises ExportError where TensorRT fails.
    """
    phases = Phases()
    config = _configured(package, network, profile, capability)
    config.progress_monitor = monitor_of(package.module, phases)
    with timing_cache(package, config, capability):
        plan = _watched(lambda: network.builder.build_serialized_network(network.definition, config), phases, report)
    if plan is None:
        raise _failure(network)
    return bytes(plan)


def _configured(package: Package, network: Network, profile: Profile, capability: str | None) -> Any:
    config = network.builder.create_builder_config()
    config.clear_flag(package.module.BuilderFlag.TF32)
    if package.target == "tensorrt-rtx" and capability is not None:
        config.num_compute_capabilities = 1
        config.set_compute_capability(package.constant(capability), 0)
    optimisation = network.builder.create_optimization_profile()
    for name, shapes in profile.items():
        optimisation.set_shape(name, *shapes)
    if config.add_optimization_profile(optimisation) < 0:
        raise ExportError(f"graph {network.name}: TensorRT does not take the sizes {profile}")
    return config


def _watched(build: Callable[[], Any], phases: Phases, report: Callable[[float], None]) -> Any:
    """What `build` returns from a thread of its own: this thread stays free to report and to be interrupted."""
    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="tensorrt") as executor:
        building = executor.submit(build)
        try:
            while not wait([building], timeout=_LOOK_S).done:
                report(phases.share)
        except BaseException:
            phases.cancelled.set()
            raise
    return building.result()


def _failure(network: Network) -> ExportError:
    reason = next((said for said in map(reason_in, network.log.errors) if said), "it does not say why")
    return ExportError(f"graph {network.name}: TensorRT builds no engine from it: {reason}; {advice(reason)}")
