"""edgefuse: fused perception of image, audio, text and other senses on a robot."""

import os
from pathlib import Path

__version__ = "0.1.0"

os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")  # before ONNX Runtime is imported: a robot does not phone home

if not (Path(__file__).parent / "runtime").is_dir():  # the source without its links, as a forge's archive is
    __path__.append(str(Path(__file__).parent.parent))
