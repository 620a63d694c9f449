"""From checkpoint to bundle: every graph traced, quantized where asked for, verified, and written as one directory."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import onnx

from edgefuse.export.bundle_writer import bundle_written_beside
from edgefuse.export.checkpoint import read_checkpoint
from edgefuse.export.description import TOKENIZER_FILE, described, provenance
from edgefuse.export.errors import ExportError
from edgefuse.export.examples import calibration_examples
from edgefuse.export.feeds import feeds
from edgefuse.export.graphs import GraphSource, graph_sources
from edgefuse.export.onnx_export import onnx_from_source, save_checked, tensor_specs
from edgefuse.export.progress import Progress, unseen
from edgefuse.export.quantize import int8_from_float
from edgefuse.export.verify import verification
from edgefuse.fusion.checkpoint import Checkpoint
from edgefuse.fusion.prediction import NetworkPredictor
from edgefuse.runtime.bundle import Bundle, sha256_of
from edgefuse.runtime.manifest import GraphSpec, Manifest, Provenance
from edgefuse.runtime.verification import Precision

Wanted = Literal["fp32", "int8"]

INT8_GRAPHS = frozenset({"image", "audio", "text", "fusion"})
"""The graphs that an int8 bundle holds in int8: all of them, since each is faster so, within the bounds.

Time of int8 / float32 (ONNX Runtime, one thread, x86 with VNNI): image 0.63, of a 640 x 480 frame 0.71 with the resize
in both; audio 0.63; text 0.85; fusion 0.89.
"""


def export_bundle(
    checkpoint: Path, bundle: Path, precision: Wanted = "int8", command: str = "", progress: Progress = unseen
) -> Manifest:
    """Make the bundle at `bundle` and return its manifest, whose `verified` says how it compares with PyTorch.

    `command` is what the user typed, kept as provenance; `progress` has the stages "trace", "quantize" and "verify".
    Raises ExportError (or another EdgefuseError) in one line for a file that is no checkpoint, weights that are no
    numbers, a bound that is not kept, no room to write; the bundle that was there before is then still there.
    """
    source = read_checkpoint(checkpoint)
    made = provenance(command or f"edgefuse export {checkpoint} -o {bundle} --precision {precision}", checkpoint)
    try:
        with bundle_written_beside(bundle) as directory:
            sources = graph_sources(source.network)
            models = traced(sources, progress)
            int8 = INT8_GRAPHS if precision == "int8" else frozenset()
            models |= quantized(sources, {name: models[name] for name in models if name in int8}, source, progress)
            graphs = {name: saved(model, name in int8, directory, made) for name, model in models.items()}
            source.tokenizer.save(str(directory / TOKENIZER_FILE))
            files = {path.name: sha256_of(path) for path in sorted(directory.iterdir())}
            manifest = described(checkpoint.stem, source, graphs, files, made)
            manifest.write(directory)
            return verified(directory, source, progress)
    except OSError as error:
        raise ExportError(f"cannot export to {bundle}: {error}") from error


def traced(sources: list[GraphSource], progress: Progress) -> dict[str, onnx.ModelProto]:
    """Every graph in float32, by name."""
    models = {}
    for done, source in enumerate(sources):
        progress("trace", done, len(sources))
        models[source.name] = onnx_from_source(source)
    progress("trace", len(sources), len(sources))
    return models


def quantized(
    sources: list[GraphSource], models: Mapping[str, onnx.ModelProto], checkpoint: Checkpoint, progress: Progress
) -> dict[str, onnx.ModelProto]:
    """The given float graphs in int8, their ranges measured on samples of the train split."""
    if not models:
        return {}
    progress("quantize", 0, len(models) + 1)
    by_graph = feeds(sources, NetworkPredictor(checkpoint), calibration_examples())
    done: dict[str, onnx.ModelProto] = {}
    for name, model in models.items():
        progress("quantize", len(done) + 1, len(models) + 1)
        done[name] = int8_from_float(model, by_graph[name].arrays, by_graph[name].constant)
    progress("quantize", len(models) + 1, len(models) + 1)
    return done


def saved(model: onnx.ModelProto, is_int8: bool, directory: Path, made: Provenance) -> GraphSpec:
    """Write one graph into the bundle's directory; what the manifest says of it."""
    name = model.graph.name
    precision: Precision = "int8" if is_int8 else "fp32"
    metadata = {
        "edgefuse": made.edgefuse,
        "graph": name,
        "precision": precision,
        "checkpoint_sha256": str(made.checkpoint_sha256),
    }
    path = directory / f"{name}.onnx"
    save_checked(model, path, metadata)
    return GraphSpec(
        file=path.name,
        precision=precision,
        inputs=tensor_specs(list(model.graph.input)),
        outputs=tensor_specs(list(model.graph.output)),
    )


def verified(directory: Path, checkpoint: Checkpoint, progress: Progress) -> Manifest:
    """The manifest of the bundle in `directory`, with what verify measured; ExportError where a bound is broken."""
    bundle = Bundle.open(directory)
    measured = verification(bundle, checkpoint, progress)
    if measured.failures:
        raise ExportError(f"not exported, a bound is broken: {'; '.join(measured.failures)}")
    manifest = bundle.manifest.model_copy(update={"verified": measured})
    manifest.write(directory)
    return manifest
