"""Which task a checkpoint is of: by a fixed table and by folders, whatever the file says."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edgefuse.export import ExportError
from edgefuse.export.errors import DataNotHereError
from edgefuse.fusion import Checkpoint, load_checkpoint
from edgefuse.fusion.task_record import BuiltInRecord, FolderRecord
from edgefuse.tabletop import LABELS, SHIPPED, TABLETOP
from edgefuse.tabletop.remarks import prompts
from edgefuse.tasks import BUILT_IN, DEFAULT, built_in_with, find_samples, prompts_of, record_of

PATH = Path("some.safetensors")


@pytest.fixture(scope="module")
def shipped() -> Checkpoint:
    return load_checkpoint(SHIPPED)


def test_every_built_in_task_is_found_by_its_name_and_by_its_labels():
    assert DEFAULT in BUILT_IN.values()
    for name, task in BUILT_IN.items():
        assert task.name == name
        assert built_in_with(list(task.labels)) is task
    assert built_in_with(("cup", "nothing")) is None


def test_a_checkpoint_of_before_tasks_were_recorded_is_known_by_its_labels(shipped):
    assert record_of(shipped) == record_of(replace(shipped, task=None)) == BuiltInRecord(name="tabletop")
    assert record_of(replace(shipped, task=None, labels=("cup", "nothing"))) is None


def test_a_name_that_a_file_made_up_is_refused_and_not_imported(shipped):
    with pytest.raises(ExportError, match=r"'os\.path'; the built-in tasks of this version are tabletop"):
        find_samples(PATH, replace(shipped, task=BuiltInRecord(name="os.path")))


def test_a_checkpoint_that_claims_a_task_of_other_labels_is_refused(shipped):
    with pytest.raises(ExportError, match=r"some\.safetensors says .* of the tabletop task, but has other labels"):
        find_samples(PATH, replace(shipped, labels=LABELS[1:]))


def test_what_is_not_here_is_asked_for(shipped):
    gone = FolderRecord(path="/nowhere/cups", trained_on=(), held_out=())
    with pytest.raises(DataNotHereError, match="trained on the folder /nowhere/cups, which is not here; give --data"):
        find_samples(PATH, replace(shipped, task=gone))
    with pytest.raises(DataNotHereError, match=r"does not say what .* only its labels \(cup, nothing\)"):
        find_samples(PATH, replace(shipped, task=None, labels=("cup", "nothing")))


def test_what_prompts_training_gave_is_known_where_its_task_is(shipped):
    folder = FolderRecord(path="/nowhere/cups", trained_on=(), held_out=())
    assert prompts_of(BuiltInRecord(name="tabletop"), shipped) == TABLETOP.prompts
    assert prompts_of(None, shipped) is None
    found = prompts_of(folder, replace(shipped, labels=("old cup", "mug", "nothing")))
    assert found.trained == ("an old cup", "a mug", "nothing")
    assert "show me the old cup" in found.paraphrases
    assert not {text for text in found.paraphrases if "nothing" in text}


def test_paraphrases_are_none_of_the_prompts_that_training_draws():
    drawn = {text for seed in range(40) for text in prompts(np.random.default_rng(seed))}
    assert drawn == set(TABLETOP.prompts.trained)
    assert not drawn & set(TABLETOP.prompts.paraphrases)


def test_the_shipped_network_reads_texts_with_the_tasks_tokenizer(shipped):
    assert shipped.labels == TABLETOP.labels
    assert shipped.tokenizer.to_str() == TABLETOP.build_tokenizer(shipped.config.text_length).to_str()
