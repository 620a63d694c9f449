"""edgefuse: fused perception of image, audio, text and other senses on a robot."""

import os

__version__ = "0.1.0"

os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")  # before ONNX Runtime is imported: a robot does not phone home
