"""What drivers, networks and people do to the perception node, and that it goes on."""

import array
import re
import shutil
import signal
import zlib

import numpy as np
import pytest
from driver import Driver
from ros_domain import statuses
from ros_samples import CAMERA, image, sound

from edgefuse.runtime import DEFAULT_CLIP


@pytest.fixture
def driver(ros):
    """Publishes to a perception node that runs, and hears what it says."""
    return Driver(ros)


@pytest.fixture
def compressing_driver(ros):
    """The same, whose images the node takes compressed."""
    return Driver(ros, image_transport="compressed")


def test_each_kind_of_what_is_malformed_is_said_once(driver):
    """Not only the first of a sense, and none again for another number."""
    for changed in ({"step": 5}, {"step": 6}, {"width": 0}):
        assert not driver.perceives(image(driver.stamp(), **changed))
    stamp = driver.stamp()
    stamp.nanosec = 2 * 10**9
    assert not driver.perceives(image(stamp))
    assert driver.perceives(image(driver.stamp()))
    log = driver.ros.log(driver.name)
    assert log.count("in rows of") == 1
    assert "ns, which no clock shows" in log
    assert driver.status("image", "refused: malformed") == "4"


def test_images_of_every_kind(driver):
    for encoding in ("bgr8", "rgb8", "mono8", "bgra8", "yuv422"):
        assert driver.perceives(image(driver.stamp(), encoding)), encoding
    assert driver.perceives(image(driver.stamp(), width=1920, height=1080)), "full HD"
    assert not driver.perceives(image(driver.stamp(), "16UC1"))
    assert not driver.perceives(image(driver.stamp(), step=5))
    assert not driver.perceives(image(driver.stamp(), data=array.array("B", bytes(100))))
    assert driver.perceives(image(driver.stamp()))
    assert driver.status("image", "refused: StreamError") == "1"
    assert driver.status("image", "refused: malformed") == "2"
    assert "16UC1" in driver.ros.log(driver.name)
    assert "in rows of 5 bytes" in driver.ros.log(driver.name)
    assert not driver.perceives(image(driver.stamp(before_s=60))), "a stamp that goes back"
    assert not driver.perceives(image(driver.stamp(before_s=-60))), "a stamp in the future"
    assert driver.perceives(image(driver.stamp()))
    assert driver.status("image", "dropped: out_of_order") == "1"
    assert driver.status("image", "dropped: future") == "1"


def test_compressed_images_and_text(compressing_driver):
    import cv2
    from sensor_msgs.msg import CompressedImage
    from std_msgs.msg import String

    driver = compressing_driver
    assert driver.images.get_subscription_count() == 0, "each frame is decoded once"
    _, jpeg = cv2.imencode(".jpg", np.zeros((480, 640, 3), np.uint8))
    driver.texts.publish(String(data="a red ball"))
    driver.texts.publish(String(data=""))
    message = CompressedImage(format="jpeg", data=jpeg.tobytes())

    def seen_with_text() -> bool:
        message.header.stamp = driver.stamp()
        driver.compressed.publish(message)
        return bool(driver.percepts) and driver.percepts[-1].senses[0].valid and driver.percepts[-1].senses[2].valid

    driver.ros.until(seen_with_text, "a percept with both, of which either may come first")
    senses = {sense.name: sense for sense in driver.percepts[-1].senses}
    assert senses["image"].valid
    assert senses["text"].valid
    driver.compressed.publish(CompressedImage(format="jpeg", data=jpeg.tobytes()[:100]))
    driver.compressed.publish(CompressedImage(format="h264"))
    assert driver.status("text", "dropped: malformed") == "1"
    driver.percepts.clear()
    message.header.stamp = driver.stamp()
    driver.compressed.publish(message)
    driver.ros.until(lambda: driver.percepts, "a percept after those that were damaged")


@pytest.mark.parametrize("ending", [".jpg", ".png"])
def test_a_small_message_that_says_it_is_a_giant_picture_takes_no_memory(compressing_driver, ending):
    """Memory for 65500 x 65500 pixels would be 12 GB."""
    import cv2
    from sensor_msgs.msg import CompressedImage

    driver = compressing_driver
    good = cv2.imencode(ending, np.zeros((480, 640, 3), np.uint8))[1].tobytes()
    bomb, giant = bytearray(good), (65_500).to_bytes(2, "big")
    if ending == ".jpg":
        at = good.index(b"\xff\xc0")  # the frame's header: length, precision, height, width
        bomb[at + 5 : at + 9] = giant + giant
    else:
        at = good.index(b"IHDR")
        bomb[at + 4 : at + 12] = bytes(2) + giant + bytes(2) + giant
        bomb[at + 17 : at + 21] = zlib.crc32(bomb[at : at + 17]).to_bytes(4, "big")
    assert driver.perceives(CompressedImage(header=driver.header(), format="jpeg", data=good))
    before_mb = driver.ros.memory_mb(driver.name)
    for _ in range(3):
        assert not driver.perceives(CompressedImage(header=driver.header(), format="jpeg", data=bytes(bomb)))
    assert driver.ros.memory_mb(driver.name) - before_mb < 100
    assert driver.status("image", "refused: malformed") == "3"
    assert driver.ros.log(driver.name).count("says that it is 65500 x 65500") == 1
    assert driver.perceives(CompressedImage(header=driver.header(), format="jpeg", data=good))


def test_a_driver_compresses_for_nobody(driver):
    assert driver.images.get_subscription_count() == 1
    assert driver.compressed.get_subscription_count() == 0


def test_sound_of_every_kind(driver):
    from rclpy.duration import Duration

    begin = driver.ros.node.get_clock().now() - Duration(seconds=1.7)

    def stamp(block: int):
        return (begin + Duration(seconds=block * 0.02)).to_msg()

    noise = np.random.default_rng(0).normal(0, 0.05, 320)
    bad = [
        sound(stamp(0), 0, np.array([])),
        sound(stamp(1), 0, np.full(320, np.nan)),
        sound(stamp(2), 0, noise, sample_rate=0),
        sound(stamp(3), 0, noise, channels=0),
        sound(stamp(4), 0, noise, encoding="OPUS"),
        sound(stamp(5), 0, noise[:319], channels=2),
    ]
    for message in bad:
        driver.sounds.publish(message)
    for block in range(6, 85):
        driver.sounds.publish(sound(stamp(block), (block - 6) * 320, noise))
    assert perceives_with_sound(driver, begin + Duration(seconds=85 * 0.02))
    refused = {reason: driver.status("audio", f"refused: {reason}") for reason in ("malformed", "StreamError")}
    assert refused == {"malformed": "4", "StreamError": ""}, "of the last, the odd part alone is dropped"
    assert driver.status("audio", "dropped: not_finite") == "1"


def test_sound_of_another_rate_and_stereo_is_made_fit(driver):
    from rclpy.duration import Duration

    end = driver.ros.node.get_clock().now()
    noise = np.random.default_rng(0).normal(0, 0.05, (960, 2))
    for block in range(100):
        stamp = (end - Duration(seconds=2 - block * 0.02)).to_msg()
        driver.sounds.publish(sound(stamp, block * 960, noise.ravel(), sample_rate=48_000, channels=2))
    assert perceives_with_sound(driver, end)


def perceives_with_sound(driver, stamp) -> bool:
    """Whether pictures from then on, a millisecond apart, lead to percepts, and to one with sound once that came."""
    from rclpy.duration import Duration

    for number in range(100):
        if not driver.perceives(image((stamp + Duration(nanoseconds=number * 1_000_000)).to_msg())):
            return False
        if driver.percepts[-1].senses[1].valid:
            return True
    return False


def test_ends_that_do_not_fit_are_named_with_both_profiles(driver):
    from rclpy.qos import qos_profile_sensor_data

    from edgefuse_msgs.msg import AudioChunk

    driver.ros.node.create_publisher(AudioChunk, "audio", qos_profile_sensor_data)
    driver.ros.until(lambda: "does not fit" in driver.ros.log(driver.name), "the warning")
    log = driver.ros.log(driver.name)
    assert "Here: reliable" in log
    assert re.search("There: .*: best_effort", log)


@pytest.mark.slow
def test_any_node_may_be_killed_and_started_again(driver, tmp_path):
    ros, percepts = driver.ros, driver.percepts
    clip = {name: shutil.copy(DEFAULT_CLIP.with_suffix(name), tmp_path / f"clip{name}") for name in (".mp4", ".wav")}
    nodes = {
        "camera": lambda: ros.start(*CAMERA, clip=clip[".mp4"]),
        "microphone": lambda: ros.start("microphone_node", clip=clip[".wav"]),
        "perception": lambda: ros.start("perception_node", autostart=True),
    }
    nodes["camera"]()
    nodes["microphone"]()
    both = lambda: percepts and all(sense.valid for sense in percepts[-1].senses[:2])  # noqa: E731
    ros.until(both, "image and sound")
    for killed, restart in nodes.items():
        ros.stop(killed, signal.SIGKILL)
        ros.spin(1.5)
        percepts.clear()
        restart()
        ros.until(both, f"image and sound after {killed} was killed")
    ros.stop("camera", signal.SIGKILL)
    driver.diagnostics.clear()
    error = b"\x02"
    ros.until(
        lambda: (found := statuses(driver.diagnostics).get("perception: image")) and found.level == error,
        "an ERROR in the diagnostics",
    )
    assert "silent" in statuses(driver.diagnostics)["perception: image"].message


def test_a_subscriber_that_is_slow_holds_nobody_up(driver):
    import rclpy

    from edgefuse_msgs.msg import Percept

    sleeper = rclpy.create_node("sleeper", context=driver.ros.context)
    sleeper.create_subscription(Percept, "percepts", lambda percept: None, 1)
    driver.ros.start(*CAMERA, clip=DEFAULT_CLIP)
    driver.ros.until(lambda: driver.percepts, "percepts")
    driver.percepts.clear()
    driver.ros.until(lambda: len(driver.percepts) > 60, "percepts, although one who asked for them never takes any")
    sleeper.destroy_node()
