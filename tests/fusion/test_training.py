"""Training on a folder learns, and leaves a checkpoint and curves."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
import soundfile
from shown_losses import total_loss

from edgefuse.fusion.checkpoint import load_checkpoint
from edgefuse.fusion.errors import DataError, TrainingError
from edgefuse.fusion.folder import read_folder
from edgefuse.fusion.folder_task import FolderTask
from edgefuse.fusion.settings import TrainingSettings
from edgefuse.fusion.task_record import FolderRecord
from edgefuse.fusion.training import train

SMALL = {"epochs": 1, "fusion_steps": 2, "batch": 12, "threads": 1}


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
    said = []
    settings = TrainingSettings(steps_per_epoch=12, **SMALL)
    trained = train(FolderTask(folder), settings, tmp_path / "out", lambda stage, *_: said.append(stage))
    assert said[:12] == ["reading the folder"] * 12
    seen = [total_loss(stage) for stage in said[12:]]
    loaded = load_checkpoint(trained.checkpoint)
    assert loaded.labels == ("cold cup", "warm cup")
    assert isinstance(loaded.task, FolderRecord)
    assert loaded.task.path == str(folder)
    assert len(loaded.task.trained_on) == 20
    assert len(loaded.task.held_out) == 4
    assert list((tmp_path / "out" / "tensorboard" / "steps").glob("events.out.tfevents.*"))
    assert "cup" in loaded.tokenizer.get_vocab(), "each word of a label is one token"
    assert loaded.config.vocabulary_size == loaded.tokenizer.get_vocab_size()
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
        FolderTask(tmp_path / "nowhere")
    (folder / "cold cup" / "0.png").write_text("no picture")
    with pytest.raises(DataError, match=r"0\.png"):
        train(FolderTask(folder), settings, tmp_path / "out")
    (folder / "empty").mkdir()
    (folder / "cold cup" / "0.png").unlink()
    with pytest.raises(DataError, match="empty"):
        train(FolderTask(folder), settings, tmp_path / "out")


class Damaged(FolderTask):
    """A folder whose sounds turn to NaN after they were read."""

    def prepare(self, *given):
        data = super().prepare(*given)
        whole = data.drawn.recordings
        data.drawn.recordings = tuple(replace(one, pcm=np.full(800, np.nan, np.float32)) for one in whole)
        return data


def test_a_loss_that_is_no_number_ends_the_training_at_once_and_leaves_no_checkpoint(folder, tmp_path):
    seen = []
    settings = TrainingSettings(steps_per_epoch=100, **SMALL)
    with pytest.raises(TrainingError, match=r"^training, step 1: .*the batch's audio holds NaN") as caught:
        train(Damaged(folder), settings, tmp_path / "out", lambda *said: seen.append(said))
    assert "\n" not in str(caught.value)
    assert not any(said[0].startswith("training") for said in seen)
    assert not (tmp_path / "out" / "checkpoint.safetensors").exists()
