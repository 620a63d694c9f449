"""The command line. Each command imports its package when it is called, so that `edgefuse run` needs no torch."""

from __future__ import annotations

import os
import shlex
import sys
from pathlib import Path
from typing import Annotated, Literal

import cv2
import typer
from rich.markup import escape
from rich.table import Table

from edgefuse.cli_bench import bench
from edgefuse.cli_calibrate import app as calibrate_app
from edgefuse.runtime import DEFAULT_BUNDLE, DEFAULT_CLIP, Bundle, EdgefuseError, Perceiver
from edgefuse.runtime.calibrated.corrections import read_corrections
from edgefuse.runtime.engines.engine import Backend
from edgefuse.runtime.manifest import Manifest
from edgefuse.runtime.perceiver import chosen_confidence
from edgefuse.runtime.sinks import Observer, Sink, deliver
from edgefuse.runtime.sinks.console import LiveTable, summary
from edgefuse.runtime.sinks.jsonl import JsonLines
from edgefuse.runtime.sinks.statistics import RunStatistics
from edgefuse.runtime.sinks.timeline import Timeline
from edgefuse.runtime.streams.corrected import Corrected
from edgefuse.runtime.streams.sources import Source, open_streams
from edgefuse.terminal import open_console, progress_bar

_SHORT_SPIN = "20000"  # of torch's threads between two operators: longer starves others, none costs a third
_INTERRUPTED = 130  # as a shell says of a program ended by Ctrl-C
_EXTRAS = {
    **dict.fromkeys(
        ("torch", "onnx", "onnxscript", "safetensors", "sklearn", "scipy", "tensorboard", "jinja2"), "export"
    ),
    "openvino": "openvino",
    "matplotlib": "timeline",
    "rerun": "viz",
}

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    help="Fused perception on a robot: camera, microphone and text in, percepts out, in real time.",
)
app.add_typer(calibrate_app, name="calibrate")
app.command()(bench)


def main() -> None:
    """Run the command line; what a user can mend is one line on stderr and exit code 2."""
    from edgefuse.fusion.errors import FusionError

    _quieten_opencv()
    try:
        app()
    except KeyboardInterrupt:
        sys.exit(_INTERRUPTED)
    except (EdgefuseError, FusionError) as error:
        sys.exit(_complain(str(error)))
    except ModuleNotFoundError as error:
        if error.name is None or error.name.split(".")[0] not in _EXTRAS:
            raise
        extra = _EXTRAS[error.name.split(".")[0]]
        sys.exit(_complain(f"this command needs {error.name}, which is not installed: pip install 'edgefuse[{extra}]'"))


def _quieten_opencv() -> None:
    """A file that OpenCV and FFmpeg cannot open is our one line, not theirs as well."""
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_ERROR)


def _complain(message: str) -> int:
    print(f"edgefuse: {message}", file=sys.stderr)
    return 2


@app.command()
def run(
    file: Annotated[
        Path | None, typer.Argument(help="video with its sound beside it, or MCAP; else a demo clip")
    ] = None,
    bundle: Annotated[Path, typer.Option("--bundle", "-b", help="made by `edgefuse export`")] = DEFAULT_BUNDLE,
    audio: Annotated[Path | None, typer.Option(help="sound file, where it is not beside the video")] = None,
    camera: Annotated[str | None, typer.Option(help="index, /dev/..., URL (RTSP, HTTP) or GStreamer pipeline")] = None,
    microphone: Annotated[str | None, typer.Option(help="index, name or part of one, or `default`")] = None,
    topic: Annotated[list[str] | None, typer.Option(help="sense=topic of a recording, where several fit")] = None,
    fast: Annotated[bool, typer.Option("--fast", help="as fast as possible instead of in real time")] = False,
    prompt: Annotated[list[str] | None, typer.Option(help="a text that names a class; may be repeated")] = None,
    drop: Annotated[list[str] | None, typer.Option(help="take this sense away; may be repeated")] = None,
    rate: Annotated[float | None, typer.Option(help="percepts per second at most, not one per frame", min=0.1)] = None,
    jsonl: Annotated[str | None, typer.Option(help="write a JSON object per percept; - is the standard output")] = None,
    timeline: Annotated[Path | None, typer.Option(help="draw the run into this PNG, SVG or PDF")] = None,
    record: Annotated[Path | None, typer.Option(help="record samples and percepts into this MCAP file")] = None,
    viewer: Annotated[bool, typer.Option("--viewer", help="show the run in Rerun; headless, save an .rrd")] = False,
    rrd: Annotated[Path | None, typer.Option(help="save the run for Rerun in this file")] = None,
    camera_info: Annotated[Path | None, typer.Option(help="straighten frames by this lens (YAML of ROS)")] = None,
    sync: Annotated[Path | None, typer.Option(help="set stamps right, as `calibrate sync` measured")] = None,
    confidence: Annotated[
        str | None, typer.Option(help="of `calibrate confidence`, else the bundle's own; none: as the network says")
    ] = None,
    backend: Annotated[Backend, typer.Option(help="what runs the graphs; auto: the fastest that is here")] = "auto",
    selftest: Annotated[bool, typer.Option(help="replay the bundle's golden vectors before the first percept")] = True,
) -> None:
    """Perceive: run a bundle on a clip, a recording or live devices, and show its percepts."""
    opened = Bundle.open(bundle)
    senses = _left(opened.manifest, drop or [])
    corrections = read_corrections(camera_info, sync, opened.manifest)
    nothing_named = file is None and camera is None and microphone is None
    source = Source(DEFAULT_CLIP if nothing_named else file, audio, camera, microphone, topic or ())
    streams = open_streams(source, opened.manifest, senses, fast)
    if corrections is not None:
        streams = [Corrected(stream, corrections) for stream in streams]
    measured = None if confidence == "none" else chosen_confidence(confidence, opened.manifest)
    perceiver = Perceiver(
        opened, prompt or [], senses, rate or "lead", backend=backend, selftest=selftest, confidence=measured
    )
    console = open_console(stderr=jsonl == "-")
    statistics = RunStatistics()
    observers = _observers(opened, timeline, viewer, rrd, record)
    for observer in observers:
        streams = [observer.tap(stream) for stream in streams]
    sinks: list[Sink] = [statistics, *([JsonLines(jsonl)] if jsonl else []), *observers, LiveTable(console, statistics)]
    try:
        deliver(perceiver.perceive(*streams), sinks)
    finally:
        if statistics.percepts:
            console.print(summary(statistics, perceiver.senses, perceiver.drops(), perceiver.drift()))


def _observers(
    bundle: Bundle, timeline: Path | None, viewer: bool, rrd: Path | None, record: Path | None
) -> list[Observer]:
    """The sinks that take samples as well; the recorder last, so that no file is begun if another is refused."""
    observers: list[Observer] = []
    if timeline is not None:
        observers.append(Timeline(timeline))
    if viewer or rrd is not None:
        from edgefuse.runtime.sinks.viewer import Viewer

        observers.append(Viewer(rrd, bundle.manifest))
    if record is not None:
        from edgefuse.runtime.sinks.recorder import Recorder

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
def train(
    output: Annotated[Path, typer.Option("--output", "-o", help="directory of the checkpoint and its report")],
    data: Annotated[Path | None, typer.Option(help="folder of yours: <label>/<stem>.png|jpg and <stem>.wav")] = None,
    epochs: Annotated[int | None, typer.Option(min=1, help="instead of the default's")] = None,
    features: Annotated[Literal["log_mel", "mfcc"], typer.Option(help="of the built-in audio encoder")] = "log_mel",
    seed: Annotated[int, typer.Option(min=0)] = 0,
    image_encoder: Annotated[Path | None, typer.Option(help="directory of a Hugging Face ResNet or ViT")] = None,
    audio_encoder: Annotated[Path | None, typer.Option(help="of a Wav2Vec2, an AST or a Whisper")] = None,
    text_encoder: Annotated[Path | None, typer.Option(help="of a BERT and its tokenizer.json")] = None,
    freeze: Annotated[
        bool, typer.Option("--freeze/--fine-tune", help="pretrained encoders stay as they are, or learn slowly too")
    ] = True,
) -> None:
    """Train the reference network on the built-in tabletop task, or on a folder of yours; then measure it.

    With an encoder's directory, that sense starts from it: transfer learning.
    """
    os.environ.setdefault("GOMP_SPINCOUNT", _SHORT_SPIN)
    from edgefuse.fusion.evaluation import evaluate_checkpoint
    from edgefuse.fusion.progress import evaluation_bar, training_bars
    from edgefuse.fusion.settings import TrainingSettings
    from edgefuse.fusion.training import train as train_network
    from edgefuse.fusion.transfer import EncoderDirectories

    encoders = EncoderDirectories(image_encoder, audio_encoder, text_encoder)
    settings = TrainingSettings(audio_features=features, seed=seed, fine_tune=not freeze)
    if epochs is not None:
        settings = settings.model_copy(update={"epochs": epochs})
    console = open_console()
    with training_bars(console) as bars:
        trained = train_network(settings, output, bars, data, encoders)
    console.print(f"{trained.checkpoint}, trained in {trained.seconds / 60:.1f} minutes")
    for senses, share in trained.accuracy.items():
        console.print(f"validation accuracy, {senses}: {share:.1%}")
    if data is None:
        with evaluation_bar(console) as bar:
            report = evaluate_checkpoint(trained.checkpoint, progress=bar)
        console.print(report.table())


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
    from edgefuse.export.source import spec_from_source
    from edgefuse.export.tensorrt import EngineRequest, sizes_from

    engines = None
    if target != "onnx":
        engines = EngineRequest(target, tuple(compute_capability or (None,)), sizes_from(size or []))
    elif compute_capability or size:
        raise EdgefuseError("--compute-capability and --size are of engines: give --target tensorrt or tensorrt-rtx")
    console = open_console()
    with progress_bar(console) as progress:
        command = shlex.join(["edgefuse", *sys.argv[1:]])
        collection = None if calibration is None else read_collection(calibration)
        spec = spec_from_source(source, data, collection)
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
    checkpoint: Annotated[str, typer.Option(help="what it was made from, as `edgefuse export` takes it")],
    data: Annotated[Path | None, typer.Option(help="folder to measure on, not the one of the training")] = None,
    calibration: Annotated[
        Path | None, typer.Option(help="of `calibrate quantization`: compare on this instead, without accuracy")
    ] = None,
    table: Annotated[bool, typer.Option("--table", help="also the tabletop task's whole table")] = False,
) -> None:
    """Compare a bundle with its network: each graph, and the task's accuracy; exit code 1 if a bound is broken."""
    from edgefuse.calibration.collection import read_collection
    from edgefuse.export.bundle_predictor import BundlePredictor
    from edgefuse.export.report.files import MEASURED, samples_in_words
    from edgefuse.export.report.tables import samples_text, verification_table
    from edgefuse.export.source import spec_from_source, spec_of_checkpoint_and_set
    from edgefuse.export.tensorrt import check_engines, check_numbers, engine_table
    from edgefuse.export.verify import verify_bundle
    from edgefuse.fusion.evaluation import evaluate
    from edgefuse.fusion.progress import evaluation_bar
    from edgefuse.fusion.vocabulary import LABELS
    from edgefuse.runtime.prompts import open_tokenizer

    opened, console = Bundle.open(bundle), open_console()
    if table and tuple(opened.manifest.labels) != LABELS:
        raise EdgefuseError(f"--table is of the tabletop task, and {bundle} has other labels")
    if data is not None and calibration is not None:
        raise EdgefuseError("give either --data or --calibration: what to compare on")
    with progress_bar(console) as progress:
        if calibration is None:
            spec = spec_from_source(checkpoint, data)
        else:
            spec = spec_of_checkpoint_and_set(checkpoint, read_collection(calibration))
        verification = verify_bundle(bundle, spec, progress)
    console.print(verification_table(verification))
    console.print(samples_text({MEASURED: samples_in_words(spec.holdout)}, spec.remarks))
    if table:
        with evaluation_bar(console) as bar:
            console.print(evaluate(BundlePredictor(opened), progress=bar, tokenizer=open_tokenizer(opened)).table())
    engines, numbers = check_engines(opened), check_numbers(opened)
    if engines:
        console.print(engine_table(engines, numbers))
    found = (*(engine.failure for engine in engines), numbers.failure)
    failures = (*verification.failures, *(failure for failure in found if failure is not None))
    for failure in failures:
        print(f"edgefuse: {failure}", file=sys.stderr)
    raise typer.Exit(1 if failures else 0)


@app.command()
def doctor(
    camera: Annotated[str | None, typer.Option(help="watch this camera for 3 s")] = None,
    microphone: Annotated[str | None, typer.Option(help="listen to this microphone for 3 s, or to `default`")] = None,
) -> None:
    """Say what this machine has, and what is missing for what; exit code 1 if something that must work does not."""
    from edgefuse.runtime.doctor import examine, measure

    table = Table("", "for", "", box=None)
    findings = examine() + measure(camera, microphone)
    for finding in findings:
        mark = {"ok": "[green]ok[/]", "missing": "[yellow]missing[/]", "wrong": "[red]wrong[/]"}[finding.state]
        table.add_row(mark, finding.subject, escape(finding.detail))
    open_console().print(table)
    raise typer.Exit(1 if any(finding.state == "wrong" for finding in findings) else 0)


if __name__ == "__main__":
    main()
