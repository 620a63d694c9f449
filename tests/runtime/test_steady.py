"""What holds for a robot that runs for days: nothing grows, and too much input costs percepts, not time or sound."""

import gc
import itertools
import sys
import threading
import time
import tracemalloc
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from edgefuse.runtime import DEFAULT_BUNDLE, DEFAULT_CLIP, Clip, Frame, Perceiver, Sample
from edgefuse.runtime.streams.clip import sound_beside

CHUNK_NS = 20_000_000


def samples_of_the_clip(count: int) -> Iterator[Sample]:
    """As fast as they can be read."""
    return itertools.islice(Clip(DEFAULT_CLIP, sound_beside(DEFAULT_CLIP), live=False), count)


def test_nothing_is_kept_of_past_percepts():
    perceiver = Perceiver.open(DEFAULT_BUNDLE)
    samples = list(samples_of_the_clip(160))
    pushed, percepts = itertools.count(1), itertools.count()

    def traced_after(rounds: int) -> int:
        """Python's memory at the end of the samples, where what is held of the newest is always as much."""
        for sample in rounds * samples:
            n = next(pushed)
            later = replace(sample, stamp_ns=n * CHUNK_NS)
            perceiver.push(later if isinstance(later, Frame) else replace(later, index=n * len(later.pcm)))
            if perceiver.step() is not None:
                next(percepts)
        sys._clear_type_cache()  # keeps names that ONNX Runtime looks up: the more, the more the heap is in pieces
        gc.collect()
        return tracemalloc.get_traced_memory()[0]

    tracemalloc.start()
    try:
        settled, before = traced_after(4), next(percepts)
        grown = traced_after(8) - settled
    finally:
        tracemalloc.stop()
    assert grown < 8 * (next(percepts) - before), "not even a reference for each percept"


def test_under_overload_the_newest_wins_evenly_and_no_sound_is_lost():
    perceiver = Perceiver.open(DEFAULT_BUNDLE)
    pushed_ns, used, behind = [], [], []

    def push_all() -> None:
        for sample in samples_of_the_clip(2400):
            now_ns = time.monotonic_ns()
            if isinstance(sample, Frame):
                pushed_ns.append(now_ns)
            perceiver.push(replace(sample, stamp_ns=now_ns if isinstance(sample, Frame) else now_ns - CHUNK_NS))
        perceiver.close()

    pushing = threading.Thread(target=push_all)
    pushing.start()
    for percept in perceiver.perceive():
        if percept.senses["image"].age_ms == 0:
            used.append(bisect_right(pushed_ns, percept.stamp_ns))
            behind.append(len(pushed_ns) - used[-1])
    pushing.join()
    drops = perceiver.drops()
    overtaken = drops["image"]["overtaken"]
    assert overtaken > 0, "the clip was not read faster than this machine perceives"
    assert abs(len(used) + overtaken - len(pushed_ns)) <= 1, "each frame is perceived or counted"
    frames_per_percept = len(pushed_ns) / len(used)
    assert np.median(behind) <= 2 * frames_per_percept, "a percept is of the newest frame there was when it was begun"
    early, late = np.histogram(used, bins=2, range=(0, len(pushed_ns)))[0]
    assert 1 / 3 < late / early < 3, "percepts get rarer evenly"
    assert set(drops["audio"]) <= {"overtaken"}, "hops may be skipped, no sample of sound is"
