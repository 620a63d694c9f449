"""A recording replays what was sensed: ours, a robot's own bag written by another program, and what a crash left."""

import contextlib
import itertools
import json
import logging
import time
from pathlib import Path

import cv2
import numpy as np
import pytest
from rosbags.rosbag2 import StoragePlugin, Writer
from rosbags.typesys import Stores, get_types_from_msg, get_typestore

import edgefuse.runtime
from edgefuse.runtime import (
    DEFAULT_BUNDLE,
    DEFAULT_CLIP,
    AudioChunk,
    Clip,
    Frame,
    Perceiver,
    StreamError,
    Text,
)
from edgefuse.runtime.sinks.recorder import Recorder
from edgefuse.runtime.streams.clip import sound_beside
from edgefuse.runtime.streams.recording import Recording

EPOCH_NS = 1_760_000_000_123_456_789
MS = 1_000_000

# The messages of ros-drivers/audio_common (ROS 2 branch), and of mgonzs13/audio_common under a name of their own.
ROS_DRIVERS = {
    "audio_common_msgs/msg/AudioData": "uint8[] data",
    "audio_common_msgs/msg/AudioDataStamped": "std_msgs/Header header\naudio_common_msgs/AudioData audio",
    "audio_common_msgs/msg/AudioInfo": (
        "uint8 channels\nuint32 sample_rate\nstring sample_format\nuint32 bitrate\nstring coding_format"
    ),
}
MGONZS13 = {
    "audio_common_msgs/msg/AudioData": "float32[] float32_data\nint32[] int32_data\nint16[] int16_data",
    "audio_common_msgs/msg/AudioInfo": "int32 format\nint32 channels\nint32 rate\nint32 chunk",
    "audio_common_msgs/msg/Audio": "audio_common_msgs/AudioData audio_data\naudio_common_msgs/AudioInfo info",
    "audio_common_msgs/msg/AudioStamped": "std_msgs/Header header\naudio_common_msgs/Audio audio",
}


AUDIO_CHUNK = (Path(edgefuse.runtime.__file__).parent / "messages" / "msg" / "AudioChunk.msg").read_text()


class Samples:
    """A stream of given samples, as fast as they are taken."""

    live = False

    def __init__(self, samples):
        self.samples = samples

    def __iter__(self):
        yield from self.samples

    def close(self):
        pass


class Bag:
    """A rosbag2 of a robot, written by rosbags, which shares nothing with us."""

    def __init__(self, path: Path, definitions=()):
        self.path = path
        self.store = get_typestore(Stores.ROS2_JAZZY)
        for name, text in dict(definitions).items():
            self.store.register(get_types_from_msg(text, name))
        self.writer = Writer(path, version=9, storage_plugin=StoragePlugin.MCAP)
        self.writer.open()
        self.connections = {}

    def make(self, name: str, **fields):
        return self.store.types[name](**fields)

    def header(self, stamp_ns: int):
        stamp = self.make("builtin_interfaces/msg/Time", sec=stamp_ns // 10**9, nanosec=stamp_ns % 10**9)
        return self.make("std_msgs/msg/Header", stamp=stamp, frame_id="somewhere")

    def add(self, topic: str, log_ns: int, name: str, **fields) -> None:
        if topic not in self.connections:
            self.connections[topic] = self.writer.add_connection(topic, name, typestore=self.store)
        data = self.store.serialize_cdr(self.make(name, **fields), name)
        self.writer.write(self.connections[topic], log_ns, data)

    def image(self, topic: str, ms: float, image: np.ndarray, encoding: str = "rgb8", padding: int = 0, late_ms=15):
        rows = np.pad(image.reshape(len(image), -1), ((0, 0), (0, padding)))
        stamp_ns = EPOCH_NS + round(ms * MS)
        self.add(
            topic, stamp_ns + late_ms * MS, "sensor_msgs/msg/Image", header=self.header(stamp_ns), height=len(image),
            width=image.shape[1], encoding=encoding, is_bigendian=0, step=rows.shape[1], data=rows.reshape(-1),
        )  # fmt: skip

    def compressed(self, topic: str, ms: float, data: bytes, form: str = "rgb8; jpeg compressed bgr8"):
        stamp_ns = EPOCH_NS + round(ms * MS)
        self.add(
            topic, stamp_ns, "sensor_msgs/msg/CompressedImage", header=self.header(stamp_ns), format=form,
            data=np.frombuffer(data, np.uint8),
        )  # fmt: skip

    def close(self) -> Path:
        self.writer.close()
        return next(self.path.glob("*.mcap"))


def bgr_picture() -> np.ndarray:
    """Blue above, green in the middle, red below."""
    image = np.zeros((48, 64, 3), np.uint8)
    image[:16, :, 0] = image[16:32, :, 1] = image[32:, :, 2] = 200
    return image


def tone(rate_hz: int, seconds: float, channels: int = 1) -> np.ndarray:
    wave = 0.5 * np.sin(2 * np.pi * 440 * np.arange(round(rate_hz * seconds)) / rate_hz)
    return np.tile(wave[:, None], (1, channels))


def as_int16(wave: np.ndarray) -> np.ndarray:
    return np.frombuffer((wave * 32767).astype("<i2").tobytes(), np.uint8)


def pcm_of(samples) -> np.ndarray:
    return np.concatenate([sample.pcm for sample in samples if isinstance(sample, AudioChunk)])


def pitch_hz(pcm: np.ndarray, rate_hz: int = 16_000) -> float:
    return float(np.abs(np.fft.rfft(pcm)).argmax() * rate_hz / len(pcm))


@pytest.fixture(scope="module")
def recorded(tmp_path_factory) -> Path:
    """The default clip, recorded."""
    path = tmp_path_factory.mktemp("recording") / "clip.mcap"
    recorder = Recorder(path)
    samples = recorder.tap(Clip(DEFAULT_CLIP, sound_beside(DEFAULT_CLIP), live=False))
    for _ in itertools.takewhile(lambda sample: sample.until_ns < 6e9, samples):
        pass
    recorder.close()
    return path


def percepts_of(path: Path) -> list[str]:
    percepts = Perceiver.open(DEFAULT_BUNDLE).perceive(Recording(path, live=False))
    return [json.dumps(p.as_json() | {"trace": None}) + p.embedding.tobytes().hex() for p in percepts]


def test_replayed_twice_the_percepts_are_byte_for_byte_the_same(recorded):
    first = percepts_of(recorded)
    assert len(first) > 150
    assert first == percepts_of(recorded)


def test_fast_replay_begins_at_0_and_is_in_the_order_of_time(recorded):
    samples = list(Recording(recorded, live=False))
    assert min(sample.stamp_ns for sample in samples) == 0
    assert [sample.until_ns for sample in samples] == sorted(sample.until_ns for sample in samples)
    assert {sample.modality for sample in samples} == {"image", "audio"}


def test_live_replay_keeps_the_pace_and_can_be_ended(recorded):
    recording = Recording(recorded, live=True)
    began_ns, early_ns = time.monotonic_ns(), []
    for sample in recording:
        early_ns.append(sample.until_ns - time.monotonic_ns())
        if time.monotonic_ns() - began_ns > 500 * MS:
            recording.close()
    assert max(early_ns) <= 0
    assert 35 < len(early_ns) < 50, "half a second of 30 frames/s and 50 chunks/s"
    assert time.monotonic_ns() - began_ns < 700 * MS


def test_only_the_wanted_senses_are_read(recorded):
    assert {type(sample) for sample in Recording(recorded, live=False, senses=["audio", "text"])} == {AudioChunk}


@pytest.mark.parametrize("as_directory", [True, False])
def test_a_bag_of_a_robot(tmp_path, as_directory):
    bag = Bag(tmp_path / "bag", ROS_DRIVERS)
    name = "audio_common_msgs/msg/AudioData"
    wave = as_int16(tone(16_000, 1))
    bag.add("/robot_description", EPOCH_NS - 10**9, "std_msgs/msg/String", data="<robot/>")
    for n in range(20):
        bag.image("/camera/image_raw", 50 * n, bgr_picture(), "bgr8", late_ms=30)
        bag.add("/audio", EPOCH_NS + 50 * (n + 1) * MS, name, data=wave[n * 1600 : (n + 1) * 1600])
    bag.add("/speech", EPOCH_NS + 777 * MS, "std_msgs/msg/String", data="the red ball")
    path = bag.close()
    recording = Recording(path.parent if as_directory else path, live=False)
    assert recording.topics == {"image": "/camera/image_raw", "audio": "/audio", "text": "/speech"}
    samples = list(recording)
    frames = [sample for sample in samples if isinstance(sample, Frame)]
    chunks = [sample for sample in samples if isinstance(sample, AudioChunk)]
    assert [frame.stamp_ns for frame in frames] == [50 * n * MS for n in range(20)], "when it was seen, not logged"
    assert [chunk.stamp_ns for chunk in chunks] == [50 * n * MS for n in range(20)]
    assert [chunk.index for chunk in chunks] == [800 * n for n in range(20)]
    np.testing.assert_allclose(pcm_of(samples), tone(16_000, 1)[:, 0], atol=1e-4)
    assert [sample for sample in samples if isinstance(sample, Text)] == [Text(777 * MS, "the red ball")]
    np.testing.assert_array_equal(frames[0].image, bgr_picture())


def yuv422(luma_first: bool) -> np.ndarray:
    """ITU-R BT.601, as cameras give it."""
    blue, green, red = np.moveaxis(bgr_picture().astype(float) / 256, -1, 0)
    y = 16 + 65.7 * red + 129.1 * green + 25.1 * blue
    u = 128 - 37.9 * red - 74.5 * green + 112.4 * blue
    v = 128 + 112.4 * red - 94.2 * green - 18.3 * blue
    chroma = np.where(np.arange(64) % 2 == 0, u, v)
    return np.stack([y, chroma] if luma_first else [chroma, y], axis=-1).round().astype(np.uint8)


ENCODED = {
    "bgr8": bgr_picture(),
    "rgb8": bgr_picture()[..., ::-1],
    "8UC3": bgr_picture(),
    "bgra8": cv2.cvtColor(bgr_picture(), cv2.COLOR_BGR2BGRA),
    "rgba8": cv2.cvtColor(bgr_picture(), cv2.COLOR_BGR2RGBA),
    "yuv422": yuv422(luma_first=False),
    "yuv422_yuy2": yuv422(luma_first=True),
}


@pytest.mark.parametrize("padding", [0, 8])
@pytest.mark.parametrize("encoding", list(ENCODED))
def test_every_colour_encoding_shows_the_same_picture(tmp_path, encoding, padding):
    bag = Bag(tmp_path / "bag")
    bag.image("/camera", 0, ENCODED[encoding], encoding, padding)
    (frame,) = Recording(bag.close(), live=False)
    bgr = frame.image if frame.encoding == "bgr8" else frame.image[..., ::-1]
    np.testing.assert_allclose(bgr.astype(int), bgr_picture(), atol=6)


@pytest.mark.parametrize(("pattern", "corner"), [("rggb", 2), ("bggr", 0)])
def test_bayer_patterns_keep_red_and_blue_apart(tmp_path, pattern, corner):
    raw = np.zeros((48, 64), np.uint8)
    raw[0::2, 0::2] = 200  # the first pixel's colour alone
    bag = Bag(tmp_path / "bag")
    bag.image("/camera", 0, raw, f"bayer_{pattern}8")
    (frame,) = Recording(bag.close(), live=False)
    assert frame.image[8:-8, 8:-8].reshape(-1, 3).mean(axis=0).argmax() == corner


def test_grey_pictures_become_grey_frames(tmp_path):
    bag = Bag(tmp_path / "bag")
    bag.image("/camera", 0, bgr_picture()[..., 1], "mono8")
    (frame,) = Recording(bag.close(), live=False)
    np.testing.assert_array_equal(frame.image, bgr_picture()[..., 1:2].repeat(3, axis=2))


@pytest.mark.parametrize("encoding", ["16UC1", "32FC1"])
def test_depth_is_no_picture(tmp_path, encoding):
    bag = Bag(tmp_path / "bag")
    bag.image("/depth", 0, np.zeros((48, 128), np.uint8), encoding)
    with pytest.raises(StreamError, match=f"image encoding '{encoding}' is not known here; expected one of rgb8"):
        Recording(bag.close())


def test_damaged_images_are_skipped_with_one_warning(tmp_path, caplog):
    bag = Bag(tmp_path / "bag")
    jpeg = cv2.imencode(".jpg", bgr_picture())[1].tobytes()
    for n, data in enumerate([b"", b"no image", jpeg, jpeg]):
        bag.compressed("/camera/compressed", 40 * n, data)
    frames = list(Recording(bag.close(), live=False))
    assert [frame.stamp_ns for frame in frames] == [0, 40 * MS]
    np.testing.assert_allclose(frames[0].image[4, 4], bgr_picture()[4, 4], atol=10)
    warnings = {record.getMessage() for record in caplog.records}
    assert len(warnings) == 1
    assert "a message of /camera/compressed was skipped (more such silently): it holds 0 bytes" in warnings.pop()


def test_two_cameras_ask_which(tmp_path):
    bag = Bag(tmp_path / "bag")
    bag.image("/left/image", 0, bgr_picture())
    bag.image("/right/image", 10, bgr_picture())
    path = bag.close()
    with pytest.raises(StreamError, match=r"2 topics for image: /left/image .* choose one with --topic image=/left"):
        Recording(path)
    (frame,) = Recording(path, live=False, topics={"image": "/right/image"})
    assert frame.encoding == "rgb8"
    both = Recording(path, live=False, topics={"image": "/left/image", "image_right": "/right/image"})
    assert [(frame.modality, frame.stamp_ns) for frame in both] == [("image", 0), ("image_right", 10 * MS)]
    with pytest.raises(StreamError, match=r"has no topic /back; it has /left/image \(sensor_msgs/msg/Image\)"):
        Recording(path, topics={"image": "/back"})


def test_sound_at_another_rate_in_stereo_with_a_gap(tmp_path):
    bag = Bag(tmp_path / "bag", ROS_DRIVERS)
    wave = as_int16(tone(48_000, 2, channels=2))
    bag.add(
        "/audio_info", EPOCH_NS, "audio_common_msgs/msg/AudioInfo", channels=2, sample_rate=48_000,
        sample_format="S16LE", bitrate=0, coding_format="wave",
    )  # fmt: skip
    for n in [n for n in range(100) if not 40 <= n < 70]:  # 0.6 s are missing
        stamp_ns = EPOCH_NS + 20 * n * MS
        audio = bag.make("audio_common_msgs/msg/AudioData", data=wave[n * 3840 : (n + 1) * 3840])
        bag.add(
            "/audio", stamp_ns + 30 * MS, "audio_common_msgs/msg/AudioDataStamped", header=bag.header(stamp_ns),
            audio=audio,
        )  # fmt: skip
    chunks = list(Recording(bag.close(), live=False))
    assert {chunk.rate_hz for chunk in chunks} == {16_000}
    for chunk in chunks:
        assert abs(chunk.stamp_ns - chunk.index * 62_500) < 0.1 * MS
    missing = [b.index - a.index - len(a.pcm) for a, b in itertools.pairwise(chunks)]
    assert abs(sum(missing) / 16_000 - 0.6) < 0.05
    assert sum(gap > 0 for gap in missing) == 1
    before = pcm_of(chunk for chunk in chunks if chunk.stamp_ns < 700 * MS)
    assert abs(pitch_hz(before) - 440) < 2
    assert 0.45 < np.abs(before).max() < 0.55


@pytest.mark.parametrize("kind", ["float32", "int16"])
def test_sound_of_the_other_audio_common(tmp_path, kind):
    bag = Bag(tmp_path / "bag", MGONZS13)
    wave = tone(16_000, 0.5)[:, 0]
    empty = {"float32_data": np.array([], np.float32), "int32_data": np.array([], np.int32),
             "int16_data": np.array([], np.int16)}  # fmt: skip
    values = wave.astype(np.float32) if kind == "float32" else (wave * 32767).astype(np.int16)
    data = bag.make("audio_common_msgs/msg/AudioData", **(empty | {f"{kind}_data": values}))
    info = bag.make("audio_common_msgs/msg/AudioInfo", format=8, channels=1, rate=16_000, chunk=8000)
    audio = bag.make("audio_common_msgs/msg/Audio", audio_data=data, info=info)
    bag.add("/audio", EPOCH_NS, "audio_common_msgs/msg/AudioStamped", header=bag.header(EPOCH_NS), audio=audio)
    (chunk,) = Recording(bag.close(), live=False)
    np.testing.assert_allclose(chunk.pcm, wave, atol=1e-4)


def test_a_microphone_that_was_restarted_while_it_was_recorded(tmp_path, caplog):
    recorder = Recorder(tmp_path / "a.mcap")
    starts_ms = [0, 20, 40, 1000, 1020, 1040]
    chunks = [
        AudioChunk(ms * MS, np.full(320, n / 10, np.float32), 16_000, 320 * (n % 3)) for n, ms in enumerate(starts_ms)
    ]
    for _ in recorder.tap(Samples([*chunks, chunks[3]])):
        pass
    recorder.close()
    replayed = list(Recording(tmp_path / "a.mcap", live=False))
    assert [chunk.stamp_ns // MS for chunk in replayed] == starts_ms
    assert [chunk.index for chunk in replayed] == [16 * ms for ms in starts_ms]
    assert "a message of /edgefuse/audio was skipped (more such silently): it begins 20 ms before" in caplog.text


def test_sound_that_contradicts_itself_is_skipped(tmp_path, caplog):
    bag = Bag(tmp_path / "bag", {"edgefuse_msgs/msg/AudioChunk": AUDIO_CHUNK})
    for n, (rate_hz, encoding, data) in enumerate([(16_000, "S16LE", 640), (0, "S16LE", 640), (16_000, "S16LE", 641)]):
        bag.add(
            "/audio", EPOCH_NS + n * 20 * MS, "edgefuse_msgs/msg/AudioChunk", header=bag.header(EPOCH_NS + n * 20 * MS),
            sample_rate=rate_hz, channels=1, encoding=encoding, index=320 * n, gap=0, data=np.zeros(data, np.uint8),
        )  # fmt: skip
    assert len(list(Recording(bag.close(), live=False))) == 1
    assert "it says that its rate is 0 Hz" in caplog.text


def test_coded_sound_is_refused(tmp_path):
    bag = Bag(tmp_path / "bag", ROS_DRIVERS)
    bag.add("/audio", EPOCH_NS, "audio_common_msgs/msg/AudioData", data=np.zeros(100, np.uint8))
    bag.add(
        "/audio_info", EPOCH_NS, "audio_common_msgs/msg/AudioInfo", channels=1, sample_rate=16_000,
        sample_format="S16LE", bitrate=0, coding_format="mp3",
    )  # fmt: skip
    with pytest.raises(StreamError, match="coded as 'mp3'; expected wave"):
        Recording(bag.close())


def test_stamps_of_simulated_time_give_way_to_the_log(tmp_path, caplog):
    bag = Bag(tmp_path / "bag")
    for n in range(3):
        bag.add(
            "/camera", EPOCH_NS + 100 * n * MS, "sensor_msgs/msg/CompressedImage", header=bag.header(5 * 10**9 + n),
            format="jpeg", data=cv2.imencode(".jpg", bgr_picture())[1].reshape(-1),
        )  # fmt: skip
    bag.add("/speech", EPOCH_NS + 150 * MS, "std_msgs/msg/String", data="hello")
    samples = list(Recording(bag.close(), live=False))
    assert [sample.stamp_ns for sample in samples] == [0, 100 * MS, 150 * MS, 200 * MS]
    assert "the stamps of /camera are not on the log's clock" in caplog.text


def stamps_by_sense(path: Path) -> dict[str, list[int]]:
    """Nothing where not even one piece of the file is whole."""
    stamps = {"image": [], "audio": []}
    with contextlib.suppress(StreamError):
        for sample in Recording(path, live=False):
            stamps[sample.modality].append(sample.stamp_ns)
    return stamps


def test_cut_off_anywhere_it_replays_what_is_whole(recorded, tmp_path, caplog):
    content, whole = recorded.read_bytes(), stamps_by_sense(recorded)
    ends = sorted({*np.linspace(0, len(content) - 1, 30, dtype=int), *range(len(content) - 12, len(content))})
    seconds = []
    for end in ends:
        (tmp_path / f"{end}.mcap").write_bytes(content[:end])
        caplog.clear()
        stamps = stamps_by_sense(tmp_path / f"{end}.mcap")
        for sense, those in stamps.items():
            assert those == whole[sense][: len(those)]
        if stamps["image"]:
            assert [record.levelno for record in caplog.records] == [logging.WARNING]
        seconds.append(stamps["image"][-1] / 1e9 if stamps["image"] else 0)
    assert seconds == sorted(seconds)
    assert max(later - earlier for earlier, later in itertools.pairwise(seconds)) < 4, "a piece holds a MB at most"
    assert seconds[-1] == whole["image"][-1] / 1e9


def test_a_byte_that_was_altered_is_found(recorded, tmp_path):
    content = bytearray(recorded.read_bytes())
    content[len(content) // 2] ^= 0xFF
    (tmp_path / "a.mcap").write_bytes(content)
    with pytest.raises(StreamError, match=r"a\.mcap is damaged: .*try `mcap recover`"):
        list(Recording(tmp_path / "a.mcap", live=False))


def test_files_that_are_no_recordings(tmp_path):
    with pytest.raises(StreamError, match="no such recording"):
        Recording(tmp_path / "none.mcap")
    (tmp_path / "text.mcap").write_text("hello, I am no recording")
    with pytest.raises(StreamError, match=r"text\.mcap is no MCAP file"):
        Recording(tmp_path / "text.mcap")
    (tmp_path / "more.mcap").write_text("")
    with pytest.raises(StreamError, match=r"should be a bag of one MCAP file, but has more\.mcap, text\.mcap"):
        Recording(tmp_path)
    bag = Bag(tmp_path / "bag")
    bag.add("/odometry", EPOCH_NS, "std_msgs/msg/Float32", data=1.0)
    with pytest.raises(
        StreamError, match=r"holds nothing to replay: its topics are /odometry \(std_msgs/msg/Float32\)"
    ):
        Recording(bag.close())
