"""`edgefuse bench`: what a bundle costs on this machine."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edgefuse.options import CAMERA_HELP, MICROPHONE_HELP, OWN_BUNDLE, Insecure, OnBackends
from edgefuse.runtime import DEFAULT_BUNDLE, DEFAULT_CLIP, EdgefuseError
from edgefuse.terminal import open_console, still_bar

if TYPE_CHECKING:
    from rich.console import Console

    from edgefuse.bench.report.result import Result
    from edgefuse.export.spec import FusionSpec

_USUAL_RATE_HZ = 30.0
_LIVE = "live"


def bench(
    bundle: Annotated[
        list[Path] | None,
        typer.Argument(help="made by `edgefuse export`; several are compared", show_default=OWN_BUNDLE),
    ] = None,
    backend: OnBackends = None,
    source: Annotated[
        str, typer.Option(help="video with its sound beside it, MCAP, or `live`", show_default="the demo clip")
    ] = str(DEFAULT_CLIP),
    camera: Annotated[str | None, typer.Option(help=f"{CAMERA_HELP}; of --source live")] = None,
    insecure: Insecure = False,
    microphone: Annotated[str | None, typer.Option(help=f"{MICROPHONE_HELP}; of --source live")] = None,
    rate: Annotated[float | None, typer.Option(help="frames per second; the source's own")] = None,
    quick: Annotated[bool, typer.Option("--quick", help="seconds instead of minutes, with a wider spread")] = False,
    vs: Annotated[str | None, typer.Option(help="peers: torch,torch-compile,ort,openvino; need --checkpoint")] = None,
    checkpoint: Annotated[str | None, typer.Option(help="what the bundle was made from, as `export` takes it")] = None,
    ros: Annotated[bool, typer.Option("--ros", help="across ROS nodes as well; --vs torch: a naive node too")] = False,
    tune: Annotated[bool, typer.Option("--tune", help="plan each graph's engine and threads, and stop")] = False,
    json: Annotated[Path | None, typer.Option(help="write the result into this file")] = None,
    compare: Annotated[Path | None, typer.Option(help="an older result; exit code 1 if something is slower")] = None,
    html: Annotated[Path | None, typer.Option(help="draw the result into this page")] = None,
) -> None:
    """Measure what percepts cost: each graph alone, the way from samples to percepts, variants and peers by turns.

    With --source live only the way to percepts, of the machine's own camera and microphone.
    """
    from edgefuse.bench import measurement
    from edgefuse.bench.extent import QUICK, THOROUGH, Wish
    from edgefuse.bench.load.variants import backends_from, open_variants
    from edgefuse.bench.load.workload import check_rate, read_frame_rate_hz
    from edgefuse.bench.report.result import read_result
    from edgefuse.bench.ros.nodes import check_ros
    from edgefuse.bench.runs.live import devices_from
    from edgefuse.bench.runs.peers import peers_from
    from edgefuse.runtime.files.whole_file import check_writable

    peers = peers_from(vs or "")
    if peers and checkpoint is None:
        raise EdgefuseError("--vs runs the network that the bundle was made from: give its --checkpoint")
    if checkpoint is not None and not peers:
        raise EdgefuseError("--checkpoint is what the peers of --vs are made from: give --vs as well")
    _check_source(source, rate, bool(camera or microphone), bool(peers or ros or tune))
    for file in (json, html):
        if file is not None:
            check_writable(file)
    old = read_result(compare) if compare is not None else None
    if rate is not None:
        check_rate(rate)
    if ros:
        check_ros()
    console = open_console()
    bundles, extent = bundle or [DEFAULT_BUNDLE], QUICK if quick else THOROUGH
    if tune:
        _tune(console, bundles, Path(source))
        return
    backends = backends_from(backend or ["auto"])
    with still_bar(console) as progress:
        if source == _LIVE:
            devices = devices_from(camera, microphone, insecure)
            variants = open_variants(bundles, backends, DEFAULT_CLIP)
            result = measurement.measure_devices(variants, devices, extent, progress)
        else:
            variants = open_variants(bundles, backends, Path(source))
            rate_hz = rate or read_frame_rate_hz(Path(source), variants[0].bundle.manifest) or _USUAL_RATE_HZ
            wish = Wish(source, round(rate_hz, 3), extent, peers, checkpoint, _network(checkpoint), ros)
            result = measurement.measure(variants, wish, progress)
    _give(console, result, json, html)
    if old is not None:
        raise typer.Exit(_compare(console, result, old))


def _network(checkpoint: str | None) -> Callable[[], FusionSpec] | None:
    """What opens the network that the bundles were made from, once it is needed."""
    if checkpoint is None:
        return None
    from edgefuse.networks import spec_to_time

    return partial(spec_to_time, checkpoint)


def _give(console: Console, result: Result, json: Path | None, html: Path | None) -> None:
    """On the terminal, and in the files that were asked for."""
    from edgefuse.bench.report.result import write_text
    from edgefuse.bench.report.tables import draw_result

    for table in draw_result(result):
        console.print(table)
    if json is not None:
        write_text(json, result.model_dump_json(indent=1) + "\n")
    if html is not None:
        from edgefuse.bench.report.page import page_from_result

        write_text(html, page_from_result(result))
    for file in (json, html):
        if file is not None:
            console.print(f"{file} is written", soft_wrap=True)


def _check_source(source: str, rate: float | None, devices: bool, more: bool) -> None:
    """Raises EdgefuseError where options do not go together, and for a source that would be waited for."""
    from edgefuse.runtime.files.documents import refuse_special

    if source != _LIVE and devices:
        raise EdgefuseError(f"--camera and --microphone are of --source live, not of {source}")
    if source != _LIVE:
        refuse_special(Path(source))
    if source == _LIVE and rate is not None:
        raise EdgefuseError("--rate: a camera of --source live has a rate of its own")
    if source == _LIVE and more:
        raise EdgefuseError("--source live measures samples to percepts only: without --vs, --ros and --tune")


def _tune(console: Console, bundles: list[Path], source: Path) -> None:
    """Measure the ways to run every graph, plan the best, and say where."""
    from edgefuse.bench.load.variants import open_variants
    from edgefuse.bench.runs.tune import draw_trials, plan_from, trials_from
    from edgefuse.runtime.engines.plan import write_plan

    with still_bar(console) as progress:
        trials = [trial for v in open_variants(bundles, ("cpu",), source) for trial in trials_from(v, progress)]
    console.print(draw_trials(trials))
    plan = write_plan(plan_from(trials))
    console.print(f"planned for this machine in {plan}; delete the file to undo it")


def _compare(console: Console, new: Result, old: Result) -> int:
    """Say what changed; 1 if something is slower."""
    from edgefuse.bench.report.comparison import compare, find_differences
    from edgefuse.bench.report.tables import draw_changes

    changes = compare(new, old)
    console.print(draw_changes(changes))
    for line in find_differences(new, old):
        console.print(f"careful: {line}")
    return 1 if any(change.verdict == "slower" for change in changes) else 0
