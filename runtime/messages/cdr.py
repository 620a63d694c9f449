"""CDR, the bytes of a ROS 2 message: little endian, each number aligned to its own size."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Literal

import numpy as np

from edgefuse.runtime.samples import NS_PER_S

_HEADER = b"\x00\x01\x00\x00"  # plain CDR, little endian; alignment counts from behind it
_CODES = {"bool": "?", "uint8": "B", "int32": "i", "uint32": "I", "uint64": "Q", "float32": "f", "float64": "d"}
_PACKED = {kind: struct.Struct(f"<{code}") for kind, code in _CODES.items()}
_LENGTH = _PACKED["uint32"]

Number = Literal["bool", "uint8", "int32", "uint32", "uint64", "float32", "float64"]


class CdrBuilder:
    """Appends one field after another, in the order of the .msg file; `content` is the message so far."""

    def __init__(self) -> None:
        self._bytes = bytearray(_HEADER)

    @property
    def content(self) -> bytes:
        """The message, a copy."""
        return bytes(self._bytes)

    def number(self, kind: Number, value: float) -> CdrBuilder:
        """One number or bool."""
        packed = _PACKED[kind]
        self._align(packed.size)
        self._bytes += packed.pack(value)
        return self

    def string(self, text: str) -> CdrBuilder:
        """A string, UTF-8."""
        encoded = text.encode() + b"\0"
        self._align(_LENGTH.size)
        self._bytes += _LENGTH.pack(len(encoded))
        self._bytes += encoded
        return self

    def strings(self, texts: Sequence[str]) -> CdrBuilder:
        """A sequence of strings."""
        self.number("uint32", len(texts))
        for text in texts:
            self.string(text)
        return self

    def data(self, content: bytes) -> CdrBuilder:
        """A sequence of uint8."""
        self.number("uint32", len(content))
        self._bytes += content
        return self

    def floats(self, values: np.ndarray) -> CdrBuilder:
        """A sequence of float32; `values` of any shape, row after row."""
        self.number("uint32", values.size)
        self._bytes += values.astype("<f4").tobytes()
        return self

    def header(self, stamp_ns: int, frame_id: str) -> CdrBuilder:
        """A std_msgs/Header; `stamp_ns` is ROS time [ns since the epoch]."""
        seconds, nanoseconds = divmod(stamp_ns, NS_PER_S)
        return self.number("int32", seconds).number("uint32", nanoseconds).string(frame_id)

    def _align(self, size: int) -> None:
        missing = -(len(self._bytes) - len(_HEADER)) % size
        if missing:
            self._bytes += bytes(missing)
