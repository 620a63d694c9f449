"""From a bundle and streams to percepts. Runs on the robot; never imports torch.

One frame's way: `streams/` -> `intake.py` (its inlet) -> `encoder.py` -> `tokens.py` -> `fusion.py` -> `percept.py`
-> `sinks/`; `perceiver.py` says it in one place, `live.py` runs it in threads.
"""

from pathlib import Path
from typing import TYPE_CHECKING

from edgefuse.runtime.bundle import Bundle
from edgefuse.runtime.errors import BundleError, EdgefuseError, EngineError, PromptError, SampleError, StreamError
from edgefuse.runtime.perceiver import Perceiver
from edgefuse.runtime.percept import Percept, Sense, Trace
from edgefuse.runtime.samples import AudioChunk, Frame, Sample, Signal, Text
from edgefuse.runtime.streams import Stream
from edgefuse.runtime.streams.camera import Camera
from edgefuse.runtime.streams.clip import Clip
from edgefuse.runtime.streams.microphone import Microphone

if TYPE_CHECKING:
    from edgefuse.runtime.streams.recording import Recording

DEFAULT_BUNDLE = Path(__file__).parent / "default" / "bundle"
DEFAULT_CLIP = Path(__file__).parent / "default" / "tabletop.mp4"

__all__ = [
    "DEFAULT_BUNDLE",
    "DEFAULT_CLIP",
    "AudioChunk",
    "Bundle",
    "BundleError",
    "Camera",
    "Clip",
    "EdgefuseError",
    "EngineError",
    "Frame",
    "Microphone",
    "Perceiver",
    "Percept",
    "PromptError",
    "Recording",
    "Sample",
    "SampleError",
    "Sense",
    "Signal",
    "Stream",
    "StreamError",
    "Text",
    "Trace",
]


def __getattr__(name: str) -> object:
    """`Recording` is imported when it is asked for: whoever replays nothing does not wait for the packages of MCAP."""
    if name != "Recording":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from edgefuse.runtime.streams.recording import Recording

    return Recording
