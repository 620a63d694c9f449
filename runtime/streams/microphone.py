"""The microphone: sound at the model's rate, stamped by the clock of its own sound card."""

from __future__ import annotations

from edgefuse.runtime.arguments import check_kind, number_in, whole_in
from edgefuse.runtime.samples import AudioChunk
from edgefuse.runtime.streams.device_stream import DeviceStream
from edgefuse.runtime.streams.mixdown import check_channel
from edgefuse.runtime.streams.sound_card import BACKLOG_S, SoundCard
from edgefuse.runtime.streams.watchdog import Patience

_RATES_HZ = (1000, 768_000)
_MOST_CHANNELS = 256
_MOST_DEVICES = 10_000


class Microphone(DeviceStream[AudioChunk]):
    """Yields an AudioChunk per block, mono at `rate_hz`; comes back by itself when the device does.

    `device` is an index, a name or a part of one; by default, or "default", the system's default input. `modality` is
    the sense that it is of. The sound is the mean of the device's channels, or `channel`, counted from 0; `channels`
    says how many to record, if not all that the device has (two of a sound server). The device runs at
    `device_rate_hz`, or else at 48 kHz or the rate it prefers, since a sound server's own conversion is often crude.
    Chunks wait for up to 30 s; what is lost after that, or in the device, is a gap in `index`.
    """

    def __init__(
        self,
        device: int | str | None = None,
        rate_hz: int = 16_000,
        channels: int | None = None,
        block_ms: float = 20.0,
        device_rate_hz: int | None = None,
        patience: Patience | None = None,
        modality: str = "audio",
        channel: int | None = None,
    ) -> None:
        check_kind("device", device, int, str, None)
        if isinstance(device, int):
            whole_in("device", device, 0, _MOST_DEVICES)
        check_kind("patience", patience, Patience, None)
        check_kind("modality", modality, str)
        whole_in("rate_hz", rate_hz, *_RATES_HZ)
        if channels is not None:
            whole_in("channels", channels, 1, _MOST_CHANNELS)
        check_channel(channel)
        number_in("block_ms", block_ms, 1.0, 1000.0, "ms")
        if device_rate_hz is not None:
            whole_in("device_rate_hz", device_rate_hz, *_RATES_HZ)
        wanted = None if device == "default" else device
        self._sound_card = SoundCard(wanted, rate_hz, channels, block_ms / 1e3, device_rate_hz, modality, channel)
        super().__init__(self._sound_card, round(BACKLOG_S * 1e3 / block_ms), patience)

    @property
    def device_rate_hz(self) -> int | None:
        """At which rate the device runs; None before it was first opened."""
        return self._sound_card.source_hz

    @property
    def drift_ppm(self) -> float:
        """By how much its clock is faster than the computer's, in millionths."""
        clock = self._sound_card.clock
        return 0.0 if clock is None else clock.drift_ppm

    @property
    def jitter_ms(self) -> float:
        """How irregularly its blocks arrive (standard deviation); the stamps are freed of it."""
        clock = self._sound_card.clock
        return 0.0 if clock is None else clock.jitter_ms

    @property
    def lost_ms(self) -> float:
        """How much sound is missing since the first sample: unplugged, overflowed or never sent."""
        clock, source_hz = self._sound_card.clock, self._sound_card.source_hz
        return 0.0 if clock is None or source_hz is None else clock.lost * 1e3 / source_hz

    @property
    def complaint(self) -> str | None:
        """`silent` or `clipped` while its input has been so for 2 s."""
        return self._sound_card.level.complaint

    @property
    def lost_in_the_mean(self) -> str | None:
        """In words, once the mean of the channels has been next to nothing of what they hold."""
        return self._sound_card.mixdown.complaint
