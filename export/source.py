"""Where a network to export comes from: a checkpoint, a function of the user's own, or a preset."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

from edgefuse.calibration.collection import Collection
from edgefuse.export.checkpoint import spec_from_checkpoint, spec_from_preset, spec_from_set, spec_with_noise
from edgefuse.export.collected import with_collection
from edgefuse.export.errors import ExportError
from edgefuse.export.spec import FusionSpec
from edgefuse.export.tracing.trial import reason
from edgefuse.runtime.errors import EdgefuseError

PRESET = "base"
EXPECTED = "expected a checkpoint.safetensors, module.py:function, package.module:function or the preset base"


def spec_from_source(text: str, data: Path | None = None, collection: Collection | None = None) -> FusionSpec:
    """The network that `text` names: a checkpoint's path, `module.py:function`, `package.module:function`, or `base`.

    A function takes nothing and returns a FusionSpec; its module may import what lies beside it. `data` is a folder in
    the place of what a checkpoint was trained on, `collection` a set to measure ranges on. Raises ExportError.
    """
    path = _checkpoint_path(text)
    if path is not None:
        return spec_from_checkpoint(path, data, collection)
    if data is not None:
        raise ExportError(f"--data is of a checkpoint of `edgefuse train`; {text} brings samples of its own")
    spec = spec_from_preset() if text == PRESET else spec_from_function(*text.rpartition(":")[::2])
    return spec if collection is None else with_collection(spec, collection)


def spec_of_checkpoint_and_set(text: str, collection: Collection) -> FusionSpec:
    """The network of the checkpoint that `text` names, with the samples of a set and no others."""
    path = _checkpoint_path(text)
    if path is None:
        raise ExportError(f"--calibration is of a checkpoint of `edgefuse train`; {text} brings samples of its own")
    return spec_from_set(path, collection)


def spec_to_time(text: str) -> FusionSpec:
    """As spec_from_source; a checkpoint's network with samples that show nothing, which is enough to time it."""
    path = _checkpoint_path(text)
    return spec_from_source(text) if path is None else spec_with_noise(path)


def spec_from_function(place: str, name: str) -> FusionSpec:
    """What the function `name` of a file or of an importable module returns."""
    with _beside(place):
        module = _loaded(place)
        function = getattr(module, name, None)
        if not callable(function):
            raise ExportError(f"{place}: no function {name!r} in it; {EXPECTED}")
        try:
            spec = function()
        except EdgefuseError:
            raise
        except Exception as error:  # the function is the user's and may raise anything
            raise ExportError(f"{place}:{name} failed: {reason(error)}") from error
    if not isinstance(spec, FusionSpec):
        raise ExportError(f"{place}:{name} returned a {type(spec).__name__}, expected an edgefuse.export.FusionSpec")
    return spec


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


def _loaded(place: str) -> ModuleType:
    path = Path(place)
    if path.suffix == ".py" and not path.is_file():
        raise ExportError(f"{place}: no such file; {EXPECTED}")
    try:
        return _loaded_file(path) if path.suffix == ".py" else importlib.import_module(place)
    except ModuleNotFoundError as error:
        if error.name is not None and (place == error.name or place.startswith(f"{error.name}.")):
            raise ExportError(f"{place}: no such module; {EXPECTED}") from error
        raise ExportError(f"{place} cannot be loaded: {reason(error)}") from error
    except Exception as error:  # whatever the user's module does when it is loaded
        raise ExportError(f"{place} cannot be loaded: {reason(error)}") from error


def _loaded_file(path: Path) -> ModuleType:
    """The module in a file, under its own name, as `import` would load it from its directory."""
    found = importlib.util.spec_from_file_location(path.stem, path)
    if found is None or found.loader is None:
        raise ExportError(f"{path}: not a Python file")
    module = importlib.util.module_from_spec(found)
    formerly = sys.modules.get(path.stem)
    sys.modules[path.stem] = module  # its dataclasses look themselves up there
    try:
        found.loader.exec_module(module)
    finally:
        if formerly is not None:
            sys.modules[path.stem] = formerly
    return module


@contextmanager
def _beside(place: str) -> Iterator[None]:
    """What lies beside the file, or in the working directory, can be imported meanwhile."""
    directory = str(Path(place).resolve().parent) if place.endswith(".py") else str(Path.cwd())
    sys.path.insert(0, directory)
    try:
        yield
    finally:
        sys.path.remove(directory)
