"""From a bundle and streams to percepts. Runs on the robot; never imports torch.

One frame's way: `streams/` -> `intake.py` (its sense's inlet) -> `encoder.py` -> `senses/tokens.py` -> `fusion.py` ->
`percept.py` -> `sinks/`; `perceiver.py` says it in one place, `live.py` runs it in threads.
"""

from pathlib import Path
from typing import TYPE_CHECKING

from edgefuse import imported_when_asked_for

DEFAULT_BUNDLE = Path(__file__).parent / "default" / "bundle"
"""The bundle that comes with edgefuse: its network sees, hears and reads."""

DEFAULT_CLIP = Path(__file__).parent / "default" / "tabletop.mp4"
"""20 seconds of a table top on which such objects are shown and named; its sound lies beside it."""

if TYPE_CHECKING:
    from edgefuse.runtime.bundle.bundle import Bundle
    from edgefuse.runtime.bundle.manifest import (
        AudioModality,
        ImageModality,
        Manifest,
        Modality,
        SignalModality,
        TensorSpec,
        TextModality,
    )
    from edgefuse.runtime.corrections.camera_info import CameraInfo, read_camera_info, write_camera_info
    from edgefuse.runtime.corrections.confidence import Confidence, read_confidence, write_confidence
    from edgefuse.runtime.corrections.corrections import Corrections, read_corrections
    from edgefuse.runtime.corrections.sync import Sync, read_sync, write_sync
    from edgefuse.runtime.engines.backends import open_engine
    from edgefuse.runtime.engines.engine import Backend, Engine
    from edgefuse.runtime.errors import (
        BundleError,
        CalibrationError,
        EdgefuseError,
        EngineError,
        PromptError,
        SampleError,
        StreamError,
    )
    from edgefuse.runtime.heads.drift import DRIFT_WARN
    from edgefuse.runtime.perceiver import Perceiver
    from edgefuse.runtime.percept import Percept, Sense, Trace
    from edgefuse.runtime.samples import AudioChunk, Frame, Sample, Signal, Text
    from edgefuse.runtime.senses.evidence import Evidence, Tokens
    from edgefuse.runtime.sinks import Observer, Sink, deliver
    from edgefuse.runtime.sinks.console import LiveTable, summary
    from edgefuse.runtime.sinks.jsonl import JsonLines
    from edgefuse.runtime.sinks.recorder import Recorder
    from edgefuse.runtime.sinks.statistics import RunStatistics, SenseStatistics
    from edgefuse.runtime.sinks.timeline import Timeline
    from edgefuse.runtime.sinks.viewer import Viewer
    from edgefuse.runtime.streams import Stream, StreamHealth, StreamState
    from edgefuse.runtime.streams.camera import Camera
    from edgefuse.runtime.streams.clip import Clip
    from edgefuse.runtime.streams.microphone import Microphone
    from edgefuse.runtime.streams.recording import Recording
    from edgefuse.runtime.streams.sources import Source, open_streams
    from edgefuse.runtime.streams.watchdog import Patience
else:
    __getattr__, __dir__ = imported_when_asked_for(
        __name__,
        {
            "bundle.bundle": "Bundle",
            "corrections.camera_info": "CameraInfo read_camera_info write_camera_info",
            "corrections.confidence": "Confidence read_confidence write_confidence",
            "corrections.corrections": "Corrections read_corrections",
            "heads.drift": "DRIFT_WARN",
            "corrections.sync": "Sync read_sync write_sync",
            "engines.backends": "open_engine",
            "engines.engine": "Backend Engine",
            "errors": "BundleError CalibrationError EdgefuseError EngineError PromptError SampleError StreamError",
            "senses.evidence": "Evidence Tokens",
            "bundle.manifest": "AudioModality ImageModality Manifest Modality SignalModality TensorSpec TextModality",
            "perceiver": "Perceiver",
            "percept": "Percept Sense Trace",
            "samples": "AudioChunk Frame Sample Signal Text",
            "sinks": "Observer Sink deliver",
            "sinks.console": "LiveTable summary",
            "sinks.jsonl": "JsonLines",
            "sinks.recorder": "Recorder",
            "sinks.statistics": "RunStatistics SenseStatistics",
            "sinks.timeline": "Timeline",
            "sinks.viewer": "Viewer",
            "streams": "Stream StreamHealth StreamState",
            "streams.camera": "Camera",
            "streams.clip": "Clip",
            "streams.microphone": "Microphone",
            "streams.recording": "Recording",
            "streams.sources": "Source open_streams",
            "streams.watchdog": "Patience",
        },
    )

__all__ = [
    "DEFAULT_BUNDLE",
    "DEFAULT_CLIP",
    "DRIFT_WARN",
    "AudioChunk",
    "AudioModality",
    "Backend",
    "Bundle",
    "BundleError",
    "CalibrationError",
    "Camera",
    "CameraInfo",
    "Clip",
    "Confidence",
    "Corrections",
    "EdgefuseError",
    "Engine",
    "EngineError",
    "Evidence",
    "Frame",
    "ImageModality",
    "JsonLines",
    "LiveTable",
    "Manifest",
    "Microphone",
    "Modality",
    "Observer",
    "Patience",
    "Perceiver",
    "Percept",
    "PromptError",
    "Recorder",
    "Recording",
    "RunStatistics",
    "Sample",
    "SampleError",
    "Sense",
    "SenseStatistics",
    "Signal",
    "SignalModality",
    "Sink",
    "Source",
    "Stream",
    "StreamError",
    "StreamHealth",
    "StreamState",
    "Sync",
    "TensorSpec",
    "Text",
    "TextModality",
    "Timeline",
    "Tokens",
    "Trace",
    "Viewer",
    "deliver",
    "open_engine",
    "open_streams",
    "read_camera_info",
    "read_confidence",
    "read_corrections",
    "read_sync",
    "summary",
    "write_camera_info",
    "write_confidence",
    "write_sync",
]
