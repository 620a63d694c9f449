"""Spoken phrases that name an object, and the noise around them. Voices and sentences differ between the splits."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from edgefuse.tabletop.espeak import SAMPLE_RATE_HZ, Sentence, Spoken, speak

VOICES = {
    "train": (
        "en-us+m1", "en-us+m3", "en-us+f2", "en-us+f4", "en-us+andy", "en+m2", "en+f1", "en+m7", "en+edward",
        "en-gb-scotland+m5", "en-gb-scotland+f2", "en-gb-scotland+steph", "en-gb-x-rp+m1", "en-gb-x-rp+f4",
        "en-gb-x-rp+Annie", "en-gb-x-gbclan+m3", "en-gb-x-gbclan+linda", "en-gb-x-gbcwmd+m7", "en-gb-x-gbcwmd+f1",
        "en-029+m2", "en-029+max", "en-us-nyc+m5", "en-us-nyc+f2", "en-us+paul", "en+Alex", "en-us+grandma",
    ),
    "validation": ("en-us+m8", "en+Andrea", "en-gb-x-rp+david", "en-gb-scotland+john"),
    "test": ("en-us+m4", "en-us+f3", "en+m6", "en+f5", "en-gb-scotland+m4", "en-gb-x-rp+f3", "en-gb-x-rp+belinda",
             "en-029+m6", "en-us-nyc+Michael", "en+anika"),
}  # fmt: skip
"""espeak-ng accent + variant. No variant (the speaker's build) is in two splits."""

PHRASES = (
    "{}", "{}", "the {}", "a {}", "the {}, please", "this is a {}", "look, a {}", "take the {}", "here is the {}",
    "{} please", "now the {}", "it's a {}", "there is a {}", "the {} now",
)  # fmt: skip

CHATTER = {
    "train": (
        "we were talking about the weather yesterday evening", "could you open the window a little bit",
        "the meeting starts at ten and ends before lunch", "I have not seen her since the summer",
        "somebody left a bicycle in front of the house", "he always takes the early train to work",
        "they said it would rain again tomorrow", "my sister lives in a village near the sea",
        "please remember to water the plants", "that was a very long and boring film",
    ),
    "validation": (
        "the kettle is boiling in the kitchen", "who has taken my newspaper this morning",
        "it takes an hour to get there on foot", "we should paint this room before winter",
    ),
    "test": (
        "the children are playing outside in the garden", "I would like another cup of coffee",
        "nobody told me about the party on Sunday", "his father used to repair old radios",
        "turn left at the church and then go straight on", "what did you have for dinner last night",
    ),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Utterance:
    """pcm: int16 (samples,), 16 kHz; [start, end): the samples of colour and shape; voice as espeak-ng names it."""

    pcm: np.ndarray
    start: int
    end: int
    voice: str


def utter(split: str, names: Sequence[str], rng: np.random.Generator) -> list[Utterance]:
    """Says a phrase with each name ("red ball") in a random voice of the split, at random rate, pitch and colour."""
    phrases = [PHRASES[rng.integers(len(PHRASES))] for _ in names]
    slopes = rng.uniform(-0.4, 0.7, len(names))
    sentences = [
        Sentence(
            text=phrase.format(name),
            voice=VOICES[split][rng.integers(len(VOICES[split]))],
            words_per_minute=int(rng.integers(140, 205)),
            pitch=int(rng.integers(25, 75)),
            stretch=float(rng.uniform(0.92, 1.08)),
        )
        for phrase, name in zip(phrases, names, strict=True)
    ]
    everything = zip(speak(sentences) if sentences else [], sentences, phrases, names, slopes, strict=True)
    return [utterance_of(*one) for one in everything]


def utterance_of(spoken: Spoken, sentence: Sentence, phrase: str, name: str, slope: float) -> Utterance:
    """Trims the silence around the phrase and finds the words of `name` in it."""
    first, last = edges(spoken.pcm)
    place = phrase.index("{}")
    begins = [sample for position, sample in spoken.words if position >= place]
    after = [sample for position, sample in spoken.words if position > place + len(name)]
    start = max(first, begins[0] if begins else first)
    end = min(last, after[0] if after else last)
    return Utterance(microphone(spoken.pcm[first:last], slope), start - first, end - first, sentence.voice)


def microphone(pcm: np.ndarray, slope: float) -> np.ndarray:
    """int16 (samples,) as a microphone of another colour takes it: y(t) = x(t) - slope x(t - 1), as loud as before."""
    colored = pcm.astype(np.float32)
    colored[1:] -= np.float32(slope) * pcm[:-1]
    return np.asarray((colored * (np.abs(pcm).max() / (np.abs(colored).max() + 1e-6))).astype(np.int16))


def edges(pcm: np.ndarray, floor: int = 150) -> tuple[int, int]:
    """The samples between which there is sound."""
    loud = np.flatnonzero(np.abs(pcm.astype(np.int32)) > floor)
    return (int(loud[0]), int(loud[-1]) + 1) if len(loud) else (0, len(pcm))


def babble(split: str, seconds: float, rng: np.random.Generator) -> np.ndarray:
    """float32 (samples,), deviation 1: three voices of the split talk of other things at once."""
    length = int(seconds * SAMPLE_RATE_HZ)
    total = np.zeros(length, np.float32)
    for _ in range(3):
        talk = monologue(split, length, rng)
        total += talk / (talk.std() + 1e-6)
    return np.asarray(total / total.std())


def monologue(split: str, samples: int, rng: np.random.Generator) -> np.ndarray:
    """One voice, sentence after sentence: float32 (samples,)."""
    voice = VOICES[split][rng.integers(len(VOICES[split]))]
    order = rng.integers(len(CHATTER[split]), size=samples // SAMPLE_RATE_HZ + 2)
    rates, pitches = rng.integers(140, 200, len(order)), rng.integers(25, 75, len(order))
    sentences = [
        Sentence(CHATTER[split][index], voice, int(rate), int(pitch))
        for index, rate, pitch in zip(order, rates, pitches, strict=True)
    ]
    return np.concatenate([spoken.pcm for spoken in speak(sentences)])[:samples].astype(np.float32)


def hum(samples: int, rng: np.random.Generator) -> np.ndarray:
    """float32 (samples,), deviation 1: a motor or a mains hum with harmonics and some hiss."""
    time = np.arange(samples, dtype=np.float32) / SAMPLE_RATE_HZ
    base = rng.uniform(45, 240)
    total = rng.uniform(0.05, 0.3) * rng.standard_normal(samples, dtype=np.float32)
    for harmonic in range(1, 12):
        phase = rng.uniform(0, 2 * np.pi)
        wave = np.sin(2 * np.pi * base * harmonic * time + phase, dtype=np.float32)
        total += rng.uniform(0.2, 1) / harmonic**0.7 * wave
    return np.asarray(total / total.std())


def hiss(samples: int, rng: np.random.Generator) -> np.ndarray:
    """float32 (samples,), deviation 1: noise with a random slope between white and brownish."""
    spectrum = np.fft.rfft(rng.standard_normal(samples, dtype=np.float32))
    frequency = np.arange(len(spectrum), dtype=np.float32) + 8
    noise = np.fft.irfft(spectrum * frequency ** -rng.uniform(0, 1.0), samples).astype(np.float32)
    return np.asarray(noise / noise.std())


def mix(
    utterance: Utterance | None, place: int, backdrop: np.ndarray, snr_db: float, speech_level: float
) -> np.ndarray:
    """float32 (samples,) in -1..1: the phrase beginning at sample `place` (may be negative: cut) over the backdrop.

    backdrop: deviation 1, as long as the window. snr_db: mean power of the key words over mean power of the backdrop.
    speech_level: root mean square of the key words, full scale 1.
    """
    window = backdrop * np.float32(speech_level * 10 ** (-snr_db / 20))
    if utterance is not None:
        speech = utterance.pcm.astype(np.float32)
        level = np.sqrt(np.mean(speech[utterance.start : utterance.end] ** 2)) + 1e-6
        first, last = max(0, place), min(len(window), place + len(speech))
        if last > first:
            window[first:last] += speech[first - place : last - place] * np.float32(speech_level / level)
    return np.asarray(np.clip(window, -1, 1))
