"""A program of your own: a source by name, what calibration measured, a sink of the runtime's and one of yours.

python docs/examples/own_sink.py clip.mp4 --camera-info camera.yaml
"""

import argparse
from pathlib import Path

from edgefuse.runtime import (
    DEFAULT_BUNDLE,
    DEFAULT_CLIP,
    Bundle,
    EdgefuseError,
    JsonLines,
    Perceiver,
    Percept,
    Sink,
    Source,
    deliver,
    open_streams,
    read_corrections,
)


class Changes:
    """A sink: prints a label whenever it is another one, and certain."""

    def __init__(self) -> None:
        self._label = ""

    def write(self, percept: Percept) -> None:
        """Take one percept."""
        if percept.certain and percept.label != self._label:
            self._label = percept.label
            print(f"{percept.stamp_ns / 1e9:6.2f} s  {percept.label}  {percept.confidence:.0%}")

    def close(self) -> None:
        """There is nothing to be finished."""


def run(file: Path, camera_info: str | None) -> None:
    """Perceive a clip or a recording as fast as possible."""
    bundle = Bundle.open(DEFAULT_BUNDLE)
    senses = [modality.name for modality in bundle.manifest.modalities]
    streams = open_streams(Source(file), bundle.manifest, senses, fast=True)
    perceiver = Perceiver(bundle, fuse_on=10.0, corrections=read_corrections(camera_info, None, bundle.manifest))
    sinks: list[Sink] = [Changes(), JsonLines("percepts.jsonl")]
    deliver(perceiver.perceive(*streams), sinks)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path, nargs="?", default=DEFAULT_CLIP)
    parser.add_argument("--camera-info")
    arguments = parser.parse_args()
    try:
        run(arguments.file, arguments.camera_info)
    except EdgefuseError as error:
        parser.error(str(error))


if __name__ == "__main__":
    main()
