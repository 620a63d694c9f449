"""A bundle against its network in PyTorch: every graph, the whole chain, its alignment with prompts, its accuracy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edgefuse.export.bundle_predictor import BundlePredictor
from edgefuse.export.errors import ExportError
from edgefuse.export.parity import END_TO_END, FUSED, accuracy_check, alignment_check, graph_checks
from edgefuse.export.reference import Reference, Subset, reference
from edgefuse.export.spec import FusionSpec
from edgefuse.export.spec_predictor import Arrays
from edgefuse.export.tracing.graphs import graph_sources
from edgefuse.export.tracing.inspection import inspect
from edgefuse.fusion.progress import Progress, unseen
from edgefuse.runtime.bundle.bundle import Bundle
from edgefuse.runtime.bundle.manifest import Manifest
from edgefuse.runtime.bundle.verification import (
    AccuracyCheck,
    AlignmentCheck,
    GraphCheck,
    Precision,
    Verification,
)


@dataclass(frozen=True, slots=True)
class Found:
    """What a bundle makes of the hold-out examples.

    sensed and prompts as in Reference; by subset of senses, `graph`: the fusion graph's outputs on PyTorch's tokens,
    `chain`: the whole bundle's.
    """

    sensed: Arrays
    prompts: np.ndarray | None
    graph: Mapping[Subset, Arrays]
    chain: Mapping[Subset, Arrays]


def verify_bundle(bundle: Path, spec: FusionSpec, progress: Progress = unseen) -> Verification:
    """A bundle and what it was made from, on the same real samples; what broke its bound is in `.failures`.

    Raises BundleError or ExportError where the bundle cannot be read, or where they cannot be compared.
    """
    opened = Bundle.open(bundle)
    check_comparable(opened.manifest, spec)
    inspect(spec)
    return verification(opened, reference(spec, graph_sources(spec), progress), progress)


def verification(bundle: Bundle, expected: Reference, progress: Progress = unseen) -> Verification:
    """As verify_bundle, against results that are there already."""
    check_same_tensors(bundle.manifest, expected)
    found = run_bundle(bundle, expected, progress)
    return Verification(
        graphs=tuple(graph_rows(bundle.manifest, expected, found)),
        accuracy=tuple(accuracy_rows(expected, found)),
        alignment=tuple(alignment_rows(expected, found)),
    )


def run_bundle(bundle: Bundle, expected: Reference, progress: Progress) -> Found:
    """Run the bundle on the hold-out examples of `expected`."""
    predictor, senses = BundlePredictor(bundle), tuple(bundle.manifest.modalities)
    steps = len(senses) + len(expected.fused)
    sensed: Arrays = {}
    for done, modality in enumerate(senses):
        progress("verify", done, steps)
        sensed |= predictor.encode_sense(modality.name, expected.spec.holdout.samples[modality.name])
    prompts = predictor.labels_prompts()
    graph, chain = {}, {}
    for done, subset in enumerate(expected.fused, start=len(senses)):
        progress("verify", done, steps)
        graph[subset] = predictor.fuse_sensed(expected.sensed, subset, expected.prompts)
        chain[subset] = predictor.fuse_sensed(sensed, subset, prompts) if expected.spec.is_split else graph[subset]
    progress("verify", steps, steps)
    return Found(sensed, prompts, graph, chain)


def graph_rows(manifest: Manifest, expected: Reference, found: Found) -> list[GraphCheck]:
    """Each sense's graph, the fusion graph alone, the whole chain (unless the fusion graph is the whole)."""
    rows: list[GraphCheck] = []
    for name, graph in manifest.graphs.items():
        if name != "fusion":
            outputs = {tensor.name: found.sensed[f"{name}_{tensor.name}"] for tensor in graph.outputs}
            rows += graph_checks(name, graph.precision, expected.encoded(name), outputs)
    wanted = join(expected.fused)
    rows += graph_checks("fusion", manifest.fusion.precision, wanted, join(found.graph))
    if expected.spec.is_split:
        rows += graph_checks(END_TO_END, coarsest(manifest), wanted, join(found.chain))
    return rows


def accuracy_rows(expected: Reference, found: Found) -> list[AccuracyCheck]:
    """One per subset of senses that labelled examples have."""
    holdout, metric = expected.spec.holdout, expected.spec.metric
    if holdout.labels is None:
        return []
    checks = []
    for subset in expected.fused:
        rows = holdout.having(subset)
        if rows.any():
            scores = expected.fused[subset]["scores"][rows], found.chain[subset]["scores"][rows]
            checks.append(accuracy_check(subset, holdout.labels[rows], *scores, metric))
    return checks


def alignment_rows(expected: Reference, found: Found) -> list[AlignmentCheck]:
    """One per sense that is embedded where the prompts are, one for what they say together; none without prompts."""
    if expected.prompts is None or found.prompts is None or len(expected.prompts) < 2:
        return []
    pairs = {
        modality.name: (expected.sensed[name], found.sensed[name])
        for modality in expected.spec.modalities
        if (name := f"{modality.name}_embedding") in expected.sensed
    }
    together = join(expected.fused), join(found.chain)
    if "embedding" in together[0]:
        pairs[FUSED] = together[0]["embedding"], together[1]["embedding"]
    return [
        alignment_check(sense, (one, expected.prompts), (other, found.prompts))
        for sense, (one, other) in pairs.items()
        if one.shape[1] == expected.prompts.shape[1]
    ]


def check_comparable(manifest: Manifest, spec: FusionSpec) -> None:
    """Raises ExportError unless the bundle's senses and labels are the network's."""
    senses, theirs = ([modality.name for modality in one.modalities] for one in (manifest, spec))
    if senses != theirs:
        raise ExportError(f"the bundle has {', '.join(senses)}, the network {', '.join(theirs)}: not one network")
    if list(manifest.labels.items()) != list(spec.labels.items()):
        raise ExportError(
            "the bundle and the network have different labels; verify against what the bundle was made from"
        )
    if bool(set(manifest.graphs) - {"fusion"}) != spec.is_split:
        raise ExportError("one of the bundle and the network is split into encoders and fusion, the other is whole")


def check_same_tensors(manifest: Manifest, expected: Reference) -> None:
    """Raises ExportError unless the network has what the bundle's fusion graph takes, and gives what that gives."""
    known = {*expected.sensed, "present", *(["prompts"] if expected.prompts is not None else [])}
    missing = [tensor.name for tensor in manifest.fusion.inputs if tensor.name not in known]
    gives = {tensor.name for tensor in manifest.fusion.outputs}
    given = set(next(iter(expected.fused.values())))
    if missing or gives != given:
        apart = ", ".join(missing or sorted(gives ^ given))
        raise ExportError(f"the bundle and the network differ in {apart}; verify against what the bundle was made from")


def coarsest(manifest: Manifest) -> Precision:
    """The narrowest type that any graph of the bundle computes in."""
    found = {graph.precision for graph in manifest.graphs.values()}
    order: tuple[Precision, ...] = ("int8", "fp16", "fp32")
    return next(precision for precision in order if precision in found)


def join(parts: Mapping[Subset, Mapping[str, np.ndarray]]) -> Arrays:
    """The outputs of all subsets, one after another."""
    names = next(iter(parts.values()))
    return {name: np.concatenate([part[name] for part in parts.values()]) for name in names}
