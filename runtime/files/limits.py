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


DOCUMENT_BYTES: Final = Limit("DOCUMENT_BYTES", 16_000_000, "bytes")
"""Of a JSON or YAML file: a manifest, a calibration, a plan."""

FRAME_PIXELS: Final = Limit("FRAME_PIXELS", 50_000_000, "pixels")
"""Width times height of a frame, as its own header says; 8K video has 33 million."""

RECORD_BYTES: Final = Limit("RECORD_BYTES", 256_000_000, "bytes")
"""Of one piece of a recording, unpacked: a message with a picture, a chunk of an MCAP file."""

SERIES_BYTES: Final = Limit("SERIES_BYTES", 16_000_000, "bytes")
"""Of a recorded message of sound, text or a signal: Python keeps each number of it as an object."""

TOPICS_BYTES: Final = Limit("TOPICS_BYTES", 16_000_000, "bytes")
"""Of all that a recording says of its topics: names, types, definitions, metadata; a large robot's are 5 MB."""
