"""The command line. Each command imports its package when it is called, so that `edgefuse run` needs no torch."""

from __future__ import annotations

import os
import shlex
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from typer.exceptions import TyperException

from edgefuse.cli_bench import bench
from edgefuse.cli_calibrate import app as calibrate_app
from edgefuse.cli_doctor import doctor
from edgefuse.cli_sign import sign
from edgefuse.cli_train import train
from edgefuse.options import (
    OWN_BUNDLE,
    Camera,
    Channel,
    Microphone,
    OnBackend,
    SignedBy,
    SoundFile,
    Topics,
    complete_senses,
    show_help,
)
from edgefuse.runtime import DEFAULT_BUNDLE, DEFAULT_CLIP, EdgefuseError
from edgefuse.runtime.extras import how_to_install
from edgefuse.terminal import open_console, progress_bar
from edgefuse.verbosity import Quiet, Verbose, also_behind_commands, is_quiet, show_warnings
from edgefuse.version import version

if TYPE_CHECKING:
    from typer.core import TyperGroup

    from edgefuse.runtime import Bundle, Manifest, Observer, Sink

_EXTRAS = {
    **dict.fromkeys(("torch", "onnx", "onnxscript", "safetensors", "sklearn", "scipy", "tensorboard"), "export"),
    "openvino": "openvino",
    "matplotlib": "timeline",
    "rerun": "viz",
    "jinja2": "viz",
}

app = typer.Typer(pretty_exceptions_enable=False, context_settings={"help_option_names": ["-h", "--help"]})


def _show_version(wanted: bool) -> None:
    if wanted:
        print(version())
        raise typer.Exit


@app.callback(invoke_without_command=True)
def edgefuse(
    context: typer.Context,
    version: Annotated[
        bool,
        typer.Option(
            "--version",
            callback=_show_version,
            is_eager=True,
            help="of edgefuse, of what runs bundles, and of those it can read",
        ),
    ] = False,
    verbose: Verbose = 0,
    quiet: Quiet = False,
) -> None:
    """Fused perception on a robot: camera, microphone and text in, percepts out, in real time."""
    show_help(context)


def commands() -> TyperGroup:
    """The whole command line."""
    group = typer.main.get_command(app)
    assert isinstance(group, typer.core.TyperGroup), "there are several commands"
    return also_behind_commands(group)


def main() -> None:
    """Run the command line; what a user can mend is one line on stderr and exit code 2."""
    from edgefuse.fusion import FusionError

    _quieten_opencv()
    show_warnings()
    try:
        sys.exit(commands()(standalone_mode=False))
    except TyperException as error:
        sys.exit(_complain(_wrong_call(error)))
    except (EdgefuseError, FusionError) as error:
        sys.exit(_complain(str(error)))
    except ModuleNotFoundError as error:
        if error.name is None or error.name.split(".")[0] not in _EXTRAS:
            raise
        how = how_to_install(_EXTRAS[error.name.split(".")[0]])
        sys.exit(_complain(f"this command needs {error.name}, which is not installed: {how}"))


def _quieten_opencv() -> None:
    """A file that OpenCV and FFmpeg cannot open is our one line, not theirs as well."""
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")
    os.environ.setdefault("OPENCV_LOG_LEVEL", "ERROR")
    if "cv2" in sys.modules:  # which has read its variables; else it need not be imported
        from edgefuse.runtime.streams.opencv_log import ERROR, set_log_level

        set_log_level(ERROR)


def _wrong_call(error: TyperException) -> str:
    """What is wrong with the call, in one line, and whose help to read."""
    said = " ".join(error.format_message().replace("Value error, ", "").split()).rstrip(".")
    context = getattr(error, "ctx", None)
    return said if context is None else f"{said} (see `{context.command_path} -h`)"


def _complain(message: str) -> int:
    print(f"edgefuse: {message}", file=sys.stderr)
    return 2


@app.command()
def run(
    file: Annotated[
        Path | None, typer.Argument(help="video with its sound beside it, or a bag; else a demo clip")
    ] = None,
    bundle: Annotated[
        Path, typer.Option("--bundle", "-b", help="made by `edgefuse export`", show_default=OWN_BUNDLE)
    ] = DEFAULT_BUNDLE,
    audio: SoundFile = None,
    camera: Camera = None,
    microphone: Microphone = None,
    channel: Channel = None,
    topic: Topics = None,
    fast: Annotated[bool, typer.Option("--fast", help="as fast as possible instead of in real time")] = False,
    prompt: Annotated[list[str] | None, typer.Option(help="a text that names a class; may be repeated")] = None,
    drop: Annotated[
        list[str] | None, typer.Option(help="take this sense away; may be repeated", autocompletion=complete_senses)
    ] = None,
    rate: Annotated[float | None, typer.Option(help="percepts per second at most, not one per frame", min=0.1)] = None,
    jsonl: Annotated[str | None, typer.Option(help="write a JSON object per percept; - is the standard output")] = None,
    timeline: Annotated[Path | None, typer.Option(help="draw the run into this PNG, SVG or PDF")] = None,
    record: Annotated[Path | None, typer.Option(help="record samples and percepts into this MCAP file")] = None,
    viewer: Annotated[bool, typer.Option("--viewer", help="show the run in Rerun; headless, save an .rrd")] = False,
    rrd: Annotated[Path | None, typer.Option(help="save the run for Rerun in this file")] = None,
    camera_info: Annotated[Path | None, typer.Option(help="straighten frames by this lens (YAML of ROS)")] = None,
    sync: Annotated[Path | None, typer.Option(help="set stamps right, as `calibrate sync` measured")] = None,
    confidence: Annotated[
        str, typer.Option(help="file of `calibrate confidence`; bundle: its own; none: as the network says")
    ] = "bundle",
    backend: OnBackend = "auto",
    selftest: Annotated[bool, typer.Option(help="replay the bundle's golden vectors before the first percept")] = True,
    require_signature: SignedBy = None,
) -> None:
    """Perceive: run a bundle on a clip, a recording or live devices, and show its percepts."""
    from edgefuse.runtime import (
        Bundle,
        JsonLines,
        LiveTable,
        Perceiver,
        RunStatistics,
        Source,
        deliver,
        open_streams,
        read_corrections,
        summary,
    )

    opened = Bundle.open(bundle, require_signature)
    senses = _left(opened.manifest, drop or [])
    corrections = read_corrections(camera_info, sync, opened.manifest)
    nothing_named = file is None and camera is None and microphone is None
    source = Source(DEFAULT_CLIP if nothing_named else file, audio, camera, microphone, topic or (), channel)
    console = open_console(stderr=jsonl == "-")
    with console.status(f"opening {file} ...") if source.recording and not is_quiet() else nullcontext():
        streams = open_streams(source, opened.manifest, senses, fast)
    perceiver = Perceiver(
        opened,
        prompt or [],
        senses,
        rate or "lead",
        backend=backend,
        selftest=selftest,
        confidence=None if confidence == "none" else confidence,
        corrections=corrections,
    )
    statistics = RunStatistics()
    observers = _observers(opened, timeline, viewer, rrd, record)
    sinks: list[Sink] = [statistics, *([JsonLines(jsonl)] if jsonl else []), *observers]
    if not is_quiet():
        sinks.append(LiveTable(console, statistics))
    try:
        deliver(perceiver.perceive(*streams, watchers=observers), sinks)
    finally:
        if statistics.percepts and not (is_quiet() and jsonl == "-"):
            odd = perceiver.drift(), perceiver.set_back()
            console.print(summary(statistics, perceiver.senses, perceiver.drops(), *odd))


def _observers(
    bundle: Bundle, timeline: Path | None, viewer: bool, rrd: Path | None, record: Path | None
) -> list[Observer]:
    """The sinks that take samples as well; the recorder last, so that no file is begun if another is refused."""
    from edgefuse.runtime import Recorder, Timeline, Viewer

    observers: list[Observer] = []
    if timeline is not None:
        observers.append(Timeline(timeline))
    if viewer or rrd is not None:
        observers.append(Viewer(rrd, bundle.manifest))
    if record is not None:
        observers.append(Recorder(record, bundle))
    return observers


def _left(manifest: Manifest, dropped: list[str]) -> list[str]:
    names = [modality.name for modality in manifest.modalities]
    unknown = set(dropped) - set(names)
    if unknown:
        raise EdgefuseError(f"--drop {', '.join(sorted(unknown))}: the bundle's senses are {', '.join(names)}")
    left = [name for name in names if name not in dropped]
    if not left:
        raise EdgefuseError("--drop took every sense away; leave at least one")
    return left


@app.command()
def export(
    source: Annotated[str, typer.Argument(help="a checkpoint.safetensors, module.py:function, or the preset base")],
    output: Annotated[Path, typer.Option("--output", "-o", help="the bundle's directory; an older bundle is replaced")],
    precision: Annotated[
        Literal["auto", "int8", "fp16", "fp32"], typer.Option(help="of each graph; auto: the fastest that is exact")
    ] = "auto",
    target: Annotated[Literal["onnx", "tensorrt", "tensorrt-rtx"], typer.Option(help="build engines as well")] = "onnx",
    compute_capability: Annotated[
        list[str] | None, typer.Option(help="of an engine's GPU, such as 8.9; may be repeated")
    ] = None,
    data: Annotated[Path | None, typer.Option(help="folder to measure on, not the one of the training")] = None,
    calibration: Annotated[
        Path | None, typer.Option(help="of `calibrate quantization`: what int8's ranges are measured on")
    ] = None,
    size: Annotated[list[str] | None, typer.Option(help="that engines take: height=120,480,720, batch=16")] = None,
) -> None:
    """Turn a network into a bundle, and verify it before it takes its name."""
    from edgefuse.calibration.collection import read_collection
    from edgefuse.export.exporter import export_bundle
    from edgefuse.export.report.files import PAGE_FILE, read_report
    from edgefuse.export.report.tables import precision_table, samples_text, verification_table
    from edgefuse.export.tensorrt import EngineRequest, sizes_from
    from edgefuse.networks import spec_from_name
    from edgefuse.runtime import Bundle

    engines = None
    if target != "onnx":
        engines = EngineRequest(target, tuple(compute_capability or (None,)), sizes_from(size or []))
    elif compute_capability or size:
        raise EdgefuseError("--compute-capability and --size are of engines: give --target tensorrt or tensorrt-rtx")
    console = open_console()
    with progress_bar(console) as progress:
        command = shlex.join(["edgefuse", *sys.argv[1:]])
        collection = None if calibration is None else read_collection(calibration)
        spec = spec_from_name(source, data, collection)
        manifest = export_bundle(spec, output, precision, engines, command, progress)
    if manifest.report is not None:
        report = read_report(output / manifest.report)
        console.print(precision_table(report))
        if manifest.verified is not None:
            console.print(verification_table(manifest.verified))
        console.print(samples_text(report.samples, report.remarks))
    console.print(f"{output}: {Bundle.open(output).size_bytes / 1e6:.1f} MB; measured: {output / PAGE_FILE}")


@app.command()
def verify(
    bundle: Annotated[Path, typer.Argument(help="made by `edgefuse export`")],
    checkpoint: Annotated[str | None, typer.Option(help="what it was made from, as `edgefuse export` takes it")] = None,
    signature: SignedBy = None,
    data: Annotated[Path | None, typer.Option(help="folder to measure on, not the one of the training")] = None,
    calibration: Annotated[
        Path | None, typer.Option(help="of `calibrate quantization`: compare on this instead, without accuracy")
    ] = None,
    table: Annotated[bool, typer.Option("--table", help="also the whole table of a built-in task")] = False,
) -> None:
    """Compare a bundle with its network: each graph, and the task's accuracy; exit code 1 if a bound is broken.

    Or prove by --signature who made it.
    """
    from edgefuse.calibration.collection import read_collection
    from edgefuse.export.bundle_predictor import BundlePredictor
    from edgefuse.export.report.files import MEASURED, samples_in_words
    from edgefuse.export.report.tables import samples_text, verification_table
    from edgefuse.export.tensorrt import check_engines, check_numbers, engine_table
    from edgefuse.export.verify import verify_bundle
    from edgefuse.networks import spec_from_name, spec_of_checkpoint_and_set
    from edgefuse.runtime import Bundle
    from edgefuse.runtime.senses.tokenizer import open_tokenizer
    from edgefuse.tasks import BUILT_IN, built_in_with

    opened, console = Bundle.open(bundle, signature), open_console()
    if signature is not None:
        console.print(f"{bundle} is what the owner of {signature} signed")
    if checkpoint is None:
        if signature is None:
            raise EdgefuseError("give --checkpoint, --signature or both: what to compare the bundle with")
        return
    task = built_in_with(tuple(opened.manifest.labels)) if table else None
    if table and task is None:
        raise EdgefuseError(f"--table is of the built-in tasks ({', '.join(BUILT_IN)}); {bundle} has other labels")
    if data is not None and calibration is not None:
        raise EdgefuseError("give either --data or --calibration: what to compare on")
    with progress_bar(console) as progress:
        if calibration is None:
            spec = spec_from_name(checkpoint, data)
        else:
            spec = spec_of_checkpoint_and_set(checkpoint, read_collection(calibration))
        verification = verify_bundle(bundle, spec, progress)
    console.print(verification_table(verification))
    console.print(samples_text({MEASURED: samples_in_words(spec.holdout)}, spec.remarks))
    if task is not None:
        with progress_bar(console) as progress:
            evaluated = task.evaluate(BundlePredictor(opened), open_tokenizer(opened), progress)
        console.print(evaluated.table())
    engines, numbers = check_engines(opened), check_numbers(opened)
    if engines:
        console.print(engine_table(engines, numbers))
    found = (*(engine.failure for engine in engines), numbers.failure)
    failures = (*verification.failures, *(failure for failure in found if failure is not None))
    for failure in failures:
        print(f"edgefuse: {failure}", file=sys.stderr)
    raise typer.Exit(1 if failures else 0)


app.command()(sign)
app.command()(train)
app.command()(bench)
app.add_typer(calibrate_app, name="calibrate")
app.command()(doctor)
