"""Pictures on the disk: folders of them to be read, and names of those to be drawn."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from edgefuse.runtime.errors import CalibrationError, FileError, SampleError
from edgefuse.runtime.files.documents import read_bytes
from edgefuse.runtime.files.limits import PICTURE_BYTES
from edgefuse.runtime.files.pictures import decode_picture
from edgefuse.runtime.samples import Frame

_READ = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".pgm", ".ppm", ".webp")
log = logging.getLogger(__name__)

_DRAWN = (".png", ".svg", ".pdf")

log = logging.getLogger(__name__)


def pictures_in(folder: Path) -> list[Path]:
    """Those of a folder, by name; raises CalibrationError if there are none."""
    named = [path for path in folder.iterdir() if path.suffix.lower() in _READ]
    found = sorted(path for path in named if path.is_file() and not path.name.startswith("."))
    if len(found) < len(named):
        log.warning("%s: %d are left out, being hidden or no files", folder, len(named) - len(found))
    if not found:
        raise CalibrationError(f"{folder} holds no pictures; expected names that end in {', '.join(_READ)}")
    return found


def read_pictures(folder: Path) -> Iterator[Frame]:
    """As frames (bgr8), numbered instead of stamped; raises CalibrationError for one that cannot be read.

    As the sensor gave them, as a camera gives its frames: turned as a picture's EXIF orientation asks, the lens would
    be centred elsewhere. That is said of the first that asks for it.
    """
    said = False
    for number, path in enumerate(pictures_in(folder)):
        try:
            content = read_bytes(path, PICTURE_BYTES)
            image = decode_picture(content)
        except SampleError as error:
            raise CalibrationError(
                f"{path} is no picture that can be read, take it out of the folder: it {error}"
            ) from error
        except FileError as error:
            raise CalibrationError(f"{error}: take it out of the folder") from error
        turned = None if said else cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)
        if turned is not None and not np.array_equal(image, turned):
            said = True
            log.warning(
                "%s asks in its EXIF data to be turned; pictures are taken as the sensor gave them, "
                "as a camera's frames",
                path,
            )
        yield Frame(number, image, "bgr8")


def check_drawable(path: Path | None) -> None:
    """Raises CalibrationError, before anything is measured, where a picture could not be drawn into `path`."""
    if path is None:
        return
    import matplotlib.pyplot  # noqa: F401  # missing, it is missed now rather than after the measurement

    if path.suffix.lower() not in _DRAWN:
        raise CalibrationError(f"{path} cannot be drawn: expected a name that ends in {', '.join(_DRAWN)}")
    check_writable(path)


def check_writable(path: Path) -> None:
    """Raises CalibrationError, before anything is measured, where there is no directory to write `path` into."""
    if not path.absolute().parent.is_dir():
        raise CalibrationError(f"{path} cannot be written: there is no directory {path.parent}")
