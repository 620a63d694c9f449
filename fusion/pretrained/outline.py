"""Models built without memory, as far as a safetensors file holds weights for them: a configuration's sizes are not
believed before they are compared with what there is."""

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import nn
from torch.nn.modules import module as registration

from edgefuse.fusion.errors import PretrainedError

MOST_TENSORS = 10_000
"""Of a file; the encoders of the largest models have about a thousand."""
FEW_TENSORS, FEW_NUMBERS = 64, 1_000_000
"""What a model may have beside the weights of its file: places to look up, a mask for pretraining."""
REGISTERED_TWICE = 2
"""A weight, and the two that wav2vec2 makes of it (its weight norm)."""


class TooLargeError(PretrainedError):
    """A configuration asks for more weights than there are."""


@dataclass(frozen=True, slots=True)
class Held:
    """How many tensors a file holds, and how many numbers in all of them."""

    tensors: int
    numbers: int


def held_of(shapes: Iterable[tuple[int, ...]]) -> Held:
    """Of tensors of these shapes."""
    numbers = [prod(shape) for shape in shapes]
    return Held(len(numbers), sum(numbers))


def held_in(files: Iterable[Path]) -> Held:
    """By the headers of safetensors files, without their weights; raises `PretrainedError`, one line.

    safetensors refuses a header whose shapes and places are not those of the bytes that follow it.
    """
    shapes: list[tuple[int, ...]] = []
    for path in files:
        if not path.is_file():
            raise PretrainedError(f"{path}: no such file; expected the weights that save_pretrained writes")
        try:
            with safe_open(path, framework="pt") as file:
                shapes += [tuple(file.get_slice(name).get_shape()) for name in file.keys()]  # noqa: SIM118
        except (SafetensorError, OSError) as error:
            reason = next(iter(str(error).splitlines()), type(error).__name__)
            raise PretrainedError(f"{path}: cannot read its weights: {reason}") from error
    if len(shapes) > MOST_TENSORS:
        raise PretrainedError(f"{path}: {len(shapes):,} tensors; an encoder has {MOST_TENSORS:,} at most")
    return held_of(shapes)


def outline(build: Callable[[], nn.Module], held: Held) -> dict[str, tuple[int, ...]]:
    """The names and shapes of the weights of the model that `build` builds, for which no memory is taken.

    Raises `TooLargeError` as soon as it has more than `held` holds, however many layers are still to come.
    """
    with torch.device("meta"), stopped_beyond(held):
        shapes = {name: tuple(value.shape) for name, value in build().state_dict().items()}
    if held_of(shapes.values()).numbers > held.numbers + FEW_NUMBERS:
        raise too_large(held)
    return shapes


@contextmanager
def stopped_beyond(held: Held) -> Iterator[None]:
    """Raises `TooLargeError` out of the constructors of modules that register more than about what is held."""
    thread, tensors, numbers = threading.get_ident(), 0, 0

    def count(_module: nn.Module, _name: str, value: Any) -> None:
        nonlocal tensors, numbers
        if threading.get_ident() != thread or value is None:
            return
        tensors, numbers = tensors + 1, numbers + value.numel()
        if (
            tensors > REGISTERED_TWICE * held.tensors + FEW_TENSORS
            or numbers > REGISTERED_TWICE * held.numbers + FEW_NUMBERS
        ):
            raise too_large(held)

    with ExitStack() as hooks:
        for register in (
            registration.register_module_parameter_registration_hook,
            registration.register_module_buffer_registration_hook,
        ):
            hooks.callback(register(count).remove)
        yield


def too_large(held: Held) -> TooLargeError:
    return TooLargeError(
        f"its configuration asks for more weights than there are: {held.tensors:,} tensors of {held.numbers:,} numbers"
    )
