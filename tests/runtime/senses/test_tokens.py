"""Which tokens speak of a moment."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from edgefuse.runtime import DEFAULT_BUNDLE, Bundle
from edgefuse.runtime.senses.drops import Drops
from edgefuse.runtime.senses.evidence import Evidence, Tokens
from edgefuse.runtime.senses.tokens import TokenStore

MS = 1_000_000
MODALITIES = Bundle.open(DEFAULT_BUNDLE).manifest.modalities
AUDIO_MAX_AGE_MS = MODALITIES[1].max_age_ms


def store_of(audio_offset_ns: int = 0, drops: Drops | None = None) -> TokenStore:
    names = [modality.name for modality in MODALITIES]
    max_age_ns = {modality.name: round(modality.max_age_ms * MS) for modality in MODALITIES}
    offsets_ns = dict.fromkeys(names, 0) | {"audio": audio_offset_ns}
    return TokenStore(max_age_ns, offsets_ns, drops or Drops(names))


def tokens(modality: str, stamp_ms: float) -> Tokens:
    evidence = Evidence(modality, round(stamp_ms * MS), 0, np.empty(0))
    return Tokens(evidence, {}, 0, 0)


def test_old_tokens_do_not_fit_and_their_age_is_said():
    store = store_of()
    store.put(tokens("audio", 0))
    aligned = store.align(round((AUDIO_MAX_AGE_MS + 1) * MS))
    assert not aligned["audio"].fit
    assert aligned["audio"].age_ns == (AUDIO_MAX_AGE_MS + 1) * MS
    assert store.align(round(AUDIO_MAX_AGE_MS * MS))["audio"].fit


@given(st.lists(st.integers(0, 2000), min_size=1, max_size=8), st.integers(0, 2000), st.integers(-300, 300))
def test_each_sense_gives_what_it_sensed_nearest_before_the_moment_and_its_offset(stamps, moment, offset):
    store = store_of(audio_offset_ns=offset * MS)
    for stamp in sorted(stamps):
        store.put(tokens("audio", stamp))
    before = [stamp for stamp in stamps if stamp <= moment + offset]
    aligned = store.align(moment * MS)
    if not before:
        assert "audio" not in aligned
    else:
        assert aligned["audio"].tokens.stamp_ns == max(before) * MS
        assert aligned["audio"].age_ns == (moment + offset - max(before)) * MS


def test_memory_is_bounded():
    store = store_of()
    for stamp in range(1000):
        store.put(tokens("audio", stamp))
    assert "audio" not in store.align(500 * MS), "only the last few are kept"
    assert store.newest("audio").stamp_ns == 999 * MS


def test_news_is_used_up_by_aligning():
    store = store_of()
    store.put(tokens("image", 1))
    assert set(store.news()) == {"image"}
    store.align(MS)
    assert store.news() == {}


def test_tokens_that_come_too_late_for_the_others_are_counted():
    drops = Drops(modality.name for modality in MODALITIES)
    store = store_of(drops=drops)
    store.put(tokens("audio", 0))
    store.put(tokens("image", 5000))
    store.put(tokens("audio", 200))
    assert drops.as_dict() == {"image": {}, "audio": {"stale": 1}, "text": {}}


def test_while_a_sense_that_is_needed_is_missing_the_news_is_kept():
    store = store_of()
    store.put(tokens("image", 5))
    assert store.align(5 * MS, needed=["image", "audio"]) is None
    assert set(store.news()) == {"image"}
    store.put(tokens("audio", 4))
    assert set(store.align(5 * MS, needed=["image", "audio"])) == {"image", "audio"}
    assert store.news() == {}
