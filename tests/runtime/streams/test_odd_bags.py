"""What is odd about a bag is handled or said: stamps that stand still, other definitions, paths that are no files."""

import os
import threading
from pathlib import Path

import numpy as np
import pytest
from foreign_bags import by_mcap, note_files, scene
from mcap.well_known import MessageEncoding, SchemaEncoding
from mcap.writer import Writer
from robot_bags import AUDIO_CHUNK, EPOCH_NS, MS, ROS_DRIVERS, Bag, as_int16, bgr_picture, tone

from edgefuse.runtime import DEFAULT_BUNDLE, Frame, Perceiver, StreamError
from edgefuse.runtime.streams.bags.bag import is_bag
from edgefuse.runtime.streams.recording import Recording

STRING = "std_msgs/msg/String"


def of_stamps(path: Path, stamps_ms: list[float]) -> Path:
    """Pictures logged each 50 ms."""
    bag = Bag(path)
    for n, stamp_ms in enumerate(stamps_ms):
        stamp_ns = EPOCH_NS + round(stamp_ms * MS)
        bag.add(
            "/camera", EPOCH_NS + 50 * n * MS, "sensor_msgs/msg/Image", header=bag.header(stamp_ns), height=48,
            width=64, encoding="bgr8", is_bigendian=0, step=192, data=bgr_picture().reshape(-1),
        )  # fmt: skip
    return bag.close()


def test_stamps_that_stand_still_give_way_to_the_log(tmp_path, caplog):
    samples = list(Recording(of_stamps(tmp_path / "bag", [0] * 20), live=False))
    assert [sample.stamp_ns for sample in samples] == [50 * n * MS for n in range(20)]
    assert "the stamps of /camera stand still; log times are used" in caplog.text


def test_stamps_that_come_twice_are_counted_and_said(tmp_path, caplog):
    path = of_stamps(tmp_path / "bag", [50 * (n - n % 2) for n in range(20)])
    perceiver = Perceiver.open(DEFAULT_BUNDLE, selftest=False)
    assert len(list(perceiver.perceive(Recording(path, live=False)))) == 10
    assert perceiver.drops()["image"] == {"out_of_order": 10}
    assert "a sample of image was skipped (more such are only counted): it has the last one's stamp" in caplog.text


def test_stamps_that_jump_back_and_forth_are_counted_and_said(tmp_path, caplog):
    path = of_stamps(tmp_path / "bag", [50 * n - 300 * (n % 2) for n in range(20)])
    perceiver = Perceiver.open(DEFAULT_BUNDLE, selftest=False)
    percepts = list(perceiver.perceive(Recording(path, live=False)))
    assert len(percepts) + perceiver.drops()["image"]["out_of_order"] == 20
    assert "more such are only counted" in caplog.text


@pytest.mark.parametrize(("sec", "nanosec"), [(-1, 0), (1_760_000_000, 10**9), (-(2**31), 2**32 - 1)])
def test_a_stamp_that_no_clock_shows_is_skipped(tmp_path, caplog, sec, nanosec):
    bag = Bag(tmp_path / "bag")
    for n in range(5):
        bag.image("/camera", 50 * n, bgr_picture(), "bgr8")
    header = bag.header(EPOCH_NS)
    header = type(header)(type(header.stamp)(sec, nanosec), "")
    bag.add(
        "/camera", EPOCH_NS + 250 * MS, "sensor_msgs/msg/Image", header=header, height=48, width=64, encoding="bgr8",
        is_bigendian=0, step=192, data=bgr_picture().reshape(-1),
    )  # fmt: skip
    assert len(list(Recording(bag.close(), live=False))) == 5
    assert f"it is stamped {sec} s and {nanosec} ns, which no clock shows" in caplog.text


def test_every_reason_is_said_and_counted(tmp_path, caplog):
    bag = Bag(tmp_path / "bag")
    for n in range(20):
        bag.image("/camera", 50 * n, bgr_picture(), "bgr8")
    for n in range(20, 23):
        bag.image("/camera", 50 * n, bgr_picture()[:, :0], "bgr8", padding=n)
    bag.add(
        "/camera", EPOCH_NS + 1300 * MS, "sensor_msgs/msg/Image", header=bag.header(EPOCH_NS + 99_000 * MS), height=48,
        width=64, encoding="bgr8", is_bigendian=0, step=192, data=bgr_picture().reshape(-1),
    )  # fmt: skip
    recording = Recording(bag.close(), live=False)
    assert len(list(recording)) == 20
    assert recording.skipped == {"image": 4}
    said = [record.getMessage().partition(": ")[2] for record in caplog.records]
    assert said == [
        "a message of /camera was skipped (more such are only counted): it says 0x48 bgr8 in rows of 20 bytes, but "
        "holds 960 bytes",
        "a message of /camera was skipped (more such are only counted): it is stamped 98 s off the time at which it "
        "was logged",
        "4 of 24 messages of /camera were skipped: 3 like: it says 0x48 bgr8 in rows of 20 bytes, but holds 960 bytes; "
        "1 like: it is stamped 98 s off the time at which it was logged",
    ]


def two_definitions(path: Path, second: str, data: bytes) -> Path:
    with path.open("wb") as file:
        writer = Writer(file)
        writer.start()
        for number, (definition, content) in enumerate((("string data", b"\0\1\0\0\4\0\0\0red\0"), (second, data))):
            schema = writer.register_schema(STRING, SchemaEncoding.ROS2, definition.encode())
            channel = writer.register_channel("/text", MessageEncoding.CDR, schema)
            for n in range(3):
                log_ns = EPOCH_NS + (3 * number + n) * MS
                writer.add_message(channel, log_ns, content, log_ns)
        writer.finish()
    return path


def test_messages_that_are_defined_otherwise_are_not_taken_for_the_others(tmp_path, caplog):
    path = two_definitions(tmp_path / "a.mcap", "uint32 number\nstring data", b"\0\1\0\0\7\0\0\0\4\0\0\0abc\0")
    assert [text.text for text in Recording(path, live=False)] == ["red"] * 3
    assert "3 messages of /text are left out: they are not defined as the others are" in caplog.text


OLDER = {
    "without a gap": (AUDIO_CHUNK.replace("uint64 gap", "# uint64 gap"), None),
    "with a field more": (AUDIO_CHUNK + "\nstring note\n", None),
    "without an index": (AUDIO_CHUNK.replace("uint64 index", "# uint64 index"), "has no attribute 'index'"),
}


@pytest.mark.parametrize("kind", OLDER)
def test_another_version_of_our_own_message_is_read_as_the_bag_defines_it(tmp_path, kind):
    definition, refusal = OLDER[kind]
    bag = Bag(tmp_path / "bag", {"edgefuse_msgs/msg/AudioChunk": definition})
    fields = {"sample_rate": 16_000, "channels": 1, "encoding": "S16LE", "data": as_int16(tone(16_000, 0.02))}
    fields |= {} if refusal else {"index": 0}
    fields |= {"gap": 0} if "\nuint64 gap" in definition else {}
    fields |= {"note": "new"} if "note" in definition else {}
    bag.add("/audio", EPOCH_NS, "edgefuse_msgs/msg/AudioChunk", header=bag.header(EPOCH_NS), **fields)
    path = bag.close()
    if refusal is None:
        (chunk,) = Recording(path, live=False)
        np.testing.assert_allclose(chunk.pcm, tone(16_000, 0.02)[:, 0], atol=1e-4)
        return
    with pytest.raises(StreamError, match=f"what it calls edgefuse_msgs/msg/AudioChunk is something else: .*{refusal}"):
        Recording(path, live=False)


def test_what_says_how_sound_is_encoded_is_that_beside_it(tmp_path):
    def sound(name: str, infos: dict[str, str]) -> Path:
        bag = Bag(tmp_path / name, ROS_DRIVERS)
        for info, sample_format in infos.items():
            bag.info(info, sample_format)
        data = np.full(320, 128, np.uint8)
        bag.add("/mic/audio", EPOCH_NS + 20 * MS, "audio_common_msgs/msg/AudioData", data=data)
        return bag.close()

    (chunk,) = Recording(sound("a", {"/speaker/info": "S16LE", "/mic/info": "U8"}), live=False)
    assert not chunk.pcm.any(), "128 is silence"
    with pytest.raises(StreamError, match="which of /a/info, /b/info says how /mic/audio is encoded is not told by"):
        Recording(sound("b", {"/a/info": "S16LE", "/b/info": "U8"}), live=False)


def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe.mcap")
    refusals = []

    def look() -> None:
        try:
            Recording(tmp_path / "pipe.mcap")
        except StreamError as error:
            refusals.append(str(error))

    thread = threading.Thread(target=look, daemon=True)
    thread.start()
    thread.join(20)
    assert refusals == [f"{tmp_path}/pipe.mcap is no recording: expected a file, or a directory of rosbag2"]


def test_a_bag_whose_files_are_directories_is_refused(tmp_path):
    note_files(tmp_path, [".."])
    with pytest.raises(StreamError, match="is no recording"):
        Recording(tmp_path)


def test_what_may_not_be_read_says_so(tmp_path, monkeypatch):
    """As another user; root may read everything, so it is the file system that is played."""
    path = by_mcap(tmp_path / "a", scene())
    for refusal in (PermissionError(13, "Permission denied"), OSError(5, "Input/output error")):

        def refuse(*arguments: object, refusal: OSError = refusal, **named: object) -> None:
            raise refusal

        with monkeypatch.context() as playing:
            playing.setattr(Path, "open", refuse)
            with pytest.raises(StreamError, match=rf"a\.mcap cannot be read: {refusal.strerror}"):
                Recording(path)
            with pytest.raises(StreamError, match=rf"a cannot be read: {refusal.strerror}"):
                is_bag(path.rename(path.with_suffix("")))
            path.with_suffix("").rename(path)


def test_a_frame_id_that_is_empty_is_none(tmp_path):
    bag = Bag(tmp_path / "bag")
    stamp = bag.header(EPOCH_NS).stamp
    bag.add(
        "/camera", EPOCH_NS, "sensor_msgs/msg/Image", header=bag.make("std_msgs/msg/Header", stamp=stamp, frame_id=""),
        height=48, width=64, encoding="bgr8", is_bigendian=1, step=192, data=bgr_picture().reshape(-1),
    )  # fmt: skip
    (frame,) = Recording(bag.close(), live=False)
    assert isinstance(frame, Frame)
    assert frame.frame_id == ""
