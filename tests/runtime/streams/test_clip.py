"""A clip is two real files; each sample comes when it would have been sensed."""

import time
from pathlib import Path

import cv2
import numpy as np
import pytest
import soundfile

from edgefuse.runtime import AudioChunk, Clip, Frame, StreamError
from edgefuse.runtime.streams.clip import sound_beside

FPS, SECONDS, RATE_HZ = 25, 2, 16_000


def write_video(path: Path, frames: int = FPS * SECONDS) -> Path:
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"mp4v"), FPS, (64, 48))
    for index in range(frames):
        writer.write(np.full((48, 64, 3), (index * 4, 0, 255), np.uint8))
    writer.release()
    return path


def write_tone(path: Path, rate_hz: int = RATE_HZ, channels: int = 1, seconds: float = SECONDS) -> Path:
    tone = 0.5 * np.sin(2 * np.pi * 440 * np.arange(round(rate_hz * seconds)) / rate_hz)
    soundfile.write(path, np.tile(tone[:, None], (1, channels)), rate_hz)
    return path


@pytest.fixture
def video(tmp_path) -> Path:
    return write_video(tmp_path / "clip.mp4")


@pytest.fixture
def audio(tmp_path) -> Path:
    return write_tone(tmp_path / "clip.wav")


def test_all_of_both_files_in_the_order_of_time(video, audio):
    samples = list(Clip(video, audio, live=False))
    frames = [sample for sample in samples if isinstance(sample, Frame)]
    chunks = [sample for sample in samples if isinstance(sample, AudioChunk)]
    assert len(frames) == FPS * SECONDS
    assert [frame.stamp_ns // 1_000_000 for frame in frames] == [40 * n for n in range(len(frames))]
    assert [sample.until_ns for sample in samples] == sorted(sample.until_ns for sample in samples)
    pcm = np.concatenate([chunk.pcm for chunk in chunks])
    np.testing.assert_allclose(pcm, soundfile.read(audio, dtype="float32")[0], atol=1e-6)
    assert [chunk.index for chunk in chunks] == list(range(0, RATE_HZ * SECONDS, 320))


def test_the_colours_are_what_was_filmed(video):
    first = next(iter(Clip(video, None, live=False)))
    assert first.encoding == "rgb8"
    red, _, blue = first.image.reshape(-1, 3).mean(axis=0)
    assert red > 200
    assert blue < 60


def test_sound_of_another_rate_and_stereo_becomes_mono_16_khz(tmp_path):
    chunks = list(Clip(None, write_tone(tmp_path / "a.wav", 44_100, channels=2), live=False))
    pcm = np.concatenate([chunk.pcm for chunk in chunks])
    assert abs(len(pcm) - RATE_HZ * SECONDS) <= 1
    assert {chunk.rate_hz for chunk in chunks} == {RATE_HZ}
    spectrum = np.abs(np.fft.rfft(pcm))
    assert abs(spectrum.argmax() * RATE_HZ / len(pcm) - 440) < 2
    assert [chunk.index for chunk in chunks] == list(np.cumsum([0, *(len(chunk.pcm) for chunk in chunks[:-1])]))


def test_live_samples_never_come_before_they_were_sensed(video, audio):
    clip = Clip(video, audio, live=True)
    early = [sample.until_ns - time.monotonic_ns() for sample in clip]
    assert len(early) == FPS * SECONDS + 50 * SECONDS
    assert max(early) <= 0


def test_closing_ends_a_live_clip(video, audio):
    clip = Clip(video, audio, live=True)
    samples = []
    for sample in clip:
        samples.append(sample)
        clip.close()
    assert len(samples) == 1
    clip.close()


def test_a_video_cut_in_the_middle(video):
    content = video.read_bytes()
    video.write_bytes(content[: len(content) // 2])
    with pytest.raises(StreamError, match=r"clip\.mp4 is cut off: its last [\d,]+ bytes are missing"):
        Clip(video, None)


def test_a_video_whose_frames_run_out_early(tmp_path, audio):
    path = tmp_path / "cut.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"MJPG"), FPS, (64, 48))
    for _ in range(50):
        writer.write(np.random.default_rng(0).integers(0, 255, (48, 64, 3), np.uint8))
    writer.release()
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(StreamError, match="is cut off"):
        list(Clip(path, None, live=False))


def test_a_wav_that_is_cut_off_is_played_to_where_it_is(audio, caplog):
    audio.write_bytes(audio.read_bytes()[:20_000])
    chunks = list(Clip(None, audio, live=False))
    assert sum(len(chunk.pcm) for chunk in chunks) == (20_000 - 44) // 2
    assert "clip.wav is cut off" in caplog.text


def test_a_channel_of_the_sound_is_taken_where_it_is_asked_for(tmp_path):
    tone = write_tone(tmp_path / "a.wav", channels=2)
    pcm, _ = soundfile.read(tone)
    pcm[:, 1] *= -1
    soundfile.write(tone, pcm, RATE_HZ)
    for channel, peak in ((None, 0.0), (0, 0.5), (1, 0.5)):
        heard = np.concatenate([chunk.pcm for chunk in Clip(None, tone, live=False, channel=channel)])
        assert np.abs(heard).max() == pytest.approx(peak, abs=0.01)


def test_missing_files_are_named(tmp_path, video, audio):
    with pytest.raises(StreamError, match="no such video"):
        Clip(tmp_path / "none.mp4", None)
    with pytest.raises(StreamError, match="no such sound"):
        Clip(None, tmp_path / "none.wav")
    with pytest.raises(StreamError, match="no sound file that can be read"):
        Clip(None, video)
    with pytest.raises(StreamError, match="is a sound file, and no video: name it with --audio"):
        Clip(audio, None)
    assert sound_beside(video) == audio
    audio.unlink()
    with pytest.raises(StreamError, match=r"expected clip\.wav.*--audio.*--drop audio"):
        sound_beside(video)
