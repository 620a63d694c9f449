"""The built-in data: the same from the same seed, fair between the splits, and as described."""

import numpy as np
import pytest

from edgefuse.tabletop import espeak, samples
from edgefuse.tabletop.errors import SynthesisError
from edgefuse.tabletop.speech import CHATTER, VOICES, utter
from edgefuse.tabletop.vocabulary import HELD_OUT_LABELS, LABELS


def test_shapes_types_and_ranges():
    some = samples.examples("test", 37, 5, "middle", 0.0)
    assert some.images.shape == (37, 96, 128, 3)
    assert some.images.dtype == np.uint8
    assert some.audio.shape == (37, 25_600)
    assert some.audio.dtype == np.float32
    assert np.abs(some.audio).max() <= 1
    assert some.text_ids.shape == (37, 32)
    assert some.labels.tolist() == list(range(37))
    assert some.shown[:36].all()
    assert not some.shown[36]
    assert len(some.texts) == len(some) == 37


def test_the_same_seed_gives_the_same_examples(tmp_path, monkeypatch):
    one = samples.examples("validation", 6, 9)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    again = samples.examples("validation", 6, 9)
    other = samples.examples("validation", 6, 10)
    np.testing.assert_array_equal(one.images, again.images)
    np.testing.assert_array_equal(one.audio, again.audio)
    assert one.texts == again.texts
    assert (one.images != other.images).any()


@pytest.mark.parametrize("split", ["train", "validation"])
def test_held_out_pairs_appear_in_the_test_split_only(split):
    assert not set(samples.examples(split, 62, 1).labels) & set(HELD_OUT_LABELS)


def test_no_voice_and_no_chatter_is_in_two_splits():
    variants = {split: {voice.split("+")[1] for voice in voices} for split, voices in VOICES.items()}
    assert not variants["train"] & variants["test"]
    assert not variants["train"] & variants["validation"]
    assert not variants["validation"] & variants["test"]
    assert not set(CHATTER["train"]) & set(CHATTER["test"])
    assert len(VOICES["train"]) >= 8


def test_situations():
    shown = samples.examples("test", 4, 2, "low", 20.0, "shown", [0, 1])
    named = samples.examples("test", 4, 2, "low", 20.0, "named", [0, 1])
    assert shown.shown.all()
    assert not shown.named.any()
    assert named.images.mean() < 20 < shown.images.mean()
    assert (named.sense_labels() == np.stack([[36] * 4, named.labels, named.labels], axis=1)).all()


def test_the_speech_stands_out_by_the_asked_ratio():
    loud = samples.examples("test", 36, 3, "low", 20.0, labels=range(36))
    noisy = samples.examples("test", 36, 3, "low", -5.0, labels=range(36))

    def peaks(audio):
        power = (audio.reshape(len(audio), -1, 400) ** 2).mean(axis=2)
        return np.median(10 * np.log10(power.max(axis=1) / np.quantile(power, 0.1, axis=1)))

    assert peaks(loud.audio) > peaks(noisy.audio) + 8


def test_key_words_lie_inside_the_phrase():
    rng = np.random.default_rng(0)
    for said in utter("test", LABELS[:36:5], rng):
        assert 0 <= said.start < said.end <= len(said.pcm)
        assert 0.25 < (said.end - said.start) / 16_000 < 1.3
        assert samples.whole_place(said, rng) + said.start >= 0
        assert samples.whole_place(said, rng) + said.end <= samples.WINDOW_SAMPLES


def test_without_espeak_the_message_names_the_package(monkeypatch):
    monkeypatch.setattr(espeak, "LIBRARY", "libmissing-espeak.so.1")
    with pytest.raises(SynthesisError, match="apt-get install espeak-ng") as caught:
        samples.examples("test", 1, 999)
    assert "\n" not in str(caught.value)
