"""Videos as other programs write them, by PyAV, which brings FFmpeg's own writers."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

av = pytest.importorskip("av", reason="PyAV writes these videos")

FPS, FRAMES, RATE_HZ = 30, 60, 16_000


def write_video(
    path: Path,
    codec: str = "libx264",
    pixel_format: str = "yuv420p",
    options: dict[str, str] | None = None,
    sound_s: float = 0.0,
    size: tuple[int, int] = (160, 120),
    ticks: range | list[int] = range(FRAMES),
) -> Path:
    """A video whose frame n has the grey level 4 n and is shown at tick n of 1/30 s, with a tone of so many seconds."""
    with av.open(str(path), "w", options=options or {}) as container:
        video = container.add_stream(codec, rate=FPS, width=size[0], height=size[1], pix_fmt=pixel_format)
        sound = container.add_stream(sound_codec(path), rate=RATE_HZ, layout="mono") if sound_s else None
        for tick in ticks:
            frame = av.VideoFrame.from_ndarray(np.full((size[1], size[0], 3), 4 * tick % 256, np.uint8), "rgb24")
            frame.pts, frame.time_base = tick, Fraction(1, FPS)
            container.mux(video.encode(frame))
        container.mux(video.encode())
        for begin in range(0, round(sound_s * RATE_HZ), 960 if sound else 1):
            container.mux(sound.encode(tone(begin)))
        if sound is not None:
            container.mux(sound.encode())
    return path


def tone(begin: int) -> av.AudioFrame:
    """60 ms of 440 Hz from there on."""
    pcm = np.round(8000 * np.sin(2 * np.pi * 440 * np.arange(begin, begin + 960) / RATE_HZ)).astype(np.int16)
    frame = av.AudioFrame.from_ndarray(pcm[None], "s16", "mono")
    frame.sample_rate, frame.pts, frame.time_base = RATE_HZ, begin, Fraction(1, RATE_HZ)
    return frame


def sound_codec(path: Path) -> str:
    return {".webm": "libopus", ".ts": "mp2", ".avi": "pcm_s16le"}.get(path.suffix, "aac")


def trimmed(source: Path, path: Path, from_s: float) -> Path:
    """The same without its beginning: packets are copied from the key frame before, and an edit list hides the rest."""
    with av.open(str(source)) as whole, av.open(str(path), "w") as cut:
        streams = {stream.index: cut.add_stream_from_template(stream) for stream in whole.streams}
        for packet in whole.demux():
            if packet.dts is None:
                continue
            shift = round(from_s / packet.stream.time_base)
            packet.pts, packet.dts = packet.pts - shift, packet.dts - shift
            packet.stream = streams[packet.stream.index]
            cut.mux(packet)
    return path
