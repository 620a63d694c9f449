"""A soundtrack: blocks of sound as they were recorded, of any rate and number of channels, made into audio chunks."""

from __future__ import annotations

from typing import Any

import numpy as np

from edgefuse.runtime.errors import SampleError
from edgefuse.runtime.messages.ros_sounds import Sound, SoundReader
from edgefuse.runtime.samples import NS_PER_S, AudioChunk
from edgefuse.runtime.senses.continuity import Continuity, SetBack, StampOrder
from edgefuse.runtime.streams.mixdown import Mixdown
from edgefuse.runtime.streams.resampler import Resampler


class Soundtrack:
    """Mono at `rate_hz`, one chunk per block.

    A gap in the blocks stays one, see Continuity. A chunk is stamped by its own block, so that a sound card that drifts
    does not lead the stamps astray. Where time is set back, or the rate changes, the soundtrack begins anew. Without a
    `mixdown` it is the mean of the channels.
    """

    def __init__(self, rate_hz: int, sense: str, mixdown: Mixdown | None = None) -> None:
        self._rate_hz = rate_hz
        self._sense = sense
        self._mixdown = mixdown or Mixdown(sense)
        self._order = StampOrder()
        self._resampler: Resampler | None = None
        self._series = Continuity(rate_hz)
        self._until_ns = 0

    def chunk(self, sound: Sound, stamp_ns: int) -> AudioChunk | None:
        """The chunk of a block whose first sample was sensed at `stamp_ns`; None while the resampler holds it back.

        Raises SampleError for sound that was there before, and where the channel that is wanted is missing.
        """
        self._check(stamp_ns)
        mono = self._mixdown.mono(sound.pcm, sound.rate_hz)
        if self._resampler is None or self._resampler.source_hz != sound.rate_hz:
            self._resampler = Resampler(sound.rate_hz, self._rate_hz)
            self._series = Continuity(sound.rate_hz)
        index = self._series.place(sound.index, len(mono), stamp_ns - self._until_ns)
        self._order.accept(stamp_ns)
        self._until_ns = stamp_ns + len(mono) * NS_PER_S // sound.rate_hz
        return self._cut(*self._resampler.resample(index, mono), index, stamp_ns)

    def rest(self) -> AudioChunk | None:
        """No more blocks come: what the resampler held back."""
        self._mixdown.conclude()
        if self._resampler is None:
            return None
        return self._cut(*self._resampler.rest(), self._series.next, self._until_ns)

    def _cut(self, first: int, pcm: np.ndarray, index: int, stamp_ns: int) -> AudioChunk | None:
        """The chunk that begins with our sample `first`, where the source's sample `index` was sensed at `stamp_ns`."""
        assert self._resampler is not None, "resampled without it"
        ahead_ns = first * NS_PER_S // self._rate_hz - index * NS_PER_S // self._resampler.source_hz
        return AudioChunk(stamp_ns + ahead_ns, pcm, self._rate_hz, first, self._sense) if len(pcm) else None

    def _check(self, stamp_ns: int) -> None:
        try:
            self._order.check(stamp_ns)
        except SetBack:
            self._resampler = None


def chunk_of_message(
    soundtrack: Soundtrack, reader: SoundReader, message: Any, first_ns: int | None, last_ns: int
) -> AudioChunk | None:
    """The chunk of the next message of a topic; None while it is held back.

    `first_ns` is when its first sample was sensed; where nothing says so, the last one was at `last_ns`. Raises
    SampleError for a message that is empty, not as it says, or was there before.
    """
    stamp_ns = last_ns if first_ns is None else first_ns
    sound = reader.sound(message, stamp_ns)
    chunk = None
    if len(sound.pcm):
        lasted_ns = len(sound.pcm) * NS_PER_S // sound.rate_hz
        chunk = soundtrack.chunk(sound, last_ns - lasted_ns if first_ns is None else first_ns)
    elif not (sound.left and reader.in_pieces):
        raise SampleError("holds no sound")
    reader.accept(sound, stamp_ns)
    return chunk
