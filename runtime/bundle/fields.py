"""What a field of the manifest may hold at most: sizes that fit a machine, and names that can be shown."""

from __future__ import annotations

import math
import unicodedata
from pathlib import PurePosixPath
from typing import Annotated, Final

from pydantic import AfterValidator, FailFast, Field

MOST_SENSES: Final = 64
MOST_LABELS: Final = 50_000
"""ImageNet has 21,843."""

MOST_FILES: Final = 1_000
MOST_ROWS: Final = 10_000
"""Of bounds and of what verify measured: senses make up to so many subsets."""

LONGEST_AGE_MS: Final = 86_400_000.0
"""What was sensed a day ago is no evidence."""

MOST_VALUES: Final = 150_000_000
"""Of a tensor of known size: a frame of 50 million pixels."""

MOST_WINDOW: Final = 50_000_000
"""Samples times channels: 200 MB."""

MOST_DIMENSIONS: Final = 8


def _shown(text: str) -> str:
    for character in text:
        if unicodedata.category(character) in ("Cc", "Zl", "Zp", "Cs"):
            raise ValueError(f"holds the control character {character!r}")
    return text


def _inside(file: str) -> str:
    path = PurePosixPath(file)
    if path.is_absolute() or ".." in path.parts:
        raise ValueError(f"{file} lies outside the bundle")
    if str(path) != file or file in (".", "manifest.json"):
        raise ValueError(f"{file!r} is no name of a file in a bundle")
    return file


def _holding_few(shape: tuple[int | str, ...]) -> tuple[int | str, ...]:
    if math.prod(size for size in shape if isinstance(size, int)) > MOST_VALUES:
        raise ValueError(f"{list(shape)} is more than {MOST_VALUES:,} values")
    return shape


Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Line = Annotated[str, Field(max_length=10_000), AfterValidator(_shown)]
"""A text of one line, which may be shown on a terminal."""

Name = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(_shown)]
File = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(_shown), AfterValidator(_inside)]
"""The path of a file within the bundle, with slashes."""

Count = Annotated[int, Field(ge=0, le=2**53)]
Size = Annotated[int, Field(ge=1, le=MOST_VALUES)]
"""Of one dimension."""

Samples = Annotated[int, Field(ge=1, le=MOST_WINDOW)]

Shape = Annotated[tuple[Size | Name, ...], FailFast(), Field(max_length=MOST_DIMENSIONS), AfterValidator(_holding_few)]
"""A named dimension ("batch") may take any size."""

Share = Annotated[float, Field(ge=0, le=1)]
Cosine = Annotated[float, Field(ge=-1.001, le=1.001)]
Difference = Annotated[float, Field(ge=0, le=1e30)]
"""Of two outputs, in their own units."""
