"""What bench complains of."""

from edgefuse.runtime.errors import EdgefuseError


class BenchError(EdgefuseError):
    """Something that cannot be measured, or a result file that cannot be compared with."""
