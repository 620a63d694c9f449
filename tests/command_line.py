"""The command line as a user has it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

EDGEFUSE = Path(sys.executable).with_name("edgefuse")


def edgefuse(*arguments: object) -> subprocess.CompletedProcess[str]:
    """Run it, on a terminal that is wide."""
    command = [str(EDGEFUSE), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, env=os.environ | {"COLUMNS": "200"})


def refused(*arguments: object) -> str:
    """The one line that bad input gets."""
    result = edgefuse(*arguments)
    assert result.returncode == 2, result.stderr
    assert len(result.stderr.strip().splitlines()) == 1, result.stderr
    return result.stderr
