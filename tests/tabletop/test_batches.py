"""Training batches: what they may hold, and what they call it."""

import pytest
import torch

from edgefuse.fusion.prefetch import ahead
from edgefuse.fusion.settings import Dropout
from edgefuse.tabletop.batches import TabletopBatches
from edgefuse.tabletop.pools import Backdrops, scene_pool, utterance_pool
from edgefuse.tabletop.vocabulary import COLORS, HELD_OUT, HELD_OUT_LABELS, SHAPES, build_tokenizer

NOTHING = 36


@pytest.fixture(scope="module")
def pools():
    return scene_pool("train", 3, 0), utterance_pool("train", 2, 0), Backdrops("train", 0, 20.0)


def batches(pools, seed=0):
    return TabletopBatches(*pools, build_tokenizer(), 16, 6, Dropout(), seed)


def test_the_same_seed_gives_the_same_batches(pools):
    one, again, other = (batches(pools, seed) for seed in (1, 1, 2))
    for left, right in zip(ahead(one, 2), ahead(again, 2), strict=True):
        for name in left.__slots__:
            assert torch.equal(getattr(left, name), getattr(right, name)), name
    assert not torch.equal(one.draw().audio, other.draw().audio)


def test_no_held_out_pair_is_shown_named_or_typed(pools):
    scenes = pools[0]
    pairs = {(COLORS[c], SHAPES[s]) for c, s in zip(scenes.colors, scenes.shapes, strict=True) if c >= 0 and s >= 0}
    assert not pairs & set(HELD_OUT)
    assert len(pairs) == 30
    assert not set(pools[1].by_label) & set(HELD_OUT_LABELS)
    for _ in range(20):
        batch = batches(pools).draw()
        said = set(batch.labels.tolist()) | set(batch.sense_labels.flatten().tolist())
        assert not said & set(HELD_OUT_LABELS)


def test_a_batch_holds_every_situation_and_always_a_present_sense(pools):
    source = batches(pools)
    drawn = [source.draw() for _ in range(20)]
    assert all(batch.present.any(dim=1).all() for batch in drawn)
    assert {value for batch in drawn for value in batch.agree.tolist()} == {-1.0, 0.0, 1.0}
    assert any((batch.labels == NOTHING).any() for batch in drawn)
    assert any((batch.sense_labels[:, 1] == -1).any() for batch in drawn)
