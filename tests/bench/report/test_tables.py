"""The tables on the terminal: what they say, and names as they are."""

from __future__ import annotations

import io

import pytest
from made_results import full_result, live, pipeline, result
from rich.console import Console

from edgefuse.bench.report.comparison import Change
from edgefuse.bench.report.page import page_from_result
from edgefuse.bench.report.result import Ratio, Result
from edgefuse.bench.report.tables import draw_changes, draw_result


def lines_of(whole: Result) -> list[str]:
    """As a terminal that is wide shows them, cells with one space between."""
    shown = io.StringIO()
    console = Console(width=300, file=shown)
    for drawn in draw_result(whole):
        console.print(drawn)
    return [" ".join(line.replace("│", " ").replace("┃", " ").split()) for line in shown.getvalue().splitlines()]


def test_everything_is_said_in_order():
    lines = lines_of(full_result())
    titles = [
        "a CPU, 2 cores, load 0.0 before and 0.0 after; No power figures",
        "each graph alone (ms)",
        "bundle, frames at 30 Hz",
        "other, frames at 30 Hz",
        "bundle, live: camera 0",
        "variants by turns, a percept of everything new of the first sense",
        "peers by turns, a percept of everything new of any sense; one thread each",
        "ROS: onboard node",
        "ROS: separate nodes",
        "bundle: made-up samples for text, not in the source",
    ]
    assert [line for line in lines if line in titles] == titles


@pytest.mark.parametrize(
    "line",
    [
        "image other onnxruntime-cpu, fp32 1.000 1.015 1.020 1.020 1000 2.00 (2.00-2.00)",
        "percept, sensed to published (ms) 1.00 1.02 1.02",
        "wait 0.25 0.25 0.25",
        "percepts per second 30.0",
        "CPU per percept (ms); of one core 2.00 6.0%",
        "overtaken image 2 of 100, audio 0 of 60",
        "over bare calls, paced alike at 30 Hz 2.00 (2.00-2.00) 2.00 (2.00-2.00)",
        "sensors left out (7.0 ms/s alone) 2.00 (2.00-2.00)",
        "highest frame rate held (Hz) 412",
        "latency at 4 x that over at half of it 1.25 1.50",
        "its last quarter over its first 1.01",
        "first percept after 10 s idle (ms) 3.50",
        "start to first percept (s), 3 starts 0.60",
        "peak memory of the process (MB) 123",
        "energy per percept (mJ), RAPL, the CPU packages 200.0",
        "dropped image 4 overtaken",
        "onboard node: of one core; memory (MB) 25.0% 200",
        "frames without a percept 3 of 300",
        "dropped image overtaken 5",
    ],
)
def test_a_quantity_has_its_line(line):
    assert line in lines_of(full_result())


def test_what_was_not_measured_has_none():
    bare = {"overhead": None, "held_hz": None, "overload": None, "start": None, "energy": None}
    text = "\n".join(lines_of(result(pipelines=(pipeline(**bare),))))
    for missing in ("bare calls", "rate held", "4 x that", "start to", "memory", "energy", "graph", "by turns", "ROS"):
        assert missing not in text, missing


def test_nothing_dropped_is_said():
    nothing = live().model_copy(update={"dropped": {"image": {}, "audio": {}}})
    assert "dropped nothing" in lines_of(result(live=(nothing,)))


@pytest.mark.parametrize("name", ["x[/]y", "[red]bundle[/red]", "a[b", "\\[x]"])
def test_a_name_is_no_markup(name):
    """A folder may be called so; before, the measurement was lost over it."""
    text = "\n".join(lines_of(full_result(name)))
    assert f"{name}, frames at 30 Hz" in text
    assert f"{name}, live: camera 0" in text
    assert f"{name}: made-up samples for text" in text
    assert f"image {name} onnxruntime-cpu" in text


def test_changes_say_how_much_and_how_sure():
    shown = io.StringIO()
    changes = [
        Change("x[/]y", "graph [image]", 2.0, 3.0, 1.5, 1.4, 1.6),
        Change("bundle", "percept", 3.0, 2.0, 0.67, 0.6, 0.7),
        Change("bundle", "CPU per percept", 1.0, 1.0, 1.0, 0.9, 1.1),
    ]
    Console(width=200, file=shown).print(draw_changes(changes))
    text = " ".join(shown.getvalue().replace("│", " ").split())
    assert "x[/]y graph [image] 2.000 3.000 1.50 (1.40-1.60) slower" in text
    assert "bundle percept 3.000 2.000 0.67 (0.60-0.70) faster" in text
    assert "bundle CPU per percept 1.000 1.000 1.00 (0.90-1.10) same" in text


WIDE = Ratio(value=0.84, low=0.004, high=94.78, rounds=3)


@pytest.mark.parametrize("load", [(17.0, 17.0), (0.1, 17.0), (1.5, 1.2)])
def test_ratios_of_a_busy_machine_are_void_and_it_says_why(load):
    busy = full_result()
    busy = busy.model_copy(update={"host": busy.host.model_copy(update={"load": load})})
    lines = lines_of(busy)
    assert lines[1].startswith(f"the ratios are void: other programs kept this machine busy (load {max(load):g} on 2")
    assert "over bare calls, paced alike at 30 Hz void void" in lines
    assert not any("2.00 (2.00-2.00)" in line for line in lines)
    page = page_from_result(busy)
    assert lines[1] in page
    assert "2.00 \u00d7" not in page


def test_a_range_that_says_nothing_is_void():
    whole = full_result()
    one = whole.pipelines[0]
    assert one.overhead is not None
    wide = one.model_copy(update={"overhead": one.overhead.model_copy(update={"p50": WIDE, "handed_p50": WIDE})})
    shown = whole.model_copy(update={"pipelines": (wide,)})
    assert "over bare calls, paced alike at 30 Hz void (0.00-94.78) 2.00 (2.00-2.00)" in lines_of(shown)
    assert "0.84" not in page_from_result(shown)
