"""Every graph of the variants, beside those of the same name of the others and of the peers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from edgefuse.bench.extent import Effort, Peer
from edgefuse.bench.load.feeds import Feed, evidence_from, feeds_from, fusion_feed
from edgefuse.bench.load.variants import Variant
from edgefuse.bench.report.result import EngineResult
from edgefuse.bench.runs.engines import Fed, measure_graph
from edgefuse.bench.runs.peers import Engines
from edgefuse.fusion.progress import Progress
from edgefuse.runtime.bundle.wiring import PROMPTS
from edgefuse.runtime.engines.backends import open_engine


def feeds_from_variants(variants: Sequence[Variant]) -> dict[str, dict[str, Feed]]:
    """By variant and graph."""
    return {v.name: feeds_from(v.bundle, v.engines(), v.workload) for v in variants}


def measure_graphs(
    variants: Sequence[Variant],
    feeds: Mapping[str, Mapping[str, Feed]],
    peers: Mapping[Peer, Engines],
    effort: Effort,
    progress: Progress,
) -> list[EngineResult]:
    """The variants by turns; the peers are of the first one's network."""
    results: list[EngineResult] = []
    first = variants[0]
    names = list(dict.fromkeys(graph for variant in variants for graph in variant.bundle.manifest.graphs))
    for number, graph in enumerate(names):
        progress(f"graph {graph}", number, len(names))
        having = [variant for variant in variants if graph in variant.bundle.manifest.graphs]
        fed = {variant.name: _feed_variant(variant, graph, feeds[variant.name][graph]) for variant in having}
        if graph in feeds[first.name]:
            fed |= {str(peer): _feed_peer(first, graph, engines, feeds[first.name]) for peer, engines in peers.items()}
        results += measure_graph(graph, fed, effort)
    return results


def _feed_variant(variant: Variant, graph: str, feed: Feed) -> Fed:
    engine = open_engine(variant.bundle, graph, variant.backend)
    precision = variant.bundle.manifest.graphs[graph].precision
    return Fed(engine, feed, f"{engine.backend}, {precision}")


def _feed_peer(variant: Variant, graph: str, engines: Engines, feeds: Mapping[str, Feed]) -> Fed:
    """The inputs of a peer's fusion are of its own encoders."""
    feed = feeds[graph]
    if graph == "fusion":
        evidence = evidence_from(variant.bundle, variant.workload)
        feed = fusion_feed(variant.bundle.manifest, engines, evidence, feed[0].get(PROMPTS))
    return Fed(engines[graph], feed, engines[graph].backend)
