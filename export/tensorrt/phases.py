"""How far TensorRT's builder is: phases within phases, each of so many steps, as one share of the whole."""

from __future__ import annotations

from dataclasses import dataclass, field
from threading import Event
from typing import Any


@dataclass(slots=True)
class _Phase:
    parent: str | None
    steps: int
    done: int = 0


@dataclass(slots=True)
class Phases:
    """Written by the builder's thread, read by another; `cancelled` ends the build at its next step."""

    cancelled: Event = field(default_factory=Event)
    _active: dict[str, _Phase] = field(default_factory=dict)
    _share: float = 0.0

    def start(self, name: str, parent: str | None, steps: int) -> None:
        self._active[name] = _Phase(parent, steps)

    def step(self, name: str, index: int) -> bool:
        """A step is done; whether to go on."""
        self._active[name].done = index + 1
        self._share = max([self._share, *(self._of(name) for name, phase in self._active.items() if not phase.parent)])
        return not self.cancelled.is_set()

    def finish(self, name: str) -> None:
        del self._active[name]

    @property
    def share(self) -> float:
        """Of all the work, 0..1; never less than before."""
        return self._share

    def _of(self, name: str) -> float:
        phase = self._active[name]
        within = sum(self._of(child) for child, other in self._active.items() if other.parent == name)
        return min(1.0, (phase.done + min(1.0, within)) / max(1, phase.steps))


def monitor_of(trt: Any, phases: Phases) -> Any:
    """The package's progress monitor, which writes into `phases`."""

    class Monitor(trt.IProgressMonitor):  # known at run time only
        def __init__(self) -> None:
            trt.IProgressMonitor.__init__(self)

        def phase_start(self, name: str, parent: str | None, steps: int) -> None:
            phases.start(name, parent, steps)

        def step_complete(self, name: str, index: int) -> bool:
            return phases.step(name, index)

        def phase_finish(self, name: str) -> None:
            phases.finish(name)

    return Monitor()
