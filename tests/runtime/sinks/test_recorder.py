"""What is recorded can be read by others, and is there whatever happens to the recorder."""

import math
import re
import signal
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from rosbags.highlevel import AnyReader

from edgefuse.runtime import (
    DEFAULT_BUNDLE,
    AudioChunk,
    Bundle,
    EdgefuseError,
    Frame,
    Percept,
    Sense,
    Signal,
    Stream,
    Text,
    Trace,
)
from edgefuse.runtime.sinks.recorder import Recorder
from edgefuse.runtime.streams.recording import Recording

MS = 1_000_000
RATE_HZ = 16_000


class Samples(Stream):
    """A stream of given samples, as fast as they are taken."""

    def __init__(self, samples, live=False):
        self.samples, self.live = samples, live

    def __iter__(self):
        yield from self.samples

    def close(self):
        pass


def picture(seed: int, height: int = 48, width: int = 64) -> np.ndarray:
    small = np.random.default_rng(seed).integers(0, 255, (height // 8, width // 8, 3), np.uint8)
    return small.repeat(8, axis=0).repeat(8, axis=1)


def sound(index: int, samples: int = 320) -> AudioChunk:
    pcm = np.sin(np.arange(index, index + samples) / 7).astype(np.float32) * 0.3
    return AudioChunk(index * 1_000_000_000 // RATE_HZ, pcm, RATE_HZ, index)


def second_of_samples() -> list:
    frames = [Frame(40 * n * MS, picture(n), "bgr8") for n in range(25)]
    said = [Text(300 * MS + 1, "the red ball"), Text(700 * MS + 3, "ein grüner Würfel")]
    touch = [Signal(50 * n * MS, np.full((5, 3), n / 7, np.float32), 100.0, 5 * n, "touch") for n in range(20)]
    return sorted([*frames, *[sound(320 * n) for n in range(50)], *said, *touch], key=lambda sample: sample.until_ns)


def percept(stamp_ns: int = 40 * MS) -> Percept:
    senses = {
        "image": Sense(True, 0.75, 0.0, "red ball", 0.9),
        "audio": Sense(False, 0.0, 4321.5, None, None),
        "text": Sense(False, 0.0, None, None, None),
    }
    now_ns = time.monotonic_ns()
    trace = Trace(*(now_ns + ms * MS for ms in (0, 1, 3, 7, 9, 10)))
    scores = {"red ball": 0.875, "nothing": 0.125}
    return Percept(stamp_ns, "red ball", 0.875, scores, np.array([0.6, 0.8], np.float32), senses, None, trace)


def record(path: Path, samples, percepts=(), **options) -> Recorder:
    recorder = Recorder(path, **options)
    for _ in recorder.tap(Samples(samples)):
        pass
    for one in percepts:
        recorder.write(one)
    recorder.close()
    return recorder


def read_with_rosbags(path: Path) -> list:
    with AnyReader([path]) as reader:
        return [
            (connection.topic, connection.msgtype, log_ns, reader.deserialize(data, connection.msgtype))
            for connection, log_ns, data in reader.messages()
        ]


def stamp_ns(message) -> int:
    return message.header.stamp.sec * 1_000_000_000 + message.header.stamp.nanosec


def test_a_recorded_stream_yields_the_very_same_samples(tmp_path):
    samples = second_of_samples()
    recorder = Recorder(tmp_path / "a.mcap")
    passed = list(recorder.tap(Samples(samples)))
    recorder.close()
    assert all(one is other for one, other in zip(passed, samples, strict=True))


@pytest.mark.parametrize("image_format", ["png", "raw"])
def test_what_was_recorded_losslessly_is_replayed_exactly(image_format, tmp_path):
    samples = second_of_samples()
    record(tmp_path / "a.mcap", samples, image_format=image_format)
    replayed = list(Recording(tmp_path / "a.mcap", live=False))
    assert [(type(s), s.modality, s.stamp_ns, s.until_ns) for s in replayed] == [
        (type(s), s.modality, s.stamp_ns, s.until_ns) for s in samples
    ]
    for one, other in zip(samples, replayed, strict=True):
        if isinstance(one, Frame):
            np.testing.assert_array_equal(one.image, other.image)
        elif isinstance(one, AudioChunk):
            assert (one.index, one.rate_hz) == (other.index, other.rate_hz)
            np.testing.assert_array_equal(one.pcm, other.pcm)
        elif isinstance(one, Signal):
            assert (one.index, one.rate_hz) == (other.index, other.rate_hz)
            np.testing.assert_array_equal(one.values, other.values)
        else:
            assert one.text == other.text


def test_jpeg_looks_the_same_and_colours_keep_their_order(tmp_path):
    image = np.full((48, 64, 3), (250, 10, 60), np.uint8)
    record(tmp_path / "a.mcap", [Frame(0, image, "rgb8"), Frame(MS, image[..., ::-1], "bgr8")])
    for frame in Recording(tmp_path / "a.mcap", live=False):
        rgb = frame.image if frame.encoding == "rgb8" else frame.image[..., ::-1]
        np.testing.assert_allclose(rgb.reshape(-1, 3).mean(axis=0), (250, 10, 60), atol=4)


def test_sound_of_a_16_bit_source_takes_16_bits_and_stays_exact(tmp_path):
    pcm = np.random.default_rng(0).integers(-32767, 32767, 16_000).astype(np.float32) / 32768
    record(tmp_path / "a.mcap", [AudioChunk(0, pcm, RATE_HZ, 0)])
    ((_, _, _, message),) = read_with_rosbags(tmp_path / "a.mcap")
    assert (message.encoding, len(message.data)) == ("S16LE", 32_000)
    (chunk,) = Recording(tmp_path / "a.mcap", live=False)
    np.testing.assert_array_equal(chunk.pcm, pcm)


def test_lost_sound_stays_a_gap_of_its_length(tmp_path):
    record(tmp_path / "a.mcap", [sound(0), sound(320), sound(1280)])
    assert [message.gap for _, _, _, message in read_with_rosbags(tmp_path / "a.mcap")] == [0, 0, 640]
    assert [chunk.index for chunk in Recording(tmp_path / "a.mcap", live=False)] == [0, 320, 1280]


def test_an_independent_reader_finds_ros_messages_on_ros_time(tmp_path):
    before_ns = time.time_ns()
    record(tmp_path / "a.mcap", second_of_samples())
    after_ns = time.time_ns()
    messages = read_with_rosbags(tmp_path / "a.mcap")
    assert {(topic, kind) for topic, kind, _, _ in messages} == {
        ("/edgefuse/image/compressed", "sensor_msgs/msg/CompressedImage"),
        ("/edgefuse/audio", "edgefuse_msgs/msg/AudioChunk"),
        ("/edgefuse/text", "std_msgs/msg/String"),
        ("/edgefuse/touch", "edgefuse_msgs/msg/Signal"),
    }
    images = [message for _, kind, _, message in messages if "Image" in kind]
    assert before_ns <= stamp_ns(images[0]) <= after_ns
    assert np.diff([stamp_ns(image) for image in images]).tolist() == [40 * MS] * 24
    assert images[0].format == "jpeg"
    assert bytes(images[0].data[:2]) == b"\xff\xd8"
    assert all(log_ns >= stamp_ns(message) for _, _, log_ns, message in messages if hasattr(message, "header"))


def test_percepts_are_recorded_with_all_they_say(tmp_path):
    said = percept()
    record(tmp_path / "a.mcap", [Frame(0, picture(0))], [said], bundle=Bundle.open(DEFAULT_BUNDLE))
    messages = read_with_rosbags(tmp_path / "a.mcap")
    (image,) = (message for _, kind, _, message in messages if "Image" in kind)
    ((log_ns, message),) = ((log, message) for _, kind, log, message in messages if "Percept" in kind)
    assert stamp_ns(message) - stamp_ns(image) == said.stamp_ns
    assert log_ns - stamp_ns(message) == 10 * MS, "logged when it was published"
    assert (message.label, message.confidence) == ("red ball", 0.875)
    assert dict(zip(message.labels, message.scores, strict=True)) == said.scores
    np.testing.assert_array_equal(message.embedding, said.embedding)
    assert math.isnan(message.agreement)
    assert not message.contradiction
    assert [sense.name for sense in message.senses] == ["image", "audio", "text"]
    assert [sense.valid for sense in message.senses] == [True, False, False]
    assert [sense.weight for sense in message.senses] == [0.75, 0, 0]
    assert [sense.label for sense in message.senses] == ["red ball", "", ""]
    assert [sense.age_ms for sense in message.senses[:2]] == [0, 4321.5]
    assert math.isnan(message.senses[2].age_ms)
    trace = message.trace
    stages = [trace.receive_ms, trace.wait_ms, trace.encode_ms, trace.fuse_ms, trace.publish_ms, trace.latency_ms]
    assert stages == [1, 2, 4, 2, 1, 10]
    assert message.bundle_name == Bundle.open(DEFAULT_BUNDLE).manifest.name
    assert re.fullmatch("[0-9a-f]{12}", message.bundle_id)


def test_several_threads_record_into_one_file(tmp_path):
    recorder = Recorder(tmp_path / "a.mcap")
    streams = [Samples([Frame(n * MS, picture(n)) for n in range(100)]), Samples([sound(320 * n) for n in range(500)])]
    threads = [threading.Thread(target=list, args=[recorder.tap(stream)]) for stream in streams]
    for thread in threads:
        thread.start()
    for n in range(200):
        recorder.write(percept(n * MS))
    for thread in threads:
        thread.join()
    recorder.close()
    kinds = [kind.split("/")[-1] for _, kind, _, _ in read_with_rosbags(tmp_path / "a.mcap")]
    assert {kind: kinds.count(kind) for kind in kinds} == {"CompressedImage": 100, "AudioChunk": 500, "Percept": 200}


def test_a_live_stream_never_waits_frames_are_dropped_and_sound_is_not(tmp_path, caplog):
    noise = np.random.default_rng(0).integers(0, 255, (720, 960, 3), np.uint8)
    samples = [sample for n in range(100) for sample in (Frame(n * MS, noise), sound(320 * n))]
    recorder = Recorder(tmp_path / "a.mcap", image_format="png")
    assert len(list(recorder.tap(Samples(samples, live=True)))) == 200
    recorder.close()
    replayed = list(Recording(tmp_path / "a.mcap", live=False))
    frames = sum(isinstance(sample, Frame) for sample in replayed)
    assert [chunk.index for chunk in replayed if isinstance(chunk, AudioChunk)] == [320 * n for n in range(100)]
    assert 30 <= frames < 100, "who waits loses none"
    assert recorder.dropped_frames == 100 - frames
    assert f"{100 - frames} frames in all were dropped" in caplog.text


def test_a_stream_that_is_not_live_waits_and_loses_nothing(tmp_path):
    noise = np.random.default_rng(0).integers(0, 255, (480, 640, 3), np.uint8)
    recorder = record(tmp_path / "a.mcap", [Frame(n * MS, noise) for n in range(80)])
    assert recorder.dropped_frames == 0
    assert len(list(Recording(tmp_path / "a.mcap", live=False))) == 80


def test_a_recording_replaces_nothing(tmp_path):
    (tmp_path / "a.mcap").write_bytes(b"precious")
    with pytest.raises(EdgefuseError, match=r"a\.mcap exists already"):
        Recorder(tmp_path / "a.mcap")
    assert (tmp_path / "a.mcap").read_bytes() == b"precious"
    with pytest.raises(EdgefuseError, match="cannot be written: No such file or directory"):
        Recorder(tmp_path / "none" / "a.mcap")


def test_a_recording_of_nothing_leaves_no_file(tmp_path):
    record(tmp_path / "a.mcap", [])
    assert not list(tmp_path.iterdir())
    record(tmp_path / "a.mcap", [sound(0)])


def test_samples_that_come_after_the_end_are_ignored(tmp_path):
    recorder = Recorder(tmp_path / "a.mcap")
    passing = iter(recorder.tap(Samples([sound(0), sound(320)])))
    next(passing)
    recorder.close()
    assert next(passing).index == 320
    recorder.close()
    assert len(list(Recording(tmp_path / "a.mcap", live=False))) == 1


RECORD_FOR_EVER = """
    import itertools, resource, sys, time
    from pathlib import Path
    import numpy as np
    from edgefuse.runtime import AudioChunk, Frame, Stream
    from edgefuse.runtime.sinks.recorder import Recorder

    class Live(Stream):
        live = True
        def __iter__(self):
            image = np.random.default_rng(0).integers(0, 255, (120, 160, 3), np.uint8)
            start_ns = time.monotonic_ns()
            for n in itertools.count():
                time.sleep(max(0, start_ns + (n + 1) * 20_000_000 - time.monotonic_ns()) / 1e9)
                yield AudioChunk(start_ns + n * 20_000_000, np.zeros(320, np.float32), 16_000, n * 320)
                yield Frame(time.monotonic_ns(), np.roll(image, n))
        def close(self): pass

    if int(sys.argv[2]):
        resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]),) * 2)
    recorder = Recorder(Path(sys.argv[1]))
    stream = iter(recorder.tap(Live()))
    for n, sample in enumerate(stream):
        if n == 0:
            print("recording", flush=True)
        if n == int(sys.argv[3]):
            break
    print("still perceiving", n, flush=True)
    recorder.close()
"""


def start_recording(path: Path, file_limit: int = 0, samples: int = 1_000_000) -> subprocess.Popen:
    command = [sys.executable, "-c", textwrap.dedent(RECORD_FOR_EVER), str(path), str(file_limit), str(samples)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "recording\n"
    return process


def test_a_killed_recorder_leaves_all_but_the_last_second(tmp_path, caplog):
    process = start_recording(tmp_path / "a.mcap")
    time.sleep(3.3)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    replayed = list(Recording(tmp_path / "a.mcap", live=False))
    assert 2.0 < replayed[-1].until_ns / 1e9 < 3.6
    indices = [chunk.index for chunk in replayed if isinstance(chunk, AudioChunk)]
    assert indices == [320 * n for n in range(len(indices))]
    assert [record.getMessage() for record in caplog.records] == [
        f"{tmp_path / 'a.mcap'} was cut off; it is replayed up to where it breaks off"
    ]


def test_a_full_disk_ends_the_recording_and_not_the_perception(tmp_path):
    process = start_recording(tmp_path / "a.mcap", file_limit=1_500_000, samples=300)
    said, complaint = process.communicate(timeout=60)
    assert said == "still perceiving 300\n"
    assert complaint.startswith(f"recording to {tmp_path / 'a.mcap'} has stopped, the rest goes on: ")
    assert complaint.count("has stopped") == 1
    assert f"EdgefuseError: the recording {tmp_path / 'a.mcap'} ended early: File too large" in complaint
    replayed = list(Recording(tmp_path / "a.mcap", live=False))
    assert replayed[-1].until_ns > 0.5e9, "all that was flushed before, once a second"


def test_a_sample_that_cannot_be_encoded_does_not_end_the_recording(tmp_path, caplog):
    """JPEG ends at 65,500 pixels a side; a time has 64 bits."""
    path = tmp_path / "a.mcap"
    recorder = Recorder(path)
    wide = Frame(0, np.zeros((1, 70_000, 3), np.uint8))
    late = AudioChunk(2**63 - 1, np.zeros(320, np.float32), RATE_HZ, 320)
    samples = [wide, sound(0), late, wide, sound(640), Frame(40 * MS, picture(1))]
    assert list(recorder.tap(Samples(samples))) == samples
    recorder.close()
    assert recorder.skipped == 3
    said = [record.getMessage() for record in caplog.records]
    assert [line.split(":")[1].strip() for line in said] == [
        "a sample was left out (more such are only counted)",
        "a sample was left out (more such are only counted)",
        "3 samples in all were left out",
    ]
    with AnyReader([path]) as reader:
        counts = {connection.topic: connection.msgcount for connection in reader.connections}
        assert counts == {"/edgefuse/audio": 2, "/edgefuse/image/compressed": 1}
    replayed = [one for one in Recording(path, live=False) if isinstance(one, AudioChunk)]
    assert [chunk.index for chunk in replayed] == [0, 640], "what was left out shows as a gap"
