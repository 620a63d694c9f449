"""How sure a tabletop bundle is and how often it is right: `python tests/calibration/confidence_table.py [BUNDLE]`.

By subset of the senses, on the task's test split at all three levels of noise, which nothing was fitted on.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from edgefuse.calibration.confidence import calibration_error, follow, temper
from edgefuse.export.bundle_predictor import BundlePredictor
from edgefuse.export.calibrations import subset_scores
from edgefuse.export.spec import Examples
from edgefuse.runtime import DEFAULT_BUNDLE, Bundle
from edgefuse.runtime.corrections.confidence import SubsetConfidence, read_confidence
from edgefuse.tabletop.samples import SNR_DB, test_set


def row(subset: SubsetConfidence, scores: np.ndarray, labels: np.ndarray) -> list[str]:
    """One subset; scores (examples, classes), labels (examples,)."""
    right = scores.argmax(axis=1) == labels
    confidence = follow(subset.curve, temper(scores, subset.temperature).max(axis=1))
    certain = confidence >= (2.0 if subset.threshold is None else subset.threshold)
    return [
        " + ".join(subset.senses),
        f"{calibration_error(scores.max(axis=1), right):.3f}",
        f"{subset.temperature:.2f}",
        f"{calibration_error(confidence, right):.3f}",
        "-" if subset.threshold is None else f"{subset.threshold:.2f}",
        f"{right[certain].mean():.1%}" if certain.any() else "-",
        f"{certain.mean():.1%}",
    ]


def main(directory: Path) -> None:
    """Print the table."""
    bundle = Bundle.open(directory)
    confidence = read_confidence(directory / str(bundle.manifest.confidence), bundle.manifest)
    predictor = BundlePredictor(bundle)
    levels = []
    for level in SNR_DB:
        some = test_set(level)
        samples = {"image": some.images, "audio": some.audio, "text": some.text_ids}
        levels.append(subset_scores(predictor, bundle.manifest, Examples(samples, some.labels)))
    table = Table("senses", "ECE before", "temperature", "ECE after", "threshold", "precision", "coverage")
    for subset in confidence.subsets:
        scored = [level[subset.senses] for level in levels]
        scores, labels = (np.concatenate([getattr(one, name) for one in scored]) for name in ("scores", "labels"))
        table.add_row(*row(subset, scores, labels))
    Console(width=120).print(table)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else DEFAULT_BUNDLE)
