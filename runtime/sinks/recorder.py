"""The recorder: samples and percepts into an MCAP file that Foxglove, Rerun and rosbag2 read."""

from __future__ import annotations

import contextlib
import os
import time
import weakref
from pathlib import Path
from typing import BinaryIO, TypeAlias, get_args

from mcap.well_known import MessageEncoding, SchemaEncoding
from mcap.writer import Writer

from edgefuse.runtime.arguments import check_kind, is_one_of, path_of, shown, whole_in
from edgefuse.runtime.bundle.bundle import Bundle
from edgefuse.runtime.errors import EdgefuseError, SampleError
from edgefuse.runtime.files.whole_file import check_writable
from edgefuse.runtime.messages import ros_messages, ros_types
from edgefuse.runtime.messages.ros_messages import MODALITY_KEY, ImageFormat
from edgefuse.runtime.messages.ros_types import MessageType
from edgefuse.runtime.percept import Percept
from edgefuse.runtime.process.at_exit import close_at_exit, forget
from edgefuse.runtime.process.fork import Home
from edgefuse.runtime.samples import AudioChunk, Frame, Sample, Signal, Text
from edgefuse.runtime.sinks.backlog import Backlog
from edgefuse.runtime.streams import Stream
from edgefuse.runtime.streams.tap import Tap

_TOPIC = "/edgefuse/"
_CHUNK_BYTES = 1 << 20
_FLUSH_S = 1.0
_LATEST_NS = 2**64 - 1

Item: TypeAlias = Sample | Percept


class Recorder:
    """Records the streams that pass through `tap`, and as a Sink the percepts. Thread-safe.

    A thread of its own encodes and writes, so no stream waits for the disk: frames that it cannot keep up with are
    dropped and counted, sound never is (streams that are not live wait instead, and lose nothing). What was sensed
    until a second ago is on the disk, whatever happens to the process or the power.

    A sample that cannot be encoded is left out, counted and said. On a full disk the recording ends and perception goes
    on, since a robot must not go blind for want of a log: one line is logged, and `close` raises EdgefuseError. A
    recording that nobody closed is closed when the interpreter ends.

    Stamps become ROS time: one constant is added to all of them, and written into the file's metadata.
    """

    def __init__(
        self, path: str | Path, bundle: Bundle | None = None, image_format: ImageFormat = "jpeg", jpeg_quality: int = 90
    ) -> None:
        """`path` must not exist yet, EdgefuseError otherwise. `bundle` is whose percepts are recorded.

        `image_format` raw and png lose nothing; raw takes less than half of png's time, and a little more room.
        """
        check_kind("bundle", bundle, Bundle, None)
        if not is_one_of(image_format, get_args(ImageFormat)):
            expected = " or ".join(get_args(ImageFormat))
            raise EdgefuseError(f"image_format should be {expected}, but is {shown(image_format)}")
        self._path = path = path_of("path", path)
        self._image_format = image_format
        self._jpeg_quality = whole_in("jpeg_quality", jpeg_quality, 1, 100)
        self._bundle_name = bundle.manifest.name if bundle else ""
        self._bundle_id = bundle.identity if bundle else ""
        self._opened_ns = time.time_ns()  # the one look at the wall clock: all stamps stay as far apart as they are
        self._ros_ns = self._opened_ns - time.monotonic_ns()
        self._next_index: dict[str, int] = {}
        self._channels: dict[str, int] = {}
        self._home = Home()
        self._file = _create(path)
        _leave_to_the_parent(self._file)
        self._writer = Writer(self._file, chunk_size=_CHUNK_BYTES)
        self._writer.start(profile="ros2", library="edgefuse")
        self._flush_due = time.monotonic() + _FLUSH_S
        self._backlog: Backlog[Item] = Backlog(f"recording to {path}", self._write, self._flush)
        close_at_exit(self, Recorder.close)

    @property
    def lossless(self) -> bool:
        """Whether a replay senses the very frames; sound, text and signals it always does."""
        return self._image_format != "jpeg"

    @property
    def dropped_frames(self) -> int:
        """Frames that could not be written in time."""
        return self._backlog.dropped_frames

    @property
    def skipped(self) -> int:
        """Samples and percepts that could not be encoded."""
        return self._backlog.skipped

    def tap(self, stream: Stream) -> Stream:
        """The same stream, whose samples are recorded as they pass."""
        if not stream.live:
            self._ros_ns = self._opened_ns
        return Tap(stream, lambda sample: self._backlog.put(sample, wait=not stream.live))

    def write(self, percept: Percept) -> None:
        """See Sink."""
        self._backlog.put(percept)

    def close(self) -> None:
        """Write what waits, and the file's index; raises EdgefuseError if the recording had ended before.

        A recording of nothing at all leaves no file.
        """
        if self._file.closed or self._home.left:
            return
        forget(self)
        try:
            self._backlog.close()
            self._writer.finish()  # type: ignore[no-untyped-call]
            self._file.close()
            if not self._channels:
                self._path.unlink()
        except OSError as error:
            with contextlib.suppress(OSError):  # what is still buffered does not fit on the disk either
                self._file.close()
            raise EdgefuseError(
                f"the recording {self._path} ended early: {error.strerror}; what it holds can be replayed"
            ) from error

    def _write(self, item: Item) -> None:
        if isinstance(item, Percept):
            self._write_percept(item)
        else:
            self._write_sample(item)
        if time.monotonic() >= self._flush_due:
            self._flush()

    def _write_sample(self, sample: Sample) -> None:
        topic, until_ns = _TOPIC + sample.modality, sample.until_ns
        if isinstance(sample, Frame):
            self._write_frame(sample, topic)
        elif isinstance(sample, Text):
            data = ros_messages.string_from_text(sample)
            self._add(topic, ros_types.STRING, sample.modality, until_ns, data)
        elif isinstance(sample, AudioChunk):
            data = ros_messages.audio_chunk_from_chunk(sample, self._ros_ns, self._missing(sample), sample.modality)
            self._add(topic, ros_types.AUDIO_CHUNK, sample.modality, until_ns, data)
            self._next_index[sample.modality] = sample.index + len(sample.pcm)
        else:
            data = ros_messages.signal_from_signal(sample, self._ros_ns, self._missing(sample))
            self._add(topic, ros_types.SIGNAL, sample.modality, until_ns, data)
            self._next_index[sample.modality] = sample.index + len(sample.values)

    def _write_frame(self, frame: Frame, topic: str) -> None:
        if self._image_format == "raw":
            data = ros_messages.image_from_frame(frame, self._ros_ns)
            self._add(topic, ros_types.IMAGE, frame.modality, frame.until_ns, data)
            return
        data = ros_messages.compressed_image_from_frame(frame, self._ros_ns, self._image_format, self._jpeg_quality)
        self._add(f"{topic}/compressed", ros_types.COMPRESSED_IMAGE, frame.modality, frame.until_ns, data)

    def _write_percept(self, percept: Percept) -> None:
        data = ros_messages.percept_from_percept(percept, self._ros_ns, self._bundle_name, self._bundle_id)
        published_ns = percept.stamp_ns + round(percept.trace.latency_ms * 1e6)
        self._add(f"{_TOPIC}percepts", ros_types.PERCEPT, None, published_ns, data)

    def _missing(self, sample: AudioChunk | Signal) -> int:
        """How much lies between it and what was recorded last."""
        return max(0, sample.index - self._next_index.get(sample.modality, sample.index))

    def _add(self, topic: str, kind: MessageType, sense: str | None, log_ns: int, data: bytes) -> None:
        log_ns += self._ros_ns
        if not 0 <= log_ns <= _LATEST_NS:  # the writer would notice when it has written half of it
            raise SampleError(f"its time, {log_ns} ns, cannot be written")
        if not self._channels:
            self._writer.add_metadata("edgefuse.clock", {"ros_time_minus_stamp_ns": str(self._ros_ns)})
            self._writer.add_metadata("edgefuse.frames", {"format": self._image_format, "lossless": str(self.lossless)})
        if topic not in self._channels:
            schema = self._writer.register_schema(kind.name, SchemaEncoding.ROS2, kind.definition.encode())
            metadata = {} if sense is None else {MODALITY_KEY: sense}
            self._channels[topic] = self._writer.register_channel(topic, MessageEncoding.CDR, schema, metadata)
        self._writer.add_message(self._channels[topic], log_ns, data, log_ns)

    def _flush(self) -> None:
        self._flush_due = time.monotonic() + _FLUSH_S
        self._writer.flush()  # type: ignore[no-untyped-call]
        os.fsync(self._file.fileno())


def _leave_to_the_parent(file: BinaryIO) -> None:
    """A fork that ends would write what still waits in the file's buffer a second time."""
    held = weakref.ref(file)

    def let_go() -> None:
        mine = held()
        if mine is not None and not mine.closed:
            null = os.open(os.devnull, os.O_WRONLY)
            os.dup2(null, mine.fileno())
            os.close(null)

    os.register_at_fork(after_in_child=let_go)


def check_new(path: Path) -> None:
    """Raises EdgefuseError where no recording could begin under this name; leaves everything as it is."""
    if os.path.lexists(path):
        raise EdgefuseError(_exists_already(path))
    check_writable(path)


def _exists_already(path: Path) -> str:
    return f"{path} exists already: a recording replaces nothing; choose another name"


def _create(path: Path) -> BinaryIO:
    try:
        return path.open("xb")
    except FileExistsError as error:
        raise EdgefuseError(_exists_already(path)) from error
    except OSError as error:
        raise EdgefuseError(f"{path} cannot be written: {error.strerror}") from error
