"""Sources: the streams that a user names by a file or by devices."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from edgefuse.runtime.arguments import check_kind, path_of, texts_in
from edgefuse.runtime.bundle.manifest import AudioModality, ImageModality, Manifest, Modality
from edgefuse.runtime.errors import StreamError
from edgefuse.runtime.files.documents import refuse_special
from edgefuse.runtime.streams import Stream
from edgefuse.runtime.streams.bags.bag import is_bag
from edgefuse.runtime.streams.clip import Clip
from edgefuse.runtime.streams.sound_inside import sound_of
from edgefuse.runtime.streams.video_file import check_readable, check_video


@dataclass(frozen=True, slots=True)
class Source:
    """What to perceive, as a user says it: a file, or a camera or a microphone or both.

    `file` is a video with its sound beside or inside it (or in `audio`), or a bag (MCAP, sqlite3, or a directory of
    rosbag2), of which `topics` ("sense=topic") chooses where several fit. `camera` and `microphone` are what Camera and
    Microphone take. `channel` is which of its channels the sound is, counted from 0, by default their mean;
    `insecure` is the camera's.
    """

    file: Path | None
    audio: Path | None = None
    camera: str | None = None
    microphone: str | None = None
    topics: Sequence[str] = ()
    channel: int | None = None
    insecure: bool = False

    def __post_init__(self) -> None:
        """Paths may be given as texts; raises EdgefuseError for what names nothing."""
        for name in ("file", "audio"):
            value = getattr(self, name)
            object.__setattr__(self, name, None if value is None else path_of(name, value))
        for name in ("camera", "microphone"):
            check_kind(name, getattr(self, name), str, None)
        texts_in("topics", self.topics)
        check_kind("insecure", self.insecure, bool)
        if self.insecure and self.camera is None:
            raise StreamError("insecure: that is of a camera, and none is named")

    @property
    def devices(self) -> bool:
        """Whether it is live devices."""
        return self.camera is not None or self.microphone is not None

    @property
    def recording(self) -> bool:
        """Whether the file is a recording of ROS messages."""
        return self.file is not None and is_bag(self.file)


def open_streams(source: Source, manifest: Manifest, senses: Sequence[str], fast: bool) -> list[Stream]:
    """The streams of a source, for the senses that are used; raises StreamError with what to do instead.

    Of several senses of one kind, a device or a clip is of the first; a recording may have a topic for each.
    """
    check_kind("source", source, Source)
    check_kind("manifest", manifest, Manifest)
    check_kind("fast", fast, bool)
    for sense in texts_in("senses", senses):
        manifest.modality(sense)
    used = [modality for modality in manifest.modalities if modality.name in senses]
    if source.devices:
        return _devices(source, manifest, used, fast)
    if source.file is None:
        raise StreamError("nothing to perceive: name a file, --camera or --microphone")
    for file in (source.file, source.audio):
        if file is not None:
            refuse_special(file)
    if source.recording:
        return [_recording(source, source.file, manifest, used, fast)]
    if source.topics:
        raise StreamError(f"--topic is for recordings; {source.file} is none")
    return [_clip(source, source.file, manifest, used, fast)]


def _devices(source: Source, manifest: Manifest, used: Sequence[Modality], fast: bool) -> list[Stream]:
    from edgefuse.runtime.streams.camera import Camera
    from edgefuse.runtime.streams.microphone import Microphone

    if fast:
        raise StreamError("--fast is for files; a camera and a microphone run in real time")
    if source.file is not None:
        raise StreamError(f"give either the file {source.file} or devices, not both")
    kinds = {modality.kind for modality in manifest.modalities}
    for what, device, kind in (("a camera", source.camera, "image"), ("a microphone", source.microphone, "audio")):
        if device is not None and kind not in kinds:
            raise StreamError(_of_no_use(what, manifest, used))
    image, audio = _seeing(used), _hearing(used)
    streams: dict[str, Stream] = {}
    if source.camera is not None and image is not None:
        streams[image.name] = Camera(source.camera, modality=image.name, insecure=source.insecure)
    if source.microphone is not None and audio is not None:
        streams[audio.name] = Microphone(source.microphone, audio.rate_hz, modality=audio.name, channel=source.channel)
    if not streams:
        raise StreamError(_of_no_use("these devices", manifest, used))
    _check_enough("what is given", manifest, streams)
    return list(streams.values())


def _recording(source: Source, path: Path, manifest: Manifest, used: Sequence[Modality], fast: bool) -> Stream:
    from edgefuse.runtime.streams.recording import Recording

    names = [modality.name for modality in used]
    topics = {}
    for choice in source.topics:
        sense, _, topic = choice.partition("=")
        if sense not in names or not topic:
            raise StreamError(f"--topic {choice}: expected sense=topic, where the sense is one of {', '.join(names)}")
        topics[sense] = topic
    recording = Recording(path, live=not fast, topics=topics, senses=used, channel=source.channel)
    _check_enough(str(path), manifest, recording.topics)
    return recording


def _clip(source: Source, path: Path, manifest: Manifest, used: Sequence[Modality], fast: bool) -> Stream:
    image, audio = _seeing(used), _hearing(used)
    if image is None and audio is None:
        raise StreamError(_of_no_use("a clip", manifest, used))
    _check_enough("a clip", manifest, [sense.name for sense in (image, audio) if sense is not None])
    video = None if image is None else path
    names = (image.name if image else "image", audio.name if audio else "audio")
    rate_hz = audio.rate_hz if audio else 16_000
    check_readable(path, "video file")
    if video is not None:
        check_video(video)  # what is wrong with it is said before its sound is looked for
    with TemporaryDirectory() as folder:  # gone once the clip has opened what is in it
        sound = None if audio is None else source.audio or sound_of(path, Path(folder))
        return Clip(video, sound, live=not fast, rate_hz=rate_hz, senses=names, channel=source.channel)


def _seeing(used: Sequence[Modality]) -> ImageModality | None:
    return next((modality for modality in used if modality.kind == "image"), None)


def _hearing(used: Sequence[Modality]) -> AudioModality | None:
    return next((modality for modality in used if modality.kind == "audio"), None)


def _check_enough(what: str, manifest: Manifest, given: Collection[str]) -> None:
    """Raises StreamError where a sense is missing that the network cannot do without."""
    missing = [sense for sense in manifest.needed if sense not in given]
    if missing:
        raise StreamError(
            f"the network of bundle {manifest.name!r} needs all its senses, and {what} holds nothing of "
            f"{', '.join(missing)}: record them, or push samples"
        )


def _of_no_use(what: str, manifest: Manifest, used: Sequence[Modality]) -> str:
    senses = ", ".join(f"{modality.name} ({modality.kind})" for modality in used)
    return f"{what} cannot feed bundle {manifest.name!r}: its senses in use are {senses}; record them, or push samples"
