"""The demonstration clip: twenty seconds of a table top, with the truth about them beside it.

    python -m edgefuse.tabletop.clip VIDEO

makes VIDEO, and beside it the sound (.wav) and the truth (.json), anew: film and truth to the byte as they ship, on the
same versions; of the sound a sample may differ by 1 of 32,768 on another processor.
"""

import argparse
import json
import sys
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import cv2
import numpy as np
import soundfile

from edgefuse.fusion.errors import DataError, FusionError
from edgefuse.fusion.labels import NOTHING
from edgefuse.fusion.sensor import expose
from edgefuse.tabletop.espeak import SAMPLE_RATE_HZ
from edgefuse.tabletop.pools import Backdrops
from edgefuse.tabletop.scenes import Scene, named_color, render
from edgefuse.tabletop.speech import Utterance, utter

FPS, ROWS, COLUMNS = 30, 240, 320
FADE_S = 0.3
SNR_DB = 9.0
SPEECH_LEVEL = 0.11
TABLE = Scene(split="test", surface_index=12, shape=None, elevation=0.72, light=(0.45, -0.35, 0.82), shadow=0.5)
TOWARDS_CAMERA = -np.pi / 2
POSES = {"cone": 0.05, "ring": 0.35, "star": 0.75}
"""Tilt in which each shape shows itself well [rad]."""


@dataclass(frozen=True, slots=True)
class Segment:
    """From `start_s` to `end_s` of the clip. shown, said: a label, or None; said_start_s, said_end_s: the key words,
    None where nothing is said; label: what one would answer who sees and hears, None where the senses contradict."""

    start_s: float
    end_s: float
    shown: str | None
    said: str | None
    said_start_s: float | None
    said_end_s: float | None
    lamp: bool
    label: str | None


SCRIPT = (
    (0.0, 0.9, None, None, True),
    (0.9, 3.3, "red ball", "red ball", True),
    (3.3, 5.7, "green cube", "green cube", True),
    (5.7, 7.7, "yellow cone", None, True),
    (7.7, 10.1, "blue cone", "blue cone", True),
    (10.1, 12.6, "orange ring", "orange ring", False),
    (12.6, 14.5, "purple star", None, True),
    (14.5, 16.9, "blue cylinder", "yellow ring", True),
    (16.9, 19.3, "red star", "red star", True),
    (19.3, 20.4, None, None, True),
)
"""start_s, end_s, shown, said, lamp. "blue cone" and "red star" are held out of training; one segment contradicts."""


def render_clip(video_path: str | Path, audio_path: str | Path, seed: int = 0) -> Path:
    """Writes the film (320 x 240, 30 fps, mp4v), the sound (16 kHz, 16 bit, mono WAV) and, beside the film, the truth
    (`.json`: fps, duration_s, segments as `Segment`). Returns the JSON's path. The same seed gives the same clip.

    Voices, table and noise are of the test split. Raises `SynthesisError` without espeak-ng, `DataError` where OpenCV
    cannot write the film.
    """
    rng = np.random.default_rng(seed)
    pcm, segments = sound(rng)
    film(Path(video_path), segments, rng)
    soundfile.write(str(audio_path), pcm, SAMPLE_RATE_HZ, subtype="PCM_16")
    truth = Path(video_path).with_suffix(".json")
    duration = SCRIPT[-1][1]
    content = {"fps": FPS, "duration_s": duration, "segments": [asdict(segment) for segment in segments]}
    truth.write_text(json.dumps(content, indent=1) + "\n")
    return truth


def sound(rng: np.random.Generator) -> tuple[np.ndarray, tuple[Segment, ...]]:
    """float32 (samples,) of the whole clip, and the script with the times of the words."""
    samples = int(SCRIPT[-1][1] * SAMPLE_RATE_HZ)
    pcm = Backdrops("test", 40).stretch(samples, rng) * np.float32(SPEECH_LEVEL * 10 ** (-SNR_DB / 20))
    utterances = iter(utter("test", [said for *_, said, _ in SCRIPT if said], rng))
    segments = []
    for start, end, shown, said, lamp in SCRIPT:
        first, last = None, None
        if said:
            spoken, place = next(utterances), int((start + 0.45) * SAMPLE_RATE_HZ)
            speech = spoken.pcm[: samples - place] * level_gain(spoken)
            pcm[place : place + len(speech)] += speech
            first, last = ((place + at) / SAMPLE_RATE_HZ for at in (spoken.start, spoken.end))
        label = None if shown and said and shown != said else shown or said or NOTHING
        segments.append(Segment(start, end, shown, said, first, last, lamp, label))
    return np.clip(pcm, -1, 1), tuple(segments)


def level_gain(spoken: Utterance) -> np.float32:
    """The factor that brings the key words to the clip's speech level."""
    key = spoken.pcm[spoken.start : spoken.end].astype(np.float32)
    gain: np.float32 = np.float32(SPEECH_LEVEL / (np.sqrt(np.mean(key**2)) + 1e-6))
    return gain


def film(path: Path, segments: tuple[Segment, ...], rng: np.random.Generator) -> None:
    """Draws and writes every frame."""
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), FPS, (COLUMNS, ROWS))
    if not writer.isOpened():
        raise DataError(f"{path}: OpenCV cannot write an mp4v film there; is the folder there and writable?")
    try:
        for segment in segments:
            cast = actor(segment, rng)
            for index in range(round(segment.start_s * FPS), round(segment.end_s * FPS)):
                frame = render_frame(segment, cast, index / FPS, rng)
                writer.write(cv2.cvtColor(frame, cv2.COLOR_RGB2BGR))
    finally:
        writer.release()


def actor(segment: Segment, rng: np.random.Generator) -> Scene:
    """The object of a segment where it will stand, or the empty table."""
    if segment.shown is None:
        return TABLE
    color, shape = segment.shown.split(" ")
    return replace(
        TABLE,
        shape=shape,
        color=named_color(color, rng),
        position=(float(rng.uniform(-0.7, 0.7)), float(rng.uniform(-0.4, 0.2))),
        size=0.55,
        yaw=float(TOWARDS_CAMERA + rng.uniform(-0.5, 0.2)),
        tilt=POSES.get(shape, 0.0),
        gloss=0.2,
    )


def render_frame(segment: Segment, cast: Scene, time_s: float, rng: np.random.Generator) -> np.ndarray:
    """The camera's frame at a time: the object comes down, turns slowly, and goes; the lamp fades where it is off."""
    since, left = time_s - segment.start_s, segment.end_s - time_s
    there = ease(since / FADE_S) * ease(left / FADE_S)
    moving = replace(
        cast,
        position=(cast.position[0] + 0.05 * np.sin(1.7 * since), cast.position[1] + 0.03 * np.cos(1.3 * since)),
        height=0.5 * (1 - ease(since / FADE_S)),
        yaw=cast.yaw + 0.3 * since,
    )
    frame = render(moving, ROWS, COLUMNS, segments=40)[0].astype(np.float32)
    if segment.shown and there < 1:
        empty = render(TABLE, ROWS, COLUMNS)[0].astype(np.float32)
        frame = empty + there * (frame - empty)
    dark = 0.0 if segment.lamp else there
    light = (1 - 0.975 * dark) * (1 + 0.015 * np.sin(2 * np.pi * 0.7 * time_s))
    return expose(frame, np.full(3, light), 0.7, 0.014, rng)


def ease(share: float) -> float:
    """0 to 1 without a jerk (smoothstep), clamped."""
    share = min(1.0, max(0.0, share))
    return share * share * (3 - 2 * share)


def remake(video: Path) -> None:
    """`render_clip` at `video`, with sound and truth beside it; what was there is replaced when all three are whole."""
    if video.suffix != ".mp4":
        raise DataError(f"{video}: expected a name that ends in .mp4")
    try:
        with TemporaryDirectory(dir=video.parent) as beside:
            made = Path(beside) / video.name
            truth = render_clip(made, made.with_suffix(".wav"))
            for file in (made, made.with_suffix(".wav"), truth):
                file.replace(video.with_suffix(file.suffix))
    except OSError as error:
        raise DataError(f"{video} cannot be written: {error.strerror}") from error


def main() -> None:
    """The command; what is wrong is one line, and exit code 2."""
    parser = argparse.ArgumentParser(prog="python -m edgefuse.tabletop.clip", description="Make the clip anew.")
    parser.add_argument("video", type=Path, help="mp4; the sound (.wav) and the truth (.json) come beside it")
    try:
        remake(parser.parse_args().video)
    except FusionError as error:
        print(f"edgefuse: {error}", file=sys.stderr)
        sys.exit(2)


if __name__ == "__main__":
    main()
