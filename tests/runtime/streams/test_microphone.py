"""The microphone, on a real sound server with real faults."""

import threading
import time
from itertools import pairwise

import numpy as np
import pytest
from sound_server import FifoFeeder, until

from edgefuse.runtime.errors import StreamError
from edgefuse.runtime.samples import AudioChunk
from edgefuse.runtime.streams.devices import measure_microphone
from edgefuse.runtime.streams.microphone import Microphone

RATE_HZ = 16_000


class Listener:
    """Takes every chunk of a microphone, in a thread."""

    def __init__(self, microphone: Microphone) -> None:
        self.chunks: list[AudioChunk] = []
        self.ages_ns: list[int] = []
        self.thread = threading.Thread(target=self._take, args=(microphone,), daemon=True)
        self.thread.start()

    def _take(self, microphone: Microphone) -> None:
        for chunk in microphone:
            self.ages_ns.append(time.monotonic_ns() - chunk.until_ns)
            self.chunks.append(chunk)

    def wait_for_more(self, seconds: float) -> float:
        """Wait until so much more sound has come; how long it took [s]."""
        before = len(self.chunks)
        return until(lambda: sum(len(chunk.pcm) for chunk in self.chunks[before:]) >= seconds * RATE_HZ)

    def clicks_ns(self, first_chunk: int = 0) -> list[float]:
        """When clicks were heard, by the stamps."""
        heard, last_index = [], -RATE_HZ
        for chunk in self.chunks[first_chunk:]:
            for at in np.flatnonzero(chunk.pcm > 0.2):
                if chunk.index + at - last_index > RATE_HZ // 10:
                    heard.append(chunk.stamp_ns + at * 1e9 / RATE_HZ)
                    last_index = chunk.index + at
        return heard


@pytest.fixture
def feeders(sound_server):
    feeders: list[FifoFeeder] = []
    yield feeders
    for feeder in feeders:
        feeder.stop()


@pytest.fixture
def feeder(sound_server, feeders):
    sound_server.listen_to("fifo")
    feeders.append(FifoFeeder(sound_server.fifo))
    return feeders[0]


@pytest.fixture
def microphone(feeder):
    with Microphone() as microphone:
        yield microphone


@pytest.fixture
def listener(microphone):
    listener = Listener(microphone)
    listener.wait_for_more(0.1)
    return listener


def errors_ms(heard_ns: list[float], feeder: FifoFeeder) -> np.ndarray:
    """How far each click heard is from the nearest that was made."""
    made_ns = np.array(feeder.clicks_ns)
    return np.array([heard - made_ns[np.abs(made_ns - heard).argmin()] for heard in heard_ns]) / 1e6


def without_overlap(chunks: list[AudioChunk]) -> bool:
    """Whether indices and stamps only ever go on."""
    return all(a.index + len(a.pcm) <= b.index and a.stamp_ns < b.stamp_ns for a, b in pairwise(chunks))


def test_clicks_are_heard_when_they_were_made(microphone, listener, feeder):
    listener.wait_for_more(4)
    heard_ns = listener.clicks_ns()
    assert len(heard_ns) >= 6
    assert np.median(np.abs(errors_ms(heard_ns, feeder))) < 60
    assert microphone.state == "live"
    assert without_overlap(listener.chunks)
    assert {chunk.rate_hz for chunk in listener.chunks} == {RATE_HZ}


def test_a_starved_microphone_shows_a_gap_of_known_length(microphone, listener, feeder):
    listener.wait_for_more(2)
    feeder.paused.set()
    until(lambda: microphone.state == "stalled")
    feeder.paused.clear()
    gap_begins = len(listener.chunks)
    assert listener.wait_for_more(2) < 10
    assert microphone.lost_ms > 300
    span = listener.chunks[-1].index + len(listener.chunks[-1].pcm) - listener.chunks[0].index
    heard = sum(len(chunk.pcm) for chunk in listener.chunks)
    assert span - heard == pytest.approx(microphone.lost_ms * RATE_HZ / 1e3, abs=0.05 * RATE_HZ)
    later = errors_ms(listener.clicks_ns(gap_begins)[2:], feeder)
    assert np.abs(later).max() < 80


def test_a_long_silence_is_a_loss_and_comes_back(microphone, listener, feeder):
    feeder.paused.set()
    until(lambda: microphone.state in ("lost", "reconnecting"))
    feeder.paused.clear()
    assert listener.wait_for_more(0.1) < 5
    assert microphone.health.reconnects == 1
    assert microphone.lost_ms > 1500
    assert without_overlap(listener.chunks)


def test_a_suspended_source_that_goes_on_with_what_it_held_back_is_stamped_in_the_past(
    microphone, listener, feeder, sound_server
):
    """A burst of sound comes faster than it was sensed, and each piece was sensed before it came."""
    assert sound_server.control("suspend-source", "fifo", "1") == 0
    until(lambda: microphone.state == "reconnecting")
    fed = len(feeder.clicks_ns)
    until(lambda: len(feeder.clicks_ns) >= fed + 2)  # a second that the source holds back
    assert sound_server.control("suspend-source", "fifo", "0") == 0
    listener.wait_for_more(1)
    assert min(listener.ages_ns) >= 0
    assert without_overlap(listener.chunks)


def test_a_sound_server_that_is_killed_and_comes_back(microphone, listener, feeder, feeders, sound_server):
    sound_server.kill()
    until(lambda: microphone.state in ("lost", "reconnecting"))
    sound_server.start()
    sound_server.listen_to("fifo")
    feeders.append(FifoFeeder(sound_server.fifo))
    assert listener.wait_for_more(0.1) < 10
    assert microphone.health.reconnects >= 1
    listener.wait_for_more(1)
    assert without_overlap(listener.chunks)


def test_what_is_played_is_heard(sound_server, tmp_path):
    sound_server.listen_to("robot.monitor")
    tone = np.sin(2 * np.pi * 440 * np.arange(3 * 48_000) / 48_000) * 0.5
    (tmp_path / "tone.raw").write_bytes((tone * 32767).astype("<i2").tobytes())
    with Microphone("default") as microphone:
        listener = Listener(microphone)
        sound_server.play(tmp_path / "tone.raw")
        until(lambda: bool(listener.chunks) and float(np.abs(listener.chunks[-1].pcm).max()) > 0.3)
        listener.wait_for_more(1)
        pcm = np.concatenate([chunk.pcm for chunk in listener.chunks])[-RATE_HZ // 2 :]
    spectrum = np.abs(np.fft.rfft(pcm))
    assert spectrum.argmax() * 2 == pytest.approx(440, abs=4)


@pytest.fixture
def quartet(sound_server, tmp_path):
    """A microphone of four channels: antiphase on the first two, nothing, and a voice of its own on the last."""
    times_s = np.arange(60 * 48_000) / 48_000
    low, high = (0.4 * np.sin(2 * np.pi * pitch_hz * times_s) for pitch_hz in (440, 880))
    pcm = np.stack([low, -low, 0 * low, high], axis=1)
    (tmp_path / "quartet.raw").write_bytes((pcm * 32767).astype("<i2").tobytes())
    sound_server.add_sink("quartet", 4)
    sound_server.play(tmp_path / "quartet.raw", "quartet", 4)
    return sound_server


@pytest.mark.parametrize(("channel", "pitch_hz"), [(0, 440), (2, None), (3, 880)])
def test_a_channel_is_heard_where_it_is_asked_for(quartet, channel, pitch_hz):
    with Microphone(channel=channel) as microphone:
        listener = Listener(microphone)
        if pitch_hz is None:
            until(lambda: microphone.complaint == "silent")
            return
        until(lambda: bool(listener.chunks) and float(np.abs(listener.chunks[-1].pcm).max()) > 0.3)
        listener.wait_for_more(1)
    pcm = np.concatenate([chunk.pcm for chunk in listener.chunks])[-RATE_HZ // 2 :]
    assert np.abs(np.fft.rfft(pcm)).argmax() * 2 == pytest.approx(pitch_hz, abs=4)


def test_sound_that_the_mean_of_the_channels_loses_is_said(sound_server, tmp_path, caplog):
    tone = 0.4 * np.sin(2 * np.pi * 440 * np.arange(60 * 48_000) / 48_000)
    (tmp_path / "pair.raw").write_bytes((np.stack([tone, -tone], axis=1) * 32767).astype("<i2").tobytes())
    sound_server.add_sink("pair", 2)
    sound_server.play(tmp_path / "pair.raw", "pair", 2)
    with Microphone() as microphone:
        Listener(microphone)
        until(lambda: microphone.lost_in_the_mean is not None)
    assert "the default microphone: the mean of its 2 channels is 60 dB quieter than channel" in caplog.text
    measured = measure_microphone(Microphone(), seconds=4)
    assert measured.wrong is not None
    assert "`channel` chooses one" in measured.wrong
    assert measure_microphone(Microphone(channel=1), seconds=2).wrong is None


def test_a_microphone_of_four_channels_only_is_opened_as_it_is(sound_server, tmp_path, monkeypatch, caplog):
    """ALSA's own, which takes no other number; PortAudio would give its first channel to whoever asks for one."""
    bindings = " ".join(f"bindings.{n}.slave a bindings.{n}.channel {n}" for n in range(4))
    slave = "slaves.a.pcm { type null } slaves.a.channels 4"
    four = f"pcm.four {{ type multi {slave} {bindings} hint {{ show on description four }} }}"
    (tmp_path / "asound.conf").write_text(f"<confdir:alsa.conf>\n{four}\n")
    monkeypatch.setenv("ALSA_CONFIG_PATH", str(tmp_path / "asound.conf"))
    with Microphone("four") as microphone:
        Listener(microphone)
        until(lambda: microphone.state == "live")
    assert "the mean of 4 channels is heard; `channel` chooses one, counted from 0" in caplog.text
    caplog.clear()
    with Microphone("four", channel=2) as microphone:
        Listener(microphone)
        until(lambda: microphone.state == "live")
    assert not [record for record in caplog.records if "channels is heard" in record.message]
    with pytest.raises(StreamError, match="has no channel 4: it has the channels 0 to 3"):
        Microphone("four", channel=4).__enter__()


def test_digital_silence_is_said(sound_server, caplog):
    sound_server.listen_to("robot.monitor")
    with Microphone() as microphone:
        Listener(microphone)
        until(lambda: microphone.complaint == "silent")
    assert "has been silent for 2 s" in caplog.text


def test_an_unknown_microphone_is_one_line_that_lists_those_there_are(sound_server):
    with pytest.raises(StreamError, match=r"there is no microphone 'Respeaker'; there are: .*'default'") as error:
        Microphone("Respeaker").__enter__()
    assert "\n" not in str(error.value)


def test_closing_ends_the_iteration_even_while_starved(microphone, listener, feeder):
    feeder.paused.set()
    until(lambda: microphone.state == "stalled")
    microphone.close()
    listener.thread.join(5)
    assert not listener.thread.is_alive()
    assert microphone.state == "ended"
