"""A copy of the default bundle with calibrations that are written out here."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np

from edgefuse.runtime import DEFAULT_BUNDLE, Bundle
from edgefuse.runtime.bundle.bundle import described
from edgefuse.runtime.corrections.confidence import Confidence, SubsetConfidence, network_sha256, write_confidence
from edgefuse.runtime.corrections.measured import Measured
from edgefuse.runtime.engines.backends import open_engine
from edgefuse.runtime.heads.drift import Centres, Familiar, direction, write_familiar

MEASURED = Measured(at="2026-11-23T12:00:00+00:00", by="edgefuse", how="made up")
TEMPERATURE = 2.0
CURVE = ((0.0, 0.0), (0.5, 0.25), (1.0, 1.0))


def confidence(*senses: str, threshold: float | None = 0.5) -> Confidence:
    """Of the default bundle, for one subset of its senses."""
    manifest = Bundle.open(DEFAULT_BUNDLE).manifest
    subset = SubsetConfidence(
        senses=senses,
        examples=1000,
        temperature=TEMPERATURE,
        curve=CURVE,
        threshold=threshold,
        precision=0.95,
        coverage=0.5,
        ece_before=0.1,
        ece_after=0.01,
    )
    sha256 = network_sha256(manifest)
    return Confidence(
        measured=MEASURED, bundle=manifest.name, network_sha256=sha256, wanted_precision=0.95, subsets=(subset,)
    )


def familiar_frames(frames: np.ndarray) -> Familiar:
    """Of frames (samples, rows, columns, 3) of one kind."""
    engine = open_engine(Bundle.open(DEFAULT_BUNDLE), "image")
    vectors = direction(engine.run({engine.inputs[0].name: frames})["tokens"])
    centre = vectors.mean(axis=0)
    distances = np.linalg.norm(vectors - centre, axis=1)
    centres = Centres(
        sense="image",
        output="tokens",
        samples=len(frames),
        centres=(tuple(centre.tolist()),),
        distance=float(distances.mean()),
        distance_sd=float(distances.std()),
    )
    return Familiar(measured=MEASURED, outputs=(centres,))


def bundle_with(directory: Path, measured: Confidence | None = None, familiar: Familiar | None = None) -> Path:
    """The default bundle with these in it and none of its own, as an export writes them."""
    shutil.copytree(DEFAULT_BUNDLE, directory)
    manifest = Bundle.open(directory).manifest
    own = {file for file in (manifest.confidence, manifest.familiar, manifest.known_prompts) if file is not None}
    for file in own:
        (directory / file).unlink()
    changed: dict[str, str | None] = {"confidence": None, "familiar": None, "known_prompts": None}
    if measured is not None:
        write_confidence(directory / "confidence.json", measured)
        changed["confidence"] = "confidence.json"
    if familiar is not None:
        write_familiar(directory / "familiar.json", familiar)
        changed["familiar"] = "familiar.json"
    files = {file: spec for file, spec in manifest.files.items() if file not in own}
    files |= {file: described(directory / file) for file in changed.values() if file is not None}
    manifest.model_copy(update=changed | {"files": files}).write(directory)
    return directory
