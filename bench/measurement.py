"""The whole measurement, from bundles to a result."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from edgefuse.bench.extent import THOROUGH, Extent, Peer, Wish
from edgefuse.bench.load.feeds import Feed, evidence_from, prompts_from
from edgefuse.bench.load.variants import Variant
from edgefuse.bench.report import host
from edgefuse.bench.report.result import Configuration, Measured, Result, Table
from edgefuse.bench.ros.stacks import measure_ros
from edgefuse.bench.runs.beside import table_from
from edgefuse.bench.runs.graphs import feeds_from_variants, measure_graphs
from edgefuse.bench.runs.live import measure_live
from edgefuse.bench.runs.peers import TITLES, Engines, Peers
from edgefuse.bench.runs.pipeline import measure_pipeline, measure_rounds, take_turn
from edgefuse.bench.runs.power import NONE, open_meter
from edgefuse.bench.runs.runners import OurRunner, Runner
from edgefuse.bench.runs.turns import take_turns
from edgefuse.bench.runs.whole import WholeRunner
from edgefuse.fusion.progress import Progress
from edgefuse.runtime.streams.sources import Source


def measure(variants: Sequence[Variant], wish: Wish, progress: Progress) -> Result:
    """Everything, the variants by turns; raises BenchError or what a bundle, a source or a checkpoint raises."""
    load = host.read_load()
    meter = open_meter()
    with TemporaryDirectory(prefix="edgefuse-bench-") as directory:
        try:
            feeds = feeds_from_variants(variants)
            peers = _open_peers(variants[0], wish, feeds[variants[0].name], Path(directory), progress)
            engines = measure_graphs(variants, feeds, peers, wish.extent.engines, progress)
            progress("paced rounds", 0, None)
            turns = measure_rounds(variants, wish, meter)
            pipelines = [measure_pipeline(v, wish, engines, turns[v.name], meter, progress) for v in variants]
            beside = _measure_peers(variants[0], wish, peers, progress) if peers else None
            ros = measure_ros(variants[0], wish, Path(directory), progress) if wish.ros else ()
        finally:
            if meter is not None:
                meter.close()
    return Result(
        host=host.describe_host(load),
        versions=host.list_versions(),
        configuration=_describe_configuration(variants, wish.source, wish.rate_hz, wish.extent, wish.peers),
        bundles=tuple(_describe_bundle(variant) for variant in variants),
        engines=tuple(engines),
        pipelines=tuple(pipelines),
        ros=ros,
        variants=table_from("lead", turns, None) if len(variants) > 1 else None,
        peers=beside,
        power=meter.name if meter else NONE,
        notes=tuple(_list_notes(variants)),
    )


def measure_devices(variants: Sequence[Variant], devices: Source, extent: Extent, progress: Progress) -> Result:
    """Samples to percepts of the machine's own devices, the variants by turns; raises StreamError without a device."""
    load = host.read_load()
    live = measure_live(variants, devices, extent, progress)
    return Result(
        host=host.describe_host(load),
        versions=host.list_versions(),
        configuration=_describe_configuration(variants, ", ".join(live[0].devices), None, extent),
        bundles=tuple(_describe_bundle(variant) for variant in variants),
        engines=(),
        pipelines=(),
        live=tuple(live),
        variants=None,
        peers=None,
        power="No power figures: they are taken of paced rounds",
    )


def _open_peers(
    variant: Variant, wish: Wish, feeds: Mapping[str, Feed], directory: Path, progress: Progress
) -> dict[Peer, Engines]:
    if not wish.peers or wish.checkpoint is None or wish.network is None:
        return {}
    progress("open the checkpoint", 0, None)
    peers = Peers(wish.checkpoint, wish.network(), variant.bundle, directory)
    opened: dict[Peer, Engines] = {}
    for number, peer in enumerate(wish.peers):
        progress(f"open {peer}", number, len(wish.peers))
        opened[peer] = peers.open(peer, feeds)
    return opened


def _measure_peers(variant: Variant, wish: Wish, peers: Mapping[Peer, Engines], progress: Progress) -> Table:
    """The first variant and its peers, each making a percept of every new frame and every new hop."""
    progress("paced rounds, peers by turns", 0, None)
    bundle, workload = variant.bundle, variant.workload
    prompts = prompts_from(bundle, variant.engines())
    examples = evidence_from(bundle, workload)
    runners: dict[str, Runner] = {
        variant.name: OurRunner(bundle, variant.backend, "any"),
        **{TITLES[peer]: WholeRunner(bundle, opened, prompts, examples) for peer, opened in peers.items()},
    }
    news_of = next((sense.name for sense in bundle.manifest.modalities if sense.kind == "audio"), None)
    turns = {
        name: partial(take_turn, runner, workload, wish.rate_hz, wish.extent.round_s)
        for name, runner in runners.items()
    }
    return table_from("any", take_turns(turns, wish.extent.rounds), news_of)


def _describe_bundle(variant: Variant) -> Measured:
    bundle = variant.bundle
    return Measured(
        variant=variant.name,
        bundle=str(bundle.directory),
        sha256=bundle.manifest.sha256,
        size_mb=bundle.size_bytes / 1e6,
        backends=dict(variant.backends),
        precisions={graph: spec.precision for graph, spec in bundle.manifest.graphs.items()},
    )


def _describe_configuration(
    variants: Sequence[Variant], source: str, rate_hz: float | None, extent: Extent, peers: Sequence[Peer] = ()
) -> Configuration:
    return Configuration(
        source=source,
        rate_hz=rate_hz,
        quick=extent != THOROUGH,
        rounds=extent.rounds,
        round_s=extent.round_s,
        backends=tuple(dict.fromkeys(variant.backend for variant in variants)),
        peers=tuple(peers),
    )


def _list_notes(variants: Sequence[Variant]) -> list[str]:
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
