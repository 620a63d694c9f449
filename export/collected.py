"""A set of collected samples (`edgefuse calibrate quantization`) in the place of a network's own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from edgefuse.calibration.collection import Collection
from edgefuse.export.errors import ExportError
from edgefuse.export.spec import FusionSpec
from edgefuse.export.tracing.inspection import sample_shape
from edgefuse.fusion.examples import Examples, TaskSamples
from edgefuse.runtime.bundle.manifest import Modality

HELD_OUT_EVERY = 5
"""Of a set that is all there is, errors are measured on every fifth sample, ranges on the others."""


def with_collection(spec: FusionSpec, collection: Collection) -> FusionSpec:
    """The spec with collected samples instead of its own to measure ranges on; raises ExportError for other senses."""
    described = [modality.described for modality in spec.modalities]
    return replace(spec, calibration=examples_from_collection(collection, described))


def set_samples(collection: Collection, described: Sequence[Modality], reason: str) -> TaskSamples:
    """Samples for a network of which there are no others, because of `reason`; raises ExportError for other senses."""
    examples = examples_from_collection(collection, described)
    held_out = np.arange(len(examples)) % HELD_OUT_EVERY == HELD_OUT_EVERY - 1
    remark = f"accuracy and confidence are not measured: {reason}"
    return TaskSamples(examples.take(~held_out), examples.take(held_out), remarks=(remark,))


def examples_from_collection(collection: Collection, described: Sequence[Modality]) -> Examples:
    """What a set holds, for a network of these senses; raises ExportError where it is of others."""
    senses = [modality.name for modality in described]
    if sorted(collection.samples) != sorted(senses):
        raise ExportError(f"the set is of {', '.join(collection.samples)}, the network has {', '.join(senses)}")
    for modality in described:
        _check_samples(modality, collection.samples[modality.name])
    samples: Mapping[str, np.ndarray] = {sense: collection.samples[sense] for sense in senses}
    return Examples(samples, origin=f"collected samples ({collection.header.measured.how})")


def _check_samples(modality: Modality, found: np.ndarray) -> None:
    dtype, shape = sample_shape(modality)
    sizes = found.shape[1:]
    if (
        found.dtype != dtype
        or len(sizes) != len(shape)
        or any(size not in (None, given) for size, given in zip(shape, sizes, strict=True))
    ):
        expected = [len(found), *("any" if size is None else size for size in shape)]
        raise ExportError(
            f"the set's {modality.name} is {found.dtype} {list(found.shape)}, "
            f"the network takes {dtype} [{', '.join(map(str, expected))}]; collect it again"
        )
