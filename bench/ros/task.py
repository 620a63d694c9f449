"""What one round on ROS is to be."""

from __future__ import annotations

from typing import Literal, TypeAlias, get_args

from edgefuse.runtime.bundle.verification import Strict

Stack: TypeAlias = Literal["separate", "onboard", "naive"]
"""separate: camera, microphone and perception nodes; onboard: all in one; naive: as separate, but with PyTorch."""

STACKS: tuple[Stack, ...] = get_args(Stack)
PLAYED_AFTER_S = 5.0
"""Camera and microphone nodes are up by then, and play from then on."""

WARM_UP_S = 2.0


class Task(Strict):
    """The files that the sensors play, and who perceives; `checkpoint` is the naive node's."""

    stack: Stack
    bundle: str
    backend: str
    video: str
    sound: str
    seconds: float
    checkpoint: str | None
