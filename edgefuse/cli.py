"""The command line. Each command imports its package when it is called, so that `edgefuse run` needs no torch."""

from __future__ import annotations

import json
import os
import shlex
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Literal

import cv2
import numpy as np
import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import Progress, TimeElapsedColumn
from rich.table import Table

from edgefuse.runtime import DEFAULT_BUNDLE, DEFAULT_CLIP, Bundle, Clip, EdgefuseError, Perceiver
from edgefuse.runtime.clip import sound_beside
from edgefuse.runtime.manifest import Manifest
from edgefuse.runtime.sinks import Sink, deliver
from edgefuse.runtime.sinks.console import LiveTable, summary_table
from edgefuse.runtime.sinks.jsonl import JsonLines
from edgefuse.runtime.sinks.statistics import RunStatistics
from edgefuse.runtime.sinks.timeline import Timeline

_COLD_STARTS = 5
_WIDTH_OF_A_FILE = 120
_FIGURES_SHOWN = 3
_INTERRUPTED = 130  # as a shell says of a program ended by Ctrl-C
_EXTRAS = {
    **dict.fromkeys(("torch", "onnx", "onnxscript", "onnxslim", "safetensors", "sklearn", "tensorboard"), "export"),
    "matplotlib": "viz",
}

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    help="Fused perception on a robot: camera, microphone and text in, percepts out, in real time.",
)


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
    source: Annotated[Path, typer.Argument(help="video file; its sound lies beside it")] = DEFAULT_CLIP,
    bundle: Annotated[Path, typer.Option("--bundle", "-b", help="made by `edgefuse export`")] = DEFAULT_BUNDLE,
    audio: Annotated[Path | None, typer.Option(help="sound file, where it is not beside the video")] = None,
    jsonl: Annotated[str | None, typer.Option(help="write a JSON object per percept; - is the standard output")] = None,
    timeline: Annotated[Path | None, typer.Option(help="draw the run into this PNG, SVG or PDF")] = None,
    fast: Annotated[bool, typer.Option("--fast", help="as fast as possible instead of in real time")] = False,
    prompt: Annotated[list[str] | None, typer.Option(help="a text that names a class; may be repeated")] = None,
    drop: Annotated[list[str] | None, typer.Option(help="take this sense away; may be repeated")] = None,
    rate: Annotated[float | None, typer.Option(help="percepts per second at most, not one per frame", min=0.1)] = None,
) -> None:
    """Perceive: run a bundle on a clip and show its percepts."""
    opened = Bundle.open(bundle)
    senses = _left(opened.manifest, drop or [])
    clip = _clip(source, audio, senses, live=not fast)
    perceiver = Perceiver(opened, prompt or [], senses, rate or "lead")
    console = _console(stderr=jsonl == "-")
    statistics = RunStatistics()
    sinks: list[Sink] = [statistics]
    if jsonl is not None:
        sinks.append(JsonLines(jsonl))
    if timeline is not None:
        sinks.append(Timeline(timeline, clip.video, clip.audio))
    sinks.append(LiveTable(console, statistics))
    try:
        deliver(perceiver.perceive(clip), sinks)
    finally:
        console.print(summary_table(statistics, perceiver.senses, perceiver.drops()))


def _left(manifest: Manifest, dropped: list[str]) -> list[str]:
    names = [modality.name for modality in manifest.modalities]
    unknown = set(dropped) - set(names)
    if unknown:
        raise EdgefuseError(f"--drop {', '.join(sorted(unknown))}: the bundle's senses are {', '.join(names)}")
    left = [name for name in names if name not in dropped]
    if not left:
        raise EdgefuseError("--drop took every sense away; leave at least one")
    return left


def _clip(video: Path, audio: Path | None, senses: list[str], live: bool) -> Clip:
    sound = (audio or sound_beside(video)) if "audio" in senses else None
    return Clip(video if "image" in senses else None, sound, live)


@app.command()
def train(
    output: Annotated[Path, typer.Option("--output", "-o", help="directory of the checkpoint and its report")],
    data: Annotated[Path | None, typer.Option(help="folder of yours: <label>/<stem>.png|jpg and <stem>.wav")] = None,
    epochs: Annotated[int | None, typer.Option(min=1, help="instead of the default's")] = None,
    features: Annotated[Literal["log_mel", "mfcc"], typer.Option(help="of the sound")] = "log_mel",
    seed: Annotated[int, typer.Option(min=0)] = 0,
) -> None:
    """Train the reference network on the built-in tabletop task, or on a folder of yours; then measure it."""
    from edgefuse.fusion.checkpoint import load_checkpoint
    from edgefuse.fusion.evaluation import evaluate
    from edgefuse.fusion.prediction import NetworkPredictor
    from edgefuse.fusion.settings import TrainingSettings
    from edgefuse.fusion.training import train as train_network

    given = {"audio_features": features, "seed": seed} | ({} if epochs is None else {"epochs": epochs})
    console = _console()
    with _progress(console) as progress:
        trained = train_network(TrainingSettings(**given), output, progress, data)
    console.print(f"{trained.checkpoint}, trained in {trained.seconds / 60:.1f} minutes")
    if data is None:
        with _progress(console) as progress:
            report = evaluate(NetworkPredictor(load_checkpoint(trained.checkpoint)), progress=progress)
        (output / "report.json").write_text(json.dumps(report.as_json(), indent=1) + "\n", encoding="utf-8")
        console.print(report.table())


@app.command()
def export(
    checkpoint: Annotated[Path, typer.Argument(help="made by `edgefuse train`")],
    output: Annotated[Path, typer.Option("--output", "-o", help="the bundle's directory; an older bundle is replaced")],
    precision: Annotated[Literal["fp32", "int8"], typer.Option(help="of the graphs' weights and activations")] = "int8",
) -> None:
    """Turn a checkpoint into a bundle, and verify it before it takes its name."""
    from edgefuse.export.exporter import export_bundle
    from edgefuse.export.report import verification_table

    console = _console()
    with _progress(console) as progress:
        command = shlex.join(["edgefuse", *sys.argv[1:]])
        manifest = export_bundle(checkpoint, output, precision, command, progress)
    if manifest.verified is not None:
        console.print(verification_table(manifest.verified))
    console.print(f"{output}: {Bundle.open(output).size_bytes / 1e6:.1f} MB")


@app.command()
def verify(
    bundle: Annotated[Path, typer.Argument(help="made by `edgefuse export`")],
    checkpoint: Annotated[Path, typer.Option(help="what it was made from")],
) -> None:
    """Compare a bundle with its checkpoint: each graph, and the task's accuracy; exit code 1 if a bound is broken."""
    from edgefuse.export.report import verification_table
    from edgefuse.export.verify import verify_bundle

    console = _console()
    with _progress(console) as progress:
        verification = verify_bundle(bundle, checkpoint, progress=progress)
    console.print(verification_table(verification))
    for failure in verification.failures:
        print(f"edgefuse: {failure}", file=sys.stderr)
    raise typer.Exit(1 if verification.failures else 0)


@app.command()
def bench(
    bundle: Annotated[Path, typer.Argument(help="made by `edgefuse export`")] = DEFAULT_BUNDLE,
    clip: Annotated[Path, typer.Option(help="video file; its sound lies beside it")] = DEFAULT_CLIP,
) -> None:
    """Measure what a percept costs over the bare engine calls that it needs, its bundle's size, and the cold start."""
    from edgefuse.runtime.bench import cold_start_s, measure_overhead

    opened = Bundle.open(bundle)
    overhead = measure_overhead(opened, clip, sound_beside(clip))
    table = Table("", "p50", "p95", title=str(bundle), title_justify="left")
    for name, values in (
        ("percept, sensed to published (ms)", overhead.percepts_ms),
        ("bare calls (ms)", overhead.bare_ms),
    ):
        table.add_row(name, *(f"{np.percentile(values, percentile):.2f}" for percentile in (50, 95)))
    table.add_row("ratio", f"{overhead.ratio(50):.3f}", f"{overhead.ratio(95):.3f}")
    _console().print(table)
    starts = sorted(cold_start_s(bundle, clip) for _ in range(_COLD_STARTS))
    print(f"cold start to the first percept: median {starts[_COLD_STARTS // 2]:.2f} s of {_COLD_STARTS}")
    print(f"size: {opened.size_bytes / 1e6:.2f} MB")


@app.command()
def doctor() -> None:
    """Say what this machine has, and what is missing for what; exit code 1 if edgefuse cannot run here."""
    from edgefuse.runtime.doctor import examine

    table = Table("", "for", "", box=None)
    findings = examine()
    for finding in findings:
        mark = {"ok": "[green]ok[/]", "missing": "[yellow]missing[/]", "wrong": "[red]wrong[/]"}[finding.state]
        table.add_row(mark, finding.subject, escape(finding.detail))
    _console().print(table)
    raise typer.Exit(1 if any(finding.state == "wrong" for finding in findings) else 0)


def _console(stderr: bool = False) -> Console:
    """The terminal at its width; a file or pipe at one that tables fit."""
    console = Console(stderr=stderr)
    return console if console.is_terminal else Console(stderr=stderr, width=_WIDTH_OF_A_FILE)


@contextmanager
def _progress(console: Console) -> Iterator[Callable[..., None]]:
    """A progress bar on the terminal, as a function of stage, steps done, steps in all and, if any, figures by name."""
    with Progress(*Progress.get_default_columns(), TimeElapsedColumn(), console=console, transient=True) as progress:
        task = progress.add_task("", total=None)

        def show(stage: str, done: int, total: int, figures: Mapping[str, float] = MappingProxyType({})) -> None:
            shown = "  ".join([stage, *(f"{name} {figures[name]:.3f}" for name in list(figures)[:_FIGURES_SHOWN])])
            progress.update(task, description=shown, completed=done, total=total)

        yield show


if __name__ == "__main__":
    main()
