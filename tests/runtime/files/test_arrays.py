"""What an archive of arrays declares is looked at before memory is taken for it."""

from __future__ import annotations

import io
import os
import re
import tracemalloc
import zipfile
from pathlib import Path
from random import Random

import numpy as np
import pytest
from fuzzing import each_round, is_one_line, mutated

from edgefuse.runtime.errors import FileError
from edgefuse.runtime.files.arrays import read_arrays
from edgefuse.runtime.files.limits import ARRAY_BYTES

ARRAYS = {
    "image/inputs/frame": np.arange(24, dtype=np.uint8).reshape(2, 4, 3),
    "scores": np.array([[0.5, 0.25]], np.float32),
    "present": np.array([True, False]),
    "header": np.array("a text"),
    "ids": np.zeros((0, 3), np.int64),
}


def archive(path: Path, content: dict[str, bytes], packed: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", packed) as file:
        for name, data in content.items():
            file.writestr(name, data)
    return path


def npy(shape: str, descr: str = "'<f4'", data: bytes = b"", version: bytes = b"\x01\x00") -> bytes:
    header = f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, }}\n".encode()
    return b"\x93NUMPY" + version + len(header).to_bytes(2, "little") + header + data


def refusal(path: Path) -> str:
    tracemalloc.start()
    with pytest.raises(FileError) as refused:
        read_arrays(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert is_one_line(refused.value)
    assert str(path) in str(refused.value)
    assert peak < 20_000_000
    return str(refused.value)


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_what_numpy_wrote_is_read(tmp_path: Path, save: object) -> None:
    path = tmp_path / "arrays.npz"
    save(path, **ARRAYS)  # type: ignore[operator]
    read = read_arrays(path)
    assert list(read) == list(ARRAYS)
    for name, array in ARRAYS.items():
        assert read[name].dtype == array.dtype
        np.testing.assert_array_equal(read[name], array)
    assert list(read_arrays(path, {"scores", "of nobody"})) == ["scores"]


def test_an_array_that_is_a_bomb(tmp_path: Path) -> None:
    path = tmp_path / "bomb.npz"
    np.savez_compressed(path, a=np.zeros(ARRAY_BYTES.most // 2, np.uint8), b=np.zeros(ARRAY_BYTES.most, np.uint8))
    assert path.stat().st_size < 1_000_000
    said = refusal(path)
    assert "declares 150,000,000 bytes, of which at most 100,000,000 are taken (EDGEFUSE_MAX_ARRAY_BYTES" in said


def test_an_archive_that_packs_as_numpy_does_not(tmp_path: Path) -> None:
    path = archive(tmp_path / "arrays.npz", {"a.npy": npy("(1,)", data=bytes(4))}, zipfile.ZIP_LZMA)
    assert "is packed in a way that NumPy does not use" in refusal(path)


def test_an_archive_with_two_arrays_of_one_name(tmp_path: Path) -> None:
    one = npy("(1,)", data=bytes(4))
    path = archive(tmp_path / "arrays.npz", {"a.npy": one, "a": one})
    assert "two arrays of one name" in refusal(path)


def test_what_is_no_file(tmp_path: Path) -> None:
    assert "No such file" in refusal(tmp_path / "none.npz")
    assert "is no regular file" in refusal(tmp_path)
    os.mkfifo(tmp_path / "pipe.npz")
    assert "is no regular file" in refusal(tmp_path / "pipe.npz")
    (tmp_path / "zero.npz").symlink_to("/dev/zero")
    assert "is no regular file" in refusal(tmp_path / "zero.npz")


@pytest.mark.fuzz
def test_an_archive_that_was_mutated_is_what_it_was_or_is_refused(tmp_path: Path) -> None:
    """Of the arrays themselves nothing may differ: they have checksums."""
    files = []
    for save in (np.savez, np.savez_compressed):
        content = io.BytesIO()
        save(content, **ARRAYS)
        files.append(content.getvalue())
    path = tmp_path / "arrays.npz"

    def check(random: Random) -> None:
        path.write_bytes(mutated(random.choice(files), random))
        read, refused = {}, None
        try:
            read = read_arrays(path)
        except FileError as error:
            refused = error
        assert refused is None or is_one_line(refused)
        for name, array in read.items():
            if name in ARRAYS:
                np.testing.assert_array_equal(array, ARRAYS[name])

    each_round(1000, check)


def test_a_header_cannot_run(tmp_path: Path) -> None:
    path = archive(tmp_path / "arrays.npz", {"a.npy": npy("__import__('os').abort()")})
    assert re.search("malformed|Cannot parse|no archive", refusal(path))
