"""Opens the bundles whose directories stand on its input, line by line; a program of its own, since some may crash it.

For each it says in one line of JSON how that ended: the percept of a frame and of a text, or the refusal.
"""

from __future__ import annotations

import json
import logging
import sys
from typing import Any

import numpy as np

from edgefuse.runtime import EdgefuseError, Frame, Perceiver, Text

FRAME = np.full((96, 128, 3), 90, np.uint8)


def opened(directory: str) -> dict[str, Any]:
    try:
        perceiver = Perceiver.open(directory)
        perceiver.push(Text(1, "a red ball"))
        perceiver.push(Frame(2, FRAME))
        percept = perceiver.step()
    except EdgefuseError as error:
        return {"refused": str(error)}
    said = None if percept is None else json.dumps([percept.label, round(percept.confidence, 3)], allow_nan=False)
    return {"said": said}


def main() -> None:
    logging.disable()
    for line in sys.stdin:
        print(json.dumps(opened(line.strip())), flush=True)


if __name__ == "__main__":
    main()
