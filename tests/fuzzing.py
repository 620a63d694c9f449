"""Inputs made wrong at random, each from a seed; a few in the tests, and for as long as wanted by `make fuzz`.

`make fuzz SECONDS=600` gives each fuzzer ten minutes. A round that fails names its seed, and
`EDGEFUSE_FUZZ_SEED=<seed>` runs that round alone.
"""

import os
import time
from collections.abc import Callable
from random import Random
from typing import Any

LONGEST_ROUND = 10.0
"""Seconds; what takes longer hangs, says a long run. The tests leave it to pytest's own limit."""


def each_round(rounds: int, check: Callable[[Random], None]) -> None:
    """Call `check` with another generator each time: `rounds` times, or longer where EDGEFUSE_FUZZ_SECONDS says so."""
    alone, seconds = os.environ.get("EDGEFUSE_FUZZ_SEED"), float(os.environ.get("EDGEFUSE_FUZZ_SECONDS", 0))
    if alone is not None:
        check(Random(int(alone)))
        return
    until = time.monotonic() + seconds
    seed = time.time_ns() if seconds else 0  # always the same few in the tests
    done = 0
    while done < rounds or time.monotonic() < until:
        began = time.monotonic()
        try:
            check(Random(seed + done))
        except BaseException:
            print(f"EDGEFUSE_FUZZ_SEED={seed + done} runs the round that failed alone")
            raise
        took = time.monotonic() - began
        assert not seconds or took < LONGEST_ROUND, f"EDGEFUSE_FUZZ_SEED={seed + done} took {took:.1f} s"
        done += 1
    print(f"{done} rounds")


def mutated(content: bytes, random: Random) -> bytes:
    """Bytes changed in one to eight places: flipped, set to what is on a border, cut, doubled, moved or blown up."""
    data = bytearray(content)
    for _ in range(random.choice((1, 1, 2, 4, 8))):
        if not data:
            return bytes(random.randbytes(random.randrange(64)))
        at = random.randrange(len(data))
        size = min(len(data) - at, random.choice((1, 2, 4, 8, random.randrange(1, 512))))
        match random.randrange(7):
            case 0:
                data[at] ^= 1 << random.randrange(8)
            case 1:
                data[at : at + size] = random.choice((b"\0", b"\xff", b"\x7f", b"\x80")) * size
            case 2:
                data[at : at + size] = random.randbytes(size)
            case 3:
                del data[at : at + size]
            case 4:
                data[at:at] = data[at : at + size]
            case 5:
                del data[at:]
            case 6:
                other = random.randrange(len(data))
                data[other:other] = data[at : at + size]
    return bytes(data)


SENSELESS: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 2**31, 2**63, 2**64, -(2**63), 0.5, -0.5, 1e-308, 1e30, 1e308, -1e308,
    float("nan"), float("inf"), "", "a", "..", "/etc/passwd", "[/]", "\x1b[31m", "\0", "ä" * 300, [], {}, [[]],
    [0] * 100,
)  # fmt: skip
"""Values that a field of JSON or YAML hardly ever expects."""


def mutated_tree(tree: Any, random: Random) -> Any:
    """What JSON or YAML holds, with one to three of its values or keys replaced, left out, doubled or renamed."""
    for _ in range(random.choice((1, 1, 2, 3))):
        tree = _once(tree, random)
    return tree


def _once(tree: Any, random: Random) -> Any:
    if isinstance(tree, dict) and tree and random.random() < 0.9:
        key = random.choice(list(tree))
        if random.random() < 0.8:
            return {**tree, key: _once(tree[key], random)}
        return {name: value for name, value in tree.items() if name != key} | (
            {} if random.random() < 0.5 else {str(random.choice(SENSELESS)): tree[key]}
        )
    if isinstance(tree, list) and tree and random.random() < 0.9:
        at = random.randrange(len(tree))
        return [*tree[:at], *([_once(tree[at], random)] * random.choice((0, 1, 1, 1, 2))), *tree[at + 1 :]]
    if isinstance(tree, int | float) and not isinstance(tree, bool) and random.random() < 0.5:
        return random.choice((-tree, tree + 1, tree * 2, tree // 2, tree * 1000, tree / 3))
    return random.choice(SENSELESS)


def is_one_line(message: object) -> bool:
    """Whether that is what a user may be told."""
    return bool(str(message).strip()) and "\n" not in str(message) and "Traceback" not in str(message)
