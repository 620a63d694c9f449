"""Images as ROS sends them, compressed or not, are pictures of a size that can be, or refused."""

from random import Random

import cv2
import numpy as np
import pytest
from fuzzing import each_round, is_one_line, mutated
from rosbags.typesys import Stores, get_typestore

from edgefuse.runtime.errors import EdgefuseError, SampleError
from edgefuse.runtime.messages.ros_images import frame_from_compressed_image, frame_from_image

STORE = get_typestore(Stores.ROS2_HUMBLE)
TYPES = STORE.types
HEADER = TYPES["std_msgs/msg/Header"](TYPES["builtin_interfaces/msg/Time"](1, 0), "camera")
PICTURE = np.random.default_rng(0).integers(0, 255, (24, 32, 3), np.uint8)


def compressed(content: bytes, kind: str = "jpeg"):
    return TYPES["sensor_msgs/msg/CompressedImage"](HEADER, kind, np.frombuffer(content, np.uint8))


def image(height: int, width: int, encoding: str, step: int, data: bytes):
    return TYPES["sensor_msgs/msg/Image"](HEADER, height, width, encoding, 0, step, np.frombuffer(data, np.uint8))


@pytest.mark.parametrize("kind", ["jpeg", "png"])
def test_a_compressed_image_is_decoded(kind):
    message = compressed(cv2.imencode(f".{kind}", PICTURE)[1].tobytes(), f"bgr8; {kind} compressed bgr8")
    frame = frame_from_compressed_image(message, 1, "image")
    assert (frame.image.shape, frame.encoding, frame.frame_id) == (PICTURE.shape, "bgr8", "camera")


@pytest.mark.parametrize("size", [(30_000, 30_000), (40_000, 30_000)])
def test_a_compressed_image_that_says_it_is_huge_is_refused(size):
    content = cv2.imencode(".jpg", PICTURE)[1].tobytes()
    at = content.index(b"\xff\xc0") + 5
    header = size[1].to_bytes(2, "big") + size[0].to_bytes(2, "big")
    with pytest.raises(SampleError, match=rf"says that it is {size[0]} x {size[1]}: "):
        frame_from_compressed_image(compressed(content[:at] + header + content[at + 4 :]), 1, "image")


def test_an_image_beyond_the_limit_is_refused(monkeypatch):
    monkeypatch.setenv("EDGEFUSE_MAX_FRAME_PIXELS", "500")
    with pytest.raises(SampleError, match="is 32x24: 768 pixels, of which at most 500 are taken"):
        frame_from_image(image(24, 32, "bgr8", 96, PICTURE.tobytes()), 1, "image")


@pytest.mark.fuzz
@pytest.mark.parametrize("encoding", ["rgb8", "mono8", "yuv422", "bayer_rggb8", "8UC4"])
def test_an_image_of_any_size_is_a_frame_or_refused(encoding):
    def check(random: Random) -> None:
        height, width, step, length = (random.choice((0, 1, 2, 3, 24, 2**31, random.randrange(100))) for _ in range(4))
        fits = random.random() < 0.7
        message = image(height, width, encoding, step, bytes(min(height * step, 10**6) if fits else length % 10**6))
        assert accepted(frame_from_image, message)

    each_round(100, check)


@pytest.mark.fuzz
@pytest.mark.parametrize("kind", ["jpeg", "png"])
def test_a_mutated_compressed_image_is_a_frame_or_refused(kind):
    whole = cv2.imencode(f".{kind}", PICTURE)[1].tobytes()

    def check(random: Random) -> None:
        assert accepted(frame_from_compressed_image, compressed(mutated(whole, random), random.choice((kind, "", "x"))))

    each_round(50, check)


def accepted(convert, message) -> bool:
    """Whether it becomes a frame, or is refused in one line."""
    try:
        return convert(message, 1, "image").image.shape[2] == 3
    except EdgefuseError as error:
        return is_one_line(error)
