"""The networks in PyTorch: encoders of the senses, the attention that fuses them, and their training."""

from typing import TYPE_CHECKING

from edgefuse import imported_when_asked_for

if TYPE_CHECKING:
    from edgefuse.fusion.attention import AttentionFusion, FusionOutput
    from edgefuse.fusion.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
    from edgefuse.fusion.config import NetworkConfig
    from edgefuse.fusion.encoders import AudioEncoder, Encoded, ImageEncoder, TextEncoder
    from edgefuse.fusion.errors import CheckpointError, DataError, FusionError, PretrainedError, TrainingError
    from edgefuse.fusion.examples import Examples, TaskSamples
    from edgefuse.fusion.features import AudioFeatures, ImageFeatures
    from edgefuse.fusion.folder_task import FolderTask
    from edgefuse.fusion.network import FusionNetwork
    from edgefuse.fusion.progress import Progress
    from edgefuse.fusion.settings import TrainingSettings
    from edgefuse.fusion.task import BuiltInTask, Task
    from edgefuse.fusion.training import Trained, train
    from edgefuse.fusion.transfer import EncoderDirectories
else:
    __getattr__, __dir__ = imported_when_asked_for(
        __name__,
        {
            "attention": "AttentionFusion FusionOutput",
            "checkpoint": "Checkpoint load_checkpoint save_checkpoint",
            "config": "NetworkConfig",
            "encoders": "AudioEncoder Encoded ImageEncoder TextEncoder",
            "errors": "CheckpointError DataError FusionError PretrainedError TrainingError",
            "examples": "Examples TaskSamples",
            "features": "AudioFeatures ImageFeatures",
            "folder_task": "FolderTask",
            "network": "FusionNetwork",
            "progress": "Progress",
            "settings": "TrainingSettings",
            "task": "BuiltInTask Task",
            "training": "Trained train",
            "transfer": "EncoderDirectories",
        },
    )

__all__ = [
    "AttentionFusion",
    "AudioEncoder",
    "AudioFeatures",
    "BuiltInTask",
    "Checkpoint",
    "CheckpointError",
    "DataError",
    "Encoded",
    "EncoderDirectories",
    "Examples",
    "FolderTask",
    "FusionError",
    "FusionNetwork",
    "FusionOutput",
    "ImageEncoder",
    "ImageFeatures",
    "NetworkConfig",
    "PretrainedError",
    "Progress",
    "Task",
    "TaskSamples",
    "TextEncoder",
    "Trained",
    "TrainingError",
    "TrainingSettings",
    "load_checkpoint",
    "save_checkpoint",
    "train",
]
