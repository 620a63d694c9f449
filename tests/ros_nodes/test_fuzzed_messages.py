"""Messages made wrong at random at a node that runs: each is taken or counted, and the node goes on."""

from __future__ import annotations

import math
import re
from random import Random
from typing import Any

import pytest
from driver import Driver
from fuzzing import each_round, mutated
from ros_domain import statuses
from ros_samples import image, sound

pytestmark = pytest.mark.fuzz

MESSAGES = 20
HEADER, PADDING = 4, 0b11  # of CDR, in bytes; the bits of its last byte that count what was appended
MOST_MB = 400
FLOATS = [0.0, -1.0, 1e-308, 1e308, math.nan, math.inf, -math.inf, 3e38]
TEXTS = ["", "rgb8", "16UC1", "S16LE", "a" * 1000, "one\ntwo", "\x1b[31m", "ä" * 300, "png", "%s%n"]
INTEGER = re.compile(r"(u?)int(\d+)")


def with_senseless_field(message: Any, random: Random) -> Any:
    """One field of a message, or of a message in it, set to what its type allows."""
    name, kind = random.choice(list(message.get_fields_and_field_types().items()))
    value, integer = getattr(message, name), INTEGER.fullmatch(kind)
    if hasattr(value, "get_fields_and_field_types"):
        with_senseless_field(value, random)
    elif integer:
        bits = int(integer[2]) - (not integer[1])
        setattr(message, name, random.choice((0, 1, 2**bits - 1, 2 ** (bits - 1), 999_999_999 % 2**bits, 3)))
    elif kind in ("float", "double"):
        setattr(message, name, random.choice(FLOATS if kind == "double" else FLOATS[:2]))
    elif kind == "string":
        setattr(message, name, random.choice(TEXTS))
    elif hasattr(value, "tobytes"):
        content = mutated(value.tobytes(), random)
        setattr(message, name, type(value)(value.typecode, content[: len(content) // value.itemsize * value.itemsize]))
    return message


def ends_any_reader(content: bytes) -> bool:
    """Whether Fast CDR (2.3.3) reads beyond them, and the process ends by SIGSEGV before rclpy has a message: their
    header, of four bytes, states padding that does not follow it. See SECURITY.md."""
    return len(content) >= HEADER and len(content) - HEADER < content[HEADER - 1] & PADDING


def test_the_node_goes_on_whatever_comes(ros):
    from rclpy.serialization import serialize_message
    from std_msgs.msg import String

    driver = Driver(ros)
    assert driver.perceives(image(driver.stamp()))
    before_mb = ros.memory_mb(driver.name)

    def check(random: Random) -> None:
        for n in range(MESSAGES):
            publisher, message = random.choice(
                [
                    (driver.images, image(driver.stamp())),
                    (driver.sounds, sound(driver.stamp(), 320 * n)),
                    (driver.texts, String(data="the red ball")),
                ]
            )
            if random.random() < 0.5:
                publisher.publish(with_senseless_field(message, random))
            else:  # what comes over the network is bytes
                content = serialize_message(message)
                head = random.choice((16, 64, len(content)))
                content = mutated(content[:head], random) + content[head:]
                if not ends_any_reader(content):
                    publisher.publish(content)
            ros.spin(0.002)
        ros.until(lambda: driver.perceives(image(driver.stamp())), f"a percept; {ros.log(driver.name)[-2000:]}", 15.0)

    each_round(10, check)
    log = ros.log(driver.name)
    assert "Traceback" not in log
    driver.diagnostics.clear()
    ros.until(lambda: "perception: image" in statuses(driver.diagnostics), "diagnostics")
    for status in statuses(driver.diagnostics).values():
        assert not any("unexpected" in pair.key for pair in status.values), (status, log[-3000:])
    assert ros.memory_mb(driver.name) - before_mb < MOST_MB
