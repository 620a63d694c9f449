"""The most of anything that is taken from outside. A reader looks at a size before it takes memory for it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Limit:
    """`most` of `unit`; the environment variable `EDGEFUSE_MAX_<name>` holds another number where more is needed."""

    name: str
    most: int
    unit: str

    @property
    def variable(self) -> str:
        """The environment variable that raises it."""
        return f"EDGEFUSE_MAX_{self.name}"

    @property
    def value(self) -> int:
        """The number that holds in this process; a variable that holds no number above 0 counts for nothing."""
        said = os.environ.get(self.variable, "")
        return int(said) if said.isascii() and said.isdigit() and len(said) < 19 and int(said) > 0 else self.most

    def refusal(self, size: int) -> str | None:
        """Why so much is not taken, to follow the name of what holds it; None where it is taken."""
        if size <= self.value:
            return None
        return f"{size:,} {self.unit}, of which at most {self.value:,} are taken ({self.variable} raises that)"


ARRAY_BYTES: Final = Limit("ARRAY_BYTES", 100_000_000, "bytes")
"""Of all arrays that are read of one archive: golden vectors, measured ranges."""

BUNDLE_BYTES: Final = Limit("BUNDLE_BYTES", 8_000_000_000, "bytes")
"""Of all files of a bundle; a graph of ONNX has 2 GB at most."""

DOCUMENT_BYTES: Final = Limit("DOCUMENT_BYTES", 16_000_000, "bytes")
"""Of a JSON or YAML file: a manifest, a calibration, a plan."""

DOCUMENT_VALUES: Final = Limit("DOCUMENT_VALUES", 1_000_000, "values")
"""Of a JSON text: its commas and opening brackets."""

FRAME_PIXELS: Final = Limit("FRAME_PIXELS", 50_000_000, "pixels")
"""Width times height of a frame, as its own header says; 8K video has 33 million."""

GOLDEN_SAMPLES: Final = Limit("GOLDEN_SAMPLES", 1_000, "samples")
"""Of one graph, each of which is run when a bundle is loaded; an export writes two."""

GRAPH_BYTES: Final = Limit("GRAPH_BYTES", 4_000_000_000, "bytes")
"""That ONNX Runtime takes on the CPU for all graphs of a process, their weights among them."""

MANIFEST_BYTES: Final = Limit("MANIFEST_BYTES", 4_000_000, "bytes")
"""Of a bundle's manifest, which has some ten thousand; a label takes fifty."""

PICTURE_BYTES: Final = Limit("PICTURE_BYTES", 200_000_000, "bytes")
"""Of a picture's file, or of one frame of a network camera; FRAME_PIXELS in a BMP have 150 million."""

RECORD_BYTES: Final = Limit("RECORD_BYTES", 256_000_000, "bytes")
"""Of one piece of a recording, unpacked: a message with a picture, a chunk of an MCAP file."""

SAMPLE_BYTES: Final = Limit("SAMPLE_BYTES", 2_000_000_000, "bytes")
"""Of a set of samples that quantization is calibrated on."""

SERIES_BYTES: Final = Limit("SERIES_BYTES", 16_000_000, "bytes")
"""Of a recorded message of sound, text or a signal: Python keeps each number of it as an object."""

SOUND_RATE: Final = Limit("SOUND_RATE", 768_000, "Hz")
"""Samples a second of a file, a message or a device, before they are resampled; converters end there."""

SOUND_CHANNELS: Final = Limit("SOUND_CHANNELS", 256, "channels")
"""Of a file or a message; a ROS message can say no more than 255."""

TOKENIZER_BYTES: Final = Limit("TOKENIZER_BYTES", 40_000_000, "bytes")
"""Of a tokenizer.json; Gemma's, of 256,000 tokens, has 34 million."""

TOPICS_BYTES: Final = Limit("TOPICS_BYTES", 16_000_000, "bytes")
"""Of all that a recording says of its topics: names, types, definitions, metadata; a large robot's are 5 MB."""

_LOWEST_RATE_HZ: Final = 1000  # a message that says less would grow a thousandfold where it is resampled


def sound_refusal(rate_hz: int, channels: int) -> str | None:
    """Why sound of such a form is not taken, to follow "says"; None where it is."""
    if not rate_hz >= _LOWEST_RATE_HZ:
        return f"{rate_hz} Hz, which is no rate of sound (at least {_LOWEST_RATE_HZ} Hz)"
    return SOUND_RATE.refusal(rate_hz) or SOUND_CHANNELS.refusal(channels)
