"""What no example has is measured on nothing else: neither ranges nor accuracy nor what is usual."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import networks
import numpy as np
import pytest

from edgefuse.export.errors import ExportError
from edgefuse.export.exporter import export_bundle
from edgefuse.export.report.files import read_report
from edgefuse.export.spec import FusionSpec

SAMPLES = 40
IN_THE_DARK = "no calibration samples of camera"


@pytest.fixture
def spec() -> FusionSpec:
    """No camera while ranges were measured; of the hold-out, a fourth."""
    calibration, holdout = networks.examples(SAMPLES, seed=1, labels=False), networks.examples(SAMPLES, seed=2)
    seen = np.arange(SAMPLES) % 4 == 0
    return replace(
        networks.split_spec(),
        calibration=replace(calibration, present={"camera": np.zeros(SAMPLES, bool)}),
        holdout=replace(holdout, present={"camera": seen}),
    )


def test_what_reads_a_sense_without_samples_stays_in_float32(spec: FusionSpec, tmp_path: Path) -> None:
    manifest = export_bundle(spec, tmp_path / "bundle")
    assert manifest.graphs["camera"].precision == manifest.fusion.precision == "fp32"
    candidates = read_report(tmp_path / "bundle" / "report.json").graphs
    assert [one.refused for one in candidates["camera"] if one.precision == "int8"] == [IN_THE_DARK]
    assert IN_THE_DARK not in [one.refused for one in candidates["imu"]]
    assert manifest.familiar is not None
    assert '"camera"' not in (tmp_path / "bundle" / manifest.familiar).read_text()
    assert manifest.verified is not None
    assert [(row.senses, row.samples) for row in manifest.verified.accuracy] == [(("camera", "imu"), SAMPLES // 4)]


@pytest.mark.parametrize("precision", ["int8", "fp16"])
def test_a_narrower_type_that_cannot_be_measured_is_refused(spec: FusionSpec, tmp_path: Path, precision: str) -> None:
    with pytest.raises(ExportError, match=f"{IN_THE_DARK} to measure {precision} on; give --data or --calibration"):
        export_bundle(spec, tmp_path / "bundle", precision)
    assert list(tmp_path.iterdir()) == []


def test_presence_that_does_not_fit_is_refused(spec: FusionSpec, tmp_path: Path) -> None:
    short = replace(spec.holdout, present={"camera": np.ones(3, bool)})
    with pytest.raises(ExportError, match=r"which hold-out examples have camera is bool \[3\], expected bool \[40\]"):
        export_bundle(replace(spec, holdout=short), tmp_path / "bundle")
