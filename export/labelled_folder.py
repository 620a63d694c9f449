"""A bundle on a folder of one's own, `FOLDER/<label>/<stem>.png|jpg` and `<stem>.wav`, as `edgefuse train` takes it."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from edgefuse.calibration.confidence import FEWEST_EXAMPLES, Scored
from edgefuse.export.bundle_predictor import BundlePredictor
from edgefuse.export.errors import ExportError
from edgefuse.fusion.checkpoint import load_checkpoint
from edgefuse.fusion.errors import FusionError
from edgefuse.fusion.folder import Recording, read_folder
from edgefuse.runtime.bundle import Bundle

SUBSETS = (("image",), ("audio",), ("image", "audio"))


def folder_scores(bundle: Bundle, checkpoint: Path, folder: Path) -> dict[tuple[str, ...], Scored]:
    """By subset of senses, on the examples that have them; not of a subset with fewer than 100.

    The folder must hold nothing that the network was trained on. Raises ExportError in one line for a folder or a
    checkpoint that cannot be read, for labels that the bundle does not have, and where there are too few of all.
    """
    try:
        config = load_checkpoint(checkpoint).config
        found = read_folder(folder, config)
    except FusionError as error:
        raise ExportError(str(error)) from error
    labels = list(bundle.manifest.labels)
    unknown = [label for label in found.labels if label not in labels]
    if unknown:
        raise ExportError(f"{folder / unknown[0]}: {unknown[0]!r} is none of the bundle's labels")
    recordings = [*found.training, *found.validation]
    chosen = {subset: [one for one in recordings if one.has(subset)] for subset in SUBSETS}
    enough = {subset: some for subset, some in chosen.items() if len(some) >= FEWEST_EXAMPLES}
    if not enough:
        raise ExportError(
            f"{folder} holds {len(recordings)} examples, {FEWEST_EXAMPLES} at least to measure confidence"
        )
    predictor, indices = BundlePredictor(bundle), [labels.index(label) for label in found.labels]

    def scored(subset: tuple[str, ...], some: list[Recording]) -> Scored:
        sensed = predictor.sensed("image", np.stack([one.frame(config) for one in some]))
        sensed |= predictor.sensed("audio", np.stack([one.window(config) for one in some]))
        sensed |= predictor.sensed("text", np.zeros((len(some), config.text_length), np.int64))
        scores = predictor.fused(sensed, subset, predictor.labels_prompts())["scores"]
        return Scored(scores, np.array([indices[one.label] for one in some]))

    return {subset: scored(subset, some) for subset, some in enough.items()}
