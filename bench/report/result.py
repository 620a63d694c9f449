"""What bench measured, as its JSON file holds it. Times are in ms unless a name says otherwise."""

from __future__ import annotations

from pathlib import Path
from typing import Final, Literal

from pydantic import Field, ValidationError

from edgefuse.bench.errors import BenchError
from edgefuse.runtime.bundle.verification import Strict
from edgefuse.runtime.errors import FileError, first_fault
from edgefuse.runtime.files.documents import read_json
from edgefuse.runtime.files.whole_file import write_whole

SCHEMA_VERSION: Final = 2


class Figure(Strict):
    """One quantity: its percentiles over all samples, and its median in each round, which shows how steady it was.

    `curve` are the 0th, 1st, ... 100th percentiles.
    """

    samples: int
    mean: float
    p50: float
    p90: float
    p95: float
    p99: float
    p999: float
    curve: tuple[float, ...] = Field(min_length=101, max_length=101)
    rounds: tuple[float, ...] = Field(min_length=1)


class Ratio(Strict):
    """One quantity over another, measured by turns; `low` to `high` holds it with 95 %."""

    value: float
    low: float
    high: float
    rounds: int


class Host(Strict):
    """The machine, as far as it decides the figures. `load` is the 1-minute average before and after."""

    cpu: str
    cores: int
    memory_mb: int
    governor: str | None
    system: str
    load: tuple[float, float]


class Measured(Strict):
    """A bundle as it was measured: `sha256` is of its manifest, which holds the checksums of all its files."""

    variant: str
    bundle: str
    sha256: str
    size_mb: float
    backends: dict[str, str]
    precisions: dict[str, str]


class Configuration(Strict):
    """What was asked for; devices come at a rate of their own."""

    source: str
    rate_hz: float | None
    quick: bool
    rounds: int
    round_s: float
    backends: tuple[str, ...]
    peers: tuple[str, ...]


class EngineResult(Strict):
    """One graph called over and over. `ratio` is its time over that of the first variant, by turns."""

    variant: str
    graph: str
    backend: str
    latency_ms: Figure
    throughput_hz: float
    ratio: Ratio | None


class Overhead(Strict):
    """A percept's latency over the bare engine calls that it needs, both paced at `rate_hz` and by turns.

    Latency is from sensed to published; the ratios whose names begin with `handed` are from when the made-up sensor
    handed the frame over, since how late its timer was is not the pipeline's doing. `cpu` is the CPU time of the whole
    process over that of the encoder and fusion calls that were due, `cpu_without_sensors` the same less what the
    sensors cost by themselves [ms of CPU time a second].
    """

    rate_hz: float
    percept_ms: Figure
    handed_ms: Figure
    bare_ms: Figure
    p50: Ratio
    p95: Ratio
    handed_p50: Ratio
    handed_p95: Ratio
    cpu: Ratio
    cpu_without_sensors: Ratio
    sensors_cpu_ms: float


class Overload(Strict):
    """Latency at four times the rate that the machine holds, and at half of it.

    `growth` is the latency in the last quarter of a run at four times the rate over that in its first (medians): 1
    where nothing queues up.
    """

    half_ms: Figure
    four_ms: Figure
    ratio_p50: float
    ratio_p95: float
    growth: float


class Span(Strict):
    """When a graph ran within the second that the timeline shows [ms]."""

    what: str
    start_ms: float
    end_ms: float


class Start(Strict):
    """From starting the process `edgefuse run` to its first percept [s], each time anew; the process's peak memory."""

    seconds: tuple[float, ...]
    p50_s: float
    peak_mb: float | None


class Energy(Strict):
    """Of the whole machine or of what `meter` covers, while percepts were made."""

    meter: str
    watts: float
    millijoules_per_percept: float


class Flow(Strict):
    """Percepts as they came: how late, where the time went, how old the evidence was, what was lost, what it cost."""

    percepts_hz: float
    latency_ms: Figure
    stages_ms: dict[str, Figure]
    ages_ms: dict[str, Figure]
    overtaken: dict[str, int]
    cpu_per_percept_ms: Figure
    cpu_share: float = Field(description="of one core")


class PipelineResult(Strict):
    """Samples to percepts at a stated rate."""

    variant: str
    rate_hz: float
    flow: Flow
    offered: dict[str, int]
    held_hz: float | None
    overhead: Overhead | None
    overload: Overload | None
    idle_s: float
    after_idle_ms: float
    start: Start | None
    energy: Energy | None
    timeline: tuple[Span, ...]


class LiveResult(Strict):
    """Percepts of the machine's own devices; `dropped` as Perceiver.drops says, by sense and reason."""

    variant: str
    devices: tuple[str, ...]
    flow: Flow
    dropped: dict[str, dict[str, int]]
    timeline: tuple[Span, ...]


class NodeCost(Strict):
    """Of one node's process: CPU time of one core, and resident memory at the end."""

    cpu_share: float
    memory_mb: float


class RosResult(Strict):
    """Percepts of nodes in processes of their own, as another process heard them.

    `heard_ms` is from sensed to heard there, `jitter_ms` the absolute second difference of the times of hearing.
    `frames` were played, of which `unanswered` came to no percept; `dropped` as the node says, by sense and reason.
    """

    stack: str
    flow: Flow
    heard_ms: Figure
    jitter_ms: Figure
    nodes: dict[str, NodeCost]
    frames: int
    unanswered: int
    dropped: dict[str, int]


class Row(Strict):
    """One way to run the network beside the first; ratios above 1 say how many times more it costs than the first.

    CPU time is without that of the made-up sensors. `news_ms` is from the newest of `news_of` being sensed to the first
    percept that heeds it.
    """

    variant: str
    latency_ms: Figure
    cpu_per_percept_ms: Figure
    percepts_hz: float
    news_of: str | None
    news_ms: Figure | None
    latency_ratio: Ratio
    cpu_ratio: Ratio
    news_ratio: Ratio | None


class Table(Strict):
    """Variants measured by turns, and when each of them made a percept."""

    fused: Literal["lead", "any"]
    rows: tuple[Row, ...]


class Result(Strict):
    """The whole file."""

    schema_version: Literal[2] = SCHEMA_VERSION
    host: Host
    versions: dict[str, str]
    configuration: Configuration
    bundles: tuple[Measured, ...]
    engines: tuple[EngineResult, ...]
    pipelines: tuple[PipelineResult, ...]
    live: tuple[LiveResult, ...] = ()
    ros: tuple[RosResult, ...] = ()
    variants: Table | None
    peers: Table | None
    power: str = Field(description="what measured it, or why nothing did")
    notes: tuple[str, ...] = ()


def read_result(path: Path) -> Result:
    """What write_result wrote; raises BenchError for anything else."""
    try:
        return Result.model_validate(read_json(path))
    except FileError as error:
        raise BenchError(f"{error}; expected a result of `edgefuse bench --json`") from error
    except ValidationError as error:
        raise BenchError(f"{path} is no result of `edgefuse bench --json`: {first_fault(error)}") from error


def write_text(path: Path, text: str) -> None:
    """Whole or not at all; raises BenchError."""
    try:
        write_whole(path, text.encode())
    except OSError as error:
        raise BenchError(f"{path} cannot be written: {error.strerror}") from error
