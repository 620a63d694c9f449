"""A robot's own bag, written by another program, replays as what was seen, heard and said."""

import itertools

import cv2
import numpy as np
import pytest
from robot_bags import (
    AUDIO_CHUNK,
    EPOCH_NS,
    MGONZS13,
    MS,
    ROS_DRIVERS,
    Bag,
    as_int16,
    bgr_picture,
    pcm_of,
    pitch_hz,
    tone,
)

from edgefuse.runtime import AudioChunk, Frame, StreamError, Text
from edgefuse.runtime.streams.recording import Recording


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
    bag.image("/stereo/image", 0, np.zeros((48, 128), np.uint8), encoding)
    with pytest.raises(StreamError, match=f"image encoding '{encoding}' is not known here; expected one of rgb8"):
        Recording(bag.close())


def test_damaged_images_are_skipped_said_once_and_counted(tmp_path, caplog):
    bag = Bag(tmp_path / "bag")
    jpeg = cv2.imencode(".jpg", bgr_picture())[1].tobytes()
    for n, data in enumerate([b"", b"no image", jpeg, jpeg]):
        bag.compressed("/camera/compressed", 40 * n, data)
    frames = list(Recording(bag.close(), live=False))
    assert [frame.stamp_ns for frame in frames] == [0, 40 * MS]
    np.testing.assert_allclose(frames[0].image[4, 4], bgr_picture()[4, 4], atol=10)
    warnings = [record.getMessage() for record in caplog.records]
    assert len(warnings) == 2
    assert "a message of /camera/compressed was skipped (more such are only counted): it holds 0 bytes" in warnings[0]
    assert "2 of 4 messages of /camera/compressed were skipped: 2 like: it holds 0 bytes" in warnings[1]


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


def as_uint8(wave: np.ndarray) -> np.ndarray:
    """Offset binary: 128 is silence."""
    return (np.rint(wave * 127) + 128).astype(np.uint8).reshape(-1)


UINT8 = {"audio_common_msgs/msg/AudioData", "std_msgs/msg/UInt8MultiArray"}


@pytest.mark.parametrize("name", sorted(UINT8))
def test_sound_as_unsigned_bytes(tmp_path, name):
    bag = Bag(tmp_path / "bag", ROS_DRIVERS)
    wave = tone(16_000, 0.5)
    bag.info("/info", "U8")
    for n, block in enumerate(np.split(as_uint8(wave), 25)):
        layout = {"layout": bag.make("std_msgs/msg/MultiArrayLayout", dim=[], data_offset=0)} if "UInt8" in name else {}
        bag.add("/mic", EPOCH_NS + 20 * (n + 1) * MS, name, **layout, data=block)
    chunks = list(Recording(bag.close(), live=False, topics={"audio": "/mic"}))
    np.testing.assert_allclose(pcm_of(chunks), wave[:, 0], atol=0.01)
    assert np.abs(pcm_of(chunks)).max() > 0.49, "full scale is full scale"
    assert [chunk.stamp_ns for chunk in chunks] == [20 * n * MS for n in range(25)]


def test_unsigned_bytes_that_are_silence_are_zero_and_reach_full_scale(tmp_path):
    bag = Bag(tmp_path / "bag", {"edgefuse_msgs/msg/AudioChunk": AUDIO_CHUNK})
    bag.add(
        "/audio", EPOCH_NS, "edgefuse_msgs/msg/AudioChunk", header=bag.header(EPOCH_NS), sample_rate=16_000, channels=1,
        encoding="U8", index=0, gap=0, data=np.array([128, 0, 255, 64], np.uint8),
    )  # fmt: skip
    (chunk,) = Recording(bag.close(), live=False)
    np.testing.assert_array_equal(chunk.pcm, np.array([0, -1, 127 / 128, -0.5], np.float32))


@pytest.mark.parametrize("kind", ["uint8", "int8"])
def test_bytes_of_the_other_audio_common(tmp_path, kind):
    newer = {"audio_common_msgs/msg/AudioData": MGONZS13["audio_common_msgs/msg/AudioData"]
             + "\nint8[] int8_data\nuint8[] uint8_data"}  # fmt: skip
    bag = Bag(tmp_path / "bag", MGONZS13 | newer)
    wave = tone(16_000, 0.5)[:, 0]
    arrays = {f"{name}_data": np.array([], name) for name in ("float32", "int32", "int16", "int8", "uint8")}
    arrays[f"{kind}_data"] = as_uint8(wave) if kind == "uint8" else (as_uint8(wave).astype(int) - 128).astype(np.int8)
    data = bag.make("audio_common_msgs/msg/AudioData", **arrays)
    info = bag.make("audio_common_msgs/msg/AudioInfo", format=32, channels=1, rate=16_000, chunk=8000)
    audio = bag.make("audio_common_msgs/msg/Audio", audio_data=data, info=info)
    bag.add("/audio", EPOCH_NS, "audio_common_msgs/msg/AudioStamped", header=bag.header(EPOCH_NS), audio=audio)
    (chunk,) = Recording(bag.close(), live=False)
    np.testing.assert_allclose(chunk.pcm, wave, atol=0.01)


def test_bytes_are_sound_only_if_somebody_says_so(tmp_path):
    bag = Bag(tmp_path / "bag", ROS_DRIVERS)
    layout = bag.make("std_msgs/msg/MultiArrayLayout", dim=[], data_offset=0)
    bag.add("/mic", EPOCH_NS, "std_msgs/msg/UInt8MultiArray", layout=layout, data=np.zeros(320, np.uint8))
    path = bag.close()
    with pytest.raises(StreamError, match=r"nothing to replay: .*--topic chooses others, such as --topic audio=/mic"):
        Recording(path)
    with pytest.raises(StreamError, match="nothing says how /mic is encoded: record an audio_common_msgs/"):
        Recording(path, topics={"audio": "/mic"})


def test_an_encoding_that_is_not_known_is_refused_in_one_line(tmp_path):
    bag = Bag(tmp_path / "bag", ROS_DRIVERS)
    bag.info("/info", "S24LE")
    bag.add("/audio", EPOCH_NS, "audio_common_msgs/msg/AudioData", data=np.zeros(300, np.uint8))
    line = r"bag\.mcap: /audio: the sample format 'S24LE' is not known here; expected S8, U8, S16LE, S32LE, F32LE"
    with pytest.raises(StreamError, match=line):
        Recording(bag.close())


def test_sound_that_contradicts_itself_is_skipped(tmp_path, caplog):
    bag = Bag(tmp_path / "bag", {"edgefuse_msgs/msg/AudioChunk": AUDIO_CHUNK})
    for n, (rate_hz, encoding, data) in enumerate([(16_000, "S16LE", 640), (0, "S16LE", 640), (16_000, "S16LE", 641)]):
        bag.add(
            "/audio", EPOCH_NS + n * 20 * MS, "edgefuse_msgs/msg/AudioChunk", header=bag.header(EPOCH_NS + n * 20 * MS),
            sample_rate=rate_hz, channels=1, encoding=encoding, index=320 * n, gap=0, data=np.zeros(data, np.uint8),
        )  # fmt: skip
    assert [(chunk.index, len(chunk.pcm)) for chunk in Recording(bag.close(), live=False)] == [(0, 320), (640, 320)]
    assert "it says 0 Hz, which is no rate of sound" in caplog.text
    assert "/audio: a message ends with 1 bytes that are no whole sample: such are left out" in caplog.text


@pytest.mark.parametrize(("channel", "peak"), [(None, 0.0), (0, 0.5), (1, 0.5)])
def test_a_channel_of_a_topic_is_taken_where_it_is_asked_for(tmp_path, caplog, channel, peak):
    bag, wave = Bag(tmp_path / "bag", ROS_DRIVERS), tone(16_000, 3, channels=2) * (1, -1)
    bag.info("/info", "S16LE", channels=2)
    data = as_int16(wave)
    for n in range(60):
        piece = data[n * 3200 + (n and 1) : (n + 1) * 3200 + 1]  # cut within a sample
        bag.add("/audio", EPOCH_NS + 50 * (n + 1) * MS, "audio_common_msgs/msg/AudioData", data=piece)
    heard = pcm_of(Recording(bag.close(), live=False, channel=channel))
    assert len(heard) == 48_000
    assert np.abs(heard).max() == pytest.approx(peak, abs=0.001)
    assert caplog.text.count("/audio: the mean of its 2 channels is 60 dB quieter") == (channel is None)
    assert caplog.text.count("/audio: a message ends with 1 bytes that are no whole sample: such go on") == 1


def test_a_channel_that_a_topic_has_not_is_said(tmp_path, caplog):
    bag = Bag(tmp_path / "bag", ROS_DRIVERS)
    bag.info("/info", "S16LE")
    bag.add("/audio", EPOCH_NS, "audio_common_msgs/msg/AudioData", data=np.zeros(640, np.uint8))
    with pytest.raises(StreamError, match="holds nothing to replay"):
        Recording(bag.close(), channel=3)
    assert "it has no channel 3: it has one, channel 0" in caplog.text


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
