"""A training batch, and what its examples are to be called."""

from dataclasses import dataclass

import numpy as np
from torch import Tensor

from edgefuse.fusion.losses import NO_LABEL


@dataclass(frozen=True, slots=True)
class Batch:
    """n examples with all senses, then extra pictures (only in `images`, `places`, and the image's labels).

    -1 is "not known" in every label. Columns of the (n, 3) arrays are image, audio, text.
    """

    images: Tensor
    """uint8 (n + extra, rows, columns, 3)"""
    audio: Tensor
    """float32 (n, samples)"""
    text_ids: Tensor
    """int64 (n, length)"""
    present: Tensor
    """bool (n, 3): what the fusion is given"""
    labels: Tensor
    """int64 (n,): what the fusion is to say"""
    sense_labels: Tensor
    """int64 (n, 3): what each sense says by itself"""
    attributes: Tensor
    """int64 (n, 4, attributes): of image, audio, text and the fused result; no attributes where classes have none"""
    agree: Tensor
    """float32 (n,): 1 the present senses match, 0 they contradict"""
    agree_shifted: Tensor
    """float32 (n,): the same for each image with the sound of the example before"""
    places: Tensor
    """float32 (n + extra, cells)"""
    extra_attributes: Tensor
    """int64 (extra, attributes)"""
    prompt_ids: Tensor
    """int64 (prompts, length): one text per class, then one per value of each attribute"""
    allowed: Tensor
    """bool (classes,): false for held-out classes"""
    combinations: Tensor
    """bool (values + 1, ...), an axis per attribute: false for held-out combinations, see `attribute_loss`"""


def fused_labels(told: np.ndarray, present: np.ndarray, nothing: int) -> np.ndarray:
    """What the present senses say together: the object that any of them speaks of; `nothing` if all say so; -1 if they
    contradict or if the only one that spoke was cut short. told int64 (n, 3), -1 where cut."""
    object_told, contradicting = unite(told, present, nothing)
    silent = (~present | (told == nothing)).all(axis=1)
    return np.where(contradicting, NO_LABEL, np.where(silent, nothing, object_told))


def agreement_labels(told: np.ndarray, present: np.ndarray, nothing: int) -> np.ndarray:
    """1 where no two present senses speak of different objects (one that says nothing contradicts nobody), 0 where they
    do, -1 where fewer than two senses are present or a phrase was cut. float32 (n,)."""
    _, contradicting = unite(told, present, nothing)
    unknown = (present.sum(axis=1) < 2) | (present & (told == NO_LABEL)).any(axis=1)
    return np.where(unknown, -1.0, np.where(contradicting, 0.0, 1.0)).astype(np.float32)


def shifted_agreement_labels(told: np.ndarray, nothing: int) -> np.ndarray:
    """`agreement_labels` of each image with the sound of the example before (the first with the last)."""
    pair = np.stack([told[:, 0], np.roll(told[:, 1], 1)], axis=1)
    return agreement_labels(pair, np.ones_like(pair, dtype=bool), nothing)


def unite(told: np.ndarray, present: np.ndarray, nothing: int) -> tuple[np.ndarray, np.ndarray]:
    """The object that the present senses speak of (-1: none), and whether they speak of several."""
    objects = np.where(present & (told != nothing), told, NO_LABEL)
    most = objects.max(axis=1)
    return most, ((objects != most[:, None]) & (objects != NO_LABEL)).any(axis=1)


def presence(count: int, dropout: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """bool (count, 3): modality dropout with these chances (3,); where nothing would be left, image and audio."""
    present = rng.random((count, 3)) >= dropout
    present[~present.any(axis=1)] = (True, True, False)
    return present
