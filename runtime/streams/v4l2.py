"""Video4Linux: which cameras are plugged in, by what stable path, and what they offer. Linux only.

The numbers and layouts are those of <linux/videodev2.h>.
"""

from __future__ import annotations

import fcntl
import os
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

Ioctl: TypeAlias = Callable[[int, int, bytearray], int]

_QUERYCAP, _CAPABILITY_BYTES, _DEVICE_CAPS_AT = 0x80685600, 104, 88
_ENUM_FMT, _FORMAT_BYTES, _PIXEL_FORMAT_AT = 0xC0405602, 64, 44
_ENUM_FRAMESIZES, _SIZE_BYTES = 0xC02C564A, 44
_ENUM_FRAMEINTERVALS, _INTERVAL_BYTES = 0xC034564B, 52
_VIDEO_CAPTURE = 1
_DISCRETE = 1


@dataclass(frozen=True, slots=True)
class CameraMode:
    """One size and pixel format (four characters, such as MJPG or YUYV), and the highest rate it is offered at."""

    pixel_format: str
    width: int
    height: int
    rate_hz: float

    def __str__(self) -> str:
        return f"{self.pixel_format} {self.width}x{self.height} at {self.rate_hz:g} Hz"


@dataclass(frozen=True, slots=True)
class CameraOffer:
    """A camera: its path, which may belong to another camera tomorrow, and the stable one, where it has one."""

    path: Path
    stable_path: Path | None
    name: str
    modes: tuple[CameraMode, ...]

    def __str__(self) -> str:
        return f"{self.stable_path or self.path} {self.name!r}"


def cameras(root: Path = Path("/"), ioctl: Ioctl = fcntl.ioctl) -> list[CameraOffer]:
    """The cameras there are; a device that cannot be asked (no permission, gone meanwhile) has no modes."""
    stable = {link.resolve(): link for link in sorted((root / "dev/v4l/by-id").glob("*"))}
    offers = []
    for path in sorted((root / "dev").glob("video*"), key=lambda path: (len(path.name), path.name)):
        name = root / "sys/class/video4linux" / path.name / "name"
        modes = _modes_of(path, ioctl)
        if modes is not None:
            title = name.read_text().strip() if name.is_file() else path.name
            offers.append(CameraOffer(path, stable.get(path.resolve()), title, modes))
    return offers


def _modes_of(path: Path, ioctl: Ioctl) -> tuple[CameraMode, ...] | None:
    """None for a node that is no camera: each camera has another that carries metadata only."""
    try:
        device = os.open(path, os.O_RDWR | os.O_NONBLOCK)
    except OSError:
        return ()
    try:
        capability = bytearray(_CAPABILITY_BYTES)
        ioctl(device, _QUERYCAP, capability)
        if not struct.unpack_from("I", capability, _DEVICE_CAPS_AT)[0] & _VIDEO_CAPTURE:
            return None
        return tuple(_modes(device, ioctl))
    except OSError:
        return ()
    finally:
        os.close(device)


def _modes(device: int, ioctl: Ioctl) -> Iterator[CameraMode]:
    for found in _enumerated(device, _ENUM_FMT, struct.pack("II", 0, _VIDEO_CAPTURE), _FORMAT_BYTES, ioctl):
        code = struct.unpack_from("I", found, _PIXEL_FORMAT_AT)[0]
        for size in _enumerated(device, _ENUM_FRAMESIZES, struct.pack("II", 0, code), _SIZE_BYTES, ioctl):
            kind, width, height = struct.unpack_from("III", size, 8)
            if kind != _DISCRETE:  # a range: its largest
                width, height = struct.unpack_from("4xI8xI", size, 12)
            yield CameraMode(_four_characters(code), width, height, _rate_hz(device, code, width, height, ioctl))


def _rate_hz(device: int, code: int, width: int, height: int, ioctl: Ioctl) -> float:
    request = struct.pack("IIII", 0, code, width, height)
    rates = [0.0]
    for interval in _enumerated(device, _ENUM_FRAMEINTERVALS, request, _INTERVAL_BYTES, ioctl):
        numerator, denominator = struct.unpack_from("II", interval, 20)  # of a range: its shortest
        rates.append(denominator / max(1, numerator))
    return max(rates)


def _enumerated(device: int, request: int, head: bytes, length: int, ioctl: Ioctl) -> Iterator[bytearray]:
    """The answers to an enumerating request, whose first word counts from 0 until the driver has no more."""
    for index in range(256):
        answer = bytearray(struct.pack("I", index) + head[4:] + bytes(length - len(head)))
        try:
            ioctl(device, request, answer)
        except OSError:
            return
        yield answer


def _four_characters(code: int) -> str:
    return code.to_bytes(4, "little").decode("ascii", "replace").strip()
