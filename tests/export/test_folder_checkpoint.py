"""A network that was trained on a folder is calibrated and judged on that folder, and on nothing else in silence."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from command_line import edgefuse, refused
from digits import WORDS, write_clip, write_digits

from edgefuse.calibration.collection import Collection, choose
from edgefuse.export.checkpoint import spec_from_set
from edgefuse.export.errors import ExportError
from edgefuse.export.exporter import export_bundle
from edgefuse.export.report.files import read_report
from edgefuse.export.spec import FusionSpec
from edgefuse.export.verify import verify_bundle
from edgefuse.fusion.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from edgefuse.fusion.folder import read_folder
from edgefuse.fusion.folder_files import read_picture
from edgefuse.fusion.folder_task import FolderTask
from edgefuse.fusion.settings import TrainingSettings
from edgefuse.fusion.task_record import BuiltInRecord, FolderRecord
from edgefuse.fusion.training import Trained, train
from edgefuse.networks import spec_from_name
from edgefuse.runtime import Clip, Perceiver
from edgefuse.runtime.heads.drift import DRIFT_WARN

pytestmark = pytest.mark.slow

EACH = 15
HELD_OUT = EACH // 5


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data") / "digits"
    write_digits(folder, EACH)
    return folder


@pytest.fixture(scope="module")
def trained(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    settings = TrainingSettings(epochs=1, steps_per_epoch=3, batch=8, fusion_steps=1, threads=1)
    return train(FolderTask(folder), settings, tmp_path_factory.mktemp("trained"))


@pytest.fixture(scope="module")
def bundle(trained: Trained, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("exported") / "bundle"
    export_bundle(spec_of(trained.checkpoint), path, "fp32")
    return path


@pytest.fixture
def away(folder: Path, tmp_path: Path) -> Iterator[Path]:
    """The folder has moved here, as to another machine."""
    moved = Path(shutil.move(folder, tmp_path / "moved"))
    yield moved
    shutil.move(moved, folder)


def spec_of(checkpoint: Path, data: Path | None = None, collection: Collection | None = None) -> FusionSpec:
    """As the command line finds it."""
    return spec_from_name(str(checkpoint), data, collection)


def recorded(trained: Trained) -> FolderRecord:
    task = load_checkpoint(trained.checkpoint).task
    assert isinstance(task, FolderRecord)
    return task


def frames(spec: FusionSpec) -> set[bytes]:
    """What accuracy is measured on."""
    return {frame.tobytes() for frame in spec.holdout.samples["image"]}


def set_of(spec: FusionSpec) -> Collection:
    """A collected set of the network's own samples."""
    vectors = {"image": np.random.default_rng(0).standard_normal((len(spec.calibration), 8))}
    return choose(spec.calibration.samples, vectors, 40, "digits", "here")


def test_accuracy_is_measured_on_what_training_held_out(trained: Trained, bundle: Path, folder: Path) -> None:
    report = read_report(bundle / "report.json")
    assert report.verified is not None
    measured = {" + ".join(one.senses): one for one in report.verified.accuracy}
    assert {senses: one.checkpoint for senses, one in measured.items()} == trained.accuracy
    assert {one.samples for one in measured.values()} == {HELD_OUT * len(WORDS)}
    assert report.samples["measured on"] == f"9 examples of {folder} that it was not trained on"
    assert f"examples of {folder}" in report.samples["calibrated on"]
    assert any("confidence is not measured with image (9)" in remark for remark in report.remarks)
    assert any("not measured with text" in remark for remark in report.remarks)
    with np.load(bundle / "golden.npz") as golden:
        first = golden["image/inputs/frame"][0]
    np.testing.assert_array_equal(first, read_picture(folder / "one" / "04.png", first.shape[:2]))


def test_verify_compares_on_the_recorded_folder(trained: Trained, bundle: Path, folder: Path) -> None:
    result = edgefuse("verify", bundle, "--checkpoint", trained.checkpoint)
    assert result.returncode == 0, result.stderr
    assert f"measured on 9 examples of {folder} that it was not trained on" in result.stdout.replace("\n", "")
    assert "careful: accuracy and confidence are not measured with text" in result.stdout
    source = "verify", bundle, "--checkpoint", trained.checkpoint
    assert "has other labels" in refused(*source, "--table")
    assert "give either --data or --calibration" in refused(*source, "--data", folder, "--calibration", "set.npz")


def test_at_home_nothing_is_unlike_what_the_bundle_was_made_for(bundle: Path, folder: Path, tmp_path: Path) -> None:
    clip = tmp_path / "home.mp4"
    write_clip(clip, [folder / word / f"{index:02}" for index in (4, 9, 14) for word in WORDS])
    perceiver = Perceiver.open(bundle)
    for _ in perceiver.perceive(Clip(clip, clip.with_suffix(".wav"))):
        pass
    drift = perceiver.drift()
    assert set(drift) == {"image", "audio"}
    assert max(drift.values()) < DRIFT_WARN


def test_a_folder_that_moved_is_asked_for_and_found(trained: Trained, bundle: Path, away: Path) -> None:
    before = recorded(trained).path
    with pytest.raises(ExportError, match=f"trained on the folder {before}, which is not here; give --data") as caught:
        spec_of(trained.checkpoint)
    assert "\n" not in str(caught.value)
    spec = spec_of(trained.checkpoint, away)
    assert len(spec.holdout) == HELD_OUT * len(WORDS)
    assert not any("is not what" in remark for remark in spec.remarks)
    assert verify_bundle(bundle, spec).failures == ()


def test_what_was_trained_on_is_never_held_out_however_the_folder_changes(
    trained: Trained, folder: Path, tmp_path: Path
) -> None:
    before = frames(spec_of(trained.checkpoint))
    changed = Path(shutil.copytree(folder, tmp_path / "changed"))
    write_digits(tmp_path / "more", EACH + 3)
    for word in WORDS:
        for suffix in (".png", ".wav"):  # every fifth is another now, one is gone, one is new
            (changed / word / f"04{suffix}").rename(changed / word / f"zz{suffix}")
            (changed / word / f"09{suffix}").unlink()
            shutil.copy(tmp_path / "more" / word / f"{EACH}{suffix}", changed / word / f"0{suffix}")
    spec = spec_of(trained.checkpoint, changed)
    assert len(frames(spec) & before) == 2 * len(WORDS)
    assert len(frames(spec) - before) == len(WORDS)
    said = f"{changed} is not what the network was trained on: it holds 84 of those 90 files, and 6 others"
    assert said in spec.remarks
    trained_on = read_folder(folder, load_checkpoint(trained.checkpoint).config).training
    assert not frames(spec) & {one.image.tobytes() for one in trained_on if one.image is not None}


def test_a_new_sound_beside_a_picture_that_was_trained_on_is_judged_without_the_picture(
    trained: Trained, folder: Path, tmp_path: Path
) -> None:
    changed = Path(shutil.copytree(folder, tmp_path / "changed"))
    write_digits(tmp_path / "more", EACH + 1)
    shutil.copy(tmp_path / "more" / "zero" / f"{EACH}.wav", changed / "zero" / "00.wav")
    holdout = spec_of(trained.checkpoint, changed).holdout
    assert [int(holdout.having(senses).sum()) for senses in (("image",), ("audio",))] == [9, 10]


def test_a_folder_of_other_labels_is_refused(trained: Trained, folder: Path, tmp_path: Path) -> None:
    other = Path(shutil.copytree(folder, tmp_path / "other"))
    (other / "two").rename(other / "deux")
    with pytest.raises(ExportError, match="'deux' is none of the network's 3 labels: one, two, zero"):
        spec_of(trained.checkpoint, other)


def test_a_set_alone_serves_without_accuracy_and_says_so(trained: Trained, bundle: Path, away: Path) -> None:
    collection = set_of(spec_of(trained.checkpoint, away))
    spec = spec_of(trained.checkpoint, collection=collection)
    assert spec.holdout.labels is None
    assert len(spec.calibration) + len(spec.holdout) == collection.header.samples
    (remark,) = spec.remarks
    assert "accuracy and confidence are not measured" in remark
    assert "which is not here" in remark
    verified = verify_bundle(bundle, spec_from_set(trained.checkpoint, collection))
    assert (verified.failures, verified.accuracy) == ((), ())


def test_a_set_gives_ranges_and_the_folder_the_rest(trained: Trained) -> None:
    own = spec_of(trained.checkpoint)
    spec = spec_of(trained.checkpoint, collection=set_of(own))
    assert frames(spec) == frames(own)
    assert spec.calibration.origin == "collected samples (here)"


def with_task(checkpoint: Checkpoint, task: BuiltInRecord | FolderRecord | None, path: Path) -> Path:
    save_checkpoint(path, replace(checkpoint, task=task))
    return path


def test_a_checkpoint_that_does_not_say_what_it_was_trained_on(trained: Trained, folder: Path, tmp_path: Path) -> None:
    old = with_task(load_checkpoint(trained.checkpoint), None, tmp_path / "old.safetensors")
    with pytest.raises(ExportError, match=r"does not say what it was trained on, only its labels \(one, two, zero\)"):
        spec_of(old)
    spec = spec_of(old, folder)
    assert spec.holdout.labels is None
    assert spec.validation is None
    assert any("accuracy and confidence are not measured" in remark for remark in spec.remarks)


def test_a_task_is_one_of_a_fixed_table(trained: Trained, checkpoint: Checkpoint, tmp_path: Path) -> None:
    made_up = with_task(checkpoint, BuiltInRecord(name="os.path"), tmp_path / "made_up.safetensors")
    with pytest.raises(ExportError, match=r"'os\.path'; the built-in tasks of this version are tabletop"):
        spec_of(made_up)
    false = with_task(
        load_checkpoint(trained.checkpoint), BuiltInRecord(name="tabletop"), tmp_path / "false.safetensors"
    )
    with pytest.raises(ExportError, match="of the tabletop task, but has other labels"):
        spec_of(false)


def test_an_old_checkpoint_with_the_labels_of_the_tabletop_is_of_the_tabletop(
    checkpoint: Checkpoint, spec: FusionSpec, tmp_path: Path
) -> None:
    old = spec_of(with_task(checkpoint, None, tmp_path / "old.safetensors"))
    assert frames(old) == frames(spec)
    assert old.remarks == ()
