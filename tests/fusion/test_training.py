"""Training learns, and leaves a checkpoint and curves."""

import cv2
import numpy as np
import pytest
import soundfile

from edgefuse.fusion.checkpoint import load_checkpoint
from edgefuse.fusion.errors import DataError
from edgefuse.fusion.folder import read_folder
from edgefuse.fusion.settings import TrainingSettings
from edgefuse.fusion.task import BuiltInTask, FolderTask
from edgefuse.fusion.training import train

POOLS = {"extra_pictures": 8, "pictures_per_pair": 3, "utterances_per_pair": 2}
SMALL = {"epochs": 1, "fusion_steps": 2, "batch": 12, "threads": 1, **POOLS}


@pytest.mark.slow
def test_a_short_training_lowers_the_loss(tmp_path):
    seen = []
    settings = TrainingSettings(steps_per_epoch=24, **SMALL)
    trained = train(settings, tmp_path, lambda stage, done, total, losses: seen.append((stage, done, total, losses)))
    steps = [losses["total"] for stage, _, _, losses in seen if stage == "steps"]
    assert len(steps) == 24
    assert steps[-1] < 0.93 * steps[0]
    assert {stage for stage, *_ in seen} == {"pictures", "speech", "steps", "fusion"}
    loaded = load_checkpoint(trained.checkpoint)
    assert len(loaded.labels) == 37
    assert loaded.task == BuiltInTask(name="tabletop")
    assert loaded.figures["fused"] == trained.losses["fused"]
    assert list((tmp_path / "tensorboard" / "steps").glob("events.out.tfevents.*"))


@pytest.fixture
def folder(tmp_path):
    rng = np.random.default_rng(0)
    for label, color, hz in (("warm cup", (0, 60, 220), 300), ("cold cup", (220, 60, 0), 900)):
        place = tmp_path / "data" / label
        place.mkdir(parents=True)
        for index in range(6):
            image = np.clip(np.full((60, 90, 3), color) + rng.normal(0, 10, (60, 90, 3)), 0, 255)
            cv2.imwrite(str(place / f"{index}.png"), image.astype(np.uint8))
            tone = np.sin(2 * np.pi * (hz + index) * np.arange(22_050) / 22_050)
            soundfile.write(place / f"{index}.wav", 0.3 * tone, 22_050)
    return tmp_path / "data"


@pytest.mark.slow
def test_training_on_a_folder(folder, tmp_path):
    seen = []
    settings = TrainingSettings(steps_per_epoch=12, **SMALL)
    trained = train(settings, tmp_path / "out", lambda *step: seen.append(step[3]["total"]), folder)
    loaded = load_checkpoint(trained.checkpoint)
    assert loaded.labels == ("cold cup", "warm cup")
    assert isinstance(loaded.task, FolderTask)
    assert loaded.task.path == str(folder)
    assert len(loaded.task.trained_on) == 20
    assert len(loaded.task.held_out) == 4
    assert seen[-1] < seen[0]
    assert set(trained.accuracy) == {"image", "audio", "image + audio"}


def test_what_is_trained_on_is_not_validated_on_under_another_name(folder, network):
    assert [one.has(("image", "audio")) for one in read_folder(folder, network.config).validation] == [True, True]
    (folder / "cold cup" / "4.wav").write_bytes((folder / "cold cup" / "0.wav").read_bytes())
    heard_before = read_folder(folder, network.config)
    assert [one.has(("audio",)) for one in heard_before.validation] == [False, True]
    assert [one.has(("image",)) for one in heard_before.validation] == [True, True]
    (folder / "cold cup" / "4.png").write_bytes((folder / "warm cup" / "0.png").read_bytes())
    seen_before = read_folder(folder, network.config)
    assert (len(seen_before.training), len(seen_before.validation)) == (11, 1)


def test_a_folder_that_will_not_do(folder, tmp_path):
    settings = TrainingSettings(steps_per_epoch=1, **SMALL)
    with pytest.raises(DataError, match="sub-folder per class"):
        train(settings, tmp_path / "out", data=tmp_path / "nowhere")
    (folder / "cold cup" / "0.png").write_text("no picture")
    with pytest.raises(DataError, match=r"0\.png"):
        train(settings, tmp_path / "out", data=folder)
    (folder / "empty").mkdir()
    (folder / "cold cup" / "0.png").unlink()
    with pytest.raises(DataError, match="empty"):
        train(settings, tmp_path / "out", data=folder)
