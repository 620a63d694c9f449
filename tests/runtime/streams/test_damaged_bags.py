"""A bag that was cut off or altered anywhere replays what is whole, or is refused in one line; nothing else happens."""

import logging
import random
from pathlib import Path

import pytest
from command_line import edgefuse
from foreign_bags import by_humble, by_mcap, by_rosbags, killed_beside_its_log, lz4, scene, sqlite, unchunked, zstd
from robot_bags import EPOCH_NS, MS
from rosbags.rosbag2 import CompressionMode

from edgefuse.runtime import Sample, StreamError
from edgefuse.runtime.streams.recording import Recording

SHORT = tuple(note for note in scene() if note.log_ns < EPOCH_NS + 500 * MS)
SEEDS = 40


def messages_compressed(path: Path, notes) -> Path:
    return sqlite(path, notes, compression=CompressionMode.MESSAGE)


def unchecked(path: Path, notes) -> Path:
    """Chunks without checksums, as rosbag2 writes them."""
    return by_mcap(path, notes, enable_crcs=False)


WRITERS = {
    write.__name__: write
    for write in (zstd, lz4, unchunked, unchecked, by_humble, killed_beside_its_log, by_rosbags, messages_compressed)
}

CHECKED = ("zstd", "lz4", "killed_beside_its_log")
"""Those with checksums of all that matters: in others a topic or a type may be altered and nobody can tell."""


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("whole")
    return {name: write(folder / name, SHORT) for name, write in WRITERS.items()}


def altered(content: bytes, chance: random.Random) -> bytes:
    """Cut off, some bits turned, some bytes overwritten or lost; more often near the ends, where indices are."""
    place = chance.choice([chance.randrange(len(content)), chance.randrange(200), len(content) - chance.randrange(200)])
    place = min(max(place, 0), len(content) - 1)
    how = chance.choice(["cut", "bit", "bits", "bytes", "hole"])
    if how == "cut":
        return content[:place]
    if how == "hole":
        return content[:place] + content[place + chance.randrange(1, 5000) :]
    damaged = bytearray(content)
    if how == "bytes":
        damaged[place : place + 8] = chance.randbytes(8)
    for _ in range({"bit": 1, "bits": 20}.get(how, 0)):
        damaged[place] ^= 1 << chance.randrange(8)
        place = chance.randrange(len(damaged))
    return bytes(damaged)


def damaged(whole: Path, to: Path, chance: random.Random) -> Path:
    """A copy of a bag, one of whose files is altered."""
    files = sorted(whole.iterdir() if whole.is_dir() else whole.parent.glob(f"{whole.name}*"))
    victim = chance.choice(files)
    for file in files:
        copy = to / file.relative_to(whole.parent)
        copy.parent.mkdir(parents=True, exist_ok=True)
        content = file.read_bytes()
        copy.write_bytes(altered(content, chance) if file == victim and content else content)
    return to / whole.name


def outcome(path: Path) -> list[Sample] | str:
    """What is replayed, or the line that says why nothing (more) is."""
    try:
        return list(Recording(path, live=False))
    except StreamError as error:
        return str(error)


@pytest.mark.parametrize("kind", WRITERS)
def test_whatever_is_damaged_is_replayed_or_refused_in_one_line(kind, whole, tmp_path, caplog):
    samples = len(outcome(whole[kind]))
    assert samples > 30
    outcomes = []
    for seed in range(SEEDS):
        caplog.clear()
        result = outcome(damaged(whole[kind], tmp_path / str(seed), random.Random(f"{kind}{seed}")))
        outcomes.append(result)
        if isinstance(result, str):
            assert "\n" not in result, f"seed {seed}: {result}"
            assert str(tmp_path) in result, f"seed {seed}: {result}"
        else:
            assert len(result) <= samples
            said = kind not in CHECKED or any(record.levelno == logging.WARNING for record in caplog.records)
            assert len(result) == samples or said, f"seed {seed}: {samples - len(result)} samples were lost in silence"
        assert len(caplog.records) < 10, f"seed {seed}: that much need not be said"
    assert any(isinstance(result, str) for result in outcomes)
    assert any(not isinstance(result, str) for result in outcomes)


@pytest.mark.parametrize("kind", ["zstd", "by_humble"])
def test_the_command_line_says_it_in_one_line(kind, whole, tmp_path):
    path = damaged(whole[kind], tmp_path, random.Random(next(refused_seeds(kind, whole, tmp_path))))
    result = edgefuse("run", path, "--fast", "--quiet")
    assert result.returncode == 2
    assert len(result.stderr.strip().splitlines()) == 1, result.stderr


def refused_seeds(kind: str, whole: dict[str, Path], tmp_path: Path):
    for seed in range(1000):
        path = damaged(whole[kind], tmp_path / "search", random.Random(seed))
        if isinstance(outcome(path), str):
            yield seed
