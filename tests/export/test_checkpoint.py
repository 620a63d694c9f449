"""A checkpoint of ours as a spec."""

from __future__ import annotations

from edgefuse.export.spec import FusionSpec


def test_a_checkpoint_gives_its_network_with_the_samples_of_its_task(spec: FusionSpec) -> None:
    assert [modality.name for modality in spec.modalities] == ["image", "audio", "text"]
    assert [modality.features for modality in spec.modalities] == ["features", "features", ""]
    assert spec.labels["red ball"] == "a red ball"
    assert len(spec.calibration) == 70
    assert spec.holdout.labels is not None
