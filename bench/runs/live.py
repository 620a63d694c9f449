"""The machine's own camera and microphone instead of made-up sensors: at their own rate, with their own lateness."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from edgefuse.bench.errors import BenchError
from edgefuse.bench.extent import Extent
from edgefuse.bench.load.variants import Variant
from edgefuse.bench.report.result import LiveResult
from edgefuse.bench.runs.pipeline import timeline_from_run
from edgefuse.bench.runs.run import Moment, Run, add_up, flow_from
from edgefuse.bench.runs.runners import OurRunner
from edgefuse.bench.runs.turns import take_turns
from edgefuse.fusion.progress import Progress
from edgefuse.runtime.errors import address_shown
from edgefuse.runtime.streams import Stream
from edgefuse.runtime.streams.devices import find_devices
from edgefuse.runtime.streams.sources import Source, open_streams

_WARM_UP_S = 1.0
_OPENED_WITHIN_S = 20.0


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveRun(Run):
    """`dropped` is by sense and reason."""

    dropped: Mapping[str, Mapping[str, int]]


def devices_from(camera: str | None, microphone: str | None, insecure: bool = False) -> Source:
    """Those that are named; if none is, what the machine has. Raises BenchError where it has nothing."""
    if camera is not None or microphone is not None:
        return Source(None, camera=camera, microphone=microphone, insecure=insecure)
    found = find_devices()
    cameras = [str(offer.stable_path or offer.path) for offer in found.cameras]
    microphones = ["default" if offer.default else str(offer.index) for offer in found.microphones]
    if not cameras and not microphones:
        raise BenchError("--source live: no camera and no microphone here; a network camera: --camera URL")
    ears = sorted(microphones, key="default".__ne__)
    return Source(None, camera=next(iter(cameras), None), microphone=next(iter(ears), None), insecure=insecure)


def measure_live(variants: Sequence[Variant], devices: Source, extent: Extent, progress: Progress) -> list[LiveResult]:
    """The variants by turns, each opening the devices anew; raises StreamError or BenchError."""
    progress("live rounds", 0, None)
    turns = {variant.name: partial(_take_turn, variant, devices, extent.round_s) for variant in variants}
    runs = take_turns(turns, extent.rounds)
    return [_result_from_runs(variant, devices, runs[variant.name]) for variant in variants]


def _take_turn(variant: Variant, devices: Source, seconds: float) -> LiveRun:
    manifest = variant.bundle.manifest
    senses = [sense.name for sense in manifest.modalities]
    streams = open_streams(devices, manifest, senses, fast=False)
    return run_live(OurRunner(variant.bundle, variant.backend), streams, seconds)


@dataclass(frozen=True, slots=True)
class _Mark:
    """How far a run was at a moment."""

    at_ns: int
    cpu_s: float
    calls: int
    drops: Mapping[str, Mapping[str, int]]


def run_live(runner: OurRunner, streams: Sequence[Stream], seconds: float) -> LiveRun:
    """Run for a warm-up that begins with the first percept, and then `seconds`; raises BenchError if none came then."""
    giving_up = threading.Timer(_OPENED_WITHIN_S + _WARM_UP_S + seconds, _close, (streams,))
    giving_up.start()
    moments: list[Moment] = []
    start, end, warm_ns = _mark(runner), None, 0
    try:
        for moment in runner.perceive(*streams):
            now_ns = time.monotonic_ns()
            warm_ns = warm_ns or now_ns + round(_WARM_UP_S * 1e9)
            if now_ns < warm_ns:
                start = _mark(runner)
            elif now_ns < warm_ns + seconds * 1e9:
                moments.append(moment)
            elif end is None:
                end = _mark(runner)
                _close(streams)
    finally:
        giving_up.cancel()
    if not moments:
        raise BenchError(f"no percept came within {_OPENED_WITHIN_S + seconds:g} s: do the devices send anything?")
    return _run_from_marks(runner, moments, start, end or _mark(runner))


def _mark(runner: OurRunner) -> _Mark:
    return _Mark(time.monotonic_ns(), time.process_time(), len(runner.calls), runner.drops())


def _run_from_marks(runner: OurRunner, moments: Sequence[Moment], start: _Mark, end: _Mark) -> LiveRun:
    dropped = {sense: _subtract(start.drops[sense], counts) for sense, counts in end.drops.items()}
    return LiveRun(
        moments=moments,
        calls=runner.calls[start.calls : end.calls],
        start_ns=start.at_ns,
        seconds=(end.at_ns - start.at_ns) / 1e9,
        cpu_s=end.cpu_s - start.cpu_s,
        overtaken={sense: counts.get("overtaken", 0) for sense, counts in dropped.items()},
        dropped=dropped,
    )


def _subtract(before: Mapping[str, int], now: Mapping[str, int]) -> dict[str, int]:
    counts = {reason: count - before.get(reason, 0) for reason, count in now.items()}
    return {reason: count for reason, count in counts.items() if count}


def _close(streams: Sequence[Stream]) -> None:
    for stream in streams:
        stream.close()


def _result_from_runs(variant: Variant, devices: Source, runs: Sequence[LiveRun]) -> LiveResult:
    senses = [sense.name for sense in variant.bundle.manifest.modalities]
    named = {"camera": devices.camera, "microphone": devices.microphone}
    return LiveResult(
        variant=variant.name,
        devices=tuple(f"{what} {address_shown(device)}" for what, device in named.items() if device is not None),
        flow=flow_from(runs, senses),
        dropped={sense: add_up([run.dropped[sense] for run in runs]) for sense in runs[0].dropped},
        timeline=timeline_from_run(runs[-1]),
    )
