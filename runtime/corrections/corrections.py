"""Corrections: what calibration measured is undone, sample by sample, before anything else sees the samples."""

from __future__ import annotations

import threading
from copy import copy
from dataclasses import replace
from pathlib import Path

from edgefuse.runtime.arguments import check_kind
from edgefuse.runtime.bundle.manifest import Manifest
from edgefuse.runtime.corrections.camera_info import CameraInfo, read_camera_info
from edgefuse.runtime.corrections.sync import Sync, read_sync
from edgefuse.runtime.corrections.undistorter import Undistorter
from edgefuse.runtime.errors import CalibrationError, SampleError
from edgefuse.runtime.samples import AudioChunk, Frame, Sample


class Corrections:
    """Straightens the frames of one sense, and sets the stamps of sound or of pictures, whichever is late, back.

    Stamps only ever become earlier: where sound is early by 50 ms, pictures are late by 50 ms, since nothing is sensed
    before it happens. The time of a drift counts from the first sample. Thread-safe.
    """

    def __init__(self, camera: CameraInfo | None = None, sync: Sync | None = None, seen: str = "image") -> None:
        """`seen` is the sense whose frames are of `camera`."""
        check_kind("camera", camera, CameraInfo, None)
        check_kind("sync", sync, Sync, None)
        self._undistorter = None if camera is None else Undistorter(camera)
        self._sync = sync
        self._seen = seen
        self._fitted = False
        self._begin_ns: int | None = None
        self._beginning = threading.Lock()

    def begin_anew(self) -> Corrections:
        """The same, for another run: the time of a drift counts from its own first sample."""
        anew = copy(self)
        anew._begin_ns, anew._beginning, anew._fitted = None, threading.Lock(), False
        return anew

    def correct(self, sample: Sample) -> Sample:
        """The sample as it should have been.

        Raises CalibrationError for a frame of another size, SampleError once one has fitted: the calibration is right
        then, and the camera may come back at that size.
        """
        if self._undistorter is not None and isinstance(sample, Frame) and sample.modality == self._seen:
            sample = self._straight(sample, self._undistorter)
        late_ns = self._late_ns(sample)
        return replace(sample, stamp_ns=sample.stamp_ns - late_ns) if late_ns > 0 else sample

    def _straight(self, frame: Frame, undistorter: Undistorter) -> Frame:
        height, width = frame.image.shape[:2]
        if self._fitted and (width, height) != undistorter.size:
            raise SampleError(
                f"is {width} x {height}, but the lens was calibrated at {'{} x {}'.format(*undistorter.size)}"
            )
        straight = undistorter.undistort(frame)
        self._fitted = True
        return straight

    def _late_ns(self, sample: Sample) -> int:
        if self._sync is None or not isinstance(sample, (AudioChunk, Frame)):
            return 0
        with self._beginning:
            if self._begin_ns is None:
                self._begin_ns = sample.stamp_ns
        late_ns = self._sync.late_ns(sample.stamp_ns - self._begin_ns)
        return late_ns if isinstance(sample, AudioChunk) else -late_ns


def read_corrections(camera_info: str | Path | None, sync: str | Path | None, manifest: Manifest) -> Corrections | None:
    """From the files, where any is given; raises CalibrationError for one that the bundle has no use for."""
    check_kind("manifest", manifest, Manifest)
    for name, given in (("camera_info", camera_info), ("sync", sync)):
        check_kind(name, given, str, Path, None)
    if not camera_info and not sync:
        return None
    images = [modality.name for modality in manifest.modalities if modality.kind == "image"]
    kinds = {modality.kind for modality in manifest.modalities}
    for file, needed in ((camera_info, {"image"}), (sync, {"image", "audio"})):
        if file and not needed <= kinds:
            raise CalibrationError(
                f"{file} is of {' and '.join(sorted(needed))}, but the bundle has {', '.join(kinds)}"
            )
    camera = read_camera_info(camera_info) if camera_info else None
    return Corrections(camera, read_sync(sync) if sync else None, images[0])
