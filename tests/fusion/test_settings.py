"""What can be set about training has bounds, and each says which it is."""

import math

import pytest
from command_line import refused
from pydantic import ValidationError

from edgefuse.fusion.settings import TrainingSettings


@pytest.mark.parametrize(
    "wish",
    [
        {"epochs": -1}, {"epochs": 10**12}, {"epochs": 1.5}, {"epochs": math.nan}, {"batch": 0}, {"batch": 10**9},
        {"learning_rate": math.inf}, {"learning_rate": math.nan}, {"learning_rate": 0.0}, {"learning_rate": 1e9},
        {"weight_decay": -1.0}, {"weight_decay": math.inf}, {"average": 1.0}, {"fusion_rate": math.inf},
        {"backbone_rate": math.nan}, {"seed": -1}, {"seed": 2**64}, {"threads": 0}, {"threads": 10**6},
        {"losses": {"fused": math.nan}}, {"losses": {"fused": math.inf}}, {"dropout": {"image": math.nan}},
        {"steps_per_epoch": 0}, {"audio_features": "mel"}, {"lr": 1e-3},
    ],
    ids=str,
)  # fmt: skip
def test_a_setting_that_makes_no_sense_is_refused_by_name(wish):
    with pytest.raises(ValidationError) as caught:
        TrainingSettings(**wish)
    assert str(caught.value.errors()[0]["loc"][0]) == next(iter(wish))


@pytest.mark.parametrize(
    ("option", "value"), [("--epochs", "0"), ("--epochs", "99999999"), ("--seed", "-1"), ("--seed", str(2**64))]
)
def test_an_option_that_makes_no_sense_is_refused_by_name(option, value, tmp_path):
    assert option in refused("train", "-o", tmp_path / "out", option, value)
    assert not (tmp_path / "out").exists()
