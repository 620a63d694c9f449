"""Networks of other shapes: without sound, led by a signal, run whole."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from edgefuse.bench.extent import Effort, Extent, Wish
from edgefuse.bench.load.variants import open_variants
from edgefuse.bench.measurement import measure
from edgefuse.bench.report.result import Result
from edgefuse.runtime import DEFAULT_CLIP

sys.path.insert(0, str(Path(__file__).parent.parent / "runtime"))

from small_networks import FUSION_OF_TWO, WHOLE, image, imu, write_bundle

SHORTEST = Extent(
    engines=Effort(calls=40, seconds=0.2),
    rounds=1,
    round_s=0.5,
    overhead_s=0.6,
    search_s=0.2,
    search_steps=1,
    overload_rounds=1,
    idle_s=0.1,
    starts=1,
    ros_rounds=1,
    ros_s=1.0,
)


def measured(bundle: Path) -> Result:
    variants = open_variants([bundle], ["cpu"], DEFAULT_CLIP)
    return measure(variants, Wish(str(DEFAULT_CLIP), 60.0, SHORTEST), lambda stage, done, total: None)


def test_led_by_a_signal_there_is_no_rate_to_hold(tmp_path):
    result = measured(write_bundle(tmp_path / "b", [imu(), image()], FUSION_OF_TWO.format("imu", "image")))
    (pipeline,) = result.pipelines
    assert pipeline.overhead is None
    assert pipeline.held_hz is None
    assert pipeline.start is None
    assert any("led by imu" in note for note in result.notes)
    assert any("made-up samples for imu" in note for note in result.notes)


def test_a_whole_network_is_measured_with_its_raw_senses(tmp_path):
    result = measured(write_bundle(tmp_path / "b", [image(graph=False), imu(graph=False)], WHOLE))
    assert [engine.graph for engine in result.engines] == ["fusion"]
    (pipeline,) = result.pipelines
    assert pipeline.overhead is not None
    assert pipeline.flow.percepts_hz == pytest.approx(60, rel=0.4)
