"""The clip that camera and microphone nodes play: what a workload has, over and over, of a usual camera's size."""

from __future__ import annotations

from itertools import cycle, islice
from pathlib import Path

import cv2
import numpy as np
import soundfile

from edgefuse.bench.errors import BenchError
from edgefuse.bench.load.workload import Workload
from edgefuse.runtime.bundle.manifest import AudioModality, Modality
from edgefuse.runtime.samples import Frame

WIDTH, HEIGHT = 640, 480


def write_clip(workload: Workload, rate_hz: float, seconds: float, directory: Path) -> tuple[Path, Path]:
    """A video and a WAV file; raises BenchError where the bundle does not both see and hear."""
    image = _find_sense(workload, "image")
    audio = _find_sense(workload, "audio")
    assert isinstance(audio, AudioModality)
    video, sound = directory / "ros.mp4", directory / "ros.wav"
    writer = cv2.VideoWriter(str(video), cv2.VideoWriter.fourcc(*"mp4v"), rate_hz, (WIDTH, HEIGHT))
    for frame in islice(cycle(workload.contents[image.name]), round(seconds * rate_hz)):
        assert isinstance(frame, Frame)
        writer.write(cv2.resize(_convert_to_bgr(frame), (WIDTH, HEIGHT)))
    writer.release()
    pieces = [np.asarray(piece, np.float32) for piece in workload.contents[audio.name]]
    samples = round(seconds * audio.rate_hz)
    soundfile.write(sound, np.resize(np.concatenate(pieces), samples), audio.rate_hz)
    return video, sound


def _find_sense(workload: Workload, kind: str) -> Modality:
    found = next((sense for sense in workload.senses if sense.kind == kind), None)
    if found is None:
        raise BenchError(f"--ros plays pictures and sound, and the bundle has no {kind}")
    return found


def _convert_to_bgr(frame: Frame) -> np.ndarray:
    return cv2.cvtColor(frame.image, cv2.COLOR_RGB2BGR) if frame.encoding == "rgb8" else frame.image
