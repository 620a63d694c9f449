"""What the sound card makes of PortAudio's word for the time."""

from types import SimpleNamespace

import pytest

from edgefuse.runtime.streams.portaudio import MicrophoneOffer
from edgefuse.runtime.streams.sound_card import _adc_is_real, _age_ns

BLOCK_NS = 20_000_000


@pytest.mark.parametrize(
    ("adc_s", "now_s", "real", "age_ms"),
    [
        (100.0, 100.035, True, 35),
        (100.0, 100.035, False, 20),
        (100.0, 100.005, True, 20),
        (0.0, 100.0, True, 20),
        (100.0, 0.0, True, 20),
        (100.0, 500.0, True, 20),
    ],
)
def test_the_adc_time_counts_where_it_is_sane(adc_s, now_s, real, age_ms):
    time_info = SimpleNamespace(inputBufferAdcTime=adc_s, currentTime=now_s)
    assert _age_ns(time_info, BLOCK_NS, real) == pytest.approx(age_ms * 1e6, abs=1e3)


@pytest.mark.parametrize(
    ("name", "host", "real"),
    [("USB Audio: - (hw:1,0)", "ALSA", True), ("default", "ALSA", False), ("Built-in", "Core Audio", True)],
)
def test_only_hardware_tells_its_own_time(name, host, real):
    assert _adc_is_real(MicrophoneOffer(0, name, host, 1, 48_000, True)) is real
