"""What a network's modules return, brought into one order by name."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from edgefuse.export.errors import ExportError

ENCODER_OUTPUTS = ("tokens", "embedding")
FUSION_OUTPUTS = ("scores", "sense_scores", "embedding", "weights", "agreement")
"""Those of the manifest, in its order."""


def encoder_outputs(result: object) -> tuple[Tensor, Tensor]:
    """tokens (batch, n, d) and embedding (batch, d); an embedding alone is the only token as well."""
    if isinstance(result, Tensor):
        return result.unsqueeze(1), result
    named = _named(result)
    if named is not None and set(ENCODER_OUTPUTS) <= set(named):
        tokens, embedding = (named[name] for name in ENCODER_OUTPUTS)
    elif isinstance(result, tuple | list) and len(result) == 2 and named is None:
        tokens, embedding = result
    else:
        raise ExportError(f"gave {outline(result)}, expected tokens and embedding, or an embedding")
    if not isinstance(tokens, Tensor) or not isinstance(embedding, Tensor):
        raise ExportError(f"gave {outline(result)}, expected two tensors, tokens and embedding")
    return tokens, embedding


def fusion_outputs(result: object) -> dict[str, Tensor]:
    """The fusion's outputs that there are, in the manifest's order; a tensor alone is the scores."""
    named = {"scores": result} if isinstance(result, Tensor) else _named(result)
    if named is None or named.get("scores") is None:
        raise ExportError(f"gave {outline(result)}, expected scores, or a mapping or named tuple that has scores")
    unknown = [name for name in named if name not in FUSION_OUTPUTS]
    if unknown:
        raise ExportError(f"gave {', '.join(unknown)}, which is none of {', '.join(FUSION_OUTPUTS)}")
    outputs = {name: named[name] for name in FUSION_OUTPUTS if named.get(name) is not None}
    for name, value in outputs.items():
        if not isinstance(value, Tensor):
            raise ExportError(f"gave {outline(value)} as {name}, expected a tensor")
    return {name: value for name, value in outputs.items() if isinstance(value, Tensor)}


def outline(result: object) -> str:
    """What something is, in a few words: `a tensor float32 [3, 10]`, `a dict of logits, loss`, `a list of 2`."""
    if isinstance(result, Tensor):
        return f"a tensor {str(result.dtype).removeprefix('torch.')} {list(result.shape)}"
    kind = f"a {type(result).__name__}"
    named = _named(result)
    if named is not None:
        return f"{kind} of {', '.join(map(str, named))}"
    return f"{kind} of {len(result)}" if isinstance(result, tuple | list) else kind


def _named(result: object) -> Mapping[str, object] | None:
    if isinstance(result, Mapping):
        return result
    as_dict = getattr(result, "_asdict", None)
    return as_dict() if isinstance(result, tuple) and as_dict is not None else None
