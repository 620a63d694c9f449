"""Sources: the streams that a user names by a file or by devices."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from edgefuse.runtime.errors import StreamError
from edgefuse.runtime.manifest import Manifest
from edgefuse.runtime.streams import Stream
from edgefuse.runtime.streams.clip import Clip, sound_beside

_RECORDING_SUFFIX = ".mcap"


@dataclass(frozen=True, slots=True)
class Source:
    """What to perceive, as a user says it: a file, or a camera or a microphone or both.

    `file` is a video with its sound beside it (or in `audio`), an MCAP recording, or a rosbag2 directory, of which
    `topics` ("sense=topic") chooses where several fit. `camera` and `microphone` are what Camera and Microphone take;
    the microphone "default" is the system's.
    """

    file: Path | None
    audio: Path | None = None
    camera: str | None = None
    microphone: str | None = None
    topics: Sequence[str] = ()

    @property
    def devices(self) -> bool:
        """Whether it is live devices."""
        return self.camera is not None or self.microphone is not None

    @property
    def recording(self) -> bool:
        """Whether the file is a recording of ROS messages."""
        return self.file is not None and (self.file.suffix == _RECORDING_SUFFIX or self.file.is_dir())


def open_streams(source: Source, manifest: Manifest, senses: Sequence[str], fast: bool) -> list[Stream]:
    """The streams of a source, for the senses that are used; raises StreamError with what to do instead."""
    if source.devices:
        return _devices(source, manifest, senses, fast)
    if source.file is None:
        raise StreamError("nothing to perceive: name a file, --camera or --microphone")
    if source.recording:
        return [_recording(source, source.file, manifest, senses, fast)]
    if source.topics:
        raise StreamError(f"--topic is for recordings; {source.file} is none")
    return [_clip(source, source.file, manifest, senses, fast)]


def _devices(source: Source, manifest: Manifest, senses: Sequence[str], fast: bool) -> list[Stream]:
    from edgefuse.runtime.streams.camera import Camera
    from edgefuse.runtime.streams.microphone import Microphone

    if fast:
        raise StreamError("--fast is for files; a camera and a microphone run in real time")
    if source.file is not None:
        raise StreamError(f"give either the file {source.file} or devices, not both")
    streams: list[Stream] = []
    if source.camera is not None and "image" in senses:
        streams.append(Camera(source.camera))
    if source.microphone is not None and "audio" in senses:
        device = None if source.microphone == "default" else source.microphone
        streams.append(Microphone(device, _rate_hz(manifest)))
    return streams


def _recording(source: Source, path: Path, manifest: Manifest, senses: Sequence[str], fast: bool) -> Stream:
    from edgefuse.runtime.streams.recording import Recording

    topics = {}
    for choice in source.topics:
        sense, _, topic = choice.partition("=")
        if sense not in senses or not topic:
            raise StreamError(f"--topic {choice}: expected sense=topic, where the sense is one of {', '.join(senses)}")
        topics[sense] = topic
    return Recording(path, live=not fast, topics=topics, senses=senses, rate_hz=_rate_hz(manifest))


def _clip(source: Source, path: Path, manifest: Manifest, senses: Sequence[str], fast: bool) -> Stream:
    audio = (source.audio or sound_beside(path)) if "audio" in senses else None
    video = path if "image" in senses else None
    return Clip(video, audio, live=not fast, rate_hz=_rate_hz(manifest))


def _rate_hz(manifest: Manifest) -> int:
    rates = [modality.rate_hz for modality in manifest.modalities if modality.kind == "audio"]
    return rates[0] if rates else 16_000
