"""The mixdown: mono from several channels, and a word where their mean is next to nothing of what they hold."""

from __future__ import annotations

import logging
import math

import numpy as np

from edgefuse.runtime.arguments import whole_in
from edgefuse.runtime.errors import SampleError
from edgefuse.runtime.files.limits import SOUND_CHANNELS

_PATIENCE_S = 2.0
_AUDIBLE = 1e-6  # mean square; -60 dB of full scale
_CANCELLED = 0.25  # of the energy that channels have in the mean which have nothing to do with each other
_ALONE = 0.9  # of the energy of all channels
_LEAST = 1e-6  # -60 dB; less is as good as nothing

log = logging.getLogger(__name__)


def check_channel(channel: int | None) -> None:
    """Raises EdgefuseError unless it may be a channel of some sound, or None."""
    if channel is not None:
        whole_in("channel", channel, 0, SOUND_CHANNELS.value - 1)


class Mixdown:
    """Makes mono: `channel`, counted from 0, or the mean of all.

    Sound in antiphase cancels itself in the mean, and one channel among silent ones becomes quiet. Where that
    holds for 2 s of sound, or all there is, it is logged once, and `complaint` says it. `name` is whose sound it is.
    """

    def __init__(self, name: str, channel: int | None = None) -> None:
        self.complaint: str | None = None
        self._name = name
        self._channel = channel
        self._energies = np.zeros(0)
        self._mean_energy = 0.0
        self._heard_s = 0.0

    def mono(self, pcm: np.ndarray, rate_hz: int) -> np.ndarray:
        """float32 (samples,), perhaps a view, of (samples, channels); SampleError where there is no `channel`."""
        refusal = channel_refusal(pcm.shape[1], self._channel)
        if refusal is not None:
            raise SampleError(refusal)
        if self._channel is not None:
            return pcm[:, self._channel]
        if pcm.shape[1] == 1:
            return pcm[:, 0]
        with np.errstate(all="ignore"):  # what is not finite is refused where it is used
            mean: np.ndarray = pcm.mean(axis=1)
            if self.complaint is None:
                self._listen(pcm, mean, rate_hz)
        return mean

    def conclude(self) -> None:
        """No more comes: judge what was heard since the last 2 s."""
        if self._heard_s and self.complaint is None:
            self._judge()

    def _listen(self, pcm: np.ndarray, mean: np.ndarray, rate_hz: int) -> None:
        energies = np.einsum("sc,sc->c", pcm, pcm, dtype=np.float64)
        if not _AUDIBLE * len(pcm) < energies.max(initial=0.0) < math.inf:
            return
        if len(energies) != len(self._energies):
            self._forget(len(energies))
        self._energies += energies
        self._mean_energy += float(np.dot(mean, mean))
        self._heard_s += len(pcm) / rate_hz
        if self._heard_s >= _PATIENCE_S:
            self._judge()

    def _judge(self) -> None:
        channels, total = len(self._energies), float(self._energies.sum())
        loudest = int(self._energies.argmax())
        cancelled = self._mean_energy * channels**2 < _CANCELLED * total
        if cancelled or self._energies[loudest] > _ALONE * total:
            share = self._mean_energy / self._energies[loudest]
            quieter_db = -10 * math.log10(max(share, _LEAST))
            self.complaint = (
                f"the mean of its {channels} channels is {quieter_db:.0f} dB quieter than channel {loudest} alone; "
                "`channel` chooses one, counted from 0"
            )
            log.warning("%s: %s", self._name, self.complaint)
        self._forget(channels)

    def _forget(self, channels: int) -> None:
        self._energies, self._mean_energy, self._heard_s = np.zeros(channels), 0.0, 0.0


def channel_refusal(channels: int, channel: int | None) -> str | None:
    """Why sound of so many channels cannot give this one, to follow its name; None where it can."""
    if channel is None or 0 <= channel < channels:
        return None
    return (
        f"has no channel {channel}: it has {'one, channel 0' if channels == 1 else f'the channels 0 to {channels - 1}'}"
    )
