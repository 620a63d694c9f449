"""A calibration set is collected from what a robot senses, and its file comes back as it was written."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edgefuse.calibration.collection import choose, collect, lasting, read_collection, samples_of, write_collection
from edgefuse.runtime import DEFAULT_BUNDLE, DEFAULT_CLIP, Clip, Perceiver
from edgefuse.runtime.errors import CalibrationError


@pytest.fixture(scope="module")
def collected() -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    perceiver = Perceiver.open(DEFAULT_BUNDLE)
    clip = Clip(DEFAULT_CLIP, DEFAULT_CLIP.with_suffix(".wav"), live=False)
    return samples_of(collect(perceiver, lasting(perceiver.perceive(clip), 12), most=100), perceiver)


def test_moments_of_a_clip_hold_every_sense_in_step(collected) -> None:
    samples, vectors = collected
    assert {sense: array.dtype.name for sense, array in samples.items()} == {
        "image": "uint8",
        "audio": "float32",
        "text": "int64",
    }
    assert len({len(array) for array in (*samples.values(), *vectors.values())}) == 1
    assert 32 <= len(samples["image"]) <= 100
    assert samples["audio"].shape[1:] == (25_600,)
    assert set(vectors) == {"image", "audio"}
    assert len(np.unique(samples["text"], axis=0)) > 20, "texts that were not sensed are the prompts in turn"


def test_a_set_is_read_as_it_was_written(collected, tmp_path: Path) -> None:
    path = tmp_path / "set.npz"
    written = choose(*collected, 40, "tabletop", "a clip")
    write_collection(path, written)
    read = read_collection(path)
    assert read.header == written.header
    assert read.header.samples == len(read.samples["image"]) == sum(read.header.clusters) <= 40
    assert all((read.samples[sense] == array).all() for sense, array in written.samples.items())
    assert [entry.name for entry in tmp_path.iterdir()] == ["set.npz"]


def test_the_same_thing_all_the_time_is_too_little(collected) -> None:
    samples, vectors = collected
    still = {sense: np.repeat(array[:1], 50, axis=0) for sense, array in samples.items()}
    with pytest.raises(CalibrationError, match="only 1 of 50 samples differ"):
        choose(still, {sense: np.repeat(array[:1], 50, axis=0) for sense, array in vectors.items()}, 40, "b", "s")


def test_too_few_moments_are_refused() -> None:
    with pytest.raises(CalibrationError, match="0 moments that differ, 32 at least"):
        samples_of([], Perceiver.open(DEFAULT_BUNDLE))


@pytest.mark.parametrize("content", [b"", b"no archive", b"PK\x03\x04 cut off"])
def test_a_damaged_file_is_refused_in_one_line(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "set.npz").write_bytes(content)
    with pytest.raises(CalibrationError, match=r"set.npz is no archive of arrays that can be used") as caught:
        read_collection(tmp_path / "set.npz")
    assert "\n" not in str(caught.value)


def test_an_archive_of_other_things_is_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "golden.npz", x=np.zeros(3))
    with pytest.raises(CalibrationError, match="no set of samples"):
        read_collection(tmp_path / "golden.npz")
    with pytest.raises(CalibrationError, match=r"cannot read .*nowhere.npz: No such file"):
        read_collection(tmp_path / "nowhere.npz")
