"""The command line. Each command imports its package when it is called, so that `edgefuse run` needs no torch."""

from __future__ import annotations

import os
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from typer.exceptions import TyperException

from edgefuse.cli_bench import bench
from edgefuse.cli_calibrate import app as calibrate_app
from edgefuse.cli_doctor import doctor
from edgefuse.cli_run import run
from edgefuse.cli_sign import sign
from edgefuse.cli_train import train
from edgefuse.options import SignedBy, show_help
from edgefuse.runtime import EdgefuseError
from edgefuse.runtime.errors import without_credentials
from edgefuse.runtime.extras import how_to_install
from edgefuse.terminal import open_console, progress_bar
from edgefuse.verbosity import Quiet, Verbose, also_behind_commands, show_warnings
from edgefuse.version import version

if TYPE_CHECKING:
    from typer.core import TyperGroup

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


def run_command_line() -> int:
    """The exit code; raises EdgefuseError for a wrong call, and for a package that is not installed."""
    quieten_opencv()
    show_warnings()
    try:
        return commands()(standalone_mode=False) or 0
    except TyperException as error:
        raise EdgefuseError(_wrong_call(error)) from error
    except ModuleNotFoundError as error:
        if error.name is None or error.name.split(".")[0] not in _EXTRAS:
            raise
        how = how_to_install(_EXTRAS[error.name.split(".")[0]])
        raise EdgefuseError(f"this command needs {error.name}, which is not installed: {how}") from error


def quieten_opencv() -> None:
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


app.command()(run)


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
    from edgefuse.runtime.files.whole_file import check_directory_writable

    check_directory_writable(output)
    engines = None
    if target != "onnx":
        engines = EngineRequest(target, tuple(compute_capability or (None,)), sizes_from(size or []))
    elif compute_capability or size:
        raise EdgefuseError("--compute-capability and --size are of engines: give --target tensorrt or tensorrt-rtx")
    console = open_console()
    with progress_bar(console) as progress:
        command = without_credentials(shlex.join(["edgefuse", *sys.argv[1:]]))
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
