"""A network that a function of the user's own describes."""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

from edgefuse.export.errors import ExportError
from edgefuse.export.spec import FusionSpec
from edgefuse.export.tracing.trial import reason
from edgefuse.runtime.errors import EdgefuseError

EXPECTED = "expected module.py:function or package.module:function"


def spec_from_function(place: str, name: str) -> FusionSpec:
    """What the function `name` of a file or of an importable module returns; it takes nothing.

    Its module may import what lies beside it. Raises ExportError, one line, whatever goes wrong.
    """
    with _beside(place):
        module = _load(place)
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


def _load(place: str) -> ModuleType:
    path = Path(place)
    if path.suffix == ".py" and not path.is_file():
        raise ExportError(f"{place}: no such file; {EXPECTED}")
    try:
        return _load_file(path) if path.suffix == ".py" else importlib.import_module(place)
    except ModuleNotFoundError as error:
        if error.name is not None and (place == error.name or place.startswith(f"{error.name}.")):
            raise ExportError(f"{place}: no such module; {EXPECTED}") from error
        raise ExportError(f"{place} cannot be loaded: {reason(error)}") from error
    except Exception as error:  # whatever the user's module does when it is loaded
        raise ExportError(f"{place} cannot be loaded: {reason(error)}") from error


def _load_file(path: Path) -> ModuleType:
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
    directory = str(Path(os.path.realpath(place)).parent) if place.endswith(".py") else str(Path.cwd())
    sys.path.insert(0, directory)
    try:
        yield
    finally:
        sys.path.remove(directory)
