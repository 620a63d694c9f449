"""Blocks of sound as they come from ROS topics and recordings, made into one track."""

import math
from random import Random
from types import SimpleNamespace

import numpy as np
import pytest
from fuzzing import each_round

from edgefuse.runtime import DEFAULT_BUNDLE, AudioChunk, Perceiver, SampleError
from edgefuse.runtime.messages.ros_sounds import (
    AUDIO_CHUNK,
    AUDIO_DATA,
    AUDIO_DATA_STAMPED,
    AUDIO_STAMPED,
    Sound,
    SoundFormat,
    SoundReader,
)
from edgefuse.runtime.streams.mixdown import Mixdown
from edgefuse.runtime.streams.soundtrack import Soundtrack, chunk_of_message

MS = 1_000_000
RATE_HZ = 16_000


def block(index: int | None, samples: int = 320) -> Sound:
    return Sound(np.zeros((samples, 1), np.float32), RATE_HZ, index)


def indices(*blocks: tuple[int | None, int]) -> list[int]:
    track = Soundtrack(RATE_HZ, "audio")
    return [track.chunk(block(index), stamp_ms * MS).index for index, stamp_ms in blocks]


def test_an_index_is_kept():
    assert indices((0, 0), (320, 20), (960, 60)) == [0, 320, 960]


def test_a_microphone_that_was_started_again_goes_on_where_the_stamps_say():
    assert indices((0, 0), (320, 20), (0, 1040), (320, 1060)) == [0, 320, 320 + 16_320, 640 + 16_320]


def test_a_block_that_comes_twice_is_not_taken_for_a_new_beginning():
    track = Soundtrack(RATE_HZ, "audio")
    assert [track.chunk(block(index), index * 62_500).index for index in (0, 320)] == [0, 320]
    with pytest.raises(SampleError, match="has the last one's stamp"):
        track.chunk(block(320), 20 * MS)
    assert track.chunk(block(640), 40 * MS).index == 640


@pytest.mark.parametrize("source_hz", [8000, 11_025, 22_050, 44_100, 192_000])
def test_what_the_resampler_holds_back_comes_at_the_end(source_hz):
    track = Soundtrack(RATE_HZ, "audio")
    pcm = np.random.default_rng(0).normal(0, 0.1, (source_hz, 1)).astype(np.float32)
    blocks = np.array_split(pcm, 50)
    begins = np.cumsum([0, *(len(block) for block in blocks)])
    chunks = [
        track.chunk(Sound(block, source_hz, None), int(begin) * 10**9 // source_hz)
        for block, begin in zip(blocks, begins, strict=False)
    ]
    chunks = [chunk for chunk in (*chunks, track.rest()) if chunk is not None]
    assert sum(len(chunk.pcm) for chunk in chunks) == RATE_HZ
    assert [chunk.index for chunk in chunks] == list(np.cumsum([0, *(len(chunk.pcm) for chunk in chunks[:-1])]))
    for chunk in chunks:
        assert chunk.stamp_ns == pytest.approx(chunk.index * 10**9 / RATE_HZ, abs=10**9 / source_hz)


def message(type_name: str, data: bytes, index: int = 0, channels: int = 1, rate_hz: int = RATE_HZ) -> SimpleNamespace:
    """Of the fields that such a message has, its bytes int16."""
    if type_name == AUDIO_CHUNK:
        return SimpleNamespace(data=data, sample_rate=rate_hz, channels=channels, encoding="S16LE", index=index)
    if type_name == AUDIO_STAMPED:
        info = SimpleNamespace(rate=rate_hz, channels=channels)
        whole = np.frombuffer(data[: len(data) // 2 * 2], np.int16)
        return SimpleNamespace(audio=SimpleNamespace(info=info, audio_data=SimpleNamespace(int16_data=whole)))
    content = SimpleNamespace(data=data)
    return SimpleNamespace(audio=content) if type_name == AUDIO_DATA_STAMPED else content


@pytest.mark.parametrize("type_name", [AUDIO_DATA, AUDIO_DATA_STAMPED])
@pytest.mark.parametrize("size", [1, 641, 1283])
def test_a_stream_of_bytes_that_was_cut_anywhere_is_heard_whole(caplog, type_name, size):
    """Such as what a node reads from the pipe of a recorder."""
    pcm = np.random.default_rng(0).integers(-30_000, 30_000, (1600, 2), np.int16)
    data = pcm.tobytes()
    reader, heard = SoundReader(type_name, SoundFormat(channels=2), "/mic"), []
    track = Soundtrack(RATE_HZ, "audio", Mixdown("it", 1))
    for begin in range(0, len(data), size):
        ends_ns = min(begin + size, len(data)) // 4 * 62_500
        piece = message(type_name, data[begin : begin + size])
        heard.append(chunk_of_message(track, reader, piece, None, ends_ns))
        if begin == size > 1:  # comes twice
            with pytest.raises(SampleError, match="stamp"):
                chunk_of_message(track, reader, piece, None, ends_ns)
    heard_pcm = np.concatenate([chunk.pcm for chunk in heard if chunk is not None])
    np.testing.assert_array_equal(heard_pcm * 32768, pcm[:, 1])
    assert [record.message.partition(": such ")[2] for record in caplog.records] == ["go on in the next one"]


def test_what_is_left_over_does_not_go_across_a_gap():
    reader = SoundReader(AUDIO_DATA, SoundFormat(), "/mic")
    first, second = np.arange(320, dtype=np.int16), np.arange(320, 640, dtype=np.int16)
    track = Soundtrack(RATE_HZ, "audio")
    assert len(chunk_of_message(track, reader, message(AUDIO_DATA, first.tobytes()[:-1]), None, 20 * MS).pcm) == 319
    heard = chunk_of_message(track, reader, message(AUDIO_DATA, second.tobytes()), None, 5000 * MS)
    np.testing.assert_array_equal(heard.pcm * 32768, second)


@pytest.mark.parametrize(("type_name", "channels", "size"), [(AUDIO_CHUNK, 1, 641), (AUDIO_STAMPED, 2, 642)])
def test_a_message_that_says_its_format_stands_for_itself(caplog, type_name, channels, size):
    reader, data = SoundReader(type_name, SoundFormat(), "/mic"), np.arange(320, dtype=np.int16).tobytes() + b"\x7f\x7f"
    for number in range(3):
        content = message(type_name, data[:size], 320 * number, channels)
        sound = reader.sound(content, number * 20 * MS)
        reader.accept(sound, number * 20 * MS)
        np.testing.assert_array_equal(sound.pcm.reshape(-1) * 32768, np.arange(320))
    (said,) = caplog.messages
    assert said == f"/mic: a message ends with {size - 640} bytes that are no whole sample: such are left out"


@pytest.mark.parametrize(
    ("rate_hz", "channels"),
    [(0, 1), (1, 1), (-16_000, 1), (4_000_000_000, 1), (16_000, 0), (16_000, 255), (16_000, 257)],
)
@pytest.mark.parametrize("type_name", [AUDIO_CHUNK, AUDIO_STAMPED])
def test_a_form_that_makes_no_sense_is_a_sample_error_and_takes_no_memory(type_name, rate_hz, channels):
    track, reader = Soundtrack(RATE_HZ, "audio"), SoundReader(type_name, SoundFormat(), "/mic")
    odd = message(type_name, bytes(640), 0, channels, rate_hz)
    if (rate_hz, channels) == (16_000, 255):
        assert len(chunk_of_message(track, reader, odd, 0, 0).pcm) == 1
        return
    with pytest.raises(SampleError, match="says"):
        chunk_of_message(track, reader, odd, 0, 0)


def test_a_message_of_an_encoding_that_is_not_known_is_one_sample_lost():
    odd = message(AUDIO_CHUNK, bytes(640))
    odd.encoding = "S24LE"
    with pytest.raises(SampleError, match="'S24LE' is not known here; expected S8, U8, S16LE"):
        chunk_of_message(Soundtrack(RATE_HZ, "audio"), SoundReader(AUDIO_CHUNK, SoundFormat(), "/mic"), odd, 0, 0)


@pytest.mark.fuzz
def test_no_sound_is_lost_without_being_counted():
    """Buffers of any length, rate, stamp, channels and values, from a topic into the window of the audio sense."""
    perceiver = Perceiver.open(DEFAULT_BUNDLE, selftest=False)

    def check(random: Random) -> None:
        type_name = random.choice((AUDIO_CHUNK, AUDIO_DATA, AUDIO_DATA_STAMPED, AUDIO_STAMPED))
        form = SoundFormat(random.choice((RATE_HZ, RATE_HZ, 44_100)), random.choice((1, 1, 2, 3)))
        track, reader = Soundtrack(RATE_HZ, "audio"), SoundReader(type_name, form, "/mic")
        source = _Source(random, type_name, form)
        given = refused = 0
        chunks = []
        for _ in range(40):
            content, stamp_ns, samples = source.next()
            try:
                chunk = chunk_of_message(track, reader, content, stamp_ns, stamp_ns)
            except SampleError:
                refused += samples
            else:
                chunks.append(chunk)
            given += samples
        chunks = [chunk for chunk in (*chunks, track.rest()) if chunk is not None]
        made = sum(len(chunk.pcm) for chunk in chunks)
        if source.steady:
            assert abs((given - refused) * RATE_HZ / form.rate_hz - made) <= 2
        _check_perceived(perceiver, chunks)

    each_round(25, check)


class _Source:
    """Messages of a topic, most of them in order; `steady` while all have one rate."""

    def __init__(self, random: Random, type_name: str, form: SoundFormat) -> None:
        self.steady = True
        self._random = random
        self._type = type_name
        self._form = form
        self._stamp_ns = 10**9
        self._index = 0
        self._carried = 0

    def next(self) -> tuple[SimpleNamespace, int, int]:
        """The message, its stamp, and how many samples of each channel are whole with it."""
        random, frame = self._random, 2 * self._form.channels
        size = random.choice((640, 640, 641, random.randrange(0, 4000)))
        odd = random.random() < 0.2
        rate_hz, channels = self._form.rate_hz, self._form.channels
        if odd and self._type in (AUDIO_CHUNK, AUDIO_STAMPED):
            rate_hz = random.choice((0, 1, 2**31 - 1, 48_000, 7999, rate_hz))
            channels = random.choice((0, 255, channels, channels))
            self.steady = self.steady and rate_hz == self._form.rate_hz and channels == self._form.channels
        if random.random() < 0.1:  # lost, late, doubled or set back
            self._stamp_ns += random.choice((-(10**10), -(10**7), 0, 10**7, 10**9, 10**12))
            self._index = max(0, self._index + random.choice((-10_000, -100, 0, 100, 10_000)))
            self.steady = False
        content = message(self._type, random.randbytes(size), self._index, channels, rate_hz)
        carried = self._carried if self._type in (AUDIO_DATA, AUDIO_DATA_STAMPED) else 0
        samples, self._carried = divmod(size + carried, frame)
        stamp_ns, lasted_ns = self._stamp_ns, samples * 10**9 // self._form.rate_hz
        self._stamp_ns += lasted_ns
        self._index += samples
        return content, stamp_ns, samples


def _check_perceived(perceiver: Perceiver, chunks: list[AudioChunk]) -> None:
    """What is pushed is taken, or one more is counted; what is perceived is finite."""
    for chunk in chunks:
        before = _refused(perceiver)
        assert perceiver.push(chunk) or _refused(perceiver) == before + 1
    percept = perceiver.step()
    assert percept is None or math.isfinite(percept.confidence)


def _refused(perceiver: Perceiver) -> int:
    counts = perceiver.drops()["audio"]
    return sum(number for reason, number in counts.items() if reason not in ("gap", "overtaken", "stale"))
