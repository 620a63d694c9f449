"""A topic is a sense's by its type and its name; what may be something else is asked for, not guessed."""

import logging

import cv2
import numpy as np
import pytest
from command_line import refused
from robot_bags import EPOCH_NS, MGONZS13, MS, Bag, bgr_picture

from edgefuse.runtime import DEFAULT_BUNDLE, Bundle, Frame, StreamError, Text
from edgefuse.runtime.streams.recording import Recording

STRING = "std_msgs/msg/String"


def with_camera(bag: Bag) -> Bag:
    for n in range(3):
        bag.image("/camera/image_raw", 50 * n, bgr_picture(), "bgr8")
    return bag


@pytest.mark.parametrize("name", ["/battery", "/robot_description", "/status/text_mode", "/rosout_agg", "/diagnostics"])
def test_strings_of_any_meaning_are_no_text(tmp_path, caplog, name):
    bag = with_camera(Bag(tmp_path / "bag"))
    bag.add(name, EPOCH_NS + 20 * MS, STRING, data="12.1 V, the red ball")
    path = bag.close()
    assert {type(sample) for sample in Recording(path, live=False)} == {Frame}
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert record.getMessage() == (
        f"{path}: nothing is replayed as text, since no name says which it is: choose with --topic text={name}, "
        f"of {name} ({STRING})"
    )
    asked = Recording(path, live=False, topics={"text": name})
    assert [sample.text for sample in asked if isinstance(sample, Text)] == ["12.1 V, the red ball"]


@pytest.mark.parametrize("name", ["/text", "/speech", "/robot/speech_to_text", "/asr/transcript", "/a/utterance"])
def test_names_that_say_so_are_text(tmp_path, caplog, name):
    bag = Bag(tmp_path / "bag")
    bag.add(name, EPOCH_NS, STRING, data="the red ball")
    bag.add("/battery", EPOCH_NS, STRING, data="12.1 V")
    assert Recording(bag.close(), live=False).topics == {"text": name}
    assert not caplog.records


def test_the_name_of_a_sense_is_a_name_too(tmp_path):
    sense = next(sense for sense in Bundle.open(DEFAULT_BUNDLE).manifest.modalities if sense.kind == "text")
    instruction = sense.model_copy(update={"name": "instruction"})
    bag = Bag(tmp_path / "bag")
    bag.add("/operator/instruction", EPOCH_NS, STRING, data="the red ball")
    path = bag.close()
    assert Recording(path, live=False, senses=[instruction]).topics == {"instruction": "/operator/instruction"}
    with pytest.raises(StreamError, match="nothing to replay for text"):
        Recording(path, live=False, senses=[sense])


def test_a_camera_of_another_sense_is_that_senses(tmp_path):
    image = next(sense for sense in Bundle.open(DEFAULT_BUNDLE).manifest.modalities if sense.kind == "image")
    senses = [image, image.model_copy(update={"name": "rear"})]
    bag = Bag(tmp_path / "bag")
    bag.image("/rear/image_raw", 0, bgr_picture())
    assert Recording(bag.close(), live=False, senses=senses).topics == {"rear": "/rear/image_raw"}


OTHERS = [
    "/camera/infra1/image_rect_raw", "/camera/aligned_depth_to_color/image_raw", "/segmentation/mask", "/costmap_image",
    "/edgefuse/debug_image", "/camera/depth/image_rect_raw/compressed", "/thermal/image",
]  # fmt: skip


@pytest.mark.parametrize("name", OTHERS)
def test_pictures_that_no_camera_took_are_asked_for(tmp_path, caplog, name):
    bag = Bag(tmp_path / "bag")
    bag.image(name, 0, bgr_picture()[..., 0], "mono8")
    bag.add("/speech", EPOCH_NS, STRING, data="the red ball")
    path = bag.close()
    assert Recording(path, live=False).topics == {"text": "/speech"}
    assert f"choose with --topic image={name}, of {name} (sensor_msgs/msg/Image)" in caplog.text
    assert Recording(path, live=False, topics={"image": name}).topics == {"text": "/speech", "image": name}
    other = with_camera(Bag(tmp_path / "other"))
    other.image(name, 0, bgr_picture()[..., 0], "mono8")
    assert Recording(other.close(), live=False).topics == {"image": "/camera/image_raw"}


@pytest.mark.parametrize("name", ["/depth_camera/rgb/image_raw", "/front/color/image_raw", "/image", "/usb_cam/image"])
def test_pictures_of_cameras_are_pictures(tmp_path, name):
    bag = Bag(tmp_path / "bag")
    bag.image(name, 0, bgr_picture())
    assert Recording(bag.close(), live=False).topics == {"image": name}


def test_what_the_robot_says_is_not_what_it_hears(tmp_path):
    bag = with_camera(Bag(tmp_path / "bag", MGONZS13))
    empty = {"float32_data": np.zeros(160, np.float32), "int32_data": np.array([], np.int32)}
    data = bag.make("audio_common_msgs/msg/AudioData", **empty, int16_data=np.array([], np.int16))
    info = bag.make("audio_common_msgs/msg/AudioInfo", format=8, channels=1, rate=16_000, chunk=8000)
    audio = bag.make("audio_common_msgs/msg/Audio", audio_data=data, info=info)
    bag.add("/tts/audio", EPOCH_NS, "audio_common_msgs/msg/AudioStamped", header=bag.header(EPOCH_NS), audio=audio)
    assert Recording(bag.close(), live=False).topics == {"image": "/camera/image_raw"}


def png(image: np.ndarray) -> bytes:
    return cv2.imencode(".png", image)[1].tobytes()


@pytest.mark.parametrize(
    ("form", "depth"),
    [
        ("16UC1; compressedDepth png", True),
        ("16UC1; compressedDepth rvl", True),
        ("16UC1; png compressed ", True),
        ("32FC1; tiff compressed ", True),
        ("png", True),
        ("8UC1; png compressed ", False),
        ("rgb8; png compressed bgr8", False),
        ("png", False),
    ],
)
def test_depth_is_no_picture_however_it_is_compressed(tmp_path, form, depth):
    bag = Bag(tmp_path / "bag")
    image = np.full((48, 64), 1000, np.uint16) if depth else bgr_picture()
    bag.compressed("/camera/compressed", 0, png(image), form)
    path = bag.close()
    if not depth:
        assert len(list(Recording(path, live=False))) == 1
        return
    with pytest.raises(StreamError, match=r"/camera/compressed: .*; expected (jpeg or png|8 bit)"):
        Recording(path, live=False)


@pytest.mark.parametrize("encoding", ["mono16", "bayer_rggb16", "rgb16", "16SC1", "nv12", "RGB8", ""])
def test_encodings_that_are_not_converted_are_refused(tmp_path, encoding):
    bag = Bag(tmp_path / "bag")
    bag.image("/camera/image", 0, np.zeros((48, 128, 3), np.uint8), encoding)
    with pytest.raises(StreamError, match=f"/camera/image: the image encoding '{encoding}' is not known here"):
        Recording(bag.close(), live=False)


def test_where_nothing_else_is_there_one_line_asks(tmp_path):
    bag = Bag(tmp_path / "bag")
    bag.add("/battery", EPOCH_NS, STRING, data="12.1 V")
    line = refused("run", bag.close(), "--fast")
    assert "its topics are /battery (std_msgs/msg/String); --topic chooses others, such as --topic text=" in line
