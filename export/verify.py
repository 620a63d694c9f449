"""A bundle against its checkpoint: every graph, the whole chain, and the task's accuracy for every subset of senses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edgefuse.export.bundle_predictor import BundlePredictor
from edgefuse.export.checkpoint import read_checkpoint
from edgefuse.export.errors import ExportError
from edgefuse.export.examples import TaskExamples, subsets, verification_examples
from edgefuse.export.parity import END_TO_END, accuracy_check, graph_checks
from edgefuse.export.progress import Progress, unseen
from edgefuse.fusion.checkpoint import Checkpoint
from edgefuse.fusion.prediction import Encoding, NetworkPredictor, Predictor
from edgefuse.runtime.bundle import Bundle
from edgefuse.runtime.manifest import Manifest
from edgefuse.runtime.verification import GraphCheck, Precision, Verification

Subset = tuple[str, ...]
Arrays = Mapping[str, np.ndarray]


@dataclass(frozen=True, slots=True)
class Fused:
    """The outputs of one subset of senses: PyTorch's, the fusion graph's on PyTorch's tokens, the whole bundle's."""

    reference: Arrays
    graph: Arrays
    chain: Arrays


def verify_bundle(bundle: Path, checkpoint: Path, progress: Progress = unseen) -> Verification:
    """Both on the same real samples; what broke its bound is in `.failures`.

    Raises BundleError or ExportError where one of them cannot be read, or where they cannot be compared.
    """
    return verification(Bundle.open(bundle), read_checkpoint(checkpoint), progress)


def verification(bundle: Bundle, checkpoint: Checkpoint, progress: Progress = unseen) -> Verification:
    """As verify_bundle, of what is already open."""
    _check_comparable(bundle.manifest, checkpoint)
    senses = tuple(modality.name for modality in bundle.manifest.modalities)
    chosen = subsets(senses)
    steps = 1 + len(senses) + len(chosen)
    reference, bundled = NetworkPredictor(checkpoint), BundlePredictor(bundle)

    progress("verify", 0, steps)
    examples = verification_examples()
    encoded: dict[str, tuple[Encoding, Encoding]] = {}
    for done, sense in enumerate(senses, start=1):
        progress("verify", done, steps)
        samples = examples.samples[sense]
        encoded[sense] = reference.encode(sense, samples), bundled.encode(sense, samples)
    fused: dict[Subset, Fused] = {}
    for done, subset in enumerate(chosen, start=1 + len(senses)):
        progress("verify", done, steps)
        fused[subset] = fuse(reference, bundled, encoded, subset)
    progress("verify", steps, steps)
    return verdict(bundle.manifest, examples, encoded, fused)


def fuse(
    reference: Predictor, bundled: Predictor, encoded: Mapping[str, tuple[Encoding, Encoding]], subset: Subset
) -> Fused:
    """One subset of the senses, fused in the three ways that are compared."""
    by_reference = {sense: both[0] for sense, both in encoded.items()}
    by_bundle = {sense: both[1] for sense, both in encoded.items()}
    prompts = reference.prompts()
    return Fused(
        reference=reference.fuse(by_reference, subset, prompts),
        graph=bundled.fuse(by_reference, subset, prompts),
        chain=bundled.fuse(by_bundle, subset, bundled.prompts()),
    )


def verdict(
    manifest: Manifest,
    examples: TaskExamples,
    encoded: Mapping[str, tuple[Encoding, Encoding]],
    fused: Mapping[Subset, Fused],
) -> Verification:
    """The rows: each sense's graph, the fusion graph alone, the whole chain; then the accuracies."""
    rows: list[GraphCheck] = []
    for sense, (by_reference, by_bundle) in encoded.items():
        rows += graph_checks(sense, manifest.graphs[sense].precision, _arrays(by_reference), _arrays(by_bundle))
    wanted = _joined([one.reference for one in fused.values()])
    rows += graph_checks("fusion", manifest.fusion.precision, wanted, _joined([one.graph for one in fused.values()]))
    rows += graph_checks(END_TO_END, _coarsest(manifest), wanted, _joined([one.chain for one in fused.values()]))
    accuracy = [
        accuracy_check(subset, examples.labels, one.reference["scores"], one.chain["scores"])
        for subset, one in fused.items()
    ]
    return Verification(graphs=tuple(rows), accuracy=tuple(accuracy))


def _check_comparable(manifest: Manifest, checkpoint: Checkpoint) -> None:
    senses, theirs = tuple(modality.name for modality in manifest.modalities), tuple(checkpoint.config.modalities)
    if senses != theirs:
        raise ExportError(f"the bundle has {', '.join(senses)}, the checkpoint {', '.join(theirs)}: not one network")
    if manifest.dim != checkpoint.config.dim:
        raise ExportError(f"the bundle's dim is {manifest.dim}, the checkpoint's {checkpoint.config.dim}")
    if tuple(manifest.labels) != checkpoint.labels:
        raise ExportError("the bundle and the checkpoint have different labels; verify against the bundle's checkpoint")


def _coarsest(manifest: Manifest) -> Precision:
    found = {graph.precision for graph in manifest.graphs.values()}
    order: tuple[Precision, ...] = ("int8", "fp16", "fp32")
    return next(precision for precision in order if precision in found)


def _arrays(encoding: Encoding) -> Arrays:
    return {"tokens": encoding.tokens, "embedding": encoding.embedding}


def _joined(parts: list[Arrays]) -> Arrays:
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
