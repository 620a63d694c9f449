"""A soundtrack: blocks of sound as they were recorded, of any rate and number of channels, made into audio chunks."""

from __future__ import annotations

from edgefuse.runtime.errors import SampleError
from edgefuse.runtime.messages.ros_sounds import Sound
from edgefuse.runtime.samples import NS_PER_S, AudioChunk
from edgefuse.runtime.streams.resampler import Resampler

_JITTER_NS = NS_PER_S // 4  # blocks that nobody counted come early or late by less than this


class Soundtrack:
    """Mono at `rate_hz`, one chunk per block.

    A gap in the blocks' index stays one, and so does one in the stamps of blocks without an index, or where the count
    begins anew (the recorded driver was restarted). A chunk is stamped by its own block, so that a sound card that
    drifts does not lead the stamps astray.
    """

    def __init__(self, rate_hz: int, modality: str) -> None:
        self._rate_hz = rate_hz
        self._modality = modality
        self._resampler: Resampler | None = None
        self._next_index = 0
        self._until_ns: int | None = None
        self._restarted_at = 0

    def chunk(self, sound: Sound, stamp_ns: int) -> AudioChunk | None:
        """The chunk of a block whose first sample was sensed at `stamp_ns`; None while the resampler holds it back.

        Raises SampleError for sound that was there before.
        """
        index = self._index(sound, stamp_ns)
        if self._resampler is None or self._resampler.source_hz != sound.rate_hz:
            self._resampler = Resampler(sound.rate_hz, self._rate_hz)
        mono = sound.pcm[:, 0] if sound.pcm.shape[1] == 1 else sound.pcm.mean(axis=1)
        first, pcm = self._resampler.resample(index, mono)
        self._next_index = index + len(mono)
        self._until_ns = stamp_ns + len(mono) * NS_PER_S // sound.rate_hz
        ahead_ns = first * NS_PER_S // self._rate_hz - index * NS_PER_S // sound.rate_hz
        return AudioChunk(stamp_ns + ahead_ns, pcm, self._rate_hz, first, self._modality) if len(pcm) else None

    def _index(self, sound: Sound, stamp_ns: int) -> int:
        late_ns = 0 if self._until_ns is None else stamp_ns - self._until_ns
        by_stamp = self._next_index + (late_ns * sound.rate_hz // NS_PER_S if late_ns > _JITTER_NS else 0)
        if sound.index is None:
            return by_stamp
        if sound.index + self._restarted_at < self._next_index:
            if late_ns < -len(sound.pcm) * NS_PER_S // sound.rate_hz // 2:
                raise SampleError(f"begins {-late_ns / 1e6:.0f} ms before the end of the last one", "out_of_order")
            self._restarted_at = by_stamp - sound.index
        return sound.index + self._restarted_at
