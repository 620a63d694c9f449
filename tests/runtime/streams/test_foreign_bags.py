"""What other programs recorded replays as the same percepts, whatever container it is in, or says in one line what to
do instead."""

import json
import logging
import os
import shlex
import shutil
import sqlite3
import subprocess
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
import zstandard
from command_line import refused
from foreign_bags import (
    IMAGE,
    TEXT,
    by_humble,
    by_mcap,
    by_rosbags,
    killed_beside_its_log,
    lz4,
    note_files,
    scene,
    split,
    sqlite,
    unchunked,
    without_index,
    zstd,
)
from rosbags.rosbag1 import Writer as Ros1Writer
from rosbags.rosbag2 import CompressionMode
from rosbags.typesys import Stores, get_typestore

from edgefuse.runtime import DEFAULT_BUNDLE, Perceiver, StreamError
from edgefuse.runtime.streams.recording import Recording

MESSAGE, FILE, STORAGE = CompressionMode.MESSAGE, CompressionMode.FILE, CompressionMode.STORAGE


@pytest.fixture(scope="module")
def perceiver() -> Perceiver:
    return Perceiver.open(DEFAULT_BUNDLE, selftest=False)


def percepts_of(perceiver: Perceiver, path: Path) -> list[str]:
    return [
        json.dumps(percept.as_json() | {"trace": None}) for percept in perceiver.perceive(Recording(path, live=False))
    ]


@pytest.fixture(scope="module")
def expected(perceiver, tmp_path_factory) -> list[str]:
    """The percepts of the scene in one whole MCAP file."""
    percepts = percepts_of(perceiver, by_mcap(tmp_path_factory.mktemp("bags") / "bag", scene()))
    assert len(percepts) > 20
    assert all(sense["valid"] for sense in json.loads(percepts[-1])["senses"].values())
    return percepts


def file_of(made: Path) -> Path:
    """The one file of a directory."""
    (file,) = (path for path in made.iterdir() if path.name != "metadata.yaml")
    return file


def no_metadata(made: Path) -> Path:
    (made / "metadata.yaml").unlink()
    return made


def old_names(made: Path) -> Path:
    """As before ROS 2 Galactic: paths that begin with the directory of the bag."""
    note_files(made, [f"{made.name}/{file_of(made).name}"])
    return made


def unpacked(made: Path) -> Path:
    packed = file_of(made)
    with packed.open("rb") as source, packed.with_suffix("").open("wb") as target:
        zstandard.ZstdDecompressor().copy_stream(source, target)
    return made


READ = {
    **{f"mcap, {store.value}": partial(by_rosbags, distribution=store) for store in
       (Stores.ROS2_HUMBLE, Stores.ROS2_JAZZY, Stores.ROS2_KILTED)},
    **{f"sqlite3, {store.value}": partial(sqlite, distribution=store) for store in
       (Stores.ROS2_HUMBLE, Stores.ROS2_JAZZY, Stores.ROS2_KILTED)},
    "metadata of version 8": partial(sqlite, version=8),
    "messages compressed, mcap": partial(by_rosbags, compression=MESSAGE),
    "messages compressed, sqlite3": partial(sqlite, compression=MESSAGE),
    "chunks compressed by the storage plugin": partial(by_rosbags, compression=STORAGE),
    "file compressed and unpacked again": lambda path, notes: unpacked(sqlite(path, notes, compression=FILE)),
    "a file of a directory, mcap": lambda path, notes: file_of(by_rosbags(path, notes)),
    "a file of a directory, sqlite3": lambda path, notes: file_of(sqlite(path, notes)),
    "a file of a directory, its messages compressed": lambda path, notes: file_of(
        sqlite(path, notes, compression=MESSAGE)
    ),
    "metadata.yaml itself": lambda path, notes: by_rosbags(path, notes) / "metadata.yaml",
    "paths as in Foxy": lambda path, notes: old_names(sqlite(path, notes)),
    "no metadata, mcap": lambda path, notes: no_metadata(by_rosbags(path, notes)),
    "no metadata, sqlite3": lambda path, notes: no_metadata(sqlite(path, notes)),
    "split, mcap": split,
    "split, sqlite3": partial(split, write=by_humble),
    "split, no metadata, more than ten": lambda path, notes: no_metadata(split(path, notes)),
    "humble, which defines no types": by_humble,
    "humble, killed beside its log": killed_beside_its_log,
    "zstd by mcap": zstd,
    "lz4 by mcap": lz4,
    "no chunks": unchunked,
    "no index": without_index,
    "killed before its index": partial(by_mcap, finish=False),
}  # fmt: skip


@pytest.mark.parametrize("kind", READ)
def test_the_same_content_gives_the_same_percepts(kind, perceiver, expected, tmp_path):
    path = READ[kind](tmp_path / "bag", scene())
    before = {file: file.stat().st_mtime_ns for file in tmp_path.rglob("*") if file.suffix in (".db3", ".mcap")}
    percepts = percepts_of(perceiver, path)
    if kind == "killed before its index":  # the last chunk was not written yet
        expected = expected[: len(percepts)]
        assert len(expected) > 12
    assert percepts == expected
    assert {file: file.stat().st_mtime_ns for file in before} == before, "nobody's recording is written to"


def test_what_is_odd_about_a_bag_is_said_once(tmp_path, caplog):
    def said(path: Path) -> str:
        caplog.clear()
        list(Recording(path, live=False))
        (record,) = caplog.records
        assert record.levelno == logging.WARNING
        return record.getMessage()

    cut = by_mcap(tmp_path / "cut", scene(), finish=False)
    assert said(cut) == f"{cut} was cut off; it is replayed up to where it breaks off"
    made = no_metadata(split(tmp_path / "split", scene()))
    assert said(made) == f"{made} has no metadata.yaml; its files are read in the order of their numbers"
    made = split(tmp_path / "last", scene())
    (made / "last_9.mcap").write_bytes(b"")
    assert said(made) == f"{made / 'last_9.mcap'} is empty, and left out: was its recorder killed?"


@pytest.mark.parametrize("share", [0.3, 0.7, 0.95])
@pytest.mark.parametrize("write", [by_mcap, by_humble])
def test_what_a_file_that_was_cut_off_holds_is_replayed(write, share, perceiver, expected, tmp_path, caplog):
    path = write(tmp_path / "bag", scene())
    path.write_bytes(path.read_bytes()[: round(path.stat().st_size * share)])
    percepts = percepts_of(perceiver, path)
    assert percepts == expected[: len(percepts)]
    assert abs(len(percepts) / len(expected) - share) < 0.25
    assert [record.getMessage() for record in caplog.records] == [
        f"{path} was cut off; it is replayed up to where it breaks off"
    ]


def of_ros1(path: Path, notes) -> Path:
    store = get_typestore(Stores.ROS1_NOETIC)
    path = path.with_suffix(".bag")
    with Ros1Writer(path) as writer:
        connections = {name: writer.add_connection(name, type_, typestore=store) for name, type_ in
                       (("/camera/compressed", IMAGE), ("/speech", TEXT))}  # fmt: skip
        for number, note in enumerate(note for note in notes if note.topic in connections):
            if note.type == TEXT:
                message = store.types[TEXT](note.content)
            else:
                stamp = store.types["builtin_interfaces/msg/Time"](note.own_ns // 10**9, note.own_ns % 10**9)
                header = store.types["std_msgs/msg/Header"](number, stamp, "")
                message = store.types[IMAGE](header, "jpeg", note.content)
            writer.write(connections[note.topic], note.log_ns, store.serialize_ros1(message, note.type))
    return path


def lacking(path: Path, notes) -> Path:
    made = split(path, notes)
    (made / "bag_3.mcap").unlink()
    return made


def two_bags(path: Path, notes) -> Path:
    path.mkdir()
    by_mcap(path / "monday", notes)
    by_humble(path / "tuesday", notes)
    return path


def no_bag(path: Path, notes) -> Path:
    path.mkdir()
    (path / "notes.txt").write_text("nothing")
    return path


def unreadable_metadata(path: Path, notes) -> Path:
    made = by_rosbags(path, notes)
    (made / "metadata.yaml").write_text("rosbag2_bagfile_information: {relative_file_paths: 7}")
    return made


def broken_metadata(path: Path, notes) -> Path:
    made = by_rosbags(path, notes)
    (made / "metadata.yaml").write_text("rosbag2_bagfile_information: {relative_file_paths: [")
    return made


def another_database(path: Path, notes) -> Path:
    with sqlite3.connect(path.with_suffix(".db3")) as database:
        database.execute("CREATE TABLE contacts(name TEXT)")
    return path.with_suffix(".db3")


def empty(path: Path, notes) -> Path:
    path.with_suffix(".db3").write_bytes(b"")
    return path.with_suffix(".db3")


def half_written(path: Path, notes) -> Path:
    """The recorder was killed while sqlite3 wrote into the file itself."""
    file = by_humble(path, notes)
    program = (
        "import os, signal, sqlite3, sys\n"
        "database = sqlite3.connect(sys.argv[1])\n"
        "database.execute('PRAGMA cache_size = 1')\n"
        "database.execute('INSERT INTO messages (topic_id, timestamp, data) '\n"
        "    'SELECT topic_id, timestamp, data FROM messages')\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    subprocess.run([sys.executable, "-c", program, str(file)], timeout=60)
    assert Path(f"{file}-journal").stat().st_size
    return file


def nothing_usable(path: Path, notes) -> Path:
    return by_mcap(path, [note for note in notes if note.of("/cmd_vel")])


REFUSED = {
    "file compressed, mcap": (
        partial(by_rosbags, compression=FILE),
        r"bag\.mcap\.zstd is compressed as a whole: `zstd -d .*bag\.mcap\.zstd -o .*bag\.mcap` unpacks it",
    ),
    "file compressed, sqlite3": (partial(sqlite, compression=FILE), r"bag\.db3\.zstd is compressed as a whole"),
    "ROS 1": (of_ros1, r"bag\.bag is a bag of ROS 1: `pip install rosbags`, `rosbags-convert --src \S+ --dst \S+`"),
    "a file is missing": (lacking, r"metadata\.yaml names bag_3\.mcap, which is not there: name the files that are"),
    "two bags in a directory": (two_bags, "bag holds several recordings: monday.mcap, tuesday.db3; name one of them"),
    "no bag in a directory": (no_bag, r"bag holds no bag: expected metadata\.yaml, or files \*\.mcap or \*\.db3"),
    "metadata of another kind": (unreadable_metadata, "relative_file_paths: Input should be a valid list"),
    "metadata that is no YAML": (
        broken_metadata,
        r"metadata\.yaml is no YAML that .*try `ros2 bag reindex`",
    ),
    "a database of something else": (another_database, r"bag\.db3 is a database, but no bag of ROS 2: no such table"),
    "an empty file": (empty, r"bag\.db3 is empty: was its recorder killed\?"),
    "a .db3 half written": (half_written, r"bag\.db3 was left in the middle of a write: `sqlite3 FILE \.tables`"),
    "no file at all": (lambda path, notes: path.with_suffix(".db3"), r"bag\.db3: no such recording"),
    "nothing for perception": (
        nothing_usable,
        r"holds nothing to replay.*: its topics are /cmd_vel \(geometry_msgs/msg/Twist\); expected one of the types "
        "sensor_msgs/msg/Image, ",
    ),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_what_is_not_read_says_in_one_line_what_to_do(kind, tmp_path):
    make, line = REFUSED[kind]
    path = make(tmp_path / "bag", scene())
    with pytest.raises(StreamError, match=line) as caught:
        Recording(path, live=False)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("kind", ["file compressed, sqlite3", "ROS 1"])
def test_the_command_line_says_it_and_exits_with_2(kind, tmp_path):
    make, _ = REFUSED[kind]
    path = make(tmp_path / "bag", scene())
    assert str(path) in refused("run", path, "--fast")


def commands_in(line: str) -> list[list[str]]:
    return [shlex.split(command) for command in line.split("`")[1::2] if not command.startswith("pip ")]


@pytest.mark.parametrize("kind", ["ROS 1", "file compressed, mcap", "a .db3 half written"])
def test_what_a_line_says_helps(kind, tmp_path, perceiver, expected):
    """The command it names is run, and then the bag is read."""
    make, _ = REFUSED[kind]
    path = make(tmp_path / "bag", scene())
    with pytest.raises(StreamError) as caught:
        Recording(path)
    for command in commands_in(str(caught.value)):
        program = shutil.which(command[0], path=f"{Path(sys.executable).parent}:{os.environ['PATH']}")
        if program is None:
            pytest.skip(f"{command[0]} is not installed")
        given = [str(path) if word == "FILE" else word for word in command[1:]]
        subprocess.run([program, *given], check=True, timeout=60)
    if kind == "ROS 1":  # it holds the pictures and the text
        samples = list(Recording(path.with_suffix(""), live=False))
        assert len(samples) == sum(note.type in (IMAGE, TEXT) for note in scene())
    else:
        assert percepts_of(perceiver, path) == expected


def test_a_bag_of_more_than_one_type_on_a_topic_reads_the_first(tmp_path, caplog):
    by_mcap(tmp_path / "a_0", [note for note in scene() if note.of("/speech")])
    by_mcap(tmp_path / "a_1", [replace(note, topic="/speech") for note in scene() if note.type == IMAGE])
    note_files(tmp_path, ["a_0.mcap", "a_1.mcap"])
    (text,) = Recording(tmp_path, live=False)
    assert text.text == "the red ball"
    assert f"/speech comes as {TEXT} and as {IMAGE}; only the first is read" in caplog.text
