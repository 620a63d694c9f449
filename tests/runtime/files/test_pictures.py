"""Pictures that come as bytes: what is decoded, and what is refused before memory is taken for it."""

import resource
import struct
from random import Random

import cv2
import numpy as np
import pytest
from fuzzing import each_round, is_one_line, mutated

from edgefuse.runtime.errors import SampleError
from edgefuse.runtime.files.pictures import decode_picture

NOISE = np.random.default_rng(0).integers(0, 255, (33, 47, 3), np.uint8)
FORMATS = (".jpg", ".png", ".webp", ".bmp", ".tiff", ".ppm", ".pgm")


def encoded(image: np.ndarray = NOISE, kind: str = ".jpg", *parameters: int) -> bytes:
    picture = image[..., 0] if kind == ".pgm" else image
    return cv2.imencode(kind, picture, parameters)[1].tobytes()


def saying(content: bytes, width: int, height: int) -> bytes:
    """A JPEG or PNG whose header says another size."""
    if content.startswith(b"\x89PNG"):
        return content[:16] + struct.pack(">II", width, height) + content[24:]
    at = content.index(b"\xff\xc0") + 5
    return content[:at] + struct.pack(">HH", height, width) + content[at + 4 :]


def with_orientation(jpeg: bytes, orientation: int) -> bytes:
    """A JPEG with an EXIF segment that says how it is to be turned."""
    exif = b"Exif\0\0MM\0*" + struct.pack(">IHHHIHHI", 8, 1, 0x0112, 3, 1, orientation, 0, 0)
    return jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif + jpeg[2:]


@pytest.mark.parametrize("kind", FORMATS)
def test_the_common_formats_are_decoded(kind):
    assert decode_picture(encoded(kind=kind)).shape == NOISE.shape


@pytest.mark.parametrize("kind", FORMATS)
def test_a_single_pixel_is_a_picture(kind):
    assert decode_picture(encoded(NOISE[:1, :1], kind)).shape == (1, 1, 3)


def test_grey_and_16_bits_become_three_channels_of_8():
    grey = decode_picture(encoded(NOISE[..., 0], ".png"))
    np.testing.assert_array_equal(grey, np.repeat(NOISE[..., :1], 3, axis=2))
    deep = decode_picture(encoded(NOISE.astype(np.uint16) * 257, ".png"))
    np.testing.assert_array_equal(deep, NOISE)


def test_exif_turns_no_frame_of_a_camera():
    upright = encoded()
    np.testing.assert_array_equal(decode_picture(with_orientation(upright, 6)), decode_picture(upright))


@pytest.mark.parametrize("kind", [".jpg", ".png"])
@pytest.mark.parametrize("size", [(30_000, 30_000), (40_000, 30_000), (65_535, 65_535), (8_000, 6_251)])
def test_what_says_that_it_is_huge_is_refused_before_memory_is_taken(kind, size):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(SampleError, match=rf"says that it is {size[0]} x {size[1]}: .*EDGEFUSE_MAX_FRAME_PIXELS"):
        decode_picture(saying(encoded(kind=kind), *size))
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 20_000  # kB


def test_the_limit_can_be_moved(monkeypatch):
    monkeypatch.setenv("EDGEFUSE_MAX_FRAME_PIXELS", "1000")
    with pytest.raises(SampleError, match="1,551 pixels, of which at most 1,000 are taken"):
        decode_picture(encoded())


@pytest.mark.parametrize("kind", FORMATS[:2])
def test_half_a_picture_is_none(kind):
    content = encoded(kind=kind)
    with pytest.raises(SampleError, match="cut off"):
        decode_picture(content[: len(content) // 2])


def test_a_png_whose_chunk_says_that_it_is_huge_is_refused_before_memory_is_taken():
    content = encoded(kind=".png")
    for at in range(8, len(content) - 8):
        if content[at + 4 : at + 8] not in (b"IDAT", b"IEND"):
            continue
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        with pytest.raises(SampleError, match="cut off"):
            decode_picture(content[:at] + b"\x7f\xff\xff\xff" + content[at + 4 :])
        assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 20_000  # kB


@pytest.mark.parametrize("kind", FORMATS[:2])
def test_bytes_after_the_end_do_not_matter(kind):
    content = encoded(kind=kind)
    np.testing.assert_array_equal(decode_picture(content + b"\0" * 100 + b"padding"), decode_picture(content))


def test_a_progressive_jpeg_and_one_with_restarts():
    content = encoded(NOISE, ".jpg", cv2.IMWRITE_JPEG_PROGRESSIVE, 1, cv2.IMWRITE_JPEG_RST_INTERVAL, 2)
    assert decode_picture(content).shape == NOISE.shape


def test_a_jpeg_of_thousands_of_scans_is_refused():
    content = encoded(NOISE, ".jpg", cv2.IMWRITE_JPEG_PROGRESSIVE, 1)
    first = content.index(b"\xff\xda")
    scan = content[first : content.index(b"\xff", first + 40)]
    with pytest.raises(SampleError, match="more than 100 scans"):
        decode_picture(content[:first] + 200 * scan + content[first:])


@pytest.mark.parametrize("content", [b"", b"hello", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"BM", b"P6 4", b"II*\0"])
def test_what_is_no_picture_is_one_line(content):
    with pytest.raises(SampleError) as error:
        decode_picture(content)
    assert is_one_line(error.value)


def decoded(content: bytes) -> tuple[str, np.ndarray | None]:
    """Why it is refused, or the picture."""
    try:
        return "", decode_picture(content)
    except SampleError as error:
        return str(error), None


@pytest.mark.fuzz
@pytest.mark.parametrize("kind", [*FORMATS, "progressive"])
def test_a_mutated_picture_is_a_picture_or_refused(kind):
    progressive = kind == "progressive"
    whole = encoded(NOISE, ".jpg", cv2.IMWRITE_JPEG_PROGRESSIVE, 1) if progressive else encoded(kind=kind)

    def check(random: Random) -> None:
        refused, image = decoded(mutated(whole, random))
        assert is_one_line(refused) if image is None else image.shape[2] == 3

    each_round(50, check)
