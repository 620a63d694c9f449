"""The page needs nothing else, shows what was measured, and takes names for names."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest
from made_results import figure, full_result, live, pipeline, result

from edgefuse.bench.report.figures import figure_from
from edgefuse.bench.report.page import (
    Scale,
    choose_latencies,
    format_ms,
    page_from_result,
    path_from_figure,
    scale_from_figures,
    sort_lanes,
)
from edgefuse.bench.report.result import Result, Span

HOSTILE = "</title><script src='//evil.example/x.js'>alert(1)</script>\"onload=\"x{{ 7 * 7 }}&amp;"
NEEDS_OTHERS = {"src", "href", "xlink:href", "srcset", "action", "data", "poster"}
OPEN_ENDED = {"meta", "br", "path", "line", "rect"}


class Page(HTMLParser):
    """What a browser makes of it: tags, attributes and texts; raises AssertionError where tags do not pair."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.texts: list[str] = []
        self._open: list[str] = []
        self.feed(page)
        assert not self._open

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs
        if tag not in OPEN_ENDED:
            self._open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs

    def handle_endtag(self, tag):
        if tag not in OPEN_ENDED:
            assert self._open.pop() == tag

    def handle_data(self, data):
        self.texts.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.texts).replace("\N{MULTIPLICATION SIGN}", "x").split())


def texts_of(whole: Result) -> str:
    return Page(page_from_result(whole)).text


@pytest.mark.parametrize("name", ["bundle", HOSTILE])
def test_nothing_is_fetched_and_nothing_runs(name):
    page = page_from_result(full_result(name))
    read = Page(page)
    assert not set(read.tags) & {"script", "link", "iframe", "img", "object", "embed", "base", "form"}
    assert not {attribute for attribute, _ in read.attributes} & NEEDS_OTHERS
    assert not [attribute for attribute, _ in read.attributes if attribute.startswith("on")]
    assert "url(" not in page
    assert "@import" not in page


def test_a_hostile_name_is_shown_as_it_is():
    whole = full_result(HOSTILE)
    read = Page(page_from_result(whole))
    assert HOSTILE in read.texts
    assert "x49" not in read.text, "a name is no template"


@pytest.mark.parametrize("place", ["cpu", "source", "power", "device", "stack", "note", "backend"])
def test_every_name_from_outside_is_escaped(place):
    whole = full_result()
    changed = {
        "cpu": lambda: {"host": whole.host.model_copy(update={"cpu": HOSTILE})},
        "source": lambda: {"configuration": whole.configuration.model_copy(update={"source": HOSTILE})},
        "power": lambda: {"power": HOSTILE},
        "device": lambda: {"live": (live().model_copy(update={"devices": (HOSTILE,)}),)},
        "stack": lambda: {"ros": (whole.ros[0].model_copy(update={"stack": HOSTILE}),)},
        "note": lambda: {"notes": (HOSTILE,)},
        "backend": lambda: {"engines": (whole.engines[0].model_copy(update={"backend": HOSTILE}),)},
    }[place]()
    page = page_from_result(whole.model_copy(update=changed))
    assert "<script" not in page
    assert HOSTILE in Page(page).text


def test_everything_that_was_measured_is_on_it():
    text = texts_of(full_result())
    for shown in (
        "a CPU, 2 cores",
        "highest frame rate held 412 Hz",
        "at 4 x that 1.25 x the latency, last quarter over first 1.01",
        "start to first percept 0.60 s 3 starts; peak memory 123 MB",
        "first percept after 10 s idle 3.50 ms",
        "energy per percept 200.0 mJ 6.0 W, RAPL, the CPU packages",
        "over the bare engine calls, from handed over 2.00 x",
        "with the made-up sensors 2.00 x",
        "bundle, live: camera 0",
        "4 overtaken",
        "Peers, by turns",
        "newest audio to percept (ms)",
        "3 of 300",
        "made-up samples for text",
        "python 3.11",
    ):
        assert shown in text, shown


def test_what_was_not_measured_is_not_on_it():
    bare = {"overhead": None, "held_hz": None, "overload": None, "start": None, "energy": None}
    text = texts_of(result(pipelines=(pipeline(**bare),)))
    for missing in ("bare engine calls", "highest frame rate", "start to first", "energy", "ROS", "Peers", "Variants"):
        assert missing not in text, missing
    assert "Each graph alone" not in text
    assert "first percept after 10 s idle" in text


def test_of_live_devices_alone_there_is_no_rate():
    configuration = result().configuration.model_copy(update={"rate_hz": None, "source": "camera 0"})
    text = texts_of(result(live=(live(),), configuration=configuration))
    assert "Live: camera 0" in text
    assert "Frames at" not in text
    assert "Sensor late" not in text


def test_a_quick_measurement_says_that_its_spread_is_wide():
    quick = result().configuration.model_copy(update={"quick": True})
    assert "expect a wide spread" in texts_of(full_result().model_copy(update={"configuration": quick}))
    assert "expect a wide spread" not in texts_of(full_result())


def test_a_sense_that_took_no_part_is_absent():
    assert "audio absent" in texts_of(result(pipelines=(pipeline(),)))


def test_peers_are_drawn_rather_than_variants_and_variants_rather_than_rounds():
    whole = full_result()
    assert list(choose_latencies(whole)) == ["bundle", "PyTorch eager, whole network"]
    assert list(choose_latencies(whole.model_copy(update={"peers": None}))) == ["bundle", "other"]
    alone = result(pipelines=(pipeline("paced"),), live=(live("live"),))
    assert list(choose_latencies(alone)) == ["paced", "live"]


def test_the_scale_takes_in_all_figures_and_no_more():
    scale = scale_from_figures([figure([1.0, 4.0]), figure([2.0, 100.0])])
    assert scale.low == pytest.approx(0.9)
    assert 105 < scale.high < 110.1
    assert scale.x(scale.low) == 0
    assert scale.x(scale.high) == 1000
    assert scale.x(0.0001) == 0, "what lies outside is drawn at the edge"
    assert scale.x(1e6) == 1000


def test_the_scale_is_logarithmic():
    scale = Scale(1.0, 100.0)
    assert scale.x(10.0) == 500
    assert scale.ticks == [(0, "1 ms"), (150.51, "2 ms"), (349.49, "5 ms"), (500, "10 ms"), *scale.ticks[4:]]
    assert scale.ticks[-1] == (1000, "100 ms")


def test_a_narrow_scale_has_ticks_too():
    assert [text for _, text in Scale(2.1, 4.5).ticks] == ["3 ms", "4 ms"]


@pytest.mark.parametrize("value", [0.0, 1.0, 1e-9])
def test_figures_that_do_not_differ_have_a_scale(value):
    scale = scale_from_figures([figure([value])])
    assert 0 < scale.low < scale.high


def test_an_outline_is_highest_where_most_samples_are():
    crowded = figure_from([[1.0] * 90 + [float(value) for value in range(2, 12)]])
    scale = Scale(0.5, 20.0)
    points = [(float(x), float(y)) for x, y in re.findall(r"([\d.]+),([\d.]+)", path_from_figure(crowded, scale))]
    highest = min(points, key=lambda point: point[1])
    assert highest[0] == pytest.approx(scale.x(1.0), abs=20)
    assert highest[1] == pytest.approx(180 * 0.05)
    assert all(0 <= y <= 180 for _, y in points)


def test_lanes_begin_with_the_picture_and_end_with_the_fusion():
    spans = [Span(what=what, start_ms=0, end_ms=1) for what in ("fusion", "audio", "image", "text", "audio")]
    lanes = sort_lanes(spans)
    assert list(lanes) == ["image", "audio", "text", "fusion"]
    assert len(lanes["audio"]) == 2


@pytest.mark.parametrize(
    ("value", "text"), [(0.12345, "0.123"), (0.9996, "1.000"), (1.0, "1.00"), (12.345, "12.35"), (123.4, "123")]
)
def test_milliseconds_have_about_three_digits(value, text):
    assert format_ms(value) == text
