"""What a user names becomes streams of the bundle's own senses, whatever these are called."""

from pathlib import Path

import numpy as np
import pytest
from rosbags.rosbag2 import StoragePlugin, Writer
from rosbags.typesys import Stores, get_typestore
from small_networks import FUSION_OF_TWO, WHOLE, image, imu, write_bundle

from edgefuse.runtime import DEFAULT_BUNDLE, DEFAULT_CLIP, Bundle, Frame, Perceiver, Stream, StreamError
from edgefuse.runtime.bundle.manifest import AudioModality, Manifest
from edgefuse.runtime.sinks.recorder import Recorder
from edgefuse.runtime.streams.sources import Source, open_streams

MS = 1_000_000
STORE = get_typestore(Stores.ROS2_HUMBLE)


@pytest.fixture
def two_cameras(tmp_path) -> Bundle:
    cameras = [image("front_camera"), image("rear_camera")]
    return Bundle.open(write_bundle(tmp_path / "bundle", cameras, FUSION_OF_TWO.format("front_camera", "rear_camera")))


@pytest.fixture
def speech() -> Manifest:
    """The default bundle's, with its hearing called `speech` and at another rate."""
    manifest = Bundle.open(DEFAULT_BUNDLE).manifest
    heard = AudioModality(name="speech", graph=None, max_age_ms=600, rate_hz=8000, window_samples=8, hop_samples=4)
    return manifest.model_copy(update={"modalities": (manifest.modalities[0], heard)})


class Samples(Stream):
    live = False

    def __init__(self, *samples):
        self.samples = samples

    def __iter__(self):
        yield from self.samples

    def close(self):
        pass


def recorded(path: Path, *senses: str) -> Path:
    recorder = Recorder(path, image_format="png")
    frames = [Frame(n * MS, np.full((8, 8, 3), n, np.uint8), "rgb8", sense) for n, sense in enumerate(senses)]
    for _ in recorder.tap(Samples(*frames)):
        pass
    recorder.close()
    return path


def bag(path: Path, *topics: str) -> Path:
    """Written without edgefuse."""
    types = STORE.types
    header = types["std_msgs/msg/Header"](types["builtin_interfaces/msg/Time"](1, 0), "")
    with Writer(path, version=9, storage_plugin=StoragePlugin.MCAP) as writer:
        for n, topic in enumerate(topics):
            picture = np.full(192, n, np.uint8)
            image = types["sensor_msgs/msg/Image"](header, 8, 8, "rgb8", 0, 24, picture)
            connection = writer.add_connection(topic, image.__msgtype__, typestore=STORE)
            writer.write(connection, 10**9, STORE.serialize_cdr(image, image.__msgtype__))
    return path


def names(bundle: Bundle, path: Path, *topics: str) -> dict[str, int]:
    """Which sense was given which frame of a recording."""
    senses = [modality.name for modality in bundle.manifest.modalities]
    (stream,) = open_streams(Source(path, topics=topics), bundle.manifest, senses, fast=True)
    return {sample.modality: int(sample.image[0, 0, 0]) for sample in stream}


def test_a_clip_is_seen_by_the_first_camera(two_cameras):
    streams = open_streams(Source(DEFAULT_CLIP), two_cameras.manifest, ["front_camera", "rear_camera"], fast=True)
    percept = next(Perceiver(two_cameras).perceive(*streams))
    assert percept.senses["front_camera"].valid
    assert not percept.senses["rear_camera"].valid
    streams = open_streams(Source(DEFAULT_CLIP), two_cameras.manifest, ["rear_camera"], fast=True)
    assert next(Perceiver(two_cameras, senses=["rear_camera"]).perceive(*streams)).senses["rear_camera"].valid


def test_a_clip_is_heard_under_the_name_and_at_the_rate_of_its_sense(speech):
    (clip,) = open_streams(Source(DEFAULT_CLIP), speech, ["speech"], fast=True)
    chunk = next(iter(clip))
    assert (chunk.modality, chunk.rate_hz) == ("speech", 8000)


def test_devices_are_those_of_the_first_sense_of_their_kind(two_cameras, speech, mjpeg_server):
    (camera,) = open_streams(Source(None, camera=mjpeg_server.url), two_cameras.manifest, ["rear_camera"], fast=False)
    with camera:
        assert next(iter(camera)).modality == "rear_camera"
    streams = open_streams(Source(None, camera="0", microphone="default"), speech, ["image", "speech"], fast=False)
    assert [stream.name for stream in streams] == ["camera 0", "the default microphone"]


def test_a_recording_of_the_same_senses_gives_each_its_own(two_cameras, tmp_path):
    path = recorded(tmp_path / "run.mcap", "rear_camera", "front_camera")
    assert names(two_cameras, path) == {"rear_camera": 0, "front_camera": 1}


def test_a_recording_of_other_names_is_chosen_by_topic(two_cameras, tmp_path):
    path = recorded(tmp_path / "run.mcap", "left", "right")
    with pytest.raises(StreamError, match=r"nothing to replay for front_camera, rear_camera: .*--topic chooses others"):
        names(two_cameras, path)
    right, left = "front_camera=/edgefuse/right/compressed", "rear_camera=/edgefuse/left/compressed"
    assert names(two_cameras, path, right) == {"front_camera": 1}
    assert names(two_cameras, path, right, left) == {"front_camera": 1, "rear_camera": 0}


def test_a_bag_of_a_robot_goes_to_the_first_of_its_kind(two_cameras, tmp_path):
    assert names(two_cameras, bag(tmp_path / "one", "/camera")) == {"front_camera": 0}
    path = bag(tmp_path / "two", "/camera", "/other")
    with pytest.raises(StreamError, match=r"2 topics for front_camera: .*choose one with --topic front_camera="):
        names(two_cameras, path)
    assert names(two_cameras, path, "rear_camera=/camera") == {"front_camera": 1, "rear_camera": 0}, "one is left"


def test_what_no_sense_can_take_is_one_line(tmp_path):
    bundle = write_bundle(tmp_path / "bundle", [image(), imu()], FUSION_OF_TWO.format("image", "imu"))
    manifest = Bundle.open(bundle).manifest
    with pytest.raises(StreamError, match=r"a clip cannot feed bundle 'colours': its senses in use are imu \(signal\)"):
        open_streams(Source(DEFAULT_CLIP), manifest, ["imu"], fast=True)
    with pytest.raises(StreamError, match="a microphone cannot feed bundle 'colours'"):
        open_streams(Source(None, microphone="default"), manifest, ["image", "imu"], fast=False)
    with pytest.raises(StreamError, match="these devices cannot feed"):
        open_streams(Source(None, camera="0"), manifest, ["imu"], fast=False)


def test_what_lacks_a_sense_that_the_network_needs_is_one_line(tmp_path):
    bundle = Bundle.open(write_bundle(tmp_path / "bundle", [image(graph=False), imu(graph=False)], WHOLE))
    missing = "the network of bundle 'colours' needs all its senses, and {} holds nothing of imu"
    for source, what in (
        (Source(DEFAULT_CLIP), "a clip"),
        (Source(None, camera="0"), "what is given"),
        (Source(recorded(tmp_path / "run.mcap", "image")), ".*run.mcap"),
    ):
        with pytest.raises(StreamError, match=missing.format(what)):
            open_streams(source, bundle.manifest, ["image", "imu"], fast=source.file is not None)
