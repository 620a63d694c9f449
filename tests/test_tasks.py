"""Which task a checkpoint is of: by a fixed table and by folders, whatever the file says."""

from dataclasses import replace
from pathlib import Path

import pytest

from edgefuse.export import ExportError
from edgefuse.export.errors import DataNotHereError
from edgefuse.fusion import Checkpoint, load_checkpoint
from edgefuse.fusion.task_record import BuiltInRecord, FolderRecord
from edgefuse.tabletop import LABELS, SHIPPED, TABLETOP
from edgefuse.tasks import BUILT_IN, DEFAULT, built_in_with, find_samples, record_of

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


def test_the_shipped_network_reads_texts_with_the_tasks_tokenizer(shipped):
    assert shipped.labels == TABLETOP.labels
    assert shipped.tokenizer.to_str() == TABLETOP.build_tokenizer(shipped.config.text_length).to_str()
