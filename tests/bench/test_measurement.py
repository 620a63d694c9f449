"""What bench says of the default bundle holds together, and the same bundle twice is the same."""

from __future__ import annotations

import pytest

from edgefuse.bench.report.page import page_from_result
from edgefuse.bench.report.result import Figure, Ratio, Result, read_result, write_text
from edgefuse.runtime import DEFAULT_BUNDLE, Bundle


def reaches_one(ratio: Ratio) -> bool:
    """Within its spread, and what a shared machine adds to a second of measuring."""
    return ratio.low <= 1.15 and ratio.high >= 0.85


def test_a_variant_against_itself_is_the_same(twice: Result):
    beside = [one.ratio for one in twice.engines if one.ratio is not None]
    assert len(beside) == 4
    assert twice.variants is not None
    other = twice.variants.rows[1]
    for ratio in (*beside, other.latency_ratio, other.cpu_ratio):
        assert reaches_one(ratio), ratio


def test_the_first_variant_is_what_the_others_are_compared_with(twice: Result):
    assert [measured.variant for measured in twice.bundles] == ["tabletop", "tabletop #2"]
    assert twice.variants is not None
    assert twice.variants.rows[0].cpu_ratio.value == 1.0


def test_every_graph_is_called_as_often_as_was_asked_for(twice: Result):
    assert {engine.graph for engine in twice.engines} == set(Bundle.open(DEFAULT_BUNDLE).manifest.graphs)
    assert all(40 <= engine.latency_ms.samples <= 200 for engine in twice.engines)


def test_the_stages_add_up_to_the_latency(twice: Result):
    for pipeline in twice.pipelines:
        assert list(pipeline.flow.stages_ms) == ["sensor late", "receive", "wait", "encode", "fuse", "publish"]
        means = sum(figure.mean for figure in pipeline.flow.stages_ms.values())
        assert means == pytest.approx(pipeline.flow.latency_ms.mean, rel=1e-6)


def test_the_stated_rate_is_the_rate(twice: Result):
    for pipeline in twice.pipelines:
        assert 20 < pipeline.flow.percepts_hz <= 36
        assert pipeline.offered["image"] == pytest.approx(4 * 0.5 * 30, abs=4)
        assert set(pipeline.flow.overtaken) == {"image", "audio", "text"}
        assert pipeline.flow.ages_ms["image"].p50 == 0
        assert 0 < pipeline.flow.ages_ms["audio"].p50 < 600


def test_a_percept_costs_more_than_its_bare_calls(twice: Result):
    for pipeline in twice.pipelines:
        assert pipeline.overhead is not None
        assert pipeline.overhead.p50.value > 0.9
        assert pipeline.overhead.cpu.value > 0.9


def test_what_the_sensors_cost_is_measured_and_shown_apart(twice: Result):
    for pipeline in twice.pipelines:
        over = pipeline.overhead
        assert over is not None
        assert over.sensors_cpu_ms > 0
        assert over.cpu_without_sensors.value < over.cpu.value
        assert over.handed_p50.value < over.p50.value
        assert over.handed_ms.mean < over.percept_ms.mean
        assert pipeline.flow.stages_ms["sensor late"].curve[0] >= 0


def test_the_timeline_shows_each_frame_encoded_and_then_fused(twice: Result):
    spans = sorted(twice.pipelines[0].timeline, key=lambda span: span.start_ms)
    seen = [span for span in spans if span.what == "image"]
    fused = [span for span in spans if span.what == "fusion"]
    assert len(seen) >= 8
    assert len(fused) == pytest.approx(len(seen), abs=2)
    assert all(any(fusion.start_ms >= span.end_ms for fusion in fused) for span in seen[:-1])


def test_the_result_says_what_it_was_measured_on(twice: Result):
    assert twice.bundles[0].sha256 == Bundle.open(DEFAULT_BUNDLE).manifest.sha256
    assert twice.host.cores >= 1
    assert "onnxruntime" in twice.versions
    assert twice.power
    assert any("made-up samples for text" in note for note in twice.notes)


def test_percentiles_are_in_order(twice: Result):
    for figure in (*(engine.latency_ms for engine in twice.engines), *(one.flow.latency_ms for one in twice.pipelines)):
        assert isinstance(figure, Figure)
        assert figure.p50 <= figure.p90 <= figure.p95 <= figure.p99 <= figure.p999 <= figure.curve[-1] + 1e-4


def test_a_result_comes_back_from_its_file(twice: Result, tmp_path):
    write_text(tmp_path / "result.json", twice.model_dump_json())
    assert read_result(tmp_path / "result.json") == twice
    assert [path.name for path in tmp_path.iterdir()] == ["result.json"]


def test_the_page_needs_nothing_else_and_shows_everything(twice: Result):
    page = page_from_result(twice)
    assert "src=" not in page
    assert "href=" not in page
    for shown in ("tabletop #2", "Latency, sensed to percept", "which graph ran when", "Cost per stage", "by turns"):
        assert shown in page
    assert page.count("<svg") == 5
