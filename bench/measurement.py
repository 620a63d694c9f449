"""The whole measurement, from bundles to a result."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from edgefuse.bench import host, pipeline
from edgefuse.bench.beside import table_from
from edgefuse.bench.engines import Fed, measure_graph
from edgefuse.bench.extent import THOROUGH, Extent, Wish
from edgefuse.bench.feeds import Feed, evidence_from, feeds_from, fusion_feed, prompts_from
from edgefuse.bench.figures import figure_from
from edgefuse.bench.overhead import measure_overhead
from edgefuse.bench.peers import TITLES, Engines, Peer, Peers
from edgefuse.bench.pipeline import Turn, by_turns
from edgefuse.bench.power import NONE, Meter, open_meter
from edgefuse.bench.result import (
    Configuration,
    EngineResult,
    Measured,
    Overload,
    PipelineResult,
    Result,
    Start,
    Table,
)
from edgefuse.bench.runners import OurRunner, Runner, WholeRunner
from edgefuse.bench.start import measure_start
from edgefuse.bench.variants import Variant
from edgefuse.bench.workload import Workload
from edgefuse.runtime.bundle import sha256_of
from edgefuse.runtime.manifest import MANIFEST_FILE
from edgefuse.runtime.samples import Frame

Progress = Callable[[str, float, float | None], None]
_FEWEST_FRAMES = 20
"""In a run, however slow the network is."""

_MOST_OF_A_PERIOD = 0.4
"""That bare calls of all graphs may take, half a period after the percept that they are compared with."""


def measure(variants: Sequence[Variant], wish: Wish, progress: Progress) -> Result:
    """Everything, the variants by turns; raises BenchError or what a bundle, a source or a checkpoint raises."""
    load = host.load()
    meter = open_meter()
    with TemporaryDirectory(prefix="edgefuse-bench-") as directory:
        try:
            feeds = {variant.name: _feeds(variant) for variant in variants}
            peers = _open_peers(variants[0], wish, feeds[variants[0].name], Path(directory), progress)
            engines = _measure_engines(variants, feeds, peers, wish.extent, progress)
            turns = _measure_rounds(variants, wish, meter, progress)
            pipelines = [_measure_pipeline(v, wish, engines, turns[v.name], meter, progress) for v in variants]
            beside = _measure_peers(variants[0], wish, peers, progress) if peers else None
        finally:
            if meter is not None:
                meter.close()
    return Result(
        host=host.host(load),
        versions=host.versions(),
        configuration=_configuration(variants, wish),
        bundles=tuple(_measured(variant) for variant in variants),
        engines=tuple(engines),
        pipelines=tuple(pipelines),
        variants=table_from("lead", turns, None) if len(variants) > 1 else None,
        peers=beside,
        power=meter.name if meter else NONE,
        notes=tuple(_notes(variants)),
    )


def _feeds(variant: Variant) -> dict[str, Feed]:
    bundle = variant.bundle
    engines = {graph: bundle.engine(graph, variant.backend) for graph in bundle.manifest.graphs}
    return feeds_from(bundle, engines, variant.workload)


def _open_peers(
    variant: Variant, wish: Wish, feeds: Mapping[str, Feed], directory: Path, progress: Progress
) -> dict[Peer, Engines]:
    if not wish.peers or wish.checkpoint is None:
        return {}
    progress("open the checkpoint", 0, None)
    peers = Peers(wish.checkpoint, variant.bundle, directory)
    opened: dict[Peer, Engines] = {}
    for number, peer in enumerate(wish.peers):
        progress(f"open {peer}", number, len(wish.peers))
        opened[peer] = peers.open(peer, feeds)
    return opened


def _measure_engines(
    variants: Sequence[Variant],
    feeds: Mapping[str, Mapping[str, Feed]],
    peers: Mapping[Peer, Engines],
    extent: Extent,
    progress: Progress,
) -> list[EngineResult]:
    """Every graph of the first variant, beside those of the same name of the others and of the peers."""
    results: list[EngineResult] = []
    first = variants[0]
    names = list(dict.fromkeys(graph for variant in variants for graph in variant.bundle.manifest.graphs))
    for number, graph in enumerate(names):
        progress(f"graph {graph}", number, len(names))
        fed = {v.name: _fed(v, graph, feeds[v.name][graph]) for v in variants if graph in v.bundle.manifest.graphs}
        if graph in feeds[first.name]:
            fed |= {str(peer): _fed_peer(first, graph, engines, feeds[first.name]) for peer, engines in peers.items()}
        results += measure_graph(graph, fed, extent.engines)
    return results


def _fed(variant: Variant, graph: str, feed: Feed) -> Fed:
    engine = variant.bundle.engine(graph, variant.backend)
    precision = variant.bundle.manifest.graphs[graph].precision
    return Fed(engine, feed, f"{engine.backend}, {precision}")


def _fed_peer(variant: Variant, graph: str, engines: Engines, feeds: Mapping[str, Feed]) -> Fed:
    """A peer's fusion may take tokens that the bundle's does not read: its inputs are of its own encoders."""
    backend = getattr(engines[graph], "backend", "")
    if graph != "fusion":
        return Fed(engines[graph], feeds[graph], backend)
    evidence = evidence_from(variant.bundle, variant.workload)
    rows = [{sense: arrays[row] for sense, arrays in evidence.items()} for row in range(len(feeds[graph]))]
    prompts = feeds[graph][0].get("prompts")
    return Fed(engines[graph], fusion_feed(variant.bundle.manifest, engines, rows, prompts), backend)


def _measure_rounds(
    variants: Sequence[Variant], wish: Wish, meter: Meter | None, progress: Progress
) -> dict[str, list[Turn]]:
    progress("paced rounds", 0, None)
    runners: dict[str, tuple[Runner, Workload]] = {
        v.name: (OurRunner(v.bundle, v.backend), v.workload) for v in variants
    }
    return by_turns(runners, wish.rate_hz, wish.extent.rounds, wish.extent.round_s, meter)


def _measure_pipeline(
    variant: Variant,
    wish: Wish,
    engines: Sequence[EngineResult],
    turns: Sequence[Turn],
    meter: Meter | None,
    progress: Progress,
) -> PipelineResult:
    extent, runs = wish.extent, [turn.run for turn in turns]
    own_ms = {one.graph: one.latency_ms.p50 for one in engines if one.variant == variant.name}
    needed_ms = own_ms.get(variant.lead.name, 0.0) + own_ms["fusion"]
    overhead = held_hz = None
    overloaded: Overload | None = None
    if variant.lead.kind == "image":
        progress(f"{variant.name}: over the bare calls", 0, None)
        rate_hz = min(wish.rate_hz, 1e3 * _MOST_OF_A_PERIOD / sum(own_ms.values()))
        overhead = measure_overhead(variant, rate_hz, max(extent.overhead_s, _FEWEST_FRAMES / rate_hz), runs)
        progress(f"{variant.name}: the highest rate held", 0, None)
        search_s = max(extent.search_s, _FEWEST_FRAMES * needed_ms / 1e3)
        held_hz = pipeline.rate_held(variant, 1e3 / needed_ms, search_s, extent.search_steps)
    if held_hz is not None:
        progress(f"{variant.name}: overload", 0, None)
        overloaded = pipeline.overload(
            variant, held_hz, max(extent.search_s, _FEWEST_FRAMES / held_hz), extent.overload_rounds
        )
    progress(f"{variant.name}: idle for {extent.idle_s:g} s", 0, None)
    idle_ms = pipeline.after_idle_ms(variant, wish.rate_hz, extent.idle_s)
    progress(f"{variant.name}: start", 0, None)
    spent_s = sum(run.seconds for run in runs)
    return PipelineResult(
        variant=variant.name,
        rate_hz=wish.rate_hz,
        percepts_hz=sum(len(run.moments) for run in runs) / spent_s,
        latency_ms=figure_from([run.latencies_ms for run in runs]),
        stages_ms=pipeline.stages(runs),
        ages_ms=pipeline.ages(runs, [modality.name for modality in variant.bundle.manifest.modalities]),
        offered=pipeline.totals([run.offered for run in runs]),
        overtaken=pipeline.totals([run.overtaken for run in runs]),
        cpu_per_percept_ms=figure_from([[run.cpu_per_percept_ms] for run in runs]),
        cpu_share=sum(run.cpu_s for run in runs) / spent_s,
        held_hz=held_hz,
        overhead=overhead,
        overload=overloaded,
        idle_s=extent.idle_s,
        after_idle_ms=idle_ms,
        start=_start(variant, extent.starts),
        energy=pipeline.energy(turns, meter),
        timeline=pipeline.timeline(runs[-1]),
    )


def _start(variant: Variant, times: int) -> Start | None:
    """None where `edgefuse run` cannot run the bundle on the source alone."""
    needed = set(variant.bundle.manifest.needed)
    if needed & set(variant.workload.generated) or variant.lead.name in variant.workload.generated:
        return None
    return measure_start(variant, times)


def _measure_peers(variant: Variant, wish: Wish, peers: Mapping[Peer, Engines], progress: Progress) -> Table:
    """The first variant and its peers, each making a percept of every new frame and every new hop."""
    progress("paced rounds, peers by turns", 0, None)
    bundle, workload = variant.bundle, variant.workload
    engines = {graph: bundle.engine(graph, variant.backend) for graph in bundle.manifest.graphs}
    prompts = prompts_from(bundle, engines)
    frames = workload.contents[variant.lead.name]
    frame = frames[0] if isinstance(frames[0], Frame) else None
    runners: dict[str, tuple[Runner, Workload]] = {
        variant.name: (OurRunner(bundle, variant.backend, "any"), workload),
        **{TITLES[peer]: (WholeRunner(bundle, opened, prompts, frame), workload) for peer, opened in peers.items()},
    }
    news_of = next((modality.name for modality in bundle.manifest.modalities if modality.kind == "audio"), None)
    return table_from("any", by_turns(runners, wish.rate_hz, wish.extent.rounds, wish.extent.round_s), news_of)


def _measured(variant: Variant) -> Measured:
    bundle = variant.bundle
    runner = OurRunner(bundle, variant.backend)
    return Measured(
        variant=variant.name,
        bundle=str(bundle.directory),
        sha256=sha256_of(bundle.directory / MANIFEST_FILE),
        size_mb=bundle.size_bytes / 1e6,
        backends=runner.backends,
        precisions={graph: spec.precision for graph, spec in bundle.manifest.graphs.items()},
    )


def _configuration(variants: Sequence[Variant], wish: Wish) -> Configuration:
    extent = wish.extent
    return Configuration(
        source=str(wish.source),
        rate_hz=wish.rate_hz,
        quick=extent != THOROUGH,
        rounds=extent.rounds,
        round_s=extent.round_s,
        backends=tuple(dict.fromkeys(variant.backend for variant in variants)),
        peers=tuple(wish.peers),
    )


def _notes(variants: Sequence[Variant]) -> list[str]:
    notes = []
    for variant in variants:
        if variant.workload.generated:
            notes.append(
                f"{variant.name}: made-up samples for {', '.join(variant.workload.generated)}, not in the source"
            )
        if variant.lead.kind != "image":
            notes.append(
                f"{variant.name}: led by {variant.lead.name}, which is not paced: no overhead and no rate held"
            )
    return notes
