"""The error of an export."""

from edgefuse.runtime.errors import EdgefuseError


class ExportError(EdgefuseError):
    """A checkpoint that cannot become a bundle: the wrong file, bad weights, a broken bound, no room to write.

    Whatever lay under the bundle's name before is untouched when this is raised.
    """
