"""The sound card behind a microphone: opened through PortAudio, its blocks stamped by its own clock."""

from __future__ import annotations

import logging
import queue
import time
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from edgefuse.runtime.errors import StreamError
from edgefuse.runtime.samples import NS_PER_S, AudioChunk
from edgefuse.runtime.streams.audio_clock import AudioClock
from edgefuse.runtime.streams.level import LevelWatch
from edgefuse.runtime.streams.mixdown import Mixdown, channel_refusal
from edgefuse.runtime.streams.portaudio import MicrophoneOffer, close_microphone, find_microphone, open_microphone
from edgefuse.runtime.streams.resampler import Resampler

log = logging.getLogger(__name__)

BACKLOG_S = 30.0
_READ_WAIT_S = 0.1
_OLDEST_ADC_S = 2.0
_STUDIO_HZ = 48_000
_USUAL_CHANNELS = 2  # of more, some are often not of the room: an echo, what was processed


@dataclass(frozen=True, slots=True)
class _Block:
    """What one callback gets: (frames, channels) float32, a copy; the card's counter; the first sample's time.

    `heard_ns` is when it came.
    """

    counter: int
    pcm: np.ndarray
    stamp_ns: int
    heard_ns: int


class SoundCard:
    """The Device behind a Microphone. All but the callback runs in the watchdog's thread."""

    def __init__(
        self,
        wanted: int | str | None,
        rate_hz: int,
        channels: int | None,
        block_s: float,
        source_hz: int | None,
        sense: str,
        channel: int | None,
    ) -> None:
        self.name = "the default microphone" if wanted is None else f"microphone {wanted!r}"
        self.clock: AudioClock | None = None
        self.source_hz = source_hz
        self.level = LevelWatch(self.name)
        self.mixdown = Mixdown(self.name, channel)
        self._wanted = wanted
        self._rate_hz = rate_hz
        self._channels = channels
        self._channel = channel
        self._sense = sense
        self._block_s = block_s
        self._resampler: Resampler | None = None
        self._stream: Any = None
        self._blocks: queue.Queue[_Block | None] = queue.Queue(round(BACKLOG_S / block_s))
        self._counter = 0
        self._adc_is_real = False
        self._last_stamp_ns = 0

    def open(self) -> None:
        """See Device. Opened again it keeps the rate it had, so that the count of its samples goes on."""
        offer = find_microphone(self._wanted, renew=True)
        rates_hz = [_STUDIO_HZ, offer.rate_hz, self._rate_hz] if self.source_hz is None else [self.source_hz]
        self._blocks = queue.Queue(self._blocks.maxsize)
        self._counter = 0
        self._adc_is_real = _adc_is_real(offer)
        self._stream = self._opened(offer, rates_hz)
        self.source_hz = round(self._stream.samplerate)
        self._say_opened(offer, self._stream.channels)
        if self.clock is None or self._resampler is None:
            self.clock = AudioClock(self.source_hz)
            self._resampler = Resampler(self.source_hz, self._rate_hz)

    def read(self) -> AudioChunk | None:
        """See Device."""
        try:
            block = self._blocks.get(timeout=_READ_WAIT_S)
        except queue.Empty:
            return None
        if block is None:
            raise StreamError(f"{self.name} has stopped: its device or sound server is gone")
        return self._chunk(block)

    def close(self) -> None:
        """See Device."""
        if self._stream is not None:
            close_microphone(self._stream)
            self._stream = None

    def _opened(self, offer: MicrophoneOffer, rates_hz: list[int]) -> Any:
        """With its own channels or, where it does not open so, as few as are needed.

        Raises StreamError where the channel that is wanted is not among them.
        """
        least = 1 if self._channel is None else self._channel + 1
        channels = self._channels or offer.own_channels(least)
        refusal = channel_refusal(min(channels, offer.channels), self._channel)
        if refusal is not None:
            raise StreamError(f"microphone {offer} {refusal}")
        ended = partial(_end, self._blocks)
        try:
            return open_microphone(offer, rates_hz, self._block_s, channels, self._hear, ended)
        except StreamError:
            if self._channels or channels <= least:
                raise
            return open_microphone(offer, rates_hz, self._block_s, least, self._hear, ended)

    def _say_opened(self, offer: MicrophoneOffer, channels: int) -> None:
        heard = f"channel {self._channel}" if self._channel is not None else "the mean"
        guessed = channels > _USUAL_CHANNELS and self._channel is None and not self._channels and self.clock is None
        how = "; `channel` chooses one, counted from 0" if guessed else ""
        line = "microphone %s is open at %d Hz: %s of %d channels is heard%s"
        log.log(logging.WARNING if guessed else logging.INFO, line, offer, self.source_hz, heard, channels, how)

    def _hear(self, pcm: np.ndarray, frames: int, time_info: Any, status: object) -> None:
        """PortAudio's callback, in its thread: copy, stamp, hand over."""
        heard_ns = time.monotonic_ns()
        stamp_ns = heard_ns - _age_ns(time_info, round(self._block_s * NS_PER_S), self._adc_is_real)
        counter, self._counter = self._counter, self._counter + frames
        with suppress(queue.Full):  # the next block's counter shows what is missing
            self._blocks.put_nowait(_Block(counter, pcm.copy(), stamp_ns, heard_ns))

    def _chunk(self, block: _Block) -> AudioChunk | None:
        assert self.clock is not None, "a block before open()"
        assert self._resampler is not None, "a block before open()"
        if block.counter == 0:
            self.clock.begin(block.stamp_ns)
        source_index = self.clock.index(block.counter, len(block.pcm), block.stamp_ns)
        index, pcm = self._resampler.resample(source_index, self._mono(block.pcm, self._resampler.source_hz))
        if not len(pcm):
            return None
        estimated_ns = self.clock.time_ns(index * self._resampler.source_hz / self._rate_hz)
        latest_ns = block.heard_ns - round(len(pcm) * NS_PER_S / self._rate_hz)  # of a burst, which comes all at once
        self._last_stamp_ns = max(min(estimated_ns, latest_ns), self._last_stamp_ns + 1)
        return AudioChunk(self._last_stamp_ns, pcm, self._rate_hz, index, self._sense)

    def _mono(self, pcm: np.ndarray, rate_hz: int) -> np.ndarray:
        mono = self.mixdown.mono(pcm, rate_hz)
        self.level.hear(pcm if self._channel is None else mono, rate_hz)
        return mono


def _age_ns(time_info: Any, block_ns: int, adc_is_real: bool) -> int:
    """How long ago a block's first sample was sensed, when the callback gets it [ns].

    PortAudio says it on the stream's own clock; a block cannot be younger than it is long. Where the time is not the
    converter's own, or nonsense, it counts as sensed just before it came.
    """
    age_s = time_info.currentTime - time_info.inputBufferAdcTime
    sane = adc_is_real and time_info.inputBufferAdcTime > 0 and 0 < age_s < _OLDEST_ADC_S
    return max(block_ns, round(age_s * NS_PER_S)) if sane else block_ns


def _adc_is_real(offer: MicrophoneOffer) -> bool:
    """Whether PortAudio's time comes from the converter: from hardware only.

    Through ALSA's plugins it is the sound server's guess: with PulseAudio 16 it ran away by 4000 ppm for seconds, and
    was 270 ms off after a gap, while the blocks came within 0.3 ms of their time (PortAudio#149, #586 tell of others).
    """
    return offer.hardware


def _end(blocks: queue.Queue[_Block | None]) -> None:
    """PortAudio's finished callback: after `None` nothing more comes."""
    with suppress(queue.Full):  # then the watchdog finds the silence
        blocks.put_nowait(None)
