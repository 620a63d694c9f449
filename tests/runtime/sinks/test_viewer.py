"""The viewer writes a recording that Rerun reads, with everything that was sensed and said in it."""

import itertools
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from edgefuse.runtime import (
    DEFAULT_BUNDLE,
    DEFAULT_CLIP,
    AudioChunk,
    Bundle,
    Clip,
    EdgefuseError,
    Frame,
    Perceiver,
    Stream,
    Text,
)
from edgefuse.runtime.sinks import deliver
from edgefuse.runtime.sinks.sound_picture import SoundPainter
from edgefuse.runtime.sinks.viewer import Viewer
from edgefuse.runtime.streams.clip import sound_beside

RATE_HZ = 16_000


def rerun(*arguments: str | Path) -> str:
    command = [sys.executable, "-m", "rerun", "rrd", *map(str, arguments)]
    result = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert result.returncode == 0, result.stderr
    return result.stdout


def rows_by_path(recording: Path) -> Counter[str]:
    """How many rows Rerun finds of each entity."""
    rows: Counter[str] = Counter()
    for count, path in re.findall(r"with (\d+) rows .*? - (/.+?) - ", rerun("print", recording)):
        rows[path.replace("\\", "")] += int(count)
    return rows


@pytest.fixture(autouse=True)
def no_display(monkeypatch, tmp_path):
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="module")
def manifest():
    return Bundle.open(DEFAULT_BUNDLE).manifest


def test_a_run_is_in_the_file_that_rerun_reads(tmp_path, manifest):
    viewer = Viewer(tmp_path / "run.rrd", manifest)
    clip = viewer.tap(Clip(DEFAULT_CLIP, sound_beside(DEFAULT_CLIP), live=False))
    deliver(itertools.islice(Perceiver.open(DEFAULT_BUNDLE).perceive(clip), 90), [viewer])
    rerun("verify", tmp_path / "run.rrd")
    rows = rows_by_path(tmp_path / "run.rrd")
    assert rows["/percept"] == 90
    assert rows["/image"] == 90
    assert 280 <= rows["/audio/waveform/low"] == rows["/audio/waveform/high"] <= 301, "3 s, a value per 10 ms"
    assert rows["/audio/spectrogram"] == rows["/audio/waveform/low"] // 20
    for line in ("weights/image", "weights/audio", "ages/image", "sureness/confidence"):
        assert rows[f"/{line}"] in (90, 91), line  # and its style
    for stage in ("receive", "wait", "encode", "fuse", "publish", "latency"):
        assert rows[f"/latency/{stage}"] == 91
    assert rows["/labels/all"] >= 2
    assert any(path.startswith("/scores/") for path in rows)


def test_without_a_display_it_writes_a_file(tmp_path, manifest):
    viewer = Viewer(None, manifest)
    perceiver = Perceiver.open(DEFAULT_BUNDLE)
    perceiver.push(Text(1, "a red ball"))
    viewer.write(perceiver.step())
    viewer.close()
    assert viewer.path == Path("edgefuse.rrd")
    rerun("verify", tmp_path / "edgefuse.rrd")


def test_prompts_of_any_characters_are_plotted(tmp_path, manifest):
    perceiver = Perceiver.open(DEFAULT_BUNDLE, prompts=["a red ball / sphere", "Würfel: grün [x]"])
    viewer = Viewer(tmp_path / "run.rrd", manifest)
    for n, prompt in enumerate(perceiver.labels[:2]):
        perceiver.push(Text(n + 1, prompt))
        viewer.write(perceiver.step())
    viewer.close()
    paths = rows_by_path(tmp_path / "run.rrd")
    assert any(path.startswith("/scores/") and "/ sphere" in path for path in paths)


def test_a_file_that_cannot_be_written(tmp_path, manifest):
    with pytest.raises(EdgefuseError, match=r"none/run\.rrd cannot be written: there is no directory"):
        Viewer(tmp_path / "none" / "run.rrd", manifest)


def test_large_frames_are_shown_small(tmp_path, manifest):
    viewer = Viewer(tmp_path / "run.rrd", manifest)
    image = np.random.default_rng(0).integers(0, 255, (2160, 3840, 3), np.uint8)

    class One(Stream):
        live = False

        def __iter__(self):
            yield Frame(0, image)

        def close(self):
            pass

    (frame,) = viewer.tap(One())
    viewer.close()
    assert frame.image is image
    assert (tmp_path / "run.rrd").stat().st_size < 1_000_000


def test_without_rerun_it_is_missed_when_a_viewer_is_opened(monkeypatch, tmp_path, manifest):
    monkeypatch.setitem(sys.modules, "rerun", None)
    monkeypatch.delitem(sys.modules, "edgefuse.runtime.sinks.viewer_log", raising=False)
    with pytest.raises(ModuleNotFoundError, match="import of rerun halted"):
        Viewer(tmp_path / "run.rrd", manifest)
    assert not (tmp_path / "run.rrd").exists()


def paint(pcm: np.ndarray, indices=None) -> list:
    painter = SoundPainter(RATE_HZ)
    starts = range(0, len(pcm), 320) if indices is None else indices
    chunks = [AudioChunk(n * 62_500, pcm[n : n + 320].astype(np.float32), RATE_HZ, n) for n in starts]
    return [picture for chunk in chunks if (picture := painter.paint(chunk)) is not None]


def brightness(spectrogram: np.ndarray) -> np.ndarray:
    return spectrogram.astype(int).sum(axis=2)


def test_a_tone_is_a_line_at_its_height_and_silence_is_dark():
    seconds = np.arange(RATE_HZ * 2) / RATE_HZ
    tone = 0.5 * np.sin(2 * np.pi * 1000 * seconds) * (seconds >= 1)
    pictures = paint(tone)
    assert len(pictures) == 10
    low, high = (np.concatenate([getattr(picture, side) for picture in pictures]) for side in ("low", "high"))
    np.testing.assert_allclose(low[101:], -0.5, atol=0.01)
    np.testing.assert_allclose(high[101:], 0.5, atol=0.01)
    assert not high[:100].any()
    stamps_ns = np.concatenate([picture.stamps_ns for picture in pictures])
    assert stamps_ns.tolist() == [10_000_000 * n for n in range(200)]
    bright = brightness(pictures[-1].spectrogram)
    mel = 2595 * np.log10(1 + np.array([1000, 8000]) / 700)
    assert abs((1 - bright[:, -50:].mean(axis=1).argmax() / len(bright)) - mel[0] / mel[1]) < 0.03
    assert bright[:, -150:-110].max() < bright[:, -90:].max() / 3


def test_lost_sound_is_drawn_as_silence_of_its_length():
    noise = np.random.default_rng(0).normal(0, 0.2, RATE_HZ * 2)
    pictures = paint(noise, [n for n in range(0, RATE_HZ * 2, 320) if not 16_000 <= n < 24_000])
    columns = sum(len(picture.stamps_ns) for picture in pictures)
    bright = brightness(pictures[-1].spectrogram)[:, -columns:].mean(axis=0)
    dark = np.flatnonzero(bright[5:] < bright.max() / 3) + 5
    assert abs(dark[0] - 100) <= 3
    assert abs(len(dark) - 50) <= 5
    assert np.diff(dark).max() == 1
