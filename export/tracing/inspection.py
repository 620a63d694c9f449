"""A spec read before anything runs: its names, its samples and its weights."""

from __future__ import annotations

from collections.abc import Iterator
from inspect import signature

import numpy as np
import torch
from torch import Tensor, nn

from edgefuse.export.errors import ExportError
from edgefuse.export.spec import FusionSpec, ModalitySpec
from edgefuse.export.tracing.outputs import FUSION_OUTPUTS
from edgefuse.fusion.examples import Examples
from edgefuse.runtime.bundle.manifest import AudioModality, ImageModality, Modality, SignalModality, TextModality
from edgefuse.runtime.heads.prompts import prompt_ids

RESERVED = frozenset({"fusion", "present", "prompts", "percepts", *FUSION_OUTPUTS})
"""Names of graphs, of their tensors and of topics, which no sense can have."""

LARGEST_GRAPH_BYTES = 2**31 - 2**20
"""A protobuf file, and so a graph, ends at 2 GB; a margin for what is not weights."""


def inspect(spec: FusionSpec) -> None:
    """Raises ExportError, one line, for what cannot be exported whatever the network does; PromptError for labels that
    no network can tell apart."""
    _inspect_names(spec)
    _inspect_prompts(spec)
    for modality in spec.modalities:
        _inspect_features(spec, modality)
    features = {modality.features for modality in spec.modalities if modality.features and modality.encoder is None}
    if len(features) > 1:
        raise ExportError(
            f"{spec.name}: put {', '.join(sorted(features))} into one submodule (features of a whole network)"
        )
    for name, module in modules(spec):
        _inspect_weights(name, module)
    _inspect_examples(spec, spec.calibration, "calibration")
    _inspect_examples(spec, spec.holdout, "hold-out")


def modules(spec: FusionSpec) -> Iterator[tuple[str, nn.Module]]:
    """Each graph's module by the graph's name."""
    for modality in spec.modalities:
        if modality.encoder is not None:
            yield modality.name, modality.encoder
    yield "fusion", spec.fusion


def sample_shape(modality: Modality) -> tuple[str, tuple[int | None, ...]]:
    """dtype and shape of one sample of a sense; None where any size will do."""
    match modality:
        case ImageModality():
            return "uint8", (None, None, 3)
        case AudioModality():
            return "float32", (modality.window_samples,)
        case TextModality():
            return "int64", (modality.max_tokens,)
        case SignalModality():
            return "float32", (modality.window_samples, modality.channels)


def _inspect_names(spec: FusionSpec) -> None:
    names = [modality.name for modality in spec.modalities]
    if not names:
        raise ExportError(f"{spec.name}: no modalities; a network senses something")
    twice = {name for name in names if names.count(name) > 1}
    if twice:
        raise ExportError(f"{spec.name}: two modalities are called {', '.join(sorted(twice))}")
    taken = RESERVED & set(names)
    if taken:
        raise ExportError(
            f"{spec.name}: a modality cannot be called {', '.join(sorted(taken))}, a word of the bundle's"
        )
    raw = [modality.name for modality in spec.modalities if modality.encoder is None]
    if raw and len(raw) < len(names):
        raise ExportError(f"{spec.name}: {', '.join(raw)} has no encoder and others have; give one to each or to none")
    if not spec.labels:
        raise ExportError(f"{spec.name}: no labels; name the classes in the order of the scores")
    if spec.background is not None and spec.background not in spec.labels:
        raise ExportError(f"{spec.name}: background {spec.background!r} is not one of the labels")
    texts = [modality.name for modality in spec.modalities if isinstance(modality.described, TextModality)]
    if texts and spec.tokenizer is None:
        raise ExportError(f"{spec.name}: the text sense {texts[0]} needs the spec's tokenizer")


def _inspect_prompts(spec: FusionSpec) -> None:
    texts = [modality.described for modality in spec.modalities if isinstance(modality.described, TextModality)]
    if texts and spec.tokenizer is not None and "prompts" in signature(spec.fusion.forward).parameters:
        prompt_ids(spec.tokenizer, list(spec.labels.values()), texts[0].max_tokens)


def _inspect_features(spec: FusionSpec, modality: ModalitySpec) -> None:
    root = spec.fusion if modality.encoder is None else modality.encoder
    if modality.features and modality.features not in dict(root.named_modules()):
        raise ExportError(f"{modality.name}: {type(root).__name__} has no submodule {modality.features!r} (features)")


def _inspect_weights(graph: str, module: nn.Module) -> None:
    for name, weights in module.named_parameters():
        _inspect_tensor(f"{graph}.{name}", weights, weights.isfinite().logical_not())
    for name, buffer in module.named_buffers():  # a mask may well be -infinity
        _inspect_tensor(f"{graph}.{name}", buffer, buffer.isnan() | buffer.isposinf())
    tensors = {id(tensor): tensor for tensor in (*module.parameters(), *module.buffers())}
    size = sum(tensor.nbytes for tensor in tensors.values())
    if size > LARGEST_GRAPH_BYTES:
        raise ExportError(f"{graph}: its weights are {size / 1e9:.1f} GB, and a graph holds 2 GB; export a smaller one")


def _inspect_tensor(name: str, values: Tensor, bad: Tensor) -> None:
    if values.device.type != "cpu":
        raise ExportError(f"the weights {name} lie on {values.device}; move the network to the CPU")
    if values.is_floating_point() and values.dtype != torch.float32:
        raise ExportError(f"the weights {name} are {str(values.dtype)[6:]}; make the network float32 (.float())")
    if bool(bad.any()):
        raise ExportError(f"the weights {name} hold NaN or infinity; the training diverged, train again")


def _inspect_examples(spec: FusionSpec, examples: Examples, which: str) -> None:
    for modality in spec.modalities:
        if modality.name not in examples.samples:
            raise ExportError(f"the {which} examples have no samples of {modality.name}")
        _inspect_samples(modality.described, examples.samples[modality.name], f"{which} samples of {modality.name}")
    unknown = set(examples.samples) - {modality.name for modality in spec.modalities}
    if unknown:
        raise ExportError(f"the {which} examples have samples of {', '.join(sorted(unknown))}, which is no modality")
    counts = {name: len(samples) for name, samples in examples.samples.items()}
    if len(set(counts.values())) > 1:
        found = ", ".join(f"{count} of {name}" for name, count in counts.items())
        raise ExportError(f"the {which} examples are not in step: {found}")
    for sense, present in examples.present.items():
        if sense not in examples.samples or present.dtype != bool or present.shape != (len(examples),):
            raise ExportError(
                f"which {which} examples have {sense} is {present.dtype} {list(present.shape)}, expected bool "
                f"[{len(examples)}] of one of {', '.join(examples.samples)}"
            )
    if examples.labels is not None:
        _inspect_labels(examples.labels, len(examples), len(spec.labels), which)


def _inspect_samples(modality: Modality, samples: np.ndarray, title: str) -> None:
    dtype, shape = sample_shape(modality)
    fits = samples.ndim == 1 + len(shape) and all(
        said in (None, size) for said, size in zip(shape, samples.shape[1:], strict=True)
    )
    if samples.dtype != dtype or not fits:
        said = ", ".join(["samples", *("any" if size is None else str(size) for size in shape)])
        raise ExportError(f"{title} are {samples.dtype} {list(samples.shape)}, expected {dtype} [{said}]")
    if not len(samples):
        raise ExportError(f"no {title}; ranges and errors are measured on real ones")
    if not np.isfinite(samples).all():
        raise ExportError(f"{title} hold NaN or infinity")


def _inspect_labels(labels: np.ndarray, examples: int, classes: int, which: str) -> None:
    if labels.shape != (examples,) or not np.issubdtype(labels.dtype, np.integer):
        raise ExportError(f"the {which} labels are {labels.dtype} {list(labels.shape)}, expected int64 [{examples}]")
    if labels.min() < 0 or labels.max() >= classes:
        raise ExportError(f"the {which} labels are {labels.min()} to {labels.max()}; there are {classes} classes")
