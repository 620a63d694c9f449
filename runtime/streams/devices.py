"""Devices: which cameras and microphones there are, and how well a chosen one keeps time. Data only, no printing."""

from __future__ import annotations

import threading
from dataclasses import dataclass

import numpy as np

from edgefuse.runtime.errors import StreamError
from edgefuse.runtime.streams import StreamHealth
from edgefuse.runtime.streams.camera import Camera
from edgefuse.runtime.streams.capture import CameraFormat
from edgefuse.runtime.streams.device_stream import DeviceStream, S
from edgefuse.runtime.streams.level import ADVICE, complaint_about
from edgefuse.runtime.streams.microphone import Microphone
from edgefuse.runtime.streams.portaudio import MicrophoneOffer, microphones
from edgefuse.runtime.streams.v4l2 import CameraOffer, cameras

_SLOW = 0.9
_JITTERY = 0.5
_DRIFTING_PPM = 300.0
_DRIFT_KNOWN_S = 3.0
_QUIET_DBFS = -55.0


@dataclass(frozen=True, slots=True)
class DevicesFound:
    """What is plugged in; `microphones_missing` says in a line why microphones cannot be listed, if so."""

    cameras: tuple[CameraOffer, ...]
    microphones: tuple[MicrophoneOffer, ...]
    microphones_missing: str | None = None


@dataclass(frozen=True, slots=True)
class CameraMeasurement:
    """What a camera did: frames per second, standard deviation and longest of the time between them [ms].

    `wrong` says in a line what is wrong with it, None if nothing is.
    """

    health: StreamHealth
    format: CameraFormat
    rate_hz: float
    jitter_ms: float
    longest_gap_ms: float
    broken: int
    wrong: str | None


@dataclass(frozen=True, slots=True)
class MicrophoneMeasurement:
    """What a microphone did: samples per second of the computer's clock, at its own rate; drift of its clock [ppm].

    `jitter_ms` is that of the blocks' arrival; levels are in dB of full scale (-inf: digital silence). `wrong` says in
    a line what is wrong with it, None if nothing is.
    """

    health: StreamHealth
    device_rate_hz: int | None
    rate_hz: float
    drift_ppm: float
    jitter_ms: float
    lost_ms: float
    rms_dbfs: float
    peak_dbfs: float
    wrong: str | None


def find_devices() -> DevicesFound:
    """List them, opening none."""
    try:
        return DevicesFound(tuple(cameras()), tuple(microphones(renew=True)))
    except StreamError as error:
        return DevicesFound(tuple(cameras()), (), str(error))


def measure_camera(camera: Camera, seconds: float = 3.0) -> CameraMeasurement:
    """Watch a camera for so long, and close it; raises StreamError if it cannot be opened."""
    frames = _sensed(camera, seconds)
    gaps_ms = np.diff([frame.stamp_ns for frame in frames]) / 1e6
    rate_hz = 1e3 / float(gaps_ms.mean()) if len(gaps_ms) else 0.0
    jitter_ms = float(gaps_ms.std()) if len(gaps_ms) else 0.0
    wrong = _wrong_with_camera(camera, rate_hz, jitter_ms)
    longest_ms = float(gaps_ms.max()) if len(gaps_ms) else seconds * 1e3
    return CameraMeasurement(camera.health, camera.format, rate_hz, jitter_ms, longest_ms, camera.broken, wrong)


def measure_microphone(microphone: Microphone, seconds: float = 3.0) -> MicrophoneMeasurement:
    """Listen to a microphone for so long, and close it; raises StreamError if it cannot be opened."""
    chunks = _sensed(microphone, seconds)
    pcm = np.concatenate([chunk.pcm for chunk in chunks]) if chunks else np.zeros(0, np.float32)
    device_hz = microphone.device_rate_hz
    return MicrophoneMeasurement(
        health=microphone.health,
        device_rate_hz=device_hz,
        rate_hz=(device_hz or 0) * (1 + microphone.drift_ppm / 1e6),
        drift_ppm=microphone.drift_ppm,
        jitter_ms=microphone.jitter_ms,
        lost_ms=microphone.lost_ms,
        rms_dbfs=_dbfs(float(np.sqrt(np.mean(pcm**2))) if len(pcm) else 0.0),
        peak_dbfs=_dbfs(float(np.abs(pcm).max()) if len(pcm) else 0.0),
        wrong=_wrong_with_microphone(microphone, pcm, seconds),
    )


def _sensed(stream: DeviceStream[S], seconds: float) -> list[S]:
    """All samples of a stream until it has been open for `seconds`; closes it."""
    with stream:
        closing = threading.Timer(seconds, stream.close)
        closing.start()
        try:
            return list(stream)
        finally:
            closing.cancel()


def _wrong_with_camera(camera: Camera, rate_hz: float, jitter_ms: float) -> str | None:
    claimed_hz, skipped = camera.format.rate_hz, camera.health.skipped
    if rate_hz == 0:
        none = "it is open but sends no frames"
        return none if skipped is None else f"{none} that can be used: the last {skipped}"
    if camera.broken:
        return f"{camera.broken} frames came damaged, the last {skipped}: check the cable or the network"
    if claimed_hz and not camera.network and rate_hz < _SLOW * claimed_hz:
        return f"{rate_hz:.1f} frames a second where it claims {claimed_hz:g}: too dark, or too much for its cable"
    if jitter_ms > _JITTERY * 1e3 / rate_hz:
        return f"its frames come irregularly: {jitter_ms:.0f} ms about a period of {1e3 / rate_hz:.0f} ms"
    return None


def _wrong_with_microphone(microphone: Microphone, pcm: np.ndarray, seconds: float) -> str | None:
    if not len(pcm):
        return "it is open but sends no sound"
    if microphone.lost_in_the_mean is not None:
        return microphone.lost_in_the_mean
    complaint = complaint_about(pcm)
    if complaint is not None:
        return f"it is {complaint}: {ADVICE[complaint]}"
    if microphone.lost_ms > 0:
        return f"{microphone.lost_ms:.0f} ms of sound were lost: is the computer overloaded?"
    if seconds >= _DRIFT_KNOWN_S and abs(microphone.drift_ppm) > _DRIFTING_PPM:
        return f"its clock is off by {microphone.drift_ppm:.0f} millionths: good for stamps, bad for its maker"
    if _dbfs(float(np.abs(pcm).max())) < _QUIET_DBFS:
        return "it hears next to nothing: raise its gain, or speak up"
    return None


def _dbfs(amplitude: float) -> float:
    return 20 * float(np.log10(amplitude)) if amplitude > 0 else float("-inf")
