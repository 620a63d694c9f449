"""Text to speech by espeak-ng's library, with the place of every word in the sound.

What espeak-ng says depends on all that the process has said before (flutter, breath noise). So each list of sentences
is spoken by a fresh process, `python -m edgefuse.tabletop.espeak LIBRARY`: the same list gives the same samples.
"""

import ctypes
import io
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import soxr

from edgefuse.tabletop.errors import SynthesisError

SAMPLE_RATE_HZ = 16_000
LIBRARY = "libespeak-ng.so.1"
SYNCHRONOUS, UTF8, WORD_EVENT, LIST_END = 2, 1, 1, 0
RATE, PITCH, RANGE = 1, 3, 4


@dataclass(frozen=True, slots=True)
class Sentence:
    """voice: such as "en-gb-scotland+f2"; pitch 0..99; stretch: > 1 plays slower and lower, like a larger speaker."""

    text: str
    voice: str
    words_per_minute: int
    pitch: int
    stretch: float = 1.0


@dataclass(frozen=True, slots=True)
class Spoken:
    """pcm: int16 (samples,) at 16 kHz; words: (text position in characters, first sample) of each word."""

    pcm: np.ndarray
    words: tuple[tuple[int, int], ...]


def speak(sentences: Sequence[Sentence]) -> list[Spoken]:
    """Speaks all of them. Raises `SynthesisError`, one line, where espeak-ng is missing or lacks a voice."""
    request = json.dumps([(one.text, one.voice, one.words_per_minute, one.pitch) for one in sentences])
    child = subprocess.run(
        [sys.executable, "-m", "edgefuse.tabletop.espeak", LIBRARY],
        input=request.encode(),
        capture_output=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
    )
    if child.returncode != 0:
        raise SynthesisError(child.stderr.decode().strip().splitlines()[-1])
    with np.load(io.BytesIO(child.stdout), allow_pickle=False) as arrays:
        pieces = np.split(arrays["pcm"], np.cumsum(arrays["lengths"])[:-1])
        words = np.split(arrays["words"], np.cumsum(arrays["word_counts"])[:-1])
        rate = int(arrays["rate"])
    return [resample(*one, rate) for one in zip(pieces, words, sentences, strict=True)]


def resample(pcm: np.ndarray, words: np.ndarray, sentence: Sentence, rate: int) -> Spoken:
    """espeak-ng's own sound at 16 kHz, and its word times [ms] in samples."""
    target = SAMPLE_RATE_HZ * sentence.stretch
    sound = soxr.resample(pcm.astype(np.float32), rate, target)
    places = tuple((int(position), int(ms * target / 1000)) for position, ms in words)
    return Spoken(np.clip(sound, -32768, 32767).astype(np.int16), places)


class Event(ctypes.Structure):
    """`espeak_EVENT` of speak_lib.h."""

    _fields_ = (
        ("type", ctypes.c_int),
        ("unique_identifier", ctypes.c_uint),
        ("text_position", ctypes.c_int),
        ("length", ctypes.c_int),
        ("audio_position_ms", ctypes.c_int),
        ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p),
        ("id", ctypes.c_char * 8),
    )


CALLBACK = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(Event))


class Speaker:
    """The library, loaded into this process. One sentence at a time."""

    def __init__(self, library: str) -> None:
        try:
            self.espeak = ctypes.CDLL(library)
        except OSError as error:
            message = "espeak-ng is not installed; it speaks the task's phrases: apt-get install espeak-ng"
            raise SynthesisError(message) from error
        self.rate = self.espeak.espeak_Initialize(SYNCHRONOUS, 0, None, 0)
        if self.rate <= 0:
            raise SynthesisError("espeak-ng finds no voice data: apt-get install --reinstall espeak-ng-data")
        self.blocks: list[np.ndarray] = []
        self.words: list[tuple[int, int]] = []
        self.callback = CALLBACK(self.receive)
        self.espeak.espeak_SetSynthCallback(self.callback)

    def receive(self, samples: "ctypes.Array[Any]", count: int, events: "ctypes.Array[Any]") -> int:
        """The library's callback: a block of sound, and what begins in it."""
        if samples and count > 0:
            self.blocks.append(np.ctypeslib.as_array(samples, shape=(count,)).copy())
        index = 0
        while events[index].type != LIST_END:
            if events[index].type == WORD_EVENT:
                self.words.append((events[index].text_position - 1, events[index].audio_position_ms))
            index += 1
        return 0

    def say(self, text: str, voice: str, words_per_minute: int, pitch: int) -> tuple[np.ndarray, list[tuple[int, int]]]:
        """int16 (samples,) at `rate`, and (text position, time [ms]) of each word."""
        self.blocks, self.words = [], []
        if self.espeak.espeak_SetVoiceByName(voice.encode()) != 0:
            raise SynthesisError(f"espeak-ng has no voice {voice!r}; expected version 1.51 with its English variants")
        for parameter, value in ((RATE, words_per_minute), (PITCH, pitch), (RANGE, 50)):
            self.espeak.espeak_SetParameter(parameter, value, 0)
        encoded = text.encode()
        self.espeak.espeak_Synth(encoded, len(encoded) + 1, 0, 1, 0, UTF8, None, None)
        self.espeak.espeak_Synchronize()
        if not self.blocks:
            raise SynthesisError(f"espeak-ng gave no sound for {text!r}")
        return np.concatenate(self.blocks), self.words


def serve(library: str) -> None:
    """The child: sentences as JSON on stdin, their sound as npz on stdout."""
    speaker = Speaker(library)
    said = [speaker.say(*sentence) for sentence in json.load(sys.stdin)]
    out = io.BytesIO()
    np.savez(
        out,
        rate=np.array(speaker.rate),
        pcm=np.concatenate([pcm for pcm, _ in said]),
        lengths=np.array([len(pcm) for pcm, _ in said]),
        words=np.array([word for _, words in said for word in words]).reshape(-1, 2),
        word_counts=np.array([len(words) for _, words in said]),
    )
    sys.stdout.buffer.write(out.getvalue())


if __name__ == "__main__":
    try:
        serve(sys.argv[1])
    except SynthesisError as error:
        sys.exit(str(error))
