"""Any PyTorch network that fuses senses, made into a bundle that is verified before it takes its name."""

from typing import TYPE_CHECKING

from edgefuse import imported_when_asked_for

if TYPE_CHECKING:
    from edgefuse.export.checkpoint import spec_from_checkpoint
    from edgefuse.export.errors import ExportError
    from edgefuse.export.exporter import export_bundle
    from edgefuse.export.network_function import spec_from_function
    from edgefuse.export.spec import FusionSpec, ModalitySpec
    from edgefuse.export.tensorrt.build import EngineRequest
    from edgefuse.export.tensorrt.check import EngineCheck, check_engines
    from edgefuse.export.verify import verify_bundle
    from edgefuse.fusion.examples import Examples
    from edgefuse.fusion.progress import Progress
else:
    __getattr__, __dir__ = imported_when_asked_for(
        __name__,
        {
            "checkpoint": "spec_from_checkpoint",
            "errors": "ExportError",
            "exporter": "Progress export_bundle",
            "network_function": "spec_from_function",
            "spec": "Examples FusionSpec ModalitySpec",
            "tensorrt.build": "EngineRequest",
            "tensorrt.check": "EngineCheck check_engines",
            "verify": "verify_bundle",
        },
    )

__all__ = [
    "EngineCheck",
    "EngineRequest",
    "Examples",
    "ExportError",
    "FusionSpec",
    "ModalitySpec",
    "Progress",
    "check_engines",
    "export_bundle",
    "spec_from_checkpoint",
    "spec_from_function",
    "verify_bundle",
]
