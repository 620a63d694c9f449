"""Bundles mutated at random, sealed again or not: the process that opens them refuses in one line, or is right."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest
from fuzzing import LONGEST_ROUND, each_round, is_one_line, mutated, mutated_tree
from sealed import edit, seal

from edgefuse.runtime import DEFAULT_BUNDLE, Bundle

PROGRAM = Path(__file__).with_name("fuzzed_bundles.py")
BYTES = ("audio.onnx", "fusion.onnx", "image.onnx", "text.onnx", "golden.npz", "tokenizer.json", "confidence.json")
TREES = ("tokenizer.json", "confidence.json", "familiar.json")


class Opener:
    """The other process, begun anew where a bundle ended it."""

    def __init__(self) -> None:
        self.clean: dict[str, Any] = {}
        self._child: subprocess.Popen[str] | None = None
        self.clean = self.open(DEFAULT_BUNDLE)

    def open(self, bundle: Path) -> dict[str, Any]:
        """How it ended, see `fuzzed_bundles`; fails where the process did, or where it hangs until pytest's limit."""
        if self._child is None:
            self._child = subprocess.Popen(
                [sys.executable, str(PROGRAM)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
            )
        assert self._child.stdin is not None
        assert self._child.stdout is not None
        self._child.stdin.write(f"{bundle}\n")
        self._child.stdin.flush()
        answer = self._child.stdout.readline()
        if not answer:
            code, self._child = self._child.wait(LONGEST_ROUND), None
            pytest.fail(f"the process that opened {bundle} ended with {code}")
        said: dict[str, Any] = json.loads(answer)
        return said

    def check(self, bundle: Path, right: bool) -> None:
        """Refused in one line, or opened; where `right`, with the percept of the bundle that was not mutated."""
        ended = self.open(bundle)
        if "refused" in ended:
            assert is_one_line(ended["refused"])
        elif right:
            assert ended == self.clean

    def close(self) -> None:
        """End it."""
        if self._child is not None:
            self._child.communicate()


@pytest.fixture(scope="module")
def opener() -> Iterator[Opener]:
    opener = Opener()
    yield opener
    opener.close()


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    """A copy whose files are links, so that one can be replaced."""
    directory = tmp_path / "bundle"
    directory.mkdir()
    for path in DEFAULT_BUNDLE.iterdir():
        (directory / path.name).symlink_to(path)
    return directory


def put(path: Path, content: bytes) -> None:
    path.unlink(missing_ok=True)
    path.write_bytes(content)


def restored(bundle: Path) -> None:
    shutil.rmtree(bundle)
    bundle.mkdir()
    for path in DEFAULT_BUNDLE.iterdir():
        (bundle / path.name).symlink_to(path)


@pytest.mark.fuzz
def test_any_file_mutated(opener: Opener, bundle: Path) -> None:
    """The checksums say that; where a link to the file as it was remains, nothing is different."""
    names = ["manifest.json", *Bundle.open(DEFAULT_BUNDLE).manifest.files]

    def check(random: Random) -> None:
        restored(bundle)
        name = random.choice(names)
        put(bundle / name, mutated((DEFAULT_BUNDLE / name).read_bytes(), random))
        opener.check(bundle, right=True)

    each_round(20, check)


@pytest.mark.fuzz
def test_a_manifest_mutated_and_sealed_again(opener: Opener, bundle: Path) -> None:
    """What it then says of the network may be something else, but nothing breaks."""
    manifest = json.loads((DEFAULT_BUNDLE / "manifest.json").read_text())

    def check(random: Random) -> None:
        restored(bundle)
        tree = mutated_tree(manifest, random)
        (bundle / "manifest.json").unlink()
        if isinstance(tree, dict):
            seal(bundle, tree)
        else:
            put(bundle / "manifest.json", json.dumps(tree).encode())
        opener.check(bundle, right=False)

    each_round(20, check)


@pytest.mark.fuzz
def test_a_file_mutated_and_sealed_again(opener: Opener, bundle: Path) -> None:
    """As one who wrote the bundle would: the golden vectors find a graph that is another."""

    def check(random: Random) -> None:
        restored(bundle)
        name = random.choice(BYTES)
        put(bundle / name, mutated((DEFAULT_BUNDLE / name).read_bytes(), random))
        sealed_again(bundle)
        opener.check(bundle, right=name.endswith(".onnx"))

    each_round(15, check)


@pytest.mark.fuzz
def test_a_tree_mutated_and_sealed_again(opener: Opener, bundle: Path) -> None:
    trees = {name: json.loads((DEFAULT_BUNDLE / name).read_text()) for name in TREES}

    def check(random: Random) -> None:
        restored(bundle)
        name = random.choice(TREES)
        put(bundle / name, json.dumps(mutated_tree(trees[name], random)).encode())
        sealed_again(bundle)
        opener.check(bundle, right=False)

    each_round(15, check)


def sealed_again(bundle: Path) -> None:
    manifest = (bundle / "manifest.json").read_bytes()
    put(bundle / "manifest.json", manifest)
    edit(bundle, lambda manifest: None)
