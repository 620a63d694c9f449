"""The example clients of docs/examples/, beside a real perception node on the default clip."""

import re
import sys
from pathlib import Path

from ros_samples import CAMERA

from edgefuse.runtime import DEFAULT_CLIP

EXAMPLES = Path(__file__).parent.parent.parent / "docs" / "examples"


def start_client(ros, name: str, *options: str) -> None:
    ros.run([sys.executable, str(EXAMPLES / f"{name}.py"), *options], name)


def start_on_the_clip(ros) -> None:
    ros.start("perception_node", autostart=True)
    ros.start(*CAMERA, clip=DEFAULT_CLIP)


def test_the_printer_prints_a_line_for_whatever_is_new(ros):
    from edgefuse_msgs.msg import Percept

    percepts = ros.hear(Percept, "percepts")
    start_client(ros, "percept_printer")
    start_on_the_clip(ros)
    ros.until(lambda: len({percept.label for percept in percepts}) > 2, "percepts of several things")
    ros.until(lambda: len(ros.log("percept_printer").splitlines()) > 4, "lines")
    said = ros.log("percept_printer")
    assert "Traceback" not in said
    assert {percept.label for percept in percepts if percept.label in said} - {"nothing"}
    assert "(image 1.00 0 ms old)" in said
    assert ros.stop("percept_printer") == 0


def test_the_stop_is_given_by_certain_percepts_of_its_label_alone(ros):
    from std_msgs.msg import Bool

    from edgefuse_msgs.msg import Percept

    percepts, stops = ros.hear(Percept, "percepts"), ros.hear(Bool, "stop")
    start_client(ros, "percept_stop", "--ros-args", "-p", "label:=red ball")
    start_on_the_clip(ros)
    ros.until(lambda: any(percept.label == "blue cone" and percept.certain for percept in percepts), "a blue cone", 60)
    ros.until(lambda: stops and not stops[-1].data, "the end of the stop")
    assert any(stop.data for stop in stops), "it never stopped"
    assert "acts on certain percepts only" in ros.log("percept_stop")
    said = re.findall(r"(stop|go): ([a-z ]+) \d+%", ros.log("percept_stop"))
    assert said[0] == ("stop", "red ball")
    assert {label for what, label in said if what == "stop"} == {"red ball"}
    assert ros.stop("percept_stop") == 0


def test_a_label_that_can_never_come_is_said_and_nothing_is_published(ros):
    from std_msgs.msg import Bool

    from edgefuse_msgs.msg import Percept

    percepts, stops = ros.hear(Percept, "percepts"), ros.hear(Bool, "stop")
    start_client(ros, "percept_stop", "--ros-args", "-p", "label:=red bull")
    start_on_the_clip(ros)
    ros.until(lambda: len(percepts) > 10 and "red bull" in ros.log("percept_stop"), "percepts")
    assert "the labels are" in ros.log("percept_stop")
    assert not stops
