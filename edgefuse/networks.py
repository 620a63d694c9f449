"""Where a network to export comes from: a checkpoint, a function of the user's own, or a preset."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from edgefuse.calibration.collection import Collection
from edgefuse.export.checkpoint import spec_from_checkpoint, spec_from_preset, spec_from_set, spec_with_noise
from edgefuse.export.collected import with_collection
from edgefuse.export.errors import ExportError
from edgefuse.export.network_function import spec_from_function
from edgefuse.export.spec import FusionSpec
from edgefuse.tasks import DEFAULT, find_samples

PRESET = "base"
EXPECTED = "expected a checkpoint.safetensors, module.py:function, package.module:function or the preset base"


def spec_from_name(text: str, data: Path | None = None, collection: Collection | None = None) -> FusionSpec:
    """The network that `text` names: a checkpoint's path, `module.py:function`, `package.module:function`, or `base`.

    A function takes nothing and returns a FusionSpec; its module may import what lies beside it. `data` is a folder in
    the place of what a checkpoint was trained on, `collection` a set to measure ranges on. Raises ExportError.
    """
    path = _checkpoint_path(text)
    if path is not None:
        return spec_from_checkpoint(path, partial(find_samples, data=data), collection)
    if data is not None:
        raise ExportError(f"--data is of a checkpoint of `edgefuse train`; {text} brings samples of its own")
    spec = spec_from_preset(DEFAULT) if text == PRESET else spec_from_function(*text.rpartition(":")[::2])
    return spec if collection is None else with_collection(spec, collection)


def spec_of_checkpoint_and_set(text: str, collection: Collection) -> FusionSpec:
    """The network of the checkpoint that `text` names, with the samples of a set and no others."""
    path = _checkpoint_path(text)
    if path is None:
        raise ExportError(f"--calibration is of a checkpoint of `edgefuse train`; {text} brings samples of its own")
    return spec_from_set(path, collection)


def spec_to_time(text: str) -> FusionSpec:
    """As spec_from_name; a checkpoint's network with samples that show nothing, which is enough to time it."""
    path = _checkpoint_path(text)
    return spec_from_name(text) if path is None else spec_with_noise(path)


def _checkpoint_path(text: str) -> Path | None:
    """None where `text` names no file of weights."""
    _, colon, name = text.rpartition(":")
    if text == PRESET or (colon and name.isidentifier()):
        return None
    if text.endswith(".py"):
        raise ExportError(f"{text}: name the function that returns a FusionSpec as well, {text}:function")
    if not Path(text).exists():
        raise ExportError(f"{text}: no such file; {EXPECTED}")
    return Path(text)
