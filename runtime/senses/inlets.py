"""Inlets: where the samples of one sense wait for its encoder. Newest wins; nothing here grows.

A series (sound, signal) waits in a Window, see window.py.
"""

from __future__ import annotations

from typing import Protocol

import cv2
import numpy as np
from tokenizers import Tokenizer

from edgefuse.runtime.bundle.manifest import ImageModality, Modality, TextModality
from edgefuse.runtime.errors import SampleError
from edgefuse.runtime.samples import Frame, Sample, Text
from edgefuse.runtime.senses.drops import Drops
from edgefuse.runtime.senses.evidence import Evidence
from edgefuse.runtime.senses.sample_check import check_frame
from edgefuse.runtime.senses.tokenizer import MAX_TEXT_CHARACTERS, token_ids
from edgefuse.runtime.senses.window import Window


class Inlet(Protocol):
    """Holds what one encoder gets next. `put` raises SampleError for a sample this sense cannot take."""

    def put(self, sample: Sample, received_ns: int) -> None:
        """Take in one sample, in the order of their stamps."""
        ...

    def ready(self) -> bool:
        """Whether there is something new for the encoder."""
        ...

    def take(self) -> Evidence:
        """The newest; afterwards the inlet is not ready until more comes."""
        ...


def open_inlet(modality: Modality, tokenizer: Tokenizer | None, drops: Drops) -> Inlet:
    """The inlet for a sense, by its kind; text needs the bundle's tokenizer. `drops` counts what no encoder gets."""
    if modality.kind == "image":
        return FrameSlot(modality, drops)
    if modality.kind == "text":
        assert tokenizer is not None, "a manifest with a text sense but no tokenizer"
        return TextSlot(modality, tokenizer, drops)
    return Window(modality, drops)


class FrameSlot:
    """The newest frame."""

    def __init__(self, modality: ImageModality, drops: Drops) -> None:
        self._name = modality.name
        self._drops = drops
        self._newest: tuple[Frame, int] | None = None

    def put(self, sample: Sample, received_ns: int) -> None:
        """Raises SampleError unless it is a uint8 (height, width, 3) frame of an encoding that is known."""
        if not isinstance(sample, Frame):
            raise SampleError(f"should be a Frame, but is a {type(sample).__name__}")
        check_frame(sample)
        self._drops.count(self._name, "overtaken", self.ready())
        self._newest = sample, received_ns

    def ready(self) -> bool:
        """See Inlet."""
        return self._newest is not None

    def take(self) -> Evidence:
        """RGB uint8 (1, height, width, 3); a view of the frame where its order is RGB already."""
        assert self._newest is not None, "take() without ready()"
        (frame, received_ns), self._newest = self._newest, None
        image = frame.image if frame.encoding == "rgb8" else cv2.cvtColor(frame.image, cv2.COLOR_BGR2RGB)
        return Evidence(self._name, frame.stamp_ns, received_ns, np.ascontiguousarray(image)[None], frame.frame_id)


class TextSlot:
    """The newest text, as token ids."""

    def __init__(self, modality: TextModality, tokenizer: Tokenizer, drops: Drops) -> None:
        self._modality = modality
        self._drops = drops
        self._tokenizer = tokenizer
        self._newest: Evidence | None = None

    def put(self, sample: Sample, received_ns: int) -> None:
        """Raises SampleError for a text that is blank or longer than MAX_TEXT_CHARACTERS."""
        if not isinstance(sample, Text):
            raise SampleError(f"should be a Text, but is a {type(sample).__name__}")
        if not sample.text.strip() or len(sample.text) > MAX_TEXT_CHARACTERS:
            raise SampleError(f"should have 1 to {MAX_TEXT_CHARACTERS} characters, but has {len(sample.text.strip())}")
        self._drops.count(self._modality.name, "overtaken", self.ready())
        ids = token_ids(self._tokenizer, [sample.text], self._modality.max_tokens)
        self._newest = Evidence(self._modality.name, sample.stamp_ns, received_ns, ids)

    def ready(self) -> bool:
        """See Inlet."""
        return self._newest is not None

    def take(self) -> Evidence:
        """Token ids int64 (1, max_tokens)."""
        assert self._newest is not None, "take() without ready()"
        evidence, self._newest = self._newest, None
        return evidence
