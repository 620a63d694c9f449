"""The commands of `edgefuse calibrate`. Each imports its part of the room when it is called."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import cv2
import numpy as np
import typer
from rich.console import Console

from edgefuse.runtime import DEFAULT_BUNDLE, Bundle, Frame, Stream
from edgefuse.runtime.errors import CalibrationError
from edgefuse.runtime.streams.sources import Source, open_streams
from edgefuse.terminal import open_console, progress_bar

if TYPE_CHECKING:
    from edgefuse.calibration.boards import Board
    from edgefuse.calibration.camera import CameraCalibration
    from edgefuse.calibration.views import View, ViewCollector

_DOTS_PER_MM = 300 / 25.4
_MARKER_SHARE = 0.75
_LITTLE_COVERED = 0.6

app = typer.Typer(no_args_is_help=True, help="Measure a robot's senses once, in files that everything else uses.")

Device = Annotated[str | None, typer.Option("--camera", help="index, /dev/..., URL (RTSP, HTTP) or GStreamer pipeline")]
Topics = Annotated[list[str] | None, typer.Option(help="sense=topic of a recording, where several fit")]
Picture = Annotated[Path | None, typer.Option(help="draw what was measured into this PNG, SVG or PDF")]
Kind = Annotated[Literal["charuco", "chessboard"], typer.Option("--board", help="what is held before the camera")]
Size = Annotated[str, typer.Option(help="the board's squares across x down, the outer ones too")]
Square = Annotated[float, typer.Option(help="how wide a square is [mm]; measure it on the print")]
Marker = Annotated[float | None, typer.Option(help="how wide a marker is [mm]; three quarters of a square")]
Dictionary = Annotated[str, typer.Option(help="of a ChArUco board's markers")]


@app.command()
def board(
    output: Annotated[Path, typer.Option("--output", "-o", help="PNG to be printed at 300 dots an inch")],
    kind: Kind = "charuco",
    size: Size = "9x6",
    square: Square = 28.0,
    marker: Marker = None,
    dictionary: Dictionary = "4X4_50",
) -> None:
    """Draw a board to be printed; the default one fits A4."""
    from edgefuse.calibration.pictures import check_writable

    drawn = _board(kind, size, square, marker, dictionary)
    check_writable(output)
    picture = np.pad(drawn.picture(round(_DOTS_PER_MM * square)), round(_DOTS_PER_MM * square / 4), constant_values=255)
    encoded = cv2.imencode(".png", picture)[1]
    output.write_bytes(encoded.tobytes())
    print(f"{output}: {drawn}; print it at 300 dots an inch, glue it on something flat, and measure a square")


@app.command()
def camera(
    file: Annotated[Path | None, typer.Argument(help="folder of pictures, video or MCAP", show_default=False)] = None,
    output: Annotated[Path, typer.Option("--output", "-o", help="camera_info of ROS, in YAML")] = Path("camera.yaml"),
    device: Device = None,
    topic: Topics = None,
    kind: Kind = "charuco",
    size: Size = "9x6",
    square: Square = 28.0,
    marker: Marker = None,
    dictionary: Dictionary = "4X4_50",
    model: Annotated[
        Literal["auto", "plumb_bob", "rational_polynomial", "equidistant"],
        typer.Option(help="of the lens; auto: the simplest that fits"),
    ] = "auto",
    name: Annotated[str, typer.Option(help="camera_name in the file")] = "camera",
    views: Annotated[int, typer.Option(help="live: how many different views are enough", min=8)] = 30,
    picture: Picture = None,
    viewer: Annotated[bool, typer.Option("--viewer", help="live picture in Rerun; headless, save an .rrd")] = False,
) -> None:
    """Measure a lens with a board: hold it all over the picture, near and far, tilted to every side; Ctrl-C ends."""
    from edgefuse.calibration.camera import calibrate_camera
    from edgefuse.calibration.pictures import check_drawable, check_writable
    from edgefuse.runtime.camera_info import write_camera_info

    check_drawable(picture)
    check_writable(output)
    held = _board(kind, size, square, marker, dictionary)
    console = open_console()
    source = Source(file, camera=device, topics=topic or ())
    collector = _collected(_frames(source), held, views if device else None, viewer, console)
    calibration = calibrate_camera(collector.sharp(), held, name, model)
    write_camera_info(output, calibration.info)
    if picture is not None:
        from edgefuse.calibration.camera_picture import draw_camera

        draw_camera(picture, calibration)
    _report_camera(calibration, output, console)


@app.command()
def sync(
    file: Annotated[Path | None, typer.Argument(help="video or MCAP", show_default=False)] = None,
    output: Annotated[Path, typer.Option("--output", "-o", help="for `edgefuse run --sync`")] = Path("sync.json"),
    audio: Annotated[Path | None, typer.Option(help="sound file, where it is not beside the video")] = None,
    device: Device = None,
    microphone: Annotated[str | None, typer.Option(help="index, name or part of one, or `default`")] = None,
    topic: Topics = None,
    seconds: Annotated[float, typer.Option(help="how long to look and listen at most [s]", min=5.0)] = 60.0,
    method: Annotated[
        Literal["auto", "events", "correlation"], typer.Option(help="auto: correlation where there are no clear events")
    ] = "auto",
    most: Annotated[float, typer.Option(help="the largest offset looked for [ms]", min=10.0, max=5000.0)] = 500.0,
    distance: Annotated[float, typer.Option(help="of what flashes and beeps from the robot [m]", min=0.0)] = 0.0,
    picture: Picture = None,
) -> None:
    """Measure by how much sound is stamped late: flash and beep, or clap, in view, 10 times, at irregular intervals."""
    from edgefuse.calibration.pictures import check_drawable, check_writable
    from edgefuse.calibration.sync import measure_sync
    from edgefuse.calibration.witness import watch
    from edgefuse.runtime.sync import write_sync

    check_drawable(picture)
    check_writable(output)
    streams = _streams(Source(file, audio, device, microphone, topic or ()), ("image", "audio"))
    console = open_console()
    with progress_bar(console) as progress:
        witness = watch(streams, seconds, lambda done: progress("seen and heard [s]", done, seconds))
    measured = measure_sync(witness.seen(), witness.heard(), method, most, distance)
    write_sync(output, measured.sync)
    if picture is not None:
        from edgefuse.calibration.sync_picture import draw_sync

        draw_sync(picture, measured)
    console.print(f"{output}: {measured}")


def _board(
    kind: Literal["charuco", "chessboard"], size: str, square: float, marker: float | None, dictionary: str
) -> Board:
    from edgefuse.calibration.boards import Board

    columns, _, rows = size.partition("x")
    if not (columns.isdigit() and rows.isdigit()):
        raise CalibrationError(f"--size {size}: expected squares across x down, such as 9x6")
    marker_m = (marker or _MARKER_SHARE * square) / 1e3
    return Board(kind, int(columns), int(rows), square / 1e3, marker_m, dictionary)


def _streams(source: Source, senses: tuple[str, ...]) -> list[Stream]:
    """The devices or the file, read as fast as it goes, as the senses of the bundle that ships with edgefuse."""
    if source.devices and (source.camera is None or (source.microphone is None and "audio" in senses)):
        raise CalibrationError("give both --camera and --microphone, or a file")
    return open_streams(source, Bundle.open(DEFAULT_BUNDLE).manifest, senses, fast=not source.devices)


def _frames(source: Source) -> Iterable[Frame]:
    from edgefuse.calibration.pictures import read_pictures

    if source.file is not None and source.file.is_dir() and not list(source.file.glob("*.mcap")):
        return read_pictures(source.file)
    (stream,) = _streams(source, ("image",))
    return _filmed(stream)


def _filmed(stream: Stream) -> Iterator[Frame]:
    """Its frames; the device is let go of when nobody takes more."""
    try:
        for sample in stream:
            if isinstance(sample, Frame):
                yield sample
    finally:
        stream.close()


def _collected(
    frames: Iterable[Frame], held: Board, enough: int | None, viewer: bool, console: Console
) -> ViewCollector:
    """The views of the board, with progress and, if wanted, the live picture."""
    from edgefuse.calibration.views import collect_views, emptiest, share_covered

    window = None
    if viewer:
        from edgefuse.calibration.board_viewer import BoardViewer

        window = BoardViewer()

    def watch(frame: Frame, view: View | None, collector: ViewCollector) -> None:
        covered = share_covered(collector.views)
        stage = f"{len(collector.views)} views, {covered:.0%} covered; next: {emptiest(collector.views)}"
        progress(stage, len(collector.views), enough)
        if window is not None:
            window.show(frame, view, collector)

    with progress_bar(console) as progress:
        collector = collect_views(frames, held, enough, watch)
    if window is not None:
        window.close()
    return collector


def _report_camera(calibration: CameraCalibration, output: Path, console: Console) -> None:
    console.print(f"{output}: {calibration}")
    if calibration.coverage < _LITTLE_COVERED:
        console.print(
            f"only {calibration.coverage:.0%} of the picture ever held the board: elsewhere the lens is guessed"
        )
