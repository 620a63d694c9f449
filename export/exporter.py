"""From a network to a bundle: traced, each graph in the type that measurement chose, verified, one whole directory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import onnx

from edgefuse.export.bundle_writer import bundle_written_beside
from edgefuse.export.calibrations import write_calibrations
from edgefuse.export.description import TOKENIZER_FILE, files_of, manifest_from_graphs, provenance
from edgefuse.export.errors import ExportError
from edgefuse.export.golden import write_golden
from edgefuse.export.precision.candidates import Candidate
from edgefuse.export.precision.choose import PrecisionChoice, Wanted, choose, wider
from edgefuse.export.precision.quantize import Scheme
from edgefuse.export.reference import Reference, all_sensed, feeds, reference
from edgefuse.export.report.files import REPORT_FILE, export_report, write_report
from edgefuse.export.spec import FusionSpec
from edgefuse.export.spec_predictor import SpecPredictor
from edgefuse.export.tensorrt import EngineRequest, build_engines, check_request
from edgefuse.export.tracing.equality import check_equal
from edgefuse.export.tracing.graphs import GraphSource, graph_sources, with_fixed_frames
from edgefuse.export.tracing.inspection import inspect
from edgefuse.export.tracing.onnx_export import onnx_from_source, save_checked, tensor_specs
from edgefuse.export.verify import verification
from edgefuse.fusion.progress import Progress, unseen
from edgefuse.runtime.bundle.bundle import Bundle
from edgefuse.runtime.bundle.manifest import GraphSpec, Manifest, Provenance, TextModality, read_manifest
from edgefuse.runtime.bundle.verification import Verification


@dataclass(frozen=True, slots=True)
class Export:
    """One network on its way: its spec, its graphs before they are ONNX, and what PyTorch makes of the hold-out."""

    spec: FusionSpec
    sources: Sequence[GraphSource]
    expected: Reference
    made: Provenance


def export_bundle(
    spec: FusionSpec,
    bundle: Path,
    precision: Wanted = "auto",
    engines: EngineRequest | None = None,
    command: str = "",
    progress: Progress = unseen,
) -> Manifest:
    """Make the bundle at `bundle` and return its manifest, whose `verified` says how it compares with PyTorch.

    With `auto` each graph has the fastest type whose error is small enough, and a wider one where the whole then
    breaks a bound; a type that is asked for has to keep them.
    `engines` asks for TensorRT engines of the graphs, which then have int8 as TensorRT takes it. `command` is what the
    user typed, kept as provenance; `progress` has the stages "trace", "reference", "precision", "verify" and, with
    engines, "build engines". Raises ExportError (or another EdgefuseError) in one line for what cannot be exported, a
    bound that is not kept, no room to write; the bundle that was there before is then still there.
    """
    if engines is not None:
        check_request(engines)
    inspect(spec)
    check_samples(spec, precision)
    sources = graph_sources(spec)
    made = provenance(spec, command or f"edgefuse export {spec.name} -o {bundle} --precision {precision}")
    try:
        with bundle_written_beside(bundle) as directory:
            models = trace_graphs(sources, progress)
            check_senses_read(spec, models["fusion"])
            export = Export(spec, sources, reference(spec, sources, progress), made)
            scheme: Scheme = "onnxruntime" if engines is None else "tensorrt"
            choices = choose_precisions(export, models, precision, scheme, progress)
            measured, kept = write_verified(export, choices, precision, directory, progress)
            if engines is not None:
                build_engines(directory, read_manifest(directory), engines, bundle, progress).write(directory)
            write_report(export_report(spec, precision, scheme, kept, measured, made), directory)
            return write_measurements(export, measured, directory, progress)
    except OSError as error:
        raise ExportError(f"cannot export to {bundle}: {error}") from error


def trace_graphs(sources: Sequence[GraphSource], progress: Progress) -> dict[str, onnx.ModelProto]:
    """Every graph in float32, by name, compared with PyTorch."""
    models = {}
    for done, source in enumerate(sources):
        progress("trace", done, len(sources))
        models[source.name] = trace_graph(source)
    progress("trace", len(sources), len(sources))
    return models


def check_senses_read(spec: FusionSpec, fusion: onnx.ModelProto) -> None:
    """Raises ExportError for a sense that changes nothing, unless it is there to encode prompts."""
    read = {value.name for value in fusion.graph.input}
    for modality in spec.modalities:
        prompting = "prompts" in read and isinstance(modality.described, TextModality)
        if not prompting and not read & {modality.name, f"{modality.name}_tokens", f"{modality.name}_embedding"}:
            raise ExportError(f"the network ({type(spec.fusion).__name__}) does not use its sense {modality.name}")


def trace_graph(source: GraphSource) -> onnx.ModelProto:
    """One graph; if it does not export for frames of any size, then for those of the examples' own."""
    try:
        model = onnx_from_source(source)
        check_equal(model, source)
    except ExportError:
        if not source.takes_any_frame:
            raise
        return trace_graph(with_fixed_frames(source))
    return model


def choose_precisions(
    export: Export, models: Mapping[str, onnx.ModelProto], precision: Wanted, scheme: Scheme, progress: Progress
) -> dict[str, PrecisionChoice]:
    """Each graph in the type that is wanted, or that measurement says is best; ranges come from calibration samples.

    What reads a sense that no calibration sample has stays in float32.
    """
    spec, expected = export.spec, export.expected
    holdout = feeds(export.sources, models, spec.holdout, expected.sensed, expected.prompts)
    calibration = holdout  # which float32 has no use for
    if precision != "fp32":
        sensed = all_sensed(SpecPredictor(spec, export.sources), spec.calibration)
        calibration = feeds(export.sources, models, spec.calibration, sensed, expected.prompts)
    features = {source.name: source.features for source in export.sources}
    lacking = [] if precision == "fp32" else without_samples(spec)
    if not lacking:
        return choose(models, calibration, holdout, precision, scheme, progress, features)
    wide = {name: model for name, model in models.items() if name in (*lacking, "fusion")}
    measurable = {name: model for name, model in models.items() if name not in wide}
    choices = choose(measurable, calibration, holdout, precision, scheme, progress, features)
    for name, choice in choose(wide, calibration, holdout, "fp32", scheme, progress, features).items():
        choices[name] = with_refused(choice, lacking)
    return {name: choices[name] for name in models}


def check_samples(spec: FusionSpec, precision: Wanted) -> None:
    """Raises ExportError where there is nothing to measure a type on that is asked for."""
    lacking = without_samples(spec)
    if lacking and precision in ("int8", "fp16"):
        raise ExportError(
            f"no calibration samples of {', '.join(lacking)} to measure {precision} on; give --data or --calibration "
            "with some, or --precision auto or fp32"
        )


def without_samples(spec: FusionSpec) -> list[str]:
    """The senses that no calibration sample has."""
    return [modality.name for modality in spec.modalities if not spec.calibration.having((modality.name,)).any()]


def with_refused(choice: PrecisionChoice, lacking: Sequence[str]) -> PrecisionChoice:
    """A graph in float32, which says why it has no narrower type."""
    refused = Candidate(graph=choice.graph, precision="int8", refused=f"no calibration samples of {', '.join(lacking)}")
    return replace(choice, candidates=(*choice.candidates, refused), models=(*choice.models, None))


def write_verified(
    export: Export, choices: Mapping[str, PrecisionChoice], precision: Wanted, directory: Path, progress: Progress
) -> tuple[Verification, Mapping[str, PrecisionChoice]]:
    """Write the bundle so that verify breaks no bound; what it measured, and the choices that the graphs are."""
    while True:
        bundle = write_bundle(export, choices, directory)
        measured = verification(bundle, export.expected, progress)
        if not measured.failures:
            return measured, choices
        next_choices = wider(choices, measured) if precision == "auto" else None
        if next_choices is None:
            raise ExportError(f"not exported, a bound is broken: {'; '.join(measured.failures)}")
        choices = next_choices


def write_bundle(export: Export, choices: Mapping[str, PrecisionChoice], directory: Path) -> Bundle:
    """Write the graphs and all that a bundle needs to run into `directory`, over what was there."""
    graphs = {name: write_graph(choice, directory, export.made) for name, choice in choices.items()}
    if export.spec.tokenizer is not None:
        export.spec.tokenizer.save(str(directory / TOKENIZER_FILE))
    manifest_from_graphs(export.spec, graphs, directory, export.made).write(directory)
    return Bundle.open(directory)


def write_graph(choice: PrecisionChoice, directory: Path, made: Provenance) -> GraphSpec:
    """Write one graph; what the manifest says of it."""
    metadata = {"edgefuse": made.edgefuse, "graph": choice.graph, "precision": choice.precision}
    if made.checkpoint_sha256 is not None:
        metadata["checkpoint_sha256"] = made.checkpoint_sha256
    path = directory / f"{choice.graph}.onnx"
    save_checked(choice.model, path, metadata)
    return GraphSpec(
        file=path.name,
        precision=choice.precision,
        inputs=tensor_specs(list(choice.model.graph.input)),
        outputs=tensor_specs(list(choice.model.graph.output)),
    )


def write_measurements(export: Export, measured: Verification, directory: Path, progress: Progress) -> Manifest:
    """Write golden vectors, calibrations and the manifest with all that was measured; the report lies there already."""
    bundle = Bundle.open(directory)
    golden = write_golden(bundle, export.sources, export.expected)
    calibrations = write_calibrations(bundle, export.spec, progress)
    changed = {"verified": measured, "golden": golden, "report": REPORT_FILE, "files": files_of(directory)}
    return bundle.manifest.model_copy(update=changed | calibrations).write(directory)
