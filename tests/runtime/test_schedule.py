"""When a percept is due."""

import numpy as np

from edgefuse.runtime import DEFAULT_BUNDLE, Bundle
from edgefuse.runtime.schedule import AtRate, OnAny, OnLead
from edgefuse.runtime.senses.drops import Drops
from edgefuse.runtime.senses.evidence import Evidence, Tokens
from edgefuse.runtime.senses.tokens import TokenStore

MS = 1_000_000
MODALITIES = Bundle.open(DEFAULT_BUNDLE).manifest.modalities
MAX_AGE_NS = {modality.name: round(modality.max_age_ms * MS) for modality in MODALITIES}
IMAGE_MAX_AGE_MS = MODALITIES[0].max_age_ms


def tokens(modality: str, stamp_ms: float) -> Tokens:
    evidence = Evidence(modality, round(stamp_ms * MS), 0, np.empty(0))
    return Tokens(evidence, {}, 0, 0)


class Feed:
    """A schedule with its token store, which says when it fused."""

    def __init__(self, schedule):
        self.schedule, self.store = schedule, TokenStore(MAX_AGE_NS, dict.fromkeys(MAX_AGE_NS, 0), Drops(MAX_AGE_NS))

    def put(self, modality: str, stamp_ms: float) -> float | None:
        self.store.put(tokens(modality, stamp_ms))
        trigger = self.schedule.trigger(self.store)
        if trigger is None:
            return None
        self.store.align(trigger.stamp_ns)
        return trigger.stamp_ns / MS


def test_every_frame_is_fused_and_sound_in_between_is_not():
    feed = Feed(OnLead(MODALITIES[0]))
    assert feed.put("image", 0) == 0
    assert feed.put("audio", 20) is None
    assert feed.put("image", 33) == 33


def test_while_there_are_no_frames_the_other_senses_lead():
    feed = Feed(OnLead(MODALITIES[0]))
    assert feed.put("audio", 200) == 200
    assert feed.put("image", 300) == 300
    assert feed.put("audio", 400) is None
    late = 300 + IMAGE_MAX_AGE_MS + 100
    assert feed.put("audio", late) == late
    assert feed.put("image", late + 10) == late + 10
    assert feed.put("audio", late + 20) is None


def test_a_fixed_rate_is_held_and_does_not_drift():
    feed = Feed(AtRate(10))
    fused = [stamp for stamp in (feed.put("image", 1000 + 33.3 * n) for n in range(300)) if stamp is not None]
    assert len(fused) == 100
    assert all(abs(stamp - (1000 + 100 * n)) <= 33.4 for n, stamp in enumerate(fused))


def test_a_fixed_rate_after_a_pause_does_not_catch_up():
    feed = Feed(AtRate(10))
    assert feed.put("image", 0) == 0
    assert feed.put("image", 5000) == 5000
    assert feed.put("image", 5033) is None


def test_on_any_fuses_whatever_is_new():
    feed = Feed(OnAny())
    assert [feed.put("image", 0), feed.put("audio", 20), feed.put("image", 33)] == [0, 20, 33]
