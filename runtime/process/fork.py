"""Forks: in a child made by os.fork, threads of the parent are gone, and locks that they held stay locked."""

from __future__ import annotations

import os

from edgefuse.runtime.errors import EdgefuseError


class Home:
    """The process that something with threads or engines was made in."""

    def __init__(self) -> None:
        self._pid = os.getpid()

    @property
    def left(self) -> bool:
        """Whether this is another process, a fork of that one."""
        return os.getpid() != self._pid

    def check(self, what: str) -> None:
        """Raises EdgefuseError in another process."""
        if self.left:
            raise EdgefuseError(
                f"this {what} is of the process {self._pid}, of which this one is a fork: its threads and engines are "
                f"not here; open another {what} after the fork, or have multiprocessing start processes by `spawn`"
            )
