"""Pictures on the disk: folders of them to be read, and names of those to be drawn."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import cv2

from edgefuse.runtime.errors import CalibrationError
from edgefuse.runtime.files.whole_file import check_writable
from edgefuse.runtime.samples import Frame

_READ = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".pgm", ".ppm", ".webp")
_DRAWN = (".png", ".svg", ".pdf")


def pictures_in(folder: Path) -> list[Path]:
    """Those of a folder, by name; raises CalibrationError if there are none."""
    found = sorted(path for path in folder.iterdir() if path.suffix.lower() in _READ)
    if not found:
        raise CalibrationError(f"{folder} holds no pictures; expected names that end in {', '.join(_READ)}")
    return found


def read_pictures(folder: Path) -> Iterator[Frame]:
    """As frames (bgr8), numbered instead of stamped; raises CalibrationError for one that cannot be read."""
    for number, path in enumerate(pictures_in(folder)):
        image = cv2.imread(str(path), cv2.IMREAD_COLOR)
        if image is None:
            raise CalibrationError(f"{path} is no picture that can be read: take it out of the folder")
        yield Frame(number, image, "bgr8")


def check_drawable(path: Path | None) -> None:
    """Raises CalibrationError or FileError, before anything is measured, where `path` could not be drawn into."""
    if path is None:
        return
    import matplotlib.pyplot  # noqa: F401  # missing, it is missed now rather than after the measurement

    if path.suffix.lower() not in _DRAWN:
        raise CalibrationError(f"{path} cannot be drawn: expected a name that ends in {', '.join(_DRAWN)}")
    check_writable(path)
