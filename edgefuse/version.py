"""`edgefuse --version`: what runs bundles here, and which it can read."""

from __future__ import annotations

import platform

from edgefuse import __version__


def version() -> str:
    """One line each: edgefuse, Python, ONNX Runtime, and the schema of the bundles."""
    from edgefuse.runtime.bundle.manifest import SCHEMA_VERSION

    return (
        f"edgefuse {__version__}\nPython {platform.python_version()}\n{_onnxruntime()}\n"
        f"bundles of schema version {SCHEMA_VERSION}"
    )


def _onnxruntime() -> str:
    """Its own word, since it comes in packages of several names."""
    try:
        import onnxruntime
    except ImportError:
        return "onnxruntime is not installed"
    return f"onnxruntime {onnxruntime.__version__}"
