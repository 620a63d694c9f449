"""Where Rerun shows what it is sent: in its window, or in an .rrd file to be opened later.

Needs rerun-sdk (extra `viz`); importing this module without it raises ModuleNotFoundError.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import rerun as rr
import rerun.blueprint as rrb

from edgefuse.runtime.errors import EdgefuseError
from edgefuse.runtime.files.whole_file import check_writable


def has_display() -> bool:
    """Whether a window could be opened here."""
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def show_in(stream: rr.RecordingStream, layout: rrb.Blueprint, path: Path | None) -> None:
    """Send a stream into a file, an older one replaced, or with None into a window; raises EdgefuseError."""
    if path is None:
        _open_window(stream, layout)
    else:
        check_writable(path)
        stream.save(path, default_blueprint=layout)


def _open_window(stream: rr.RecordingStream, layout: rrb.Blueprint) -> None:
    scripts = str(Path(sys.executable).parent)  # where pip puts Rerun's program, also if that is not on the path
    os.environ["PATH"] = os.pathsep.join([os.environ.get("PATH", os.defpath), scripts])
    os.environ.setdefault("RUST_LOG", "error")  # the window's program shares our terminal
    try:
        stream.spawn(default_blueprint=layout)
    except RuntimeError as error:
        reason = str(error).splitlines()[0]
        raise EdgefuseError(f"the viewer's window cannot be opened ({reason}); name an .rrd file instead") from error
