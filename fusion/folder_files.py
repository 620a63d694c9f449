"""Pictures and sounds from files of one's own, as far as they may be believed."""

import io
import math
import re
import stat
import warnings
from pathlib import Path

import cv2
import numpy as np
import soundfile
import soxr
from PIL import Image

from edgefuse.fusion.errors import DataError
from edgefuse.fusion.folder_listing import shown

MOST_BYTES = 200_000_000
MOST_PIXELS = 50_000_000
MOST_SECONDS = 60
"""Of a sound, from its beginning: a window is 1.6 s."""
RATES_HZ = (1000, 768_000)
MOST_CHANNELS = 32

LOUDEST = 8.0
"""Full scale is 1; what is far louder holds integers that were never scaled."""
SILENT = 1e-4
"""-80 dB, three steps of 16 bits."""
CANCELLED = 0.05
"""Of the channels' own loudness: what is left of sound whose channels are in antiphase."""

JPEG, SCAN, END = b"\xff\xd8", b"\xff\xda", b"\xff\xd9"
SHORTER_THAN_SAID = re.compile(r"^data : (\d+) \(should be \d+\)", re.MULTILINE)
"""In libsndfile's log of a WAV file, which it reads on without an error."""
LENGTH_UNKNOWN = 0x7FFF_0000
"""From here on a length is what a program wrote that did not know it, into a pipe."""


def read_whole(path: Path) -> bytes:
    """All of a regular file; raises `DataError`, one line."""
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise DataError(f"{shown(path)}: no regular file")
        if status.st_size > MOST_BYTES:
            raise DataError(
                f"{shown(path)}: {status.st_size:,} bytes, at most {MOST_BYTES:,} are read; make it smaller"
            )
        if status.st_size == 0:
            raise DataError(f"{shown(path)}: empty")
        return path.read_bytes()
    except OSError as error:
        raise DataError(f"{shown(path)}: cannot be read: {error.strerror}") from error


def read_picture(path: Path, size: tuple[int, int]) -> np.ndarray:
    """uint8 (rows, columns, 3) RGB of `size`, upright: turned as its EXIF orientation asks, as a person sees it.

    What it shows then stands as it will before a robot's camera; no pixel's place matters here, as it does to a lens.
    Raises `DataError`, one line, also for one that is cut off.
    """
    return picture_from_bytes(read_whole(path), path, size)


def picture_from_bytes(content: bytes, path: Path, size: tuple[int, int]) -> np.ndarray:
    """See `read_picture`; `path` is for messages."""
    check_picture(content, path)
    try:
        image = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)
    except cv2.error:
        image = None
    if image is None:
        raise DataError(f"{shown(path)}: not a picture that OpenCV can read")
    return cv2.cvtColor(cv2.resize(image, size[::-1], interpolation=cv2.INTER_AREA), cv2.COLOR_BGR2RGB)


def check_picture(content: bytes, path: Path) -> None:
    """Raises `DataError` for one whose header says that it is huge, and for one that is cut off or damaged."""
    too_large = f"{shown(path)}: a picture of more than {MOST_PIXELS:,} pixels; make it smaller"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow's own limit is another
            picture = Image.open(io.BytesIO(content))
            if math.prod(picture.size) > MOST_PIXELS:
                raise DataError(too_large)
            picture.verify()
    except Image.DecompressionBombError as error:
        raise DataError(too_large) from error
    except DataError:
        raise
    except Exception as error:  # Pillow's formats raise what they like
        raise DataError(f"{shown(path)}: not a picture, or damaged") from error
    if content.startswith(JPEG) and content.rfind(END) < content.rfind(SCAN):
        raise DataError(f"{shown(path)}: a picture that is cut off")


def read_sound(path: Path, rate_hz: int) -> np.ndarray:
    """float32 (samples,), mono, at `rate_hz`, of 60 s at most. Raises `DataError`, one line, for what is no sound."""
    return sound_from_bytes(read_whole(path), path, rate_hz)


def sound_from_bytes(content: bytes, path: Path, rate_hz: int) -> np.ndarray:
    """See `read_sound`; `path` is for messages."""
    try:
        with soundfile.SoundFile(io.BytesIO(content)) as sound:
            rate, channels = sound.samplerate, sound.channels
            if not RATES_HZ[0] <= rate <= RATES_HZ[1] or channels > MOST_CHANNELS:
                raise DataError(f"{shown(path)}: {channels} channels at {rate} Hz are no sound that can be used")
            if any(int(said) < LENGTH_UNKNOWN for said in SHORTER_THAN_SAID.findall(sound.extra_info)):
                raise DataError(f"{shown(path)}: a sound that is cut off")
            pcm = sound.read(MOST_SECONDS * rate, dtype="float32", always_2d=True)
    except soundfile.LibsndfileError as error:
        raise DataError(f"{shown(path)}: not a sound file that can be read ({error.error_string})") from error
    mono = mono_from_channels(pcm, path)
    return np.asarray(mono if rate == rate_hz else soxr.resample(mono, rate, rate_hz).astype(np.float32))


def mono_from_channels(pcm: np.ndarray, path: Path) -> np.ndarray:
    """The mean of the channels (samples, channels); raises `DataError` where it says nothing of them."""
    if not len(pcm):
        raise DataError(f"{shown(path)}: holds no sound")
    if not np.isfinite(pcm).all():
        raise DataError(f"{shown(path)}: holds NaN or infinity")
    loudest = float(np.abs(pcm).max())
    if loudest > LOUDEST:
        raise DataError(f"{shown(path)}: should be sound in -1..1, but holds {loudest:.3g}")
    mono = np.asarray(pcm.mean(axis=1))
    if loudest > SILENT and loudness(mono) < CANCELLED * loudness(pcm):
        raise DataError(f"{shown(path)}: its channels cancel each other out (antiphase); save one of them alone")
    return mono


def loudness(pcm: np.ndarray) -> float:
    """Root mean square."""
    return float(np.sqrt(np.square(pcm, dtype=np.float64).mean()))


def is_silent(pcm: np.ndarray) -> bool:
    """Whether nothing in it can be heard."""
    return float(np.abs(pcm).max()) <= SILENT
