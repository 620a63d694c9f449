"""What OpenCV tells FFmpeg where it opens a source: OpenCV takes it from the environment, and nowhere else."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Final

_VARIABLE: Final = "OPENCV_FFMPEG_CAPTURE_OPTIONS"
_USUAL: Final = "rtsp_transport;tcp"  # as OpenCV has it where the variable is not set
_opening = threading.Lock()


@contextmanager
def ffmpeg_options(options: Mapping[str, str]) -> Iterator[None]:
    """What is opened within has these options; one source at a time. Those that a user has set in the environment win.

    Where options are told of one source, those of others must be opened within as well, with none.
    """
    with _opening:
        given = os.environ.get(_VARIABLE)
        if options:
            ours = (f"{name};{value}" for name, value in options.items())
            os.environ[_VARIABLE] = "|".join((*ours, _USUAL if given is None else given))
        try:
            yield
        finally:
            if options and given is None:
                del os.environ[_VARIABLE]
            elif options and given is not None:
                os.environ[_VARIABLE] = given
