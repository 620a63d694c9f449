"""Samples are checked for sense before anything is made of them: what is no sample, what cannot have been sensed."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, get_args

import numpy as np

from edgefuse.runtime.arguments import is_one_of, number_in, shown, whole_in
from edgefuse.runtime.errors import EdgefuseError, SampleError, is_utf_8
from edgefuse.runtime.files.limits import FRAME_PIXELS
from edgefuse.runtime.samples import AudioChunk, Frame, FrameEncoding, Sample, Signal, Text

_ENCODINGS = get_args(FrameEncoding)
_LARGEST = 2**62  # ns or samples: of 146 years
_LEAST = {"stamp_ns": -_LARGEST, "run": 0, "index": 0}  # a recording's time begins with what was logged first
_FASTEST_HZ = 1e9
_SLOWEST_HZ = 1e-6


def check_is_sample(what: str, sample: Any) -> None:
    """Raises EdgefuseError, which begins with `what`, for what is no sample of a named sense at all."""
    if not isinstance(sample, (Frame, AudioChunk, Text, Signal)):
        raise EdgefuseError(f"{what} should be a Frame, an AudioChunk, a Text or a Signal, but is {shown(sample)}")
    if not isinstance(sample.modality, str):
        raise EdgefuseError(f"{what} should name its sense in `modality`, but that is {shown(sample.modality)}")


def checked(sample: Sample) -> Sample:
    """The sample, its counts as Python's integers; raises SampleError for one whose fields make no sense."""
    try:
        counts = {name: whole_in(name, getattr(sample, name), _LEAST[name], _LARGEST) for name in _counts(sample)}
        if not isinstance(sample, (Text, Frame)):
            number_in("rate_hz", sample.rate_hz, _SLOWEST_HZ, _FASTEST_HZ, "Hz")
    except EdgefuseError as error:
        raise SampleError(f"makes no sense: its {error}") from error
    if isinstance(sample, Frame):
        check_frame(sample)
    elif isinstance(sample, Text):
        check_text(sample)
    else:
        _check_array("pcm" if isinstance(sample, AudioChunk) else "values", _values(sample))
    if all(type(getattr(sample, name)) is int for name in counts):
        return sample
    return replace(sample, **counts)  # type: ignore[arg-type]  # whole numbers, by the names of fields that are


def check_frame(frame: Frame) -> None:
    """Raises SampleError unless it is a uint8 (height, width, 3) frame of an encoding that is known."""
    _check_array("image", frame.image)
    image = frame.image
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or 0 in image.shape:
        raise SampleError(f"should be uint8 (height, width, 3), but is {image.dtype} {image.shape}")
    if (refusal := FRAME_PIXELS.refusal(image.shape[0] * image.shape[1])) is not None:
        raise SampleError(f"holds {refusal}", "out_of_range")
    if not is_one_of(frame.encoding, _ENCODINGS):
        raise SampleError(f"should be encoded as {' or '.join(_ENCODINGS)}, but says {shown(frame.encoding)}")
    if not isinstance(frame.frame_id, str):
        raise SampleError(f"should name its frame_id, but that is {shown(frame.frame_id)}")


def check_text(text: Text) -> None:
    """Raises SampleError for what is no text in Unicode."""
    if not isinstance(text.text, str):
        raise SampleError(f"should be a text, but is {shown(text.text)}")
    if not is_utf_8(text.text):
        raise SampleError("is no text in Unicode: it holds half of a pair of surrogates")


def _counts(sample: Sample) -> tuple[str, ...]:
    return ("stamp_ns", "run") if isinstance(sample, (Frame, Text)) else ("stamp_ns", "run", "index")


def _values(sample: AudioChunk | Signal) -> np.ndarray:
    return sample.pcm if isinstance(sample, AudioChunk) else sample.values


def _check_array(name: str, array: Any) -> None:
    if not isinstance(array, np.ndarray) or isinstance(array, np.ma.MaskedArray):
        raise SampleError(f"should hold a NumPy array as {name}, but that is {shown(array)}")
    if not array.ndim:
        raise SampleError(f"should hold values in {name}, but that is one {array.dtype} alone")
