"""The task trains a network, and measures it."""

import pytest
from shown_losses import total_loss

from edgefuse.fusion.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from edgefuse.fusion.errors import CheckpointError
from edgefuse.fusion.measurement import measure_checkpoint
from edgefuse.fusion.settings import TrainingSettings
from edgefuse.fusion.task_record import BuiltInRecord
from edgefuse.fusion.training import train
from edgefuse.tabletop.task import TABLETOP, Tabletop
from edgefuse.tabletop.vocabulary import LABELS, build_tokenizer


@pytest.mark.slow
def test_a_short_training_lowers_the_loss(tmp_path):
    seen = []
    task = Tabletop(pictures_per_pair=3, utterances_per_pair=2, extra_pictures=8)
    settings = TrainingSettings(epochs=1, steps_per_epoch=24, fusion_steps=2, batch=12, threads=1)
    trained = train(task, settings, tmp_path, lambda stage, *_: seen.append(stage))
    steps = [total_loss(stage) for stage in seen if stage.startswith("training: ")]
    assert len(steps) == 24
    assert steps[-1] < 0.93 * steps[0]
    assert {stage.split(":")[0] for stage in seen} == {
        "drawing pictures",
        "speaking phrases",
        "training",
        "training, fusion alone",
    }
    loaded = load_checkpoint(trained.checkpoint)
    assert loaded.labels == LABELS
    assert loaded.task == BuiltInRecord(name="tabletop")
    assert loaded.figures["fused"] == trained.losses["fused"]
    assert trained.accuracy == {}


def test_a_checkpoint_of_other_labels_has_no_table(network, tmp_path):
    path = tmp_path / "cups.safetensors"
    save_checkpoint(path, Checkpoint(network, build_tokenizer(), ("cup", "nothing"), {}, network.config))
    with pytest.raises(CheckpointError, match="its labels are not the tabletop task's"):
        measure_checkpoint(path, TABLETOP)
