"""PortAudio, through sounddevice: which microphones there are, and opening one.

PortAudio is one per process: it reads the list of devices when it starts, and forgets every open stream when it is
started anew. So the list is only renewed while no stream is open, and all of it happens under one lock.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from edgefuse.runtime.errors import StreamError
from edgefuse.runtime.process.at_exit import be_first_at_exit

_MOST_REAL_CHANNELS = 16
_STEREO = 2

_lock = threading.Lock()
_open_streams: set[Any] = set()


@dataclass(frozen=True, slots=True)
class MicrophoneOffer:
    """A device that sound can be recorded from, as PortAudio describes it; `rate_hz` is the one it prefers."""

    index: int
    name: str
    host: str
    channels: int
    rate_hz: int
    default: bool

    @property
    def hardware(self) -> bool:
        """Whether it is a sound card itself; with ALSA, what is not is a plugin, or a sound server behind one."""
        return self.host != "ALSA" or "(hw:" in self.name

    def own_channels(self, least: int) -> int:
        """How many to record, of which `least` are needed: as many as it has.

        A sound server claims many, and mixes to whatever it is asked for; so it is asked for stereo, or as many pairs
        as are needed: its channels have the places of loudspeakers, in which they come in pairs.
        """
        mixes = not self.hardware and self.channels > _MOST_REAL_CHANNELS
        return min(self.channels, max(_STEREO, least + least % 2)) if mixes else self.channels

    def __str__(self) -> str:
        return f"{self.index} {self.name!r} ({self.host}, {self.channels} channels, {self.rate_hz} Hz)"


def microphones(renew: bool = False) -> list[MicrophoneOffer]:
    """The microphones there are, or were when PortAudio started; `renew` looks again unless a stream is open."""
    sounddevice = _sounddevice()
    with _lock:
        if renew and not _open_streams:
            sounddevice._terminate()
            sounddevice._initialize()
        default = sounddevice.default.device[0]
        hosts = [host["name"] for host in sounddevice.query_hostapis()]
        return [
            _offer(device, hosts, default) for device in sounddevice.query_devices() if device["max_input_channels"] > 0
        ]


def find_microphone(wanted: int | str | None, renew: bool = False) -> MicrophoneOffer:
    """The one microphone with this index, name or part of a name (any case), or the default one.

    Raises StreamError that lists those there are, if none or several fit.
    """
    offers = microphones(renew)
    if wanted is None:
        fitting = [offer for offer in offers if offer.default]
    elif isinstance(wanted, int) or wanted.isdigit():
        fitting = [offer for offer in offers if offer.index == int(wanted)]
    else:
        part = wanted.casefold()
        exact = [offer for offer in offers if offer.name.casefold() == part]
        fitting = exact or [offer for offer in offers if part in offer.name.casefold()]
    if len(fitting) != 1:
        raise StreamError(_not_one(wanted, fitting, offers))
    return fitting[0]


def open_microphone(
    offer: MicrophoneOffer, rates_hz: list[int], block_s: float, channels: int, callback: Any, ended: Callable[[], None]
) -> Any:
    """A started sounddevice.InputStream (float32) at the first of the rates that the device takes.

    Raises StreamError if it takes none. To be handed back to `close_microphone`.
    """
    sounddevice = _sounddevice()
    reason = ""
    for rate_hz in dict.fromkeys(rates_hz):
        with _lock:
            try:
                stream = sounddevice.InputStream(
                    samplerate=rate_hz,
                    blocksize=round(rate_hz * block_s),
                    device=offer.index,
                    channels=channels,
                    dtype="float32",
                    latency="high",
                    callback=callback,
                    finished_callback=ended,
                )
                stream.start()
            except (sounddevice.PortAudioError, ValueError) as error:
                reason = str(error)
                continue
            _open_streams.add(stream)
            return stream
    raise StreamError(f"microphone {offer} cannot be opened with {channels} channels at {rates_hz} Hz: {reason}")


def close_microphone(stream: Any) -> None:
    """Stop at once (a source that sends nothing would make an orderly stop wait for ever) and let go; never raises."""
    with _lock:
        stream.abort(ignore_errors=True)
        stream.close(ignore_errors=True)
        _open_streams.discard(stream)


def _sounddevice() -> Any:
    known = "sounddevice" in sys.modules
    try:
        import sounddevice
    except ModuleNotFoundError as error:
        raise StreamError("a microphone needs the Python package sounddevice: pip install sounddevice") from error
    except OSError as error:
        raise StreamError("a microphone needs PortAudio, which is not here: apt install libportaudio2") from error
    if not known:
        be_first_at_exit()  # its own way out waits for streams that are open
        os.register_at_fork(after_in_child=_begin_anew)
    return sounddevice


def _begin_anew() -> None:
    """In a fork PortAudio's threads are gone: ending it would wait for them for ever."""
    global _lock
    _lock = threading.Lock()
    _open_streams.clear()
    sys.modules["sounddevice"]._initialized = 0  # type: ignore[attr-defined]


def _offer(device: dict[str, Any], hosts: list[str], default: int) -> MicrophoneOffer:
    return MicrophoneOffer(
        index=device["index"],
        name=device["name"],
        host=hosts[device["hostapi"]],
        channels=device["max_input_channels"],
        rate_hz=round(device["default_samplerate"]),
        default=device["index"] == default,
    )


def _not_one(wanted: int | str | None, fitting: list[MicrophoneOffer], offers: list[MicrophoneOffer]) -> str:
    which = "default microphone" if wanted is None else f"microphone {wanted!r}"
    if fitting:
        return f"several fit the {which}: {', '.join(map(str, fitting))}; name one of them by its index"
    if not offers:
        return f"there is no {which}, nor any other: is one plugged in, and does `arecord -l` list it?"
    return f"there is no {which}; there are: {', '.join(map(str, offers))}"
