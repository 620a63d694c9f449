"""Folders as they lie about: what is no example is left out and said, what makes no sense is refused in one line."""

from __future__ import annotations

import logging
import os
import struct
import zlib
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import soundfile
from fuzzing import each_round, is_one_line, mutated

from edgefuse.fusion.config import NetworkConfig
from edgefuse.fusion.errors import DataError
from edgefuse.fusion.folder import FolderData, read_folder
from edgefuse.fusion.folder_files import picture_from_bytes, sound_from_bytes

RATE_HZ = 16_000
CONFIG = NetworkConfig()
EACH = 5


def picture(number: int, suffix: str = ".png") -> bytes:
    """An encoded picture, another for each number."""
    noise = np.random.default_rng(number).integers(0, 256, (24, 32, 3), dtype=np.uint8)
    return cv2.imencode(suffix, noise)[1].tobytes()


def tone(number: int, rate_hz: int = RATE_HZ) -> np.ndarray:
    """Half a second, another for each number."""
    return np.asarray(0.3 * np.sin(2 * np.pi * (200 + 10 * number) * np.arange(rate_hz // 2) / rate_hz), np.float32)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two classes of five pictures with their sounds."""
    for first, label in enumerate(("cup", "ball")):
        (tmp_path / "data" / label).mkdir(parents=True)
        for index in range(EACH):
            stem = tmp_path / "data" / label / f"{index}"
            stem.with_suffix(".png").write_bytes(picture(10 * first + index))
            soundfile.write(stem.with_suffix(".wav"), tone(10 * first + index), RATE_HZ)
    return tmp_path / "data"


def read(folder: Path) -> FolderData:
    return read_folder(folder, CONFIG)


def refused(folder: Path) -> str:
    """The one line."""
    with pytest.raises(DataError) as caught:
        read(folder)
    assert is_one_line(caught.value)
    assert str(caught.value).isprintable()
    return str(caught.value)


def count(found: FolderData) -> int:
    return len(found.training) + len(found.validation)


def test_nothing_is_said_of_a_folder_that_is_whole(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    found = read(folder)
    assert (found.labels, len(found.training), len(found.validation)) == (("ball", "cup"), 8, 2)
    assert caplog.text == ""


def test_what_systems_and_tools_leave_is_no_class_and_no_example(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for name in (".hidden", "__pycache__", ".ipynb_checkpoints", "@eaDir", "lost+found", "__MACOSX", "$RECYCLE.BIN"):
        (folder / name).mkdir()
        (folder / name / "0.png").write_bytes(picture(99))
    for name in (".DS_Store", "._0.png", "Thumbs.db", "desktop.ini"):
        (folder / "cup" / name).write_bytes(b"\0\5\26\7")
    assert read(folder).labels == ("ball", "cup")
    assert "11 hidden or of the system (" in caplog.text


def test_what_is_no_picture_and_no_sound_is_counted_by_reason(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    (folder / "README.md").write_text("of these data")
    for name in ("a.m4a", "b.M4A", "notes.txt", "LICENSE"):
        (folder / "cup" / name).write_bytes(b"something")
    (folder / "cup" / "more").mkdir()
    (folder / "cup" / "gone.png").symlink_to(folder / "nowhere.png")
    (folder / "loop").symlink_to(folder)
    (folder / "up").symlink_to("..")
    assert count(read(folder)) == 2 * EACH
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    said = record.getMessage()
    for part in (
        "4 of kinds that are not read (2 .m4a, 1 no suffix, 1 .txt, such as cup/LICENSE)",
        "1 beside the folders of the classes (such as README.md)",
        "1 folders within a class (such as cup/more)",
        "1 links that lead nowhere",
        "2 links to a folder around them",
    ):
        assert part in said


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("new.flac", {}), ("new.ogg", {}), ("new.OPUS", {"format": "OGG", "subtype": "OPUS"}), ("NEW.MP3", {}),
        ("new.aiff", {}), ("new.WAV", {"subtype": "PCM_24"}), ("new.wav", {"subtype": "FLOAT"}),
        ("new.wav", {"subtype": "ULAW"}),
    ],
)  # fmt: skip
def test_sounds_are_read_whatever_they_are_packed_in(folder: Path, name: str, options: dict[str, Any]) -> None:
    stereo = np.stack([tone(50, 48_000), 0.5 * tone(50, 48_000)], axis=1)
    soundfile.write(folder / "cup" / name, stereo, 48_000, **options)
    both = read(folder)
    (new,) = [one for one in (*both.training, *both.validation) if one.image is None]
    assert new.pcm is not None
    heard = np.abs(np.fft.rfft(new.pcm[: RATE_HZ // 4]))
    assert abs(4 * int(heard.argmax()) - 700) <= 8, "the tone's pitch is there at the network's rate"


@pytest.mark.parametrize("name", ["new.JPG", "new.jpeg", "new.bmp", "new.webp", "new.PNG"])
def test_pictures_are_read_whatever_they_are_packed_in(folder: Path, name: str) -> None:
    (folder / "cup" / name).write_bytes(picture(50, Path(name).suffix.lower()))
    assert count(read(folder)) == 2 * EACH + 1


@pytest.mark.parametrize("name", ["0.jpg", "0.PNG", "0.flac"])
def test_two_files_of_one_sense_and_stem_are_refused(folder: Path, name: str) -> None:
    (folder / "cup" / name).write_bytes(b"whatever")
    said = refused(folder)
    assert "one stem" in said
    assert name in said


def huge_png() -> bytes:
    """Of 30000 x 30000 pixels, as its header says."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", 30_000, 30_000, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0")) + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "empty"),
        (b"no picture", "not a picture"),
        (picture(0)[:-40], "damaged"),
        (picture(0, ".jpg")[:-40], "cut off"),
        (huge_png(), "more than 50,000,000 pixels"),
    ],
    ids=["empty", "text", "cut PNG", "cut JPEG", "bomb"],
)
def test_a_picture_that_cannot_be_used_is_refused_by_name(folder: Path, content: bytes, said: str) -> None:
    for name in ("3.png", "4.png"):
        (folder / "cup" / name).write_bytes(content)
    line = refused(folder)
    assert "cup/3.png" in line
    assert said in line
    assert "and 1 more files cannot be used" in line


@pytest.mark.parametrize(
    ("pcm", "said"),
    [
        (np.full(800, np.nan, np.float32), "NaN"),
        (np.array([0.0, np.inf], np.float32), "infinity"),
        (1e5 * tone(0), "should be sound in -1..1"),
        (np.stack([tone(0), -tone(0)], axis=1), "cancel each other"),
        (np.zeros(0, np.float32), "holds no sound"),
    ],
    ids=["NaN", "infinity", "integers", "antiphase", "none"],
)
def test_a_sound_that_makes_no_sense_is_refused_by_name(folder: Path, pcm: np.ndarray, said: str) -> None:
    soundfile.write(folder / "cup" / "3.wav", pcm, RATE_HZ, subtype="FLOAT")
    line = refused(folder)
    assert "cup/3.wav" in line
    assert said in line


def test_a_sound_that_is_cut_off_is_refused_and_one_of_unknown_length_is_read(folder: Path) -> None:
    path = folder / "cup" / "3.wav"
    whole = path.read_bytes()
    path.write_bytes(whole[:-2000])
    assert "cut off" in refused(folder)
    at = whole.index(b"data") + 4
    path.write_bytes(whole[:at] + b"\xff\xff\xff\xff" + whole[at + 4 :])
    assert count(read(folder)) == 2 * EACH


def test_a_silent_sound_is_left_out_but_of_the_class_that_says_nothing(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    soundfile.write(folder / "cup" / "3.wav", np.zeros(8000), RATE_HZ)
    (folder / "nothing").mkdir()
    for seconds in range(1, 6):
        soundfile.write(folder / "nothing" / f"{seconds}.wav", np.zeros(RATE_HZ * seconds), RATE_HZ)
    found = read(folder)
    assert "1 silent sounds (such as cup/3.wav)" in caplog.text
    assert sum(one.pcm is None for one in (*found.training, *found.validation)) == 1
    assert sum(one.label == 2 for one in (*found.training, *found.validation)) == 5


def test_a_file_in_two_classes_is_evidence_of_neither(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    (folder / "cup" / "3.png").write_bytes((folder / "ball" / "1.png").read_bytes())
    found = read(folder)
    assert "2 that lie in another class too (such as ball/1.png)" in caplog.text
    assert sum(one.image is None for one in (*found.training, *found.validation)) == 2


def test_what_the_folder_lacks_is_said(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    for sound in folder.rglob("*.wav"):
        sound.unlink()
    (folder / "cup" / "4.png").write_bytes((folder / "cup" / "0.png").read_bytes())
    read(folder)
    for line in (
        "10 examples have 10 pictures and 0 sounds: audio is not learned",
        "1 files hold the same as another",
        "nothing is held out of cup",
    ):
        assert line in caplog.text


@pytest.mark.parametrize(
    "name",
    ["-rf", "a\nb", "\x1b[31mred", b"caf\xe9", " cup ", "___", "CUP", "x" * 200],
    ids=["dash", "newline", "escape", "latin-1", "space", "no word", "alike", "long"],
)
def test_a_name_that_cannot_be_a_label_is_refused(folder: Path, name: str | bytes) -> None:
    place = Path(os.fsdecode(os.path.join(os.fsencode(folder), os.fsencode(name))))
    place.mkdir()
    (place / "0.png").write_bytes(picture(99))
    assert "label" in refused(folder)


def test_names_of_any_script_are_labels(folder: Path) -> None:
    for number, name in enumerate(("собака", "猫", "cup of tea", "tea of cup", "naïve")):
        (folder / name).mkdir()
        (folder / name / os.fsdecode(b"\xff\xfe.png")).write_bytes(picture(number + 100))
    assert len(read(folder).labels) == 7


def test_folders_that_are_no_data(folder: Path, tmp_path: Path) -> None:
    assert "no such folder" in refused(tmp_path / "nowhere")
    assert "found 0" in refused(folder / "cup")
    (folder / "mug").symlink_to(folder / "cup")
    assert "same folder" in refused(folder)
    (folder / "mug").unlink()
    (folder / "mug").mkdir()
    (folder / "mug" / "0.m4a").write_bytes(b"sound")
    line = refused(folder)
    assert "no pictures" in line
    assert "1 of kinds that are not read (such as mug/0.m4a)" in line
    os.mkfifo(folder / "mug" / "0.png")
    assert "no regular file" in refused(folder)


@pytest.mark.fuzz
def test_any_picture_and_any_sound_is_read_or_refused_in_one_line(folder: Path) -> None:
    seeds = [picture(0, suffix) for suffix in (".png", ".jpg", ".bmp", ".webp")]
    for name, options in (("0.wav", {}), ("0.flac", {}), ("0.ogg", {}), ("0.mp3", {}), ("0.aiff", {})):
        soundfile.write(folder / name, tone(0), RATE_HZ, **options)
    sounds = [path.read_bytes() for path in folder.glob("0.*")]

    def check(random: Any) -> None:
        try:
            image = picture_from_bytes(mutated(random.choice(seeds), random), Path("x"), (24, 32))
            assert (image.dtype, image.shape) == (np.uint8, (24, 32, 3))
        except DataError as error:
            assert is_one_line(error)  # noqa: PT017
        try:
            pcm = sound_from_bytes(mutated(random.choice(sounds), random), Path("x"), RATE_HZ)
            assert np.isfinite(pcm).all()
            assert pcm.ndim == 1
        except DataError as error:
            assert is_one_line(error)  # noqa: PT017

    each_round(100, check)


def test_a_loop_of_links_is_no_folder(folder: Path) -> None:
    (folder / "a").symlink_to(folder / "b")
    (folder / "b").symlink_to(folder / "a")
    assert read(folder).labels == ("ball", "cup")
    assert "no such folder" in refused(folder / "a")
