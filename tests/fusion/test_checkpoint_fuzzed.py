"""A checkpoint that was changed anywhere is a network all the same, or refused in one line; in a process of its own."""

from __future__ import annotations

import json
import multiprocessing
import resource
import struct
from multiprocessing.connection import Connection
from pathlib import Path
from random import Random

import pytest
from fuzzing import LONGEST_ROUND, each_round, is_one_line, mutated, mutated_tree

from edgefuse.export.checkpoint import spec_with_noise
from edgefuse.export.tracing.inspection import inspect
from edgefuse.fusion.errors import FusionError
from edgefuse.runtime.errors import EdgefuseError
from edgefuse.tabletop import SHIPPED

MOST_BYTES = 4 << 30
"""Of address space that a reader gets above what the process has; an ordinary start takes a tenth."""


def with_other_header(content: bytes, random: Random) -> bytes:
    """The same tensors, and a header (JSON: names, types, sizes, places, metadata) that says something else of them."""
    (length,) = struct.unpack("<Q", content[:8])
    header = json.loads(content[8 : 8 + length])
    metadata = header["__metadata__"]
    if random.random() < 0.7:
        key = random.choice(list(metadata))
        try:
            metadata[key] = json.dumps(mutated_tree(json.loads(metadata[key]), random))
        except ValueError:
            metadata[key] = mutated(metadata[key].encode(), random).decode(errors="replace")
    else:
        header = mutated_tree(header, random)
    said = json.dumps(header).encode()
    return struct.pack("<Q", len(said)) + said + content[8 + length :]


def read(path: Path) -> str | None:
    """As `edgefuse export` begins: the sentence that refuses it, None where it is taken."""
    try:
        inspect(spec_with_noise(path))
    except (EdgefuseError, FusionError) as refusal:
        return str(refusal)
    return None


def reader(connection: Connection) -> None:
    """Reads one path after another, once it has read one that is whole and so has imported all that it takes."""
    connection.send(read(SHIPPED))
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + MOST_BYTES, used + MOST_BYTES))
    while (path := connection.recv()) is not None:
        try:
            connection.send(read(path))
        except BaseException as error:  # what a fuzzer is to find
            connection.send(error)


@pytest.mark.fuzz
def test_any_checkpoint_is_read_or_refused_in_one_line(tmp_path):
    content, path = SHIPPED.read_bytes(), tmp_path / "mutated.safetensors"
    here, there = multiprocessing.Pipe()
    child = multiprocessing.get_context("forkserver").Process(target=reader, args=(there,), daemon=True)
    child.start()
    there.close()
    assert here.recv() is None, "the whole one is taken"

    def check(random: Random) -> None:
        change = mutated if random.random() < 0.3 else with_other_header
        path.write_bytes(change(content, random))
        here.send(path)
        assert here.poll(60 * LONGEST_ROUND), "it hangs"
        said = here.recv()
        assert said is None or (isinstance(said, str) and is_one_line(said)), repr(said)

    try:
        each_round(12, check)
    finally:
        here.close()
        child.kill()
        child.join()
