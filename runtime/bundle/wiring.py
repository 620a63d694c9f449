"""How a bundle's graphs fit together: what each sense gives, and what the fusion graph takes and says."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from edgefuse.runtime.bundle.manifest import GraphSpec, Manifest, Modality, TensorSpec

PRESENT: Final = "present"
PROMPTS: Final = "prompts"
_NOT_FOR_SENSES: Final = ("fusion", PRESENT, PROMPTS, "percepts")

Dim = int | str


def check_wiring(manifest: Manifest) -> None:
    """Raises ValueError, in one line, for the first thing that does not fit."""
    _check_names([modality.name for modality in manifest.modalities])
    for modality in manifest.modalities:
        _check_sense(manifest, modality)
    _check_inputs(manifest)
    _check_outputs(manifest)
    _check_golden(manifest)


def evidence_from_sense(modality: Modality) -> tuple[str, tuple[Dim, ...]]:
    """Dtype and shape of a sense's evidence; a named size is any."""
    if modality.kind == "image":
        return "uint8", (1, "height", "width", 3)
    if modality.kind == "audio":
        return "float32", (1, modality.window_samples)
    if modality.kind == "text":
        return "int64", (1, modality.max_tokens)
    return "float32", (1, modality.window_samples, modality.channels)


def inputs_from_sense(modality: Modality) -> dict[str, tuple[str, tuple[Dim, ...]]]:
    """What a sense has for the fusion graph: dtype and shape by the name of the input that takes it."""
    if modality.graph is None:
        return {modality.name: evidence_from_sense(modality)}
    return {f"{modality.name}_{output.name}": (output.dtype, output.shape) for output in modality.graph.outputs}


def fits(tensor: TensorSpec, dtype: str, shape: tuple[Dim, ...]) -> bool:
    """Whether a tensor can be of this type and shape; a named size, on either side, is any."""
    sizes = zip(tensor.shape, shape, strict=False)
    apart = any(isinstance(size, int) and isinstance(other, int) and size != other for size, other in sizes)
    return tensor.dtype == dtype and len(tensor.shape) == len(shape) and not apart


def _check_names(names: Sequence[str]) -> None:
    if len(set(names)) != len(names):
        raise ValueError(f"modalities have the same name twice: {', '.join(names)}")
    for name in names:
        if name in _NOT_FOR_SENSES:
            raise ValueError(f"a modality cannot be named {name!r}, which means something else in a bundle")


def _check_sense(manifest: Manifest, modality: Modality) -> None:
    name = modality.name
    if modality.kind == "text" and manifest.tokenizer is None:
        raise ValueError(f"the text sense {name!r} needs a tokenizer, and the bundle has none")
    if modality.graph is None:
        if name not in _names(manifest.fusion.inputs):
            raise ValueError(f"{name!r} has no graph, so the fusion graph has to take it as its input {name!r}")
        return
    if len(modality.graph.inputs) != 1:
        raise ValueError(f"the graph of {name!r} has to have one input, it has {_listed(modality.graph.inputs)}")
    _check_fit(f"the graph of {name!r}", modality.graph.inputs[0], *evidence_from_sense(modality))
    if modality is not manifest.naming and not set(inputs_from_sense(modality)) & set(_names(manifest.fusion.inputs)):
        raise ValueError(
            f"{name!r} is encoded, but the fusion graph takes none of {', '.join(inputs_from_sense(modality))}"
        )


def _check_inputs(manifest: Manifest) -> None:
    known: dict[str, tuple[str, tuple[Dim, ...]]] = {PRESENT: ("bool", (1, len(manifest.modalities)))}
    for modality in manifest.modalities:
        known |= inputs_from_sense(modality)
    if PROMPTS in _names(manifest.fusion.inputs):
        known[PROMPTS] = "float32", ("classes", _prompt_dim(manifest))
    for tensor in manifest.fusion.inputs:
        if tensor.name not in known:
            raise ValueError(f"the fusion graph's input {tensor.name!r} is of no sense: expected {', '.join(known)}")
        _check_fit("the fusion graph", tensor, *known[tensor.name])


def _prompt_dim(manifest: Manifest) -> int:
    naming = manifest.naming
    if naming is None or naming.graph is None or "embedding" not in _names(naming.graph.outputs):
        raise ValueError(
            "the fusion graph takes prompts, so a text sense whose graph gives an embedding has to be there"
        )
    if manifest.dim is None:
        raise ValueError("the fusion graph takes prompts, so dim has to say the size of their space")
    return manifest.dim


def _check_outputs(manifest: Manifest) -> None:
    senses, classes = len(manifest.modalities), "classes" if manifest.naming else len(manifest.labels)
    shapes: dict[str, tuple[Dim, ...]] = {
        "scores": (1, classes),
        "sense_scores": (1, senses, classes),
        "embedding": (1, manifest.dim or "dim"),
        "weights": (1, senses),
        "agreement": (1,),
    }
    if "scores" not in _names(manifest.fusion.outputs):
        raise ValueError(f"the fusion graph has no output 'scores', only {_listed(manifest.fusion.outputs)}")
    for tensor in manifest.fusion.outputs:
        if tensor.name in shapes:
            _check_fit("the fusion graph", tensor, tensor.dtype, shapes[tensor.name])


def _check_golden(manifest: Manifest) -> None:
    for bound in manifest.golden.bounds if manifest.golden else ():
        graph: GraphSpec | None = manifest.graphs.get(bound.graph)
        if graph is None or bound.output not in _names(graph.outputs):
            raise ValueError(f"golden: no graph {bound.graph!r} of the bundle has an output {bound.output!r}")


def _check_fit(whose: str, tensor: TensorSpec, dtype: str, shape: tuple[Dim, ...]) -> None:
    if not fits(tensor, dtype, shape):
        raise ValueError(
            f"{whose} has {tensor.name} {tensor.dtype} {list(tensor.shape)}, which should be {dtype} {list(shape)}"
        )


def _names(tensors: Sequence[TensorSpec]) -> list[str]:
    return [tensor.name for tensor in tensors]


def _listed(tensors: Sequence[TensorSpec]) -> str:
    return ", ".join(_names(tensors)) or "none"
