"""edgefuse: fused perception of image, audio, text and other senses on a robot."""

import os
import sys
from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path

__version__ = "0.1.0"

os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")  # before ONNX Runtime is imported: a robot does not phone home

if not (Path(__file__).parent / "runtime").is_dir():  # the source without its links, as a forge's archive is
    __path__.append(str(Path(__file__).parent.parent))


def imported_when_asked_for(
    room: str, places: Mapping[str, str]
) -> tuple[Callable[[str], object], Callable[[], list[str]]]:
    """The `__getattr__` and the `__dir__` (PEP 562) of a room whose public names lie in its modules.

    `places` are the names, with spaces between them, by module. A program then waits only for the packages of what it
    uses, and needs no others.
    """
    modules = {name: f"{room}.{module}" for module, names in places.items() for name in names.split()}

    def get(name: str) -> object:
        if name not in modules:
            raise AttributeError(f"module {room!r} has no attribute {name!r}")
        value = getattr(import_module(modules[name]), name)
        setattr(sys.modules[room], name, value)
        return value

    return get, lambda: sorted({*vars(sys.modules[room]), *modules})
