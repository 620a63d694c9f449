"""What can go wrong in making the task's samples."""

from edgefuse.fusion.errors import FusionError


class SynthesisError(FusionError):
    """Speech cannot be synthesised on this machine."""
