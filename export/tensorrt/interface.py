"""Whether an engine takes and gives what its graph does."""

from __future__ import annotations

from edgefuse.runtime.bundle.manifest import EngineSpec, GraphSpec, TensorSpec


def disagreement(graph: GraphSpec, engine: EngineSpec) -> str | None:
    """The first difference between the inputs and outputs of the two, in a few words; None if there is none.

    A size that varies in one of them agrees with any in the other: TensorRT learns some only when it runs.
    """
    sides = (("inputs", graph.inputs, engine.inputs), ("outputs", graph.outputs, engine.outputs))
    for side, ours, theirs in sides:
        names = [tensor.name for tensor in ours], [tensor.name for tensor in theirs]
        if names[0] != names[1]:
            return f"the graph's {side} are {', '.join(names[0])}, the engine's {', '.join(names[1]) or 'none'}"
        for our, their in zip(ours, theirs, strict=True):
            if not _agree(our, their):
                return f"{our.name} is {_said(our)} in the graph, {_said(their)} in the engine"
    return misfit(graph, engine)


def misfit(graph: GraphSpec, engine: EngineSpec) -> str | None:
    """The first input of the graph that the engine's profile does not suit."""
    for tensor in graph.inputs:
        shapes = engine.profile.get(tensor.name)
        if shapes is None:
            return f"the engine's profile has no sizes for input {tensor.name}"
        if not all(_fits(tensor, shape) for shape in shapes) or not _ordered(shapes):
            return f"{tensor.name} is {_said(tensor)} in the graph, {', '.join(map(str, shapes))} in the profile"
    return None


def _agree(our: TensorSpec, their: TensorSpec) -> bool:
    return (
        our.dtype == their.dtype
        and len(our.shape) == len(their.shape)
        and all(isinstance(a, str) or isinstance(b, str) or a == b for a, b in zip(our.shape, their.shape, strict=True))
    )


def _fits(tensor: TensorSpec, shape: tuple[int, ...]) -> bool:
    return len(shape) == len(tensor.shape) and all(
        isinstance(size, str) or size == given for size, given in zip(tensor.shape, shape, strict=True)
    )


def _ordered(shapes: tuple[tuple[int, ...], ...]) -> bool:
    return all(smallest <= usual <= largest for smallest, usual, largest in zip(*shapes, strict=True))


def _said(tensor: TensorSpec) -> str:
    return f"{tensor.dtype} {list(tensor.shape)}"
