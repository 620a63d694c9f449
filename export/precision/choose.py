"""The precision of each graph, decided by measurement: the fastest on this machine among those whose error passes."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Literal

import onnx

from edgefuse.calibration.ranges import METHODS, Limits
from edgefuse.export.feeds import Feed
from edgefuse.export.precision.blame import layers_of, noise_by_layer, with_makers
from edgefuse.export.precision.candidates import Blame, Candidate
from edgefuse.export.precision.half import half_from_float, has_control_flow, peaks_of
from edgefuse.export.precision.measurement import Built, Holdout
from edgefuse.export.precision.quantize import Scheme, int8_from_float, quantized_nodes, ranges_of
from edgefuse.export.precision.verdict import judge, may_be_faster
from edgefuse.export.tracing.onnx_export import module_of
from edgefuse.fusion.progress import Progress, unseen
from edgefuse.runtime.bundle.verification import Precision, Verification

Wanted = Literal["fp32", "fp16", "int8", "auto"]

STAGE = "precision"
STEPS = 4
"""Of each graph: int8, the layers to blame, fp16, the time."""

LAYERS_MADE_WIDER = (1, 2, 4)
"""How many more of the worst layers stay in float32 in each further attempt at an int8 graph."""

LITTLE_GAIN = 0.9
"""After the first attempt, one whose error is more than this share of the former's ends them: no layer is to blame."""

MOST_BLAMED = 8


@dataclass(frozen=True, slots=True)
class PrecisionChoice:
    """One graph in the type that was chosen.

    `candidates` is what was measured of all, the chosen one included; `models` are their graphs in the same order, None
    for one that could not be made. `blamed` are the int8 layers that add most error, where it was too large.
    """

    graph: str
    model: onnx.ModelProto
    precision: Precision
    candidates: tuple[Candidate, ...]
    models: tuple[onnx.ModelProto | None, ...] = ()
    blamed: tuple[Blame, ...] = ()


def choose(
    models: Mapping[str, onnx.ModelProto],
    calibration: Mapping[str, Feed],
    holdout: Mapping[str, Feed],
    wanted: Wanted,
    scheme: Scheme,
    progress: Progress = unseen,
    features: Mapping[str, str] | None = None,
) -> dict[str, PrecisionChoice]:
    """Each of the float32 `models`, by graph, in the type that is wanted, or under "auto" in the best.

    `calibration` are samples to measure ranges on, `holdout` others to measure errors and times on, both by graph.
    `features` is by graph the path of the submodule whose arithmetic is fixed: it stays in float32. Under "auto" the
    fastest type is taken whose error passes, a narrower one only if it is really faster than float32 on this machine;
    for the scheme "tensorrt", whose times cannot be had without a GPU, fp16 where its error passes. What is wanted
    explicitly is made with the calibration method that errs least, whatever its error. `progress` has the stage
    "precision". Raises CalibrationError where samples do not fit their graph.
    """
    steps = len(models) * STEPS
    chosen: dict[str, PrecisionChoice] = {}
    for name, model in models.items():
        trial = _Trial(model, calibration[name], holdout[name], scheme, _fixed(features, name))
        chosen[name] = _choice(trial, wanted, partial(_step, progress, len(chosen) * STEPS, steps))
    progress(STAGE, steps, steps)
    return chosen


def wider(choices: Mapping[str, PrecisionChoice], measured: Verification) -> dict[str, PrecisionChoice] | None:
    """The choices with one graph a step wider, after `measured` of the whole bundle broke a bound.

    It is the graph that has a broken bound of its own, else the one that errs most; its next type is float16 if that
    passed and is worth it, else float32. None if all are float32.
    """
    narrow = {name: choice for name, choice in choices.items() if choice.precision != "fp32"}
    if not narrow:
        return None
    failing = {row.graph for row in measured.graphs if row.failure} | {
        row.sense for row in measured.alignment if row.failure
    }
    worst = max(narrow.values(), key=lambda choice: (choice.graph in failing, _taken(choice).strain))
    return {**choices, worst.graph: _one_wider(worst, measured.failures)}


def _step(progress: Progress, before: int, steps: int, done: int) -> None:
    progress(STAGE, before + done, steps)


def _fixed(features: Mapping[str, str] | None, graph: str) -> tuple[str, ...]:
    path = (features or {}).get(graph, "")
    return (path,) if path else ()


@dataclass(frozen=True, slots=True)
class _Trial:
    """One graph, what it is measured with, and how its int8 looks."""

    model: onnx.ModelProto
    calibration: Feed
    holdout: Feed
    scheme: Scheme
    fixed: Collection[str]

    @property
    def graph(self) -> str:
        return str(self.model.graph.name)


def _choice(trial: _Trial, wanted: Wanted, step: Callable[[int], None]) -> PrecisionChoice:
    step(0)
    held_out = Holdout(trial.model, trial.holdout)
    built = [held_out.measure(trial.model, "fp32")]
    refused: list[Candidate] = []
    blamed: tuple[Blame, ...] = ()
    if wanted in ("int8", "auto"):
        if quantized_nodes(trial.model, trial.fixed):
            narrow, blamed = _int8(trial, held_out, step)
            built += narrow
        else:
            refused.append(Candidate(graph=trial.graph, precision="int8", refused="no layer of it gains by int8"))
    step(2)
    if wanted in ("fp16", "auto"):
        if has_control_flow(trial.model):
            refused.append(Candidate(graph=trial.graph, precision="fp16", refused="it has branches or loops"))
        else:
            built.append(held_out.measure(_half(trial), "fp16"))
    step(3)
    if trial.scheme == "onnxruntime" and len(built) > 1:
        built = held_out.time(built)
    candidates = judge([one.candidate for one in built], wanted, trial.scheme)
    place = next(index for index, candidate in enumerate(candidates) if candidate.chosen)
    return PrecisionChoice(
        graph=trial.graph,
        model=built[place].model,
        precision=candidates[place].precision,
        candidates=(*candidates, *refused),
        models=(*(one.model for one in built), *(None for _ in refused)),
        blamed=blamed,
    )


def _half(trial: _Trial) -> onnx.ModelProto:
    return half_from_float(trial.model, peaks_of(trial.model, trial.calibration), trial.fixed)


def _int8(trial: _Trial, held_out: Holdout, step: Callable[[int], None]) -> tuple[list[Built], tuple[Blame, ...]]:
    """One candidate per calibration method; where none passes, more, with the layers to blame left wider."""
    ranges = ranges_of(trial.model, trial.calibration, trial.fixed)
    limits = {method: ranges.by(method) for method in METHODS}
    built = []
    for method in METHODS:
        model = int8_from_float(trial.model, limits[method], trial.scheme, trial.fixed)
        built.append(held_out.measure(model, "int8", method))
    step(1)
    best = min(built, key=lambda one: one.candidate.strain)
    if best.candidate.strain <= 1:
        return built, ()
    attempts, blamed = _with_layers_wider(trial, held_out, best, limits[best.candidate.method or "minmax"])
    return built + attempts, blamed


def _with_layers_wider(
    trial: _Trial, held_out: Holdout, best: Built, limits: Limits
) -> tuple[list[Built], tuple[Blame, ...]]:
    """Attempts at an int8 graph with more and more layers in float32, until one passes or it proves of no use."""
    every = layers_of(trial.model, quantized_nodes(trial.model, trial.fixed))
    attempts: list[Built] = []
    kept: list[str] = []
    blamed: tuple[Blame, ...] = ()
    for more in LAYERS_MADE_WIDER:
        layers = {name: nodes for name, nodes in every.items() if name not in kept}
        noise = noise_by_layer(trial.model, best.model, layers, trial.calibration)
        blamed = blamed or _blame(trial.model, noise)
        kept += with_makers(layers, list(noise)[:more])
        if len(kept) == len(every):
            break
        nodes = [node.name for layer in kept for node in every[layer]]
        model = int8_from_float(trial.model, limits, trial.scheme, trial.fixed, nodes)
        former, best = best, held_out.measure(model, "int8", best.candidate.method, kept)
        attempts.append(best)
        if best.candidate.strain <= 1 or (more > 1 and best.candidate.strain > LITTLE_GAIN * former.candidate.strain):
            break
    return attempts, blamed


def _blame(model: onnx.ModelProto, noise: Mapping[str, float]) -> tuple[Blame, ...]:
    modules = {node.name: module_of(node) for node in model.graph.node}
    names = {name: f"{modules[name]} ({name})" if modules[name] else name for name in list(noise)[:MOST_BLAMED]}
    return tuple(
        Blame(graph=model.graph.name, layer=layer, noise=max(0.0, noise[name])) for name, layer in names.items()
    )


def _one_wider(choice: PrecisionChoice, failures: tuple[str, ...]) -> PrecisionChoice:
    """With the next wider type that passes and is worth it; the float32 graph, which always is, comes first."""
    wide = ("int8", "fp16", "fp32")[("int8", "fp16", "fp32").index(choice.precision) + 1 :]
    place, model = [
        (index, model)
        for index, (candidate, model) in enumerate(zip(choice.candidates, choice.models, strict=True))
        if model is not None and candidate.precision in wide and candidate.strain <= 1
        if candidate.precision == "fp32" or may_be_faster(candidate)
    ][-1]
    said = f"in the whole bundle: {failures[0] if failures else 'a bound was broken'}"
    candidates = tuple(
        candidate.model_copy(
            update={"chosen": index == place, "refused": None if index == place else candidate.refused or said}
        )
        for index, candidate in enumerate(choice.candidates)
    )
    return replace(choice, model=model, precision=candidates[place].precision, candidates=candidates)


def _taken(choice: PrecisionChoice) -> Candidate:
    return next(candidate for candidate in choice.candidates if candidate.chosen)
