"""The commands of `edgefuse calibrate`. Each imports its part of the room when it is called."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from edgefuse.options import OWN_BUNDLE, Camera, Channel, Insecure, Microphone, SoundFile, Topics, show_help
from edgefuse.runtime import DEFAULT_BUNDLE, CalibrationError
from edgefuse.terminal import open_console, progress_bar

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from edgefuse.calibration.boards import Board
    from edgefuse.calibration.camera import CameraCalibration
    from edgefuse.calibration.collection import Collection
    from edgefuse.calibration.confidence import ConfidenceCalibration
    from edgefuse.calibration.views import View, ViewCollector
    from edgefuse.runtime import Bundle, Confidence, Frame, Source, Stream

_DOTS_PER_MM = 300 / 25.4
_MARKER_SHARE = 0.75
_LITTLE_COVERED = 0.6
_COLLECTED_PER_SAMPLE = 8
_MOST_DIGITS = 4
_LONGEST_S = 86_400.0

app = typer.Typer(
    callback=show_help,
    invoke_without_command=True,
    help="Measure a robot's senses once, in files that everything else uses.",
)

Picture = Annotated[Path | None, typer.Option(help="draw what was measured into this PNG, SVG or PDF")]
Kind = Annotated[Literal["charuco", "chessboard"], typer.Option("--board", help="what is held before the camera")]
Size = Annotated[str, typer.Option(help="the board's squares across x down, the outer ones too")]
Square = Annotated[float, typer.Option(help="how wide a square is, in mm; measure it on the print")]
Marker = Annotated[float | None, typer.Option(help="how wide a marker is, in mm; three quarters of a square")]
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
    import cv2
    import numpy as np

    from edgefuse.runtime.files.limits import FRAME_PIXELS
    from edgefuse.runtime.files.whole_file import check_writable, write_whole

    drawn = _board(kind, size, square, marker, dictionary)
    check_writable(output)
    dots = round(_DOTS_PER_MM * square)
    refusal = FRAME_PIXELS.refusal(drawn.columns * drawn.rows * dots**2)
    if refusal is not None:
        raise CalibrationError(f"the board at 300 dots an inch has {refusal}")
    picture = np.pad(drawn.picture(dots), round(dots / 4), constant_values=255)
    encoded = cv2.imencode(".png", picture)[1]
    write_whole(output, encoded.tobytes())
    print(f"{output}: {drawn}; print it at 300 dots an inch, glue it on something flat, and measure a square")


@app.command()
def camera(
    file: Annotated[Path | None, typer.Argument(help="folder of pictures, video or MCAP", show_default=False)] = None,
    output: Annotated[Path, typer.Option("--output", "-o", help="camera_info of ROS, in YAML")] = Path("camera.yaml"),
    device: Camera = None,
    insecure: Insecure = False,
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
    views: Annotated[int, typer.Option(help="live: how many different views are enough", min=8, max=10_000)] = 30,
    picture: Picture = None,
    viewer: Annotated[bool, typer.Option("--viewer", help="live picture in Rerun; headless, save an .rrd")] = False,
) -> None:
    """Measure a lens with a board: hold it all over the picture, near and far, tilted to every side; Ctrl-C ends."""
    from edgefuse.calibration.camera import calibrate_camera
    from edgefuse.calibration.pictures import check_drawable
    from edgefuse.runtime import Source, write_camera_info
    from edgefuse.runtime.files.whole_file import check_writable

    check_drawable(picture)
    check_writable(output)
    held = _board(kind, size, square, marker, dictionary)
    console = open_console()
    source = Source(file, camera=device, topics=topic or (), insecure=insecure)
    collector = _collect_views(_frames(source), held, views if device else None, viewer, console)
    with progress_bar(console) as progress:
        progress("fitting the lens", 0, None)
        calibration = calibrate_camera(collector.sharp(), held, name, model)
    write_camera_info(output, calibration.info)
    if picture is not None:
        from edgefuse.calibration.camera_picture import draw_camera

        draw_camera(picture, calibration)
    _report_camera(calibration, output, console)
    _name(picture, console)


@app.command()
def sync(
    file: Annotated[Path | None, typer.Argument(help="video or MCAP", show_default=False)] = None,
    output: Annotated[Path, typer.Option("--output", "-o", help="for `edgefuse run --sync`")] = Path("sync.json"),
    audio: SoundFile = None,
    device: Camera = None,
    insecure: Insecure = False,
    microphone: Microphone = None,
    channel: Channel = None,
    topic: Topics = None,
    seconds: Annotated[
        float, typer.Option(help="how long to look and listen at most, in seconds", min=5.0, max=_LONGEST_S)
    ] = 60.0,
    method: Annotated[
        Literal["auto", "events", "correlation"], typer.Option(help="auto: correlation where there are no clear events")
    ] = "auto",
    most: Annotated[float, typer.Option(help="the largest offset looked for, in ms", min=10.0, max=5000.0)] = 500.0,
    distance: Annotated[
        float, typer.Option(help="of what flashes and beeps from the robot, in m", min=0.0, max=1000.0)
    ] = 0.0,
    picture: Picture = None,
) -> None:
    """Measure by how much sound is stamped late: flash and beep, or clap, in view, 10 times, at irregular intervals."""
    from edgefuse.calibration.pictures import check_drawable
    from edgefuse.calibration.sync import measure_sync
    from edgefuse.calibration.witness import watch
    from edgefuse.runtime import Source, write_sync
    from edgefuse.runtime.files.whole_file import check_writable

    check_drawable(picture)
    check_writable(output)
    source = Source(file, audio, device, microphone, topic or (), channel, insecure)
    streams = _streams(source, ("image", "audio"))
    console = open_console()
    with progress_bar(console) as progress:
        witness = watch(streams, seconds, lambda done: progress("seconds seen and heard", done, seconds))
    measured = measure_sync(witness.seen(), witness.heard(), method, most, distance)
    write_sync(output, measured.sync)
    if picture is not None:
        from edgefuse.calibration.sync_picture import draw_sync

        draw_sync(picture, measured)
    console.print(f"{output}: {measured}")
    _name(picture, console)


@app.command()
def confidence(
    bundle: Annotated[Path, typer.Argument(help="made by `edgefuse export`", show_default=OWN_BUNDLE)] = DEFAULT_BUNDLE,
    output: Annotated[Path, typer.Option("--output", "-o", help="for `edgefuse run --confidence`")] = Path(
        "confidence.json"
    ),
    checkpoint: Annotated[
        str | None, typer.Option(help="what the bundle was made from: measure on its task's own examples")
    ] = None,
    percepts: Annotated[
        Path | None, typer.Option(help='or on lines of `edgefuse run --jsonl` to which "truth" was added')
    ] = None,
    data: Annotated[
        Path | None, typer.Option(help="with --checkpoint: on those examples of this folder that are new to it")
    ] = None,
    precision: Annotated[
        float, typer.Option(help="share of the certain percepts that is to be right", min=0.5, max=0.999)
    ] = 0.95,
    picture: Picture = None,
) -> None:
    """Measure how sure percepts really are, for every subset of senses, and from where on they are certain."""
    from edgefuse.calibration.pictures import check_drawable
    from edgefuse.runtime import Bundle, write_confidence
    from edgefuse.runtime.files.whole_file import check_writable

    check_drawable(picture)
    check_writable(output)
    console = open_console()
    measured = _measure_confidence(Bundle.open(bundle), checkpoint, data, percepts, precision, console)
    write_confidence(output, measured.confidence)
    if picture is not None:
        from edgefuse.calibration.confidence_picture import draw_confidence

        draw_confidence(picture, measured)
    console.print(_confidence_table(measured.confidence))
    console.print(f"{output}: {measured.confidence.measured.how}")
    _name(picture, console)


@app.command()
def quantization(
    file: Annotated[Path | None, typer.Argument(help="video or MCAP", show_default=False)] = None,
    output: Annotated[Path, typer.Option("--output", "-o", help="for `edgefuse export --calibration`")] = Path(
        "calibration.npz"
    ),
    bundle: Annotated[
        Path, typer.Option("--bundle", "-b", help="whose encoders tell samples apart", show_default=OWN_BUNDLE)
    ] = DEFAULT_BUNDLE,
    checkpoint: Annotated[str | None, typer.Option(help="choose from its task's own calibration samples")] = None,
    data: Annotated[Path | None, typer.Option(help="with --checkpoint: from this folder")] = None,
    audio: SoundFile = None,
    device: Camera = None,
    insecure: Insecure = False,
    microphone: Microphone = None,
    channel: Channel = None,
    topic: Topics = None,
    samples: Annotated[int, typer.Option(help="how many to choose", min=32, max=4096)] = 256,
    seconds: Annotated[
        float, typer.Option(help="how long to look and listen at most, in seconds", min=5.0, max=_LONGEST_S)
    ] = 600.0,
) -> None:
    """Collect samples that cover what the robot meets, for int8's ranges: let it sense all that it is used for."""
    from edgefuse.calibration.collection import write_collection
    from edgefuse.runtime import Bundle, Source
    from edgefuse.runtime.files.whole_file import check_writable

    check_writable(output)
    opened, console = Bundle.open(bundle), open_console()
    source = Source(file, audio, device, microphone, topic or (), channel, insecure)
    if checkpoint is None:
        if data is not None:
            raise CalibrationError("--data goes with --checkpoint: give what is to be calibrated")
        collection = _sensed_samples(opened, source, samples, seconds, console)
    else:
        if source.devices or source.file is not None:
            raise CalibrationError("give either --checkpoint, or a file or devices")
        from edgefuse.export.calibrations import collect_examples
        from edgefuse.networks import spec_from_name

        with progress_bar(console) as progress:
            progress("choosing samples", 0, None)
            collection = collect_examples(opened, spec_from_name(checkpoint, data), samples)
    write_collection(output, collection)
    header = collection.header
    console.print(
        f"{output}: {header.samples} samples of {header.collected} ({header.duplicates} of them nearly the same as "
        f"another), from {len(header.clusters)} clusters of {min(header.clusters)} to {max(header.clusters)}"
    )


def _name(picture: Path | None, console: Console) -> None:
    if picture is not None:
        console.print(f"{picture} is written", soft_wrap=True)


def _sensed_samples(bundle: Bundle, source: Source, count: int, seconds: float, console: Console) -> Collection:
    from edgefuse.calibration.collection import choose, collect, lasting, samples_of
    from edgefuse.runtime import Perceiver, open_streams

    perceiver = Perceiver(bundle)
    senses = tuple(modality.name for modality in bundle.manifest.modalities)
    streams = open_streams(source, bundle.manifest, senses, fast=not source.devices)
    most = _COLLECTED_PER_SAMPLE * count
    with progress_bar(console) as progress:
        percepts = lasting(perceiver.perceive(*streams), seconds)
        moments = collect(perceiver, percepts, most, lambda done: progress("moments that differ", done, most))
    how = f"{source.file.name if source.file else 'live'}, the bundle's prompts for text that was not sensed"
    return choose(*samples_of(moments, perceiver), count, bundle.manifest.name, how)


def _measure_confidence(
    bundle: Bundle,
    checkpoint: str | None,
    data: Path | None,
    percepts: Path | None,
    precision: float,
    console: Console,
) -> ConfidenceCalibration:
    from edgefuse.calibration.confidence import calibrate_confidence

    if (checkpoint is None) == (percepts is None) or (percepts is not None and data is not None):
        raise CalibrationError("give either --checkpoint, with or without --data, or --percepts with the truth added")
    if percepts is not None:
        from edgefuse.calibration.percepts import read_percepts

        scored = read_percepts(percepts, list(bundle.manifest.labels))
        return calibrate_confidence(scored, bundle.manifest, f"percepts of {percepts.name}", precision)
    from edgefuse.export.calibrations import confidence_of
    from edgefuse.networks import spec_from_name

    with progress_bar(console) as progress:
        return confidence_of(bundle, spec_from_name(str(checkpoint), data), precision, progress)


def _confidence_table(confidence: Confidence) -> Table:
    from rich.table import Table

    columns = ("senses", "examples", "ECE before", "T", "ECE after", "certain from", "of these right", "are certain")
    table = Table(*columns, title=f"confidence, wanted precision {confidence.wanted_precision:.0%}; cross-validated")
    for one in confidence.subsets:
        reached = ("never", "-") if one.threshold is None else (f"{one.threshold:.2f}", _percent(one.precision))
        errors = (f"{one.ece_before:.3f}", f"{one.temperature:.2f}", f"{one.ece_after:.3f}")
        table.add_row(" + ".join(one.senses), str(one.examples), *errors, *reached, _percent(one.coverage))
    return table


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{share:.1%}"


def _board(
    kind: Literal["charuco", "chessboard"], size: str, square: float, marker: float | None, dictionary: str
) -> Board:
    from edgefuse.calibration.boards import Board

    columns, _, rows = size.partition("x")
    if not all(side.isascii() and side.isdigit() and len(side) <= _MOST_DIGITS for side in (columns, rows)):
        raise CalibrationError(f"--size {size}: expected squares across x down, such as 9x6")
    marker_m = (marker or _MARKER_SHARE * square) / 1e3
    return Board(kind, int(columns), int(rows), square / 1e3, marker_m, dictionary)


def _streams(source: Source, senses: tuple[str, ...]) -> list[Stream]:
    """The devices or the file, read as fast as it goes, as the senses of the bundle that ships with edgefuse."""
    from edgefuse.runtime import Bundle, open_streams

    if source.devices and (source.camera is None or (source.microphone is None and "audio" in senses)):
        raise CalibrationError("give both --camera and --microphone, or a file")
    return open_streams(source, Bundle.open(DEFAULT_BUNDLE).manifest, senses, fast=not source.devices)


def _frames(source: Source) -> Iterable[Frame]:
    from edgefuse.calibration.pictures import read_pictures

    if source.file is not None and source.file.is_dir() and not list(source.file.glob("*.mcap")):
        return read_pictures(source.file)
    (stream,) = _streams(source, ("image",))
    return _film(stream)


def _film(stream: Stream) -> Iterator[Frame]:
    """Its frames; the device is let go of when nobody takes more."""
    from edgefuse.runtime import Frame

    try:
        for sample in stream:
            if isinstance(sample, Frame):
                yield sample
    finally:
        stream.close()


def _collect_views(
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
        _name(window.path, console)
    return collector


def _report_camera(calibration: CameraCalibration, output: Path, console: Console) -> None:
    console.print(f"{output}: {calibration}")
    if calibration.coverage < _LITTLE_COVERED:
        console.print(
            f"only {calibration.coverage:.0%} of the picture ever held the board: elsewhere the lens is guessed"
        )
