"""Sound files as programs leave them: written to a pipe, cut off, of any format; and as nobody would write them."""

from __future__ import annotations

import os
import resource
import shutil
import struct
import subprocess
import wave
from collections.abc import Callable
from pathlib import Path
from random import Random

import numpy as np
import pytest
import soundfile
from fuzzing import each_round, is_one_line, mutated

from edgefuse.runtime import Clip, EdgefuseError
from edgefuse.runtime.streams.clip import sound_beside
from edgefuse.runtime.streams.sound_file import SoundFile

RATE_HZ = 16_000
NOISE = np.random.default_rng(0).normal(0, 0.1, RATE_HZ).astype(np.float32)
ENDLESS = "does not say how long it is"


def read(path: Path, channel: int | None = None, rate_hz: int = RATE_HZ) -> np.ndarray:
    return np.concatenate(list(SoundFile(path, channel).blocks(rate_hz)))


@pytest.fixture
def wav(tmp_path: Path) -> Path:
    """A second of noise in int16, as Python's own module writes it."""
    with wave.open(str(tmp_path / "a.wav"), "wb") as file:
        file.setparams((1, 2, RATE_HZ, 0, "NONE", ""))
        file.writeframes((NOISE * 32768).astype("<i2").tobytes())
    return tmp_path / "a.wav"


def changed(path: Path, **sizes: int) -> Path:
    """With other sizes in its header: `riff`, `data`."""
    content = bytearray(path.read_bytes())
    for name, size in sizes.items():
        at = content.index(name.encode() if name == "data" else b"RIFF")
        content[at + 4 : at + 8] = struct.pack("<I", size)
    path.write_bytes(content)
    return path


def as_rf64(path: Path, name: bytes, data_bytes: int) -> Path:
    """The same sound with its length in a ds64 chunk, as EBU Tech 3306 has it."""
    pcm = path.read_bytes()[44:]
    ds64 = b"ds64" + struct.pack("<IQQQI", 28, 0, data_bytes, 0, 0)
    form = b"fmt " + struct.pack("<IHHIIHH", 16, 1, 1, RATE_HZ, 2 * RATE_HZ, 2, 16)
    path.write_bytes(name + b"\xff\xff\xff\xffWAVE" + ds64 + form + b"data\xff\xff\xff\xff" + pcm)
    return path


PIPED: dict[str, Callable[[Path], Path]] = {
    "ffmpeg": lambda wav: changed(wav, riff=0xFFFFFFFF, data=0xFFFFFFFF),
    "sox": lambda wav: changed(wav, riff=0x7FFFF024, data=0x7FFFF000),
    "arecord": lambda wav: changed(wav, riff=0x80000024, data=0x80000000),
    "gstreamer": lambda wav: changed(wav, riff=0, data=0),
    "never closed": lambda wav: changed(wav, riff=36, data=0),
    "ffmpeg -rf64": lambda wav: as_rf64(wav, b"RF64", 0),
    "RF64 without end": lambda wav: as_rf64(wav, b"RF64", 2**64 - 1),
    "BW64": lambda wav: as_rf64(wav, b"BW64", 0),
}


@pytest.mark.parametrize("program", list(PIPED))
def test_a_wav_that_was_written_to_a_pipe_is_read_to_its_end(wav, caplog, program):
    whole = read(wav)
    np.testing.assert_array_equal(read(PIPED[program](wav)), whole)
    assert [ENDLESS in record.message for record in caplog.records] == [True]


@pytest.mark.parametrize("name", [b"RF64", b"BW64"])
def test_a_wav_of_the_long_form_is_a_wav(wav, caplog, name):
    whole = read(wav)
    np.testing.assert_array_equal(read(as_rf64(wav, name, 2 * RATE_HZ)), whole)
    assert not caplog.records


@pytest.mark.skipif(not shutil.which("espeak-ng"), reason="not installed: espeak-ng")
def test_what_espeak_says_into_a_pipe_is_heard(tmp_path, caplog):
    said = subprocess.run(["espeak-ng", "--stdout", "a red ball"], capture_output=True, check=True).stdout
    (tmp_path / "said.wav").write_bytes(said)
    subprocess.run(["espeak-ng", "-w", tmp_path / "whole.wav", "a red ball"], check=True)
    np.testing.assert_array_equal(read(tmp_path / "said.wav"), read(tmp_path / "whole.wav"))
    assert [ENDLESS in record.message for record in caplog.records] == [True]


def test_a_wav_that_is_cut_off_is_used_and_said(wav, caplog):
    whole = read(wav)
    wav.write_bytes(wav.read_bytes()[:20_001])
    np.testing.assert_array_equal(read(wav), whole[: (20_001 - 44) // 2])
    (said,) = caplog.messages
    assert said == f"{wav} is cut off or damaged: only 0.6 of 1.0 s are there"


def test_a_flac_that_is_cut_off_is_used_and_said(tmp_path, caplog):
    path = tmp_path / "a.flac"
    soundfile.write(path, NOISE, RATE_HZ)
    whole = read(path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    heard = read(path)
    assert 0.2 * RATE_HZ < len(heard) < 0.6 * RATE_HZ
    np.testing.assert_array_equal(heard, whole[: len(heard)])
    assert "is cut off or damaged: only 0." in caplog.text


def test_a_flac_that_does_not_say_how_long_it_is(tmp_path, caplog):
    path = tmp_path / "a.flac"
    soundfile.write(path, NOISE, RATE_HZ)
    whole, content = read(path), bytearray(path.read_bytes())
    content[21] &= 0xF0  # STREAMINFO: 36 bits of samples, 0 where an encoder wrote to a pipe
    content[22:26] = bytes(4)
    path.write_bytes(content)
    np.testing.assert_array_equal(read(path), whole)
    assert [ENDLESS in record.message for record in caplog.records] == [True]


def test_chunks_before_and_behind_the_sound_are_no_sound(wav, caplog):
    whole, content = read(wav), wav.read_bytes()
    listed = b"LIST" + struct.pack("<I", 5) + b"INFO!\0"  # of odd length, so padded
    wav.write_bytes(content[:36] + listed + content[36:] + listed)
    np.testing.assert_array_equal(read(wav), whole)
    assert not caplog.records


def test_sound_behind_what_the_header_counts_is_said(wav, caplog):
    """A recorder that was killed, and had written its header once."""
    assert len(read(changed(wav, data=6400))) == 3200
    assert f"{wav} has 25600 bytes behind its sound that are no part of it by its header" in caplog.text


@pytest.mark.parametrize("subtype", ["PCM_U8", "PCM_24", "PCM_32", "FLOAT", "DOUBLE", "ALAW", "ULAW", "IMA_ADPCM"])
@pytest.mark.parametrize("form", ["WAV", "WAVEX"])
def test_every_encoding_is_in_full_scale(tmp_path, caplog, form, subtype):
    if (form, subtype) == ("WAVEX", "IMA_ADPCM"):
        pytest.skip("not in this form")
    tone = 0.9 * np.sin(np.arange(RATE_HZ) * 2 * np.pi * 440 / RATE_HZ)
    soundfile.write(tmp_path / "a.wav", tone, RATE_HZ, subtype, format=form)
    np.testing.assert_allclose(read(tmp_path / "a.wav")[100:RATE_HZ], tone[100:], atol=0.06)  # ADPCM swings itself in
    assert not caplog.records


@pytest.mark.parametrize("suffix", ["flac", "ogg", "mp3", "aiff"])
@pytest.mark.parametrize("rate_hz", [11_025, 22_050, 44_100, 192_000])
def test_every_format_at_every_rate(tmp_path, caplog, suffix, rate_hz):
    if suffix == "mp3" and rate_hz > 48_000:
        pytest.skip("MP3 has no such rate")
    tone = 0.5 * np.sin(np.arange(rate_hz) * 2 * np.pi * 440 / rate_hz)
    path = tmp_path / f"a.{suffix}"
    soundfile.write(path, tone, rate_hz)
    heard = read(path)
    assert len(heard) == pytest.approx(RATE_HZ, rel=0.01)
    middle = heard[4000:12000]
    assert np.abs(np.fft.rfft(middle)).argmax() * 2 == 440
    assert np.abs(middle).max() == pytest.approx(0.5, abs=0.05)
    assert not caplog.records


@pytest.mark.parametrize(
    ("at", "form", "value", "said"),
    [
        (24, "<I", 1, "says 1 Hz, which is no rate of sound"),
        (24, "<I", 2**31 - 1, "EDGEFUSE_MAX_SOUND_RATE"),
        (24, "<I", 2**32 - 1, "no sound file that can be read"),
        (24, "<I", 0, "no sound file that can be read"),
        (22, "<H", 65_535, "no sound file that can be read"),
        (22, "<H", 0, "no sound file that can be read"),
        (22, "<H", 700, "EDGEFUSE_MAX_SOUND_CHANNELS"),
        (32, "<H", 0, None),
        (34, "<H", 0, "no sound file that can be read"),
    ],
)
def test_a_header_that_makes_no_sense_is_one_line(wav, at, form, value, said):
    """None: only the size of a block of samples, which follows from the others."""
    content = bytearray(wav.read_bytes())
    content[at : at + struct.calcsize(form)] = struct.pack(form, value)
    if value == 700:
        content[32:34] = struct.pack("<H", 1400)
    wav.write_bytes(content)
    if said is None:
        assert len(read(wav)) == RATE_HZ
        return
    with pytest.raises(EdgefuseError) as refused:
        read(wav)
    assert said in str(refused.value)
    assert is_one_line(refused.value)


def test_a_limit_is_raised_by_its_variable(tmp_path, monkeypatch):
    soundfile.write(tmp_path / "a.wav", NOISE, 1_000_000)
    with pytest.raises(EdgefuseError, match="1,000,000 Hz, of which at most 768,000 are taken"):
        SoundFile(tmp_path / "a.wav")
    monkeypatch.setenv("EDGEFUSE_MAX_SOUND_RATE", "2000000")
    assert len(read(tmp_path / "a.wav")) == pytest.approx(RATE_HZ / 62.5, abs=2)


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e30, 32_768.0])
def test_what_is_no_sound_in_a_float_wav_reaches_the_perceiver_as_it_is(tmp_path, value, recwarn):
    """Which refuses and counts it."""
    pcm = np.tile(NOISE[:, None], 2)
    pcm[5000] = value, -value
    soundfile.write(tmp_path / "a.wav", pcm, RATE_HZ, "DOUBLE")
    first, last = read(tmp_path / "a.wav", channel=0), read(tmp_path / "a.wav")
    assert len(first) == len(last) == RATE_HZ
    assert not abs(first[5000]) <= 8
    assert not recwarn.list


def test_what_cannot_be_read_is_one_line(tmp_path, wav):
    (tmp_path / "empty.wav").touch()
    (tmp_path / "text.wav").write_text("not a sound")
    (tmp_path / "x.m4a").write_bytes(b"\0\0\0\x1cftypM4A ")
    (tmp_path / "head.wav").write_bytes(wav.read_bytes()[:44])
    (tmp_path / "x.raw").write_bytes(bytes(1000))
    os.mkfifo(tmp_path / "pipe.wav")
    (tmp_path / "folder.wav").mkdir()
    for name, said in {
        "empty.wav": "no sound file that can be read",
        "text.wav": "no sound file that can be read",
        "x.m4a": "convert it to WAV",
        "x.raw": "convert it to WAV",
        "head.wav": "holds no sound, only its header",
        "pipe.wav": "no such sound file",
        "folder.wav": "no such sound file",
        "none.wav": "no such sound file",
    }.items():
        with pytest.raises(EdgefuseError, match=said) as refused:
            SoundFile(tmp_path / name)
        assert name in str(refused.value)
        assert is_one_line(refused.value)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to become another user")
def test_a_sound_file_of_another_user_is_one_line(wav, capfd):
    wav.chmod(0o600)
    (wav.parent / "closed").mkdir(mode=0o700)
    if os.fork() == 0:
        os.chdir(wav.parent)
        os.seteuid(65_534)
        for name in ("a.wav", "closed/a.wav"):
            try:
                SoundFile(Path(name))
            except BaseException as error:
                os.write(1, f"{type(error).__name__}: {error}\n".encode())
        os._exit(0)
    os.wait()
    assert capfd.readouterr().out == (
        "StreamError: a.wav cannot be read: Permission denied\n"
        "StreamError: closed/a.wav cannot be read: Permission denied\n"
    )


def test_a_name_that_is_not_utf_8_is_a_name(wav):
    odd = wav.rename(wav.parent / os.fsdecode(b"gr\xfcn.wav"))
    assert len(read(odd)) == RATE_HZ


def test_a_suffix_is_not_believed(wav):
    assert len(read(wav.rename(wav.with_suffix(".raw")))) == RATE_HZ


@pytest.mark.parametrize("name", ["UP.WAV", "UP.wav", "UP.Flac", "UP.mp3", "UP.OGG", "UP.aif"])
def test_the_sound_beside_a_video_is_found_by_its_name_in_any_case(tmp_path, name):
    (tmp_path / name).touch()
    (tmp_path / "UPPER.WAV").touch()
    (tmp_path / "UP.txt").touch()
    assert sound_beside(tmp_path / "UP.MP4") == tmp_path / name


def test_of_several_beside_it_the_wav_is_taken(tmp_path):
    for name in ("a.mp3", "a.FLAC", "a.WAV"):
        (tmp_path / name).touch()
    assert sound_beside(tmp_path / "a.mp4").name == "a.WAV"


def test_a_channel_that_is_not_there_is_one_line(tmp_path):
    soundfile.write(tmp_path / "a.wav", np.tile(NOISE[:, None], 2), RATE_HZ)
    with pytest.raises(EdgefuseError, match=r"a\.wav has no channel 2: it has the channels 0 to 1"):
        Clip(None, tmp_path / "a.wav", channel=2)


def _seeds(folder: Path) -> list[bytes]:
    """Small files of what is read."""
    made = []
    for number, (form, subtype) in enumerate(
        [("WAV", "PCM_16"), ("WAVEX", "PCM_24"), ("WAV", "FLOAT"), ("WAV", "ULAW"), ("WAV", "IMA_ADPCM"),
         ("WAV", "GSM610"), ("WAV", "MS_ADPCM"), ("RF64", "PCM_16"), ("FLAC", "PCM_16"), ("OGG", "VORBIS"),
         ("AIFF", "PCM_16"), ("AU", "PCM_16"), ("W64", "PCM_16"), ("CAF", "PCM_16")]
    ):  # fmt: skip
        path = folder / f"seed{number}"
        soundfile.write(path, NOISE[:400], 8000, subtype, format=form)
        made.append(path.read_bytes())
    return made


@pytest.mark.fuzz
def test_a_sound_file_made_wrong_is_read_or_is_one_line(tmp_path):
    """Thirty files in a process of their own, which libsndfile might end."""
    seeds, path = _seeds(tmp_path), tmp_path / "fuzzed.wav"

    def check(random: Random) -> None:
        child = os.fork()
        if child == 0:
            used = int(Path("/proc/self/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")
            resource.setrlimit(resource.RLIMIT_AS, (used + 300_000_000, resource.RLIM_INFINITY))
            for _ in range(30):
                path.write_bytes(_made_wrong(random.choice(seeds), random))
                if wrong := _wrong_with(path):
                    path.with_suffix(".why").write_text(wrong)
                    os._exit(1)
            os._exit(0)
        _, status = os.waitpid(child, 0)
        why = path.with_suffix(".why").read_text() if os.waitstatus_to_exitcode(status) == 1 else "it ended the process"
        assert status == 0, f"{why}: {path.read_bytes()!r}"

    each_round(5, check)


def _made_wrong(content: bytes, random: Random) -> bytes:
    """Mostly in its header."""
    head = random.randrange(44, 200) if random.random() < 0.7 else len(content)
    return mutated(content[:head], random) + content[head:]


def _wrong_with(path: Path) -> str:
    """What is, empty if nothing; never raises."""
    try:
        blocks = list(SoundFile(path).blocks(RATE_HZ))
    except EdgefuseError as error:
        return "" if is_one_line(error) else f"not one line: {error}"
    except BaseException as error:
        return repr(error)
    return "" if all(block.dtype == np.float32 and block.ndim == 1 for block in blocks) else "blocks of another form"
