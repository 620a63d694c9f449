"""The first percepts of the default clip, a JSON object a line: what both run, the emulated machine and its host.

Opening the bundle replays its golden vectors on the engines, and refuses where one does not come out.
"""

from __future__ import annotations

import json
import sys
from itertools import islice
from pathlib import Path

from edgefuse.runtime import DEFAULT_BUNDLE, DEFAULT_CLIP, Clip, EdgefuseError, Perceiver
from edgefuse.runtime.engines.processor import processor_name


def main(file: Path, count: int) -> None:
    """Write `count` percepts."""
    perceiver = Perceiver.open(DEFAULT_BUNDLE)
    print(
        f"{processor_name()}: golden vectors pass on {', '.join(sorted(set(perceiver.backends.values())))}", flush=True
    )
    clip = Clip(DEFAULT_CLIP, DEFAULT_CLIP.with_suffix(".wav"), live=False)
    percepts = perceiver.perceive(clip)
    with file.open("w", encoding="utf-8") as lines:
        for percept in islice(percepts, count):
            lines.write(json.dumps({"label": percept.label, "scores": dict(percept.scores)}) + "\n")
    percepts.close()


if __name__ == "__main__":
    try:
        main(Path(sys.argv[1]), int(sys.argv[2]))
    except EdgefuseError as error:
        sys.exit(str(error))
