"""The checkpoint that is exported: read, and refused where its weights are no numbers."""

from __future__ import annotations

from pathlib import Path

import torch

from edgefuse.export.errors import ExportError
from edgefuse.fusion.checkpoint import Checkpoint, load_checkpoint
from edgefuse.fusion.errors import FusionError


def read_checkpoint(path: Path) -> Checkpoint:
    """The checkpoint at `path`; raises ExportError for another kind of file, or for weights that are no numbers."""
    try:
        checkpoint = load_checkpoint(path)
    except FusionError as error:
        raise ExportError(str(error)) from error
    for name, values in checkpoint.network.state_dict().items():
        if values.is_floating_point() and not torch.isfinite(values).all():
            raise ExportError(f"{path}: the weights {name} hold NaN or infinity; the training diverged, train again")
    return checkpoint
