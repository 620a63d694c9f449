"""One scene, 1.5 seconds of the default clip, as programs other than edgefuse record it."""

from __future__ import annotations

import itertools
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import yaml
from mcap.well_known import MessageEncoding, SchemaEncoding
from mcap.writer import CompressionType, IndexType
from mcap.writer import Writer as McapWriter
from robot_bags import EPOCH_NS, MS, ROS_DRIVERS
from rosbags.rosbag2 import CompressionFormat, CompressionMode, StoragePlugin, Writer
from rosbags.typesys import Stores, get_types_from_msg, get_typestore

from edgefuse.runtime import DEFAULT_CLIP, AudioChunk, Clip, Frame
from edgefuse.runtime.streams.clip import sound_beside

IMAGE = "sensor_msgs/msg/CompressedImage"
SOUND = "audio_common_msgs/msg/AudioDataStamped"
INFO = "audio_common_msgs/msg/AudioInfo"
TEXT = "std_msgs/msg/String"
TWIST = "geometry_msgs/msg/Twist"
SCENE_MS = 1500


@dataclass(frozen=True)
class Note:
    """One message as a robot publishes it; `own_ns` is None where its type has no header."""

    topic: str
    type: str
    log_ns: int
    own_ns: int | None
    content: Any

    def later(self, ms: float, own_ms: float | None = None) -> Note:
        """The same, logged so much later, and by its own stamp too unless that is by another time."""
        own_ns = None if self.own_ns is None else self.own_ns + round((ms if own_ms is None else own_ms) * MS)
        return Note(self.topic, self.type, self.log_ns + round(ms * MS), own_ns, self.content)

    def of(self, topic: str) -> bool:
        return self.topic == topic


@cache
def scene() -> tuple[Note, ...]:
    """Pictures at 15 Hz, sound in 20 ms, what is said of its encoding, a text; and what no sense has a use for."""
    notes = [
        Note("/audio_info", INFO, EPOCH_NS, None, (1, 16_000, "S16LE", 0, "wave")),
        Note("/speech", TEXT, EPOCH_NS + 400 * MS, None, "the red ball"),
        *(Note("/cmd_vel", TWIST, EPOCH_NS + ms * MS, None, b"no message") for ms in range(0, SCENE_MS, 50)),
    ]
    samples = iter(Clip(DEFAULT_CLIP, sound_beside(DEFAULT_CLIP), live=False))
    for sample in itertools.takewhile(lambda sample: sample.until_ns <= SCENE_MS * MS, samples):
        log_ns = EPOCH_NS + sample.until_ns + 12 * MS
        if isinstance(sample, Frame) and sample.stamp_ns // (33 * MS) % 2 == 0:
            jpeg = cv2.imencode(".jpg", sample.image[..., ::-1])[1].reshape(-1)
            notes.append(Note("/camera/compressed", IMAGE, log_ns + 9 * MS, EPOCH_NS + sample.stamp_ns, jpeg))
        if isinstance(sample, AudioChunk):
            pcm = np.frombuffer((sample.pcm * 32767).astype("<i2").tobytes(), np.uint8)
            notes.append(Note("/audio", SOUND, log_ns, EPOCH_NS + sample.stamp_ns, pcm))
    return tuple(sorted(notes, key=lambda note: note.log_ns))


@cache
def store_of(distribution: Stores) -> Any:
    store = get_typestore(distribution)
    for name, text in ROS_DRIVERS.items():
        store.register(get_types_from_msg(text, name))
    return store


def serialized(note: Note, store: Any) -> bytes:
    if note.type == TWIST:
        return note.content
    if note.type == TEXT:
        message = store.types[TEXT](note.content)
    elif note.type == INFO:
        message = store.types[INFO](*note.content)
    else:
        assert note.own_ns is not None
        stamp = store.types["builtin_interfaces/msg/Time"](note.own_ns // 10**9, note.own_ns % 10**9)
        header = store.types["std_msgs/msg/Header"](stamp, "camera_optical_frame")
        audio = store.types["audio_common_msgs/msg/AudioData"]
        parts = ("jpeg", note.content) if note.type == IMAGE else (audio(note.content),)
        message = store.types[note.type](header, *parts)
    return bytes(store.serialize_cdr(message, note.type))


def by_rosbags(
    path: Path,
    notes: Iterable[Note],
    plugin: StoragePlugin = StoragePlugin.MCAP,
    distribution: Stores = Stores.ROS2_JAZZY,
    compression: CompressionMode = CompressionMode.NONE,
    version: int = 9,
) -> Path:
    """A directory as rosbag2 makes it."""
    store, connections = store_of(distribution), {}
    writer = Writer(path, version=version, storage_plugin=plugin)
    if compression != CompressionMode.NONE:
        writer.set_compression(compression, CompressionFormat.ZSTD)
    with writer:
        for note in notes:
            if note.topic not in connections:
                connections[note.topic] = writer.add_connection(note.topic, note.type, typestore=store)
            writer.write(connections[note.topic], note.log_ns, serialized(note, store))
    return path


sqlite = partial(by_rosbags, plugin=StoragePlugin.SQLITE3)


def by_mcap(path: Path, notes: Iterable[Note], finish: bool = True, **options: Any) -> Path:
    """One file by MCAP's own library, in small chunks; without `finish`, as a recorder leaves it that is killed."""
    store, channels = store_of(Stores.ROS2_JAZZY), {}
    path = path.with_suffix(".mcap")
    with path.open("wb") as file:
        writer = McapWriter(file, **({"chunk_size": 1 << 16} | options))
        writer.start(profile="ros2", library="another")
        for note in notes:
            if note.topic not in channels:
                text = store.generate_msgdef(note.type, ros_version=2)[0]
                schema = writer.register_schema(note.type, SchemaEncoding.ROS2, text.encode())
                channels[note.topic] = writer.register_channel(note.topic, MessageEncoding.CDR, schema)
            writer.add_message(channels[note.topic], note.log_ns, serialized(note, store), note.log_ns)
        if finish:
            writer.finish()
    return path


def without_index(path: Path, notes: Iterable[Note]) -> Path:
    options = {"index_types": IndexType.NONE, "repeat_channels": False, "repeat_schemas": False}
    return by_mcap(path, notes, **options, use_statistics=False, use_summary_offsets=False)


HUMBLE_SCHEMA = """
    CREATE TABLE schema(schema_version INTEGER PRIMARY KEY, ros_distro TEXT NOT NULL);
    CREATE TABLE metadata(id INTEGER PRIMARY KEY, metadata_version INTEGER NOT NULL, metadata TEXT NOT NULL);
    CREATE TABLE topics(id INTEGER PRIMARY KEY, name TEXT NOT NULL, type TEXT NOT NULL,
        serialization_format TEXT NOT NULL, offered_qos_profiles TEXT NOT NULL);
    CREATE TABLE messages(id INTEGER PRIMARY KEY, topic_id INTEGER NOT NULL, timestamp INTEGER NOT NULL,
        data BLOB NOT NULL);
    CREATE INDEX timestamp_idx ON messages (timestamp ASC);
    INSERT INTO schema VALUES (3, 'humble');
"""


def by_humble(path: Path, notes: Iterable[Note], settings: str = "") -> Path:
    """One .db3 as the recorder of Humble writes it, which says of no type what it holds."""
    database, store = sqlite3.connect(path.with_suffix(".db3")), store_of(Stores.ROS2_HUMBLE)
    database.executescript(settings + HUMBLE_SCHEMA)
    numbers: dict[str, int] = {}
    for note in notes:
        if note.topic not in numbers:
            numbers[note.topic] = len(numbers) + 1
            row = (numbers[note.topic], note.topic, note.type, "cdr", "")
            database.execute("INSERT INTO topics VALUES (?, ?, ?, ?, ?)", row)
        row = (numbers[note.topic], note.log_ns, serialized(note, store))
        database.execute("INSERT INTO messages (topic_id, timestamp, data) VALUES (?, ?, ?)", row)
    database.commit()
    database.close()
    return path.with_suffix(".db3")


def killed_beside_its_log(path: Path, notes: Iterable[Note]) -> Path:
    """A .db3 whose last rows are in its write-ahead log, since its recorder was killed (SIGKILL)."""
    notes = list(notes)
    whole = by_humble(path.with_name("whole"), notes)
    begun = by_humble(path, notes[: len(notes) // 3], "PRAGMA journal_mode = WAL;")
    program = (
        "import os, signal, sqlite3, sys\n"
        "database = sqlite3.connect(sys.argv[1])\n"
        "database.execute('ATTACH ? AS whole', (sys.argv[2],))\n"
        "there = database.execute('SELECT max(id) FROM messages').fetchone()\n"
        "database.execute('INSERT OR IGNORE INTO topics SELECT * FROM whole.topics')\n"
        "database.execute('INSERT INTO messages SELECT * FROM whole.messages WHERE id > ?', there)\n"
        "database.commit()\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run([sys.executable, "-c", program, str(begun), str(whole)], timeout=60)
    assert done.returncode == -signal.SIGKILL
    whole.unlink()
    assert os.path.getsize(f"{begun}-wal") > begun.stat().st_size
    return begun


def split(path: Path, notes: Iterable[Note], write: Callable[..., Path] = by_rosbags, parts: int = 12) -> Path:
    """A directory of several files, as the recorder makes it with --max-bag-size."""
    path.mkdir()
    notes, names = list(notes), []
    size = -(-len(notes) // parts)
    for number, first in enumerate(range(0, len(notes), size)):
        made = write(path / f"part{number}", notes[first : first + size])
        (file,) = [made] if made.is_file() else [f for f in made.iterdir() if f.name != "metadata.yaml"]
        name = f"{path.name}_{number}{''.join(file.suffixes)}"
        names.append(file.rename(path / name).name)
        shutil.rmtree(path / f"part{number}", ignore_errors=True)
    note_files(path, names)
    return path


def note_files(path: Path, names: Sequence[str]) -> None:
    """A metadata.yaml, as far as it says which files there are."""
    information = {"version": 5, "storage_identifier": "mcap", "relative_file_paths": list(names), "message_count": 1}
    (path / "metadata.yaml").write_text(yaml.safe_dump({"rosbag2_bagfile_information": information}))


def lz4(path: Path, notes: Iterable[Note]) -> Path:
    return by_mcap(path, notes, compression=CompressionType.LZ4)


def zstd(path: Path, notes: Iterable[Note]) -> Path:
    return by_mcap(path, notes, compression=CompressionType.ZSTD)


def unchunked(path: Path, notes: Iterable[Note]) -> Path:
    return by_mcap(path, notes, use_chunking=False)
