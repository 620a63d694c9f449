"""One run at a stated rate: samples come when they are due, and what became of them is noted."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from edgefuse.bench.errors import BenchError
from edgefuse.bench.load.sensors import PacedStream, samples_per_piece
from edgefuse.bench.load.workload import Workload
from edgefuse.bench.runs.run import Moment, Run
from edgefuse.bench.runs.runners import Runner
from edgefuse.runtime.bundle.manifest import AudioModality, SignalModality

WARM_UP_S = 0.4
_SENSORS_WARM_UP_S = 0.1

SENSOR_LATE = "sensor late"
"""The stage before all others: from when a sample was due until its made-up sensor handed it over."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PacedRun(Run):
    """A run whose samples were counted before they were handed over."""

    offered: Mapping[str, int]

    @property
    def overtaken_share(self) -> float:
        """Of the sense that lost most of what it was offered."""
        shares = [self.overtaken.get(sense, 0) / offered for sense, offered in self.offered.items() if offered]
        return max(shares, default=0.0)


@dataclass(frozen=True, slots=True)
class SensorRun:
    """What the made-up sensors cost by themselves [s of CPU time], in so many seconds."""

    seconds: float
    cpu_s: float


def run_paced(
    runner: Runner, workload: Workload, rate_hz: float, seconds: float, warm_up_s: float = WARM_UP_S
) -> PacedRun:
    """Run for the warm-up and then `seconds`; raises BenchError where no percept came."""
    streams = workload.streams(rate_hz, warm_up_s + seconds, warm_up_s)
    counted_ns = streams[0].pace.counted_ns
    moments: list[Moment] = []
    cpu_s, begin_ns, before = time.process_time(), time.monotonic_ns(), dict[str, int]()
    first_call = len(runner.calls)
    for moment in runner.perceive(*streams):
        if moment.stamp_ns >= counted_ns:
            moments.append(moment)
        else:
            cpu_s, begin_ns, before = time.process_time(), time.monotonic_ns(), runner.overtaken()
            first_call = len(runner.calls)
    cpu_s = time.process_time() - cpu_s
    end_ns = time.monotonic_ns()
    if not moments:
        raise BenchError(f"no percept came within {seconds:g} s at {rate_hz:g} Hz: this machine is too slow for it")
    after = runner.overtaken()
    return PacedRun(
        moments=[add_sensor_stage(moment, streams) for moment in moments],
        calls=runner.calls[first_call:],
        start_ns=begin_ns,
        seconds=(end_ns - begin_ns) / 1e9,
        cpu_s=cpu_s,
        offered={stream.sense.name: _count_offered(stream) for stream in streams},
        overtaken={sense: count - before.get(sense, 0) for sense, count in after.items()},
    )


def run_sensors(workload: Workload, rate_hz: float, seconds: float) -> SensorRun:
    """The same streams, whose samples nobody takes further."""
    streams = workload.streams(rate_hz, _SENSORS_WARM_UP_S + seconds, _SENSORS_WARM_UP_S)
    threads = [threading.Thread(target=deque[object](maxlen=0).extend, args=(stream,)) for stream in streams]
    for thread in threads:
        thread.start()
    time.sleep((streams[0].pace.counted_ns - time.monotonic_ns()) / 1e9)
    cpu_s, begin_ns = time.process_time(), time.monotonic_ns()
    for thread in threads:
        thread.join()
    return SensorRun((time.monotonic_ns() - begin_ns) / 1e9, time.process_time() - cpu_s)


def add_sensor_stage(moment: Moment, streams: Sequence[PacedStream]) -> Moment:
    """With how late the sensor was, of what called for the percept, as a stage of its own: the parts still add up."""
    sensed = (s for s in streams if moment.evidence_ns.get(s.sense.name) == moment.stamp_ns)
    handed_ns = next((ns for s in sensed if (ns := s.handed_ns(moment.stamp_ns)) is not None), moment.stamp_ns)
    late_ms = (handed_ns - moment.stamp_ns) / 1e6
    first = next(iter(moment.stages_ms))
    rest = {**moment.stages_ms, first: moment.stages_ms[first] - late_ms}
    return replace(moment, stages_ms={SENSOR_LATE: late_ms, **rest})


def _count_offered(stream: PacedStream) -> int:
    """What was offered, counted as overtaken is: frames, texts, or hops of a series."""
    sense = stream.sense
    if isinstance(sense, AudioModality | SignalModality):
        return round(stream.offered * samples_per_piece(sense) / sense.hop_samples)
    return stream.offered
