"""The error of an export."""

from edgefuse.runtime.errors import EdgefuseError


class ExportError(EdgefuseError):
    """A checkpoint that cannot become a bundle: the wrong file, bad weights, a broken bound, no room to write.

    Whatever lay under the bundle's name before is untouched when this is raised.
    """


class DataNotHereError(ExportError):
    """Nothing is here of what a network was trained on; `reason` says why, the message what to give as well."""

    def __init__(self, reason: str) -> None:
        super().__init__(
            f"{reason}; give --data FOLDER with its pictures and sounds, or, to export and verify without accuracy, "
            "--calibration FILE of `edgefuse calibrate quantization`"
        )
        self.reason = reason
