"""What can go wrong in the network's package, in the few kinds a caller would treat differently."""


class FusionError(Exception):
    """Base of this package's errors. Its message is one line: what was wrong, what was expected, what to do."""


class CheckpointError(FusionError):
    """A file is not a checkpoint that this version can load."""


class DataError(FusionError):
    """A data folder or a request for examples does not hold together."""


class PretrainedError(FusionError):
    """A directory holds no encoder that can be a sense, or what builds it is not installed."""


class TrainingError(FusionError):
    """A training whose losses are no numbers any more."""
