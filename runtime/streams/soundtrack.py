"""A soundtrack: blocks of sound as they were recorded, of any rate and number of channels, made into audio chunks."""

from __future__ import annotations

from edgefuse.runtime.messages.ros_sounds import Sound
from edgefuse.runtime.samples import NS_PER_S, AudioChunk
from edgefuse.runtime.senses.continuity import Continuity, SetBack, StampOrder
from edgefuse.runtime.streams.resampler import Resampler


class Soundtrack:
    """Mono at `rate_hz`, one chunk per block.

    A gap in the blocks stays one, see Continuity. A chunk is stamped by its own block, so that a sound card that drifts
    does not lead the stamps astray. Where time is set back, or the rate changes, the soundtrack begins anew.
    """

    def __init__(self, rate_hz: int, sense: str) -> None:
        self._rate_hz = rate_hz
        self._sense = sense
        self._order = StampOrder()
        self._resampler: Resampler | None = None
        self._series = Continuity(rate_hz)
        self._until_ns = 0

    def chunk(self, sound: Sound, stamp_ns: int) -> AudioChunk | None:
        """The chunk of a block whose first sample was sensed at `stamp_ns`; None while the resampler holds it back.

        Raises SampleError for sound that was there before.
        """
        self._check(stamp_ns)
        if self._resampler is None or self._resampler.source_hz != sound.rate_hz:
            self._resampler = Resampler(sound.rate_hz, self._rate_hz)
            self._series = Continuity(sound.rate_hz)
        mono = sound.pcm[:, 0] if sound.pcm.shape[1] == 1 else sound.pcm.mean(axis=1)
        index = self._series.place(sound.index, len(mono), stamp_ns - self._until_ns)
        self._order.accept(stamp_ns)
        self._until_ns = stamp_ns + len(mono) * NS_PER_S // sound.rate_hz
        first, pcm = self._resampler.resample(index, mono)
        ahead_ns = first * NS_PER_S // self._rate_hz - index * NS_PER_S // sound.rate_hz
        return AudioChunk(stamp_ns + ahead_ns, pcm, self._rate_hz, first, self._sense) if len(pcm) else None

    def _check(self, stamp_ns: int) -> None:
        try:
            self._order.check(stamp_ns)
        except SetBack:
            self._resampler = None
