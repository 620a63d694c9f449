"""The viewer: the run in Rerun, live in its window or as an .rrd file to open later."""

from __future__ import annotations

from pathlib import Path
from typing import TypeAlias

from edgefuse.runtime.arguments import check_kind, path_of
from edgefuse.runtime.bundle.manifest import Manifest
from edgefuse.runtime.percept import Percept
from edgefuse.runtime.process.at_exit import close_at_exit, forget
from edgefuse.runtime.samples import Sample
from edgefuse.runtime.sinks.backlog import Backlog
from edgefuse.runtime.streams import Stream
from edgefuse.runtime.streams.tap import Tap

Item: TypeAlias = Sample | Percept


class Viewer:
    """Shows the streams that pass through `tap`, and as a Sink the percepts. Thread-safe.

    With `path` the run is written there, an older file replaced; without, it is shown in Rerun's window, or where there
    is no display written to edgefuse.rrd (open it with `rerun edgefuse.rrd`). A thread of its own encodes and sends:
    frames that it cannot keep up with are not shown.
    """

    def __init__(self, path: str | Path | None, manifest: Manifest) -> None:
        """`manifest` is that of the bundle. Raises EdgefuseError if the file cannot be written.

        Needs rerun-sdk (extra `viz`): ModuleNotFoundError without it.
        """
        from edgefuse.runtime.sinks.viewer_log import RerunLog

        check_kind("manifest", manifest, Manifest)
        self._log = RerunLog(None if path is None else path_of("path", path), manifest)
        self.path = self._log.path
        self._backlog: Backlog[Item] = Backlog("the viewer", self._log.show)
        close_at_exit(self, Viewer.close)

    def tap(self, stream: Stream) -> Stream:
        """The same stream, whose samples are shown as they pass."""
        return Tap(stream, lambda sample: self._backlog.put(sample, wait=not stream.live))

    def write(self, percept: Percept) -> None:
        """See Sink."""
        self._backlog.put(percept)

    def close(self) -> None:
        """See Sink; a window stays open, a file is complete."""
        forget(self)
        self._backlog.close()
        self._log.close()
