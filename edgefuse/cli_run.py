"""`edgefuse run`: a bundle on a clip, a recording or live devices."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edgefuse.options import (
    OWN_BUNDLE,
    Camera,
    Channel,
    Insecure,
    Microphone,
    OnBackend,
    SignedBy,
    SoundFile,
    Topics,
    complete_senses,
)
from edgefuse.runtime import DEFAULT_BUNDLE, DEFAULT_CLIP, EdgefuseError
from edgefuse.signals import signals
from edgefuse.terminal import open_console
from edgefuse.verbosity import is_quiet

if TYPE_CHECKING:
    from rich.console import Console

    from edgefuse.runtime import Bundle, Manifest, Observer, Perceiver, Stream

_NOTHING_PERCEIVED = 2


def run(
    file: Annotated[
        Path | None, typer.Argument(help="video with its sound beside or in it, or a bag; else a demo clip")
    ] = None,
    bundle: Annotated[
        Path, typer.Option("--bundle", "-b", help="made by `edgefuse export`", show_default=OWN_BUNDLE)
    ] = DEFAULT_BUNDLE,
    audio: SoundFile = None,
    camera: Camera = None,
    insecure: Insecure = False,
    microphone: Microphone = None,
    channel: Channel = None,
    topic: Topics = None,
    fast: Annotated[bool, typer.Option("--fast", help="as fast as possible instead of in real time")] = False,
    prompt: Annotated[list[str] | None, typer.Option(help="a text that names a class; may be repeated")] = None,
    drop: Annotated[
        list[str] | None, typer.Option(help="take this sense away; may be repeated", autocompletion=complete_senses)
    ] = None,
    rate: Annotated[
        float | None, typer.Option(help="percepts per second at most, not one per frame", min=0.1, max=1000.0)
    ] = None,
    jsonl: Annotated[str | None, typer.Option(help="write a JSON object per percept; - is the standard output")] = None,
    timeline: Annotated[Path | None, typer.Option(help="draw the run into this PNG, SVG or PDF")] = None,
    record: Annotated[Path | None, typer.Option(help="record samples and percepts into this MCAP file")] = None,
    lossless: Annotated[bool, typer.Option("--lossless", help="record frames as they are, not as JPEG")] = False,
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
    from edgefuse.runtime import Bundle, Perceiver, Source, Timeline, Viewer, open_streams, read_corrections

    drawn = None if timeline is None else Timeline(timeline)
    _check_files(jsonl, rrd, record)
    if lossless and record is None:
        raise EdgefuseError("--lossless is of --record, which is not given")
    opened = Bundle.open(bundle, require_signature)
    senses = _left(opened.manifest, drop or [])
    corrections = read_corrections(camera_info, sync, opened.manifest)
    nothing_named = file is None and camera is None and microphone is None
    clip = DEFAULT_CLIP if nothing_named else file
    source = Source(clip, audio, camera, microphone, topic or (), channel, insecure)
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
    observers: list[Observer] = []
    try:
        with signals.calling(partial(_end, perceiver, streams)):
            observers = [*([drawn] if drawn else []), *_observers(opened, viewer, rrd, record, lossless)]
            _perceive(perceiver, streams, observers, jsonl, console)
    finally:
        shown = [observer.path for observer in observers if isinstance(observer, Viewer)]
        _name_files(console, [jsonl, *shown, timeline], record, lossless)


def _end(perceiver: Perceiver, streams: Sequence[Stream]) -> None:
    """As if the streams were at their end: nothing that is being written is interrupted."""
    perceiver.close()
    for stream in streams:
        stream.close()


def _name_files(console: Console, files: Sequence[str | Path | None], record: Path | None, lossless: bool) -> None:
    """All that was written, each in a line; a recording of nothing leaves no file."""
    if is_quiet():
        return
    for file in files:
        if file is not None and file != "-" and Path(file).exists():
            console.print(f"{file} is written", soft_wrap=True)
    if record is not None and record.exists():
        kind = "the very frames" if lossless else "frames as JPEG, which a replay sees nearly the same (--lossless)"
        console.print(f"{record} is written: {kind}", soft_wrap=True)


def _perceive(
    perceiver: Perceiver, streams: Sequence[Stream], observers: Sequence[Observer], jsonl: str | None, console: Console
) -> None:
    """To the end of the streams; then what it amounted to, if anything came.

    Exit code 2 where there was no percept.
    """
    from edgefuse.runtime import JsonLines, LiveTable, RunStatistics, Sink, deliver, summary

    statistics = RunStatistics()
    sinks: list[Sink] = [statistics, *observers, *([JsonLines(jsonl)] if jsonl else [])]
    if not is_quiet():
        sinks.append(LiveTable(console, statistics))
    try:
        deliver(perceiver.perceive(*streams, watchers=observers), sinks)
    finally:
        if any(perceiver.sensed().values()) and not (is_quiet() and jsonl == "-"):
            odd = perceiver.drift(), perceiver.set_back()
            console.print(summary(statistics, perceiver.sensed(), perceiver.drops(), *odd))
    if not statistics.percepts:  # of which the perceiver has said why
        raise typer.Exit(_NOTHING_PERCEIVED)


def _check_files(jsonl: str | None, rrd: Path | None, record: Path | None) -> None:
    """Raises EdgefuseError, before anything is opened, where one of them could not be written."""
    from edgefuse.runtime.files.whole_file import check_writable
    from edgefuse.runtime.sinks.jsonl import check_target
    from edgefuse.runtime.sinks.recorder import check_new

    if jsonl is not None:
        check_target(jsonl)
    if rrd is not None:
        check_writable(rrd)
    if record is not None:
        check_new(record)


def _observers(bundle: Bundle, viewer: bool, rrd: Path | None, record: Path | None, lossless: bool) -> list[Observer]:
    """The sinks that take samples as well and write as they go; the recorder last: it refuses what was begun since."""
    from edgefuse.runtime import Recorder, Viewer

    observers: list[Observer] = []
    if viewer or rrd is not None:
        observers.append(Viewer(rrd, bundle.manifest))
    if record is not None:
        observers.append(Recorder(record, bundle, "raw" if lossless else "jpeg"))
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
