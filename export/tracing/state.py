"""Whether a module keeps something from one call to the next, which a graph would not: it is traced once and forgets.

What it keeps is looked for where it can lie: in buffers, parameters and attributes of it and of all that it holds, bit
by bit, however little a call changes. What lies elsewhere (a global, a file, a clock) shows only in results that
differ, and a switch there after more calls than are made here does not show at all.
"""

from __future__ import annotations

import hashlib
import types
import warnings
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from random import Random
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from edgefuse.export.errors import ExportError

CALLS = 4
"""How often the same samples are given, others in between."""

_ROUNDING = 1e-6
_DEEPEST = 16
_WITHOUT = (types.ModuleType, type, types.BuiltinFunctionType, torch.dtype, torch.device)
_PLAIN = (type(None), bool, int, float, complex, str, bytes)

_KEEPS = "keeps something from one call to the next"
_REMEDY = "a graph has no memory: take that out, or make it a function of its samples"

Outputs = Mapping[str, Tensor]


def check_stateless(
    title: str, module: nn.Module, call: Callable[[], Outputs], others: Sequence[Callable[[], object]]
) -> Outputs:
    """What `call` gives; raises ExportError, in one line, where it gives something else again or `module` changes.

    `call` and each of `others` run the module on other samples of one size. What a module makes at its first call and
    then only reads, such as a table of sines, is no state. `title` begins the message.
    """
    with _deterministic():
        first, between = call(), others[-1]
        for other in others:
            other()
        call()
        before, drawn = state_of(module), torch.get_rng_state()
        results = [call()]
        between()
        changed = _first_change(before, state_of(module))
        if changed is not None:
            raise ExportError(f"{title} {_KEEPS}: its {changed} changes; {_REMEDY}")
        results += [(between(), call())[1] for _ in range(CALLS - 2)]
        differs = _first_difference(first, results)
        if differs is not None and not _only_rounding(first, results, call, between):
            random = not torch.equal(drawn, torch.get_rng_state())
            why = "it draws random numbers" if random else f"{_KEEPS}, though in no buffer or attribute that changes"
            raise ExportError(
                f"{title} gives other {differs} when it is called again with the same samples: {why}; {_REMEDY}"
            )
    return first


def state_of(module: nn.Module) -> dict[str, str]:
    """All that a module holds, by kind and path ("buffer mean", "attribute history[2]"): what is equal only if the
    same."""
    return dict(_held(module, "", 0, {}))


def _first_change(before: Mapping[str, str], after: Mapping[str, str]) -> str | None:
    paths = [*before, *(path for path in after if path not in before)]
    return next((path for path in paths if before.get(path) != after.get(path)), None)


def _held(value: Any, path: str, depth: int, seen: dict[int, Any]) -> Iterator[tuple[str, str]]:
    """A value as pairs of a path and what stands there; each object once, so that circles end."""
    if isinstance(value, _PLAIN):
        yield f"attribute {path}", repr(value)
    elif isinstance(value, _WITHOUT) or depth > _DEEPEST or id(value) in seen:
        return
    else:
        seen[id(value)] = value  # and so alive: no other object gets its id
        yield from _held_by(value, path, depth + 1, seen)


def _held_by(value: Any, path: str, depth: int, seen: dict[int, Any]) -> Iterator[tuple[str, str]]:
    if isinstance(value, nn.Module):
        yield from _held_by_module(value, path, depth, seen)
    elif isinstance(value, Tensor | np.ndarray | np.generic):
        yield f"attribute {path}", _digest(value)
    elif isinstance(value, Random):
        yield f"attribute {path}", repr(hash(value.getstate()))
    elif isinstance(value, np.random.Generator):
        yield f"attribute {path}", repr(value.bit_generator.state)
    elif isinstance(value, torch.Generator):
        yield f"attribute {path}", _digest(value.get_state())
    elif isinstance(value, Mapping):
        yield f"attribute {path}", f"{type(value).__name__} of {len(value)}"
        for key, item in list(value.items()):
            yield from _held(item, f"{path}[{key!r}]"[:200], depth, seen)
    elif isinstance(value, list | tuple | deque | set | frozenset):
        yield f"attribute {path}", f"{type(value).__name__} of {len(value)}"
        ordered = sorted(value, key=repr) if isinstance(value, set | frozenset) else list(value)
        for index, item in enumerate(ordered):
            yield from _held(item, f"{path}[{index}]", depth, seen)
    else:
        yield from _held_by_object(value, path, depth, seen)


def _held_by_module(module: nn.Module, path: str, depth: int, seen: dict[int, Any]) -> Iterator[tuple[str, str]]:
    within = f"{path}." if path else ""
    for kind, tensors in (("buffer", module._buffers), ("parameter", module._parameters)):
        for name, tensor in tensors.items():
            yield f"{kind} {within}{name}", "" if tensor is None else _digest(tensor)
    for name, child in module._modules.items():
        yield from _held(child, within + name, depth - 1, seen)
    for name, value in vars(module).items():
        if name not in ("_buffers", "_parameters", "_modules"):
            yield from _held(value, within + name, depth, seen)


def _held_by_object(value: Any, path: str, depth: int, seen: dict[int, Any]) -> Iterator[tuple[str, str]]:
    """Of a function what it encloses and is bound to, of another object its attributes, of a counter how it is
    written."""
    if isinstance(value, types.MethodType):
        yield from _held(value.__self__, path, depth, seen)
    elif isinstance(value, partial):
        yield from _held((value.func, value.args, value.keywords), path, depth, seen)
    elif isinstance(value, types.FunctionType):
        for cell in value.__closure__ or ():
            yield from _held(_content(cell), path, depth, seen)
    slots = [name for kind in type(value).__mro__ for name in getattr(kind, "__slots__", ())]
    attributes = {name: getattr(value, name) for name in slots if isinstance(name, str) and hasattr(value, name)}
    attributes |= getattr(value, "__dict__", {})
    for name, item in attributes.items():
        yield from _held(item, f"{path}.{name}", depth, seen)
    if not attributes and type(value).__module__ == "itertools":
        yield f"attribute {path}", repr(value)


def _content(cell: types.CellType) -> object:
    try:
        return cell.cell_contents
    except ValueError:  # empty so far
        return None


def _digest(value: Tensor | np.ndarray | np.generic) -> str:
    """Type, shape and every bit."""
    if isinstance(value, Tensor):
        if value.layout != torch.strided or value.device.type != "cpu" or value.is_quantized:
            return f"{value.dtype} {tuple(value.shape)}"
        plain = value.detach().resolve_conj().resolve_neg().contiguous().reshape(-1)
        content = plain.view(torch.uint8).numpy().tobytes()
    else:
        content = np.ascontiguousarray(value).tobytes() if value.dtype != object else repr(value).encode()
    return f"{value.dtype} {tuple(value.shape)} {hashlib.blake2b(content, digest_size=16).hexdigest()}"


def _first_difference(first: Outputs, results: Sequence[Outputs]) -> str | None:
    """The name of an output that is not the same to the last bit."""
    expected = {name: _digest(value) for name, value in first.items()}
    return next((name for one in results for name in expected if _digest(one[name]) != expected[name]), None)


def _only_rounding(
    first: Outputs, results: Sequence[Outputs], call: Callable[[], Outputs], between: Callable[[], object]
) -> bool:
    """Whether no more than the order of sums over threads differed: hardly anything, and on one thread nothing."""
    apart = (torch.allclose(one[name], first[name], rtol=0, atol=_ROUNDING) for one in results for name in first)
    if not all(apart):
        return False
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        once = call()
        return _first_difference(once, [(between(), call())[1] for _ in range(CALLS)]) is None
    finally:
        torch.set_num_threads(threads)


@contextmanager
def _deterministic() -> Iterator[None]:
    """PyTorch's operators give the same again, as far as there are such."""
    before, only_warned = (
        torch.are_deterministic_algorithms_enabled(),
        torch.is_deterministic_algorithms_warn_only_enabled(),
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.use_deterministic_algorithms(True, warn_only=True)
        try:
            yield
        finally:
            torch.use_deterministic_algorithms(before, warn_only=only_warned)
