"""A file that others than ROS 2 have written into as well replays what is of ROS 2, and says what is left out."""

from pathlib import Path

import pytest
from command_line import edgefuse
from foreign_bags import Note, scene, serialized, store_of
from mcap.well_known import MessageEncoding, SchemaEncoding
from mcap.writer import Writer
from robot_bags import EPOCH_NS, MS
from rosbags.typesys import Stores

from edgefuse.runtime import StreamError
from edgefuse.runtime.streams.recording import Recording

# Message encoding, schema encoding, name of the schema (None: no schema at all).
FOREIGN = {
    "protobuf": (MessageEncoding.Protobuf, SchemaEncoding.Protobuf, "foxglove.CompressedImage"),
    "json": (MessageEncoding.JSON, SchemaEncoding.JSONSchema, "foxglove.Log"),
    "json without a schema": (MessageEncoding.JSON, None, None),
    "ros1": (MessageEncoding.ROS1, SchemaEncoding.ROS1, "sensor_msgs/Image"),
    "flatbuffer": (MessageEncoding.Flatbuffer, SchemaEncoding.Flatbuffer, "foxglove.Grid"),
    "a name without a slash": (MessageEncoding.CDR, SchemaEncoding.ROS2, "Image"),
    "a name of many slashes": (MessageEncoding.CDR, SchemaEncoding.ROS2, "a/b/c/d/Image"),
    "an empty name": (MessageEncoding.CDR, SchemaEncoding.ROS2, ""),
    "an empty encoding": ("", "", "sensor_msgs/msg/Image"),
    "another IDL": (MessageEncoding.CDR, "omgidl", "sensor_msgs::msg::Image"),
}


def written(path: Path, foreign: list[str], notes: tuple[Note, ...]) -> Path:
    store, channels = store_of(Stores.ROS2_JAZZY), {}
    with path.open("wb") as file:
        writer = Writer(file)
        writer.start()
        for number, kind in enumerate(foreign):
            message, schema, name = FOREIGN[kind]
            schema_id = 0 if schema is None else writer.register_schema(name, schema, b"\xff\xfe no text")
            channel = writer.register_channel(f"/foreign{number}", message, schema_id)
            for n in range(10):
                writer.add_message(channel, EPOCH_NS + n * 100 * MS, b"\xff{", EPOCH_NS + n * 100 * MS)
        for note in notes:
            if note.topic not in channels:
                text = store.generate_msgdef(note.type, ros_version=2)[0].encode()
                schema_id = writer.register_schema(note.type, SchemaEncoding.ROS2, text)
                channels[note.topic] = writer.register_channel(note.topic, MessageEncoding.CDR, schema_id)
            writer.add_message(channels[note.topic], note.log_ns, serialized(note, store), note.log_ns)
        writer.finish()
    return path


@pytest.mark.parametrize("kind", FOREIGN)
def test_what_is_foreign_takes_nothing_away(kind, tmp_path, caplog):
    expected = list(Recording(written(tmp_path / "plain.mcap", [], scene()), live=False))
    path = written(tmp_path / "mixed.mcap", [kind], scene())
    samples = list(Recording(path, live=False))
    assert [sample.stamp_ns for sample in samples] == [sample.stamp_ns for sample in expected]
    assert "topics whose messages are not of ROS 2 are left out: 1 of" in caplog.text


def test_how_many_are_left_out_is_said_once(tmp_path, caplog):
    path = written(tmp_path / "mixed.mcap", ["protobuf", "protobuf", "json", "ros1"], scene())
    list(Recording(path, live=False))
    (record,) = caplog.records
    assert record.getMessage() == (
        f"{path}: topics whose messages are not of ROS 2 are left out: 2 of protobuf, 1 of json, 1 of ros1"
    )


def test_where_all_is_foreign_one_line_says_so(tmp_path):
    path = written(tmp_path / "foreign.mcap", ["protobuf", "ros1"], ())
    result = edgefuse("run", path, "--fast", "--quiet")
    assert result.returncode == 2
    (line,) = result.stderr.strip().splitlines()
    assert "/foreign0 (foxglove.CompressedImage, protobuf), /foreign1 (sensor_msgs/Image, ros1)" in line


def test_a_foreign_topic_cannot_be_asked_for(tmp_path):
    path = written(tmp_path / "mixed.mcap", ["ros1"], scene())
    with pytest.raises(StreamError, match=r"/foreign0 of .* is sensor_msgs/Image, ros1, which cannot be replayed as"):
        Recording(path, live=False, topics={"image": "/foreign0"})


def test_a_schema_that_rosbag2_did_not_find_is_ours(tmp_path, monkeypatch):
    """rosbag2 writes an empty one where the package is not installed, and ros2idl where a type is made from IDL."""
    for encoding in ("", "ros2idl"):
        monkeypatch.setattr(SchemaEncoding, "ROS2", encoding)
        path = written(tmp_path / f"of{encoding}.mcap", [], scene())
        monkeypatch.undo()
        assert set(Recording(path, live=False).topics) == {"image", "audio", "text"}
