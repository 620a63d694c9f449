"""A network's modules tried in PyTorch on real samples: they give what was declared, or one line says what else."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch
from torch import Tensor

from edgefuse.export.errors import ExportError
from edgefuse.export.tracing.modules import EncoderGraph, FusionGraph
from edgefuse.export.tracing.outputs import ENCODER_OUTPUTS
from edgefuse.export.tracing.state import check_stateless

TRIAL_SAMPLES = 3
"""Neither the batch of one nor the batch that is traced."""

TRIAL_CLASSES = 7
"""Another number of prompts than a network's own."""

TOLERANCE = 1e-3
"""How far two results that should be one may differ, times the largest value."""

LIBRARIES = Path(torch.__file__).resolve().parent.parent

Outputs = Mapping[str, Tensor]


@dataclass(frozen=True, slots=True)
class EncoderTrial:
    """One sense's encoder on a few of its samples; `title` names it in every complaint."""

    title: str
    module: EncoderGraph

    def run(self, samples: Tensor) -> None:
        """Raises ExportError unless samples (batch, ...) give tokens (batch, n, d) and embedding (batch, d)."""
        others = [partial(self._outputs, samples[[row] * len(samples)]) for row in range(len(samples))]
        outputs = check_stateless(self.title, self.module.encoder, partial(self._outputs, samples), others)
        check_tensor(self.title, "tokens", outputs["tokens"], (len(samples), None, None))
        check_tensor(self.title, "embedding", outputs["embedding"], (len(samples), None))
        check_alone(self.title, outputs, self._outputs(samples[:1]))

    def takes(self, samples: Tensor, like: Tensor) -> bool:
        """Whether these samples, of another size, give the same shapes as those."""
        try:
            return _shapes(self._outputs(samples)) == _shapes(self._outputs(like))
        except ExportError:
            return False

    def _outputs(self, samples: Tensor) -> Outputs:
        return attempt(self.title, lambda: dict(zip(ENCODER_OUTPUTS, self.module(samples.clone()), strict=True)))


@dataclass(frozen=True, slots=True)
class FusionTrial:
    """The fusion, or a whole network, on a few samples of all senses; `classes` is how many labels there are."""

    title: str
    module: FusionGraph
    classes: int

    def run(self, sensed: list[Tensor], prompts: Tensor | None) -> tuple[str, ...]:
        """The names of its outputs; raises ExportError unless they are as the manifest describes them."""
        rows = range(len(sensed[0]))
        others = [partial(self._outputs, [tensor[[row] * len(tensor)] for tensor in sensed], prompts) for row in rows]
        outputs = check_stateless(self.title, self.module.fusion, partial(self._outputs, sensed, prompts), others)
        self._check(outputs, len(sensed[0]), self.classes)
        check_alone(self.title, outputs, self._outputs([tensor[:1] for tensor in sensed], prompts))
        if prompts is not None:
            more = prompts[torch.arange(TRIAL_CLASSES) % len(prompts)]
            self._check(self._outputs(sensed, more), len(sensed[0]), TRIAL_CLASSES)
        if "present" in self.module.extras and self.module.senses > 1:
            self._check_absent(sensed, prompts)
        return tuple(outputs)

    def takes(self, sensed: list[Tensor], like: list[Tensor]) -> bool:
        """Whether these samples, of another size, give the same shapes as those."""
        try:
            return _shapes(self._outputs(sensed, None)) == _shapes(self._outputs(like, None))
        except ExportError:
            return False

    def _check(self, outputs: Outputs, batch: int, classes: int) -> None:
        shapes: dict[str, tuple[int | None, ...]] = {
            "scores": (batch, classes),
            "sense_scores": (batch, self.module.senses, classes),
            "embedding": (batch, None),
            "weights": (batch, self.module.senses),
            "agreement": (batch,),
        }
        for name, value in outputs.items():
            check_tensor(self.title, name, value, shapes[name])
        check_probabilities(self.title, outputs["scores"])

    def _check_absent(self, sensed: list[Tensor], prompts: Tensor | None) -> None:
        """Without its last sense it still works, and does not read what that sense's tensors hold."""
        present = torch.ones(len(sensed[0]), self.module.senses, dtype=torch.bool)
        present[:, -1] = False
        own = self.module.tensors_per_sense
        shuffled = [*sensed[:-own], *(tensor.roll(1, 0) for tensor in sensed[-own:])]
        before, after = (self._outputs(tensors, prompts, present)["scores"] for tensors in (sensed, shuffled))
        check_probabilities(f"{self.title}, without its last sense,", before)
        if not _near(before, after):
            raise ExportError(f"{self.title} reads a sense that is not present: its scores change with its tensors")

    def _outputs(self, sensed: list[Tensor], prompts: Tensor | None, present: Tensor | None = None) -> Outputs:
        everything = torch.ones(len(sensed[0]), self.module.senses, dtype=torch.bool)
        known = {"present": everything if present is None else present, "prompts": prompts}
        extras = [value for name in self.module.extras if (value := known[name]) is not None]
        copies = [tensor.clone() for tensor in sensed]  # a module may write into its inputs
        return attempt(self.title, lambda: self.module.named(*copies, *extras))


def attempt(title: str, call: Callable[[], Outputs]) -> Outputs:
    """What `call` gives, without gradients; whatever it raises is one line that begins with `title`."""
    try:
        with torch.no_grad():
            return call()
    except ExportError as error:
        raise ExportError(f"{title} {error}") from error
    except Exception as error:  # a module of the user's may raise anything
        raise ExportError(f"{title} failed on real samples: {reason(error)}") from error


def reason(error: BaseException) -> str:
    """An exception in one line: its type, the first line of its message, and where in the user's code it arose."""
    lines = str(error).strip().splitlines() or ["no message"]
    place = origin(error)
    return f"{type(error).__name__}: {lines[0].strip()}" + (f" ({place})" if place else "")


def origin(error: BaseException) -> str:
    """`file.py:line`, the deepest frame that is neither a library's nor ours; empty if there is none."""
    ours = Path(__file__).resolve().parent
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        path = Path(frame.filename).resolve()
        if path.is_file() and not path.is_relative_to(LIBRARIES) and path.parent != ours:
            return f"{frame.filename}:{frame.lineno}"
    return ""


def check_tensor(title: str, name: str, value: Tensor, shape: tuple[int | None, ...]) -> None:
    """Raises ExportError unless it is float32 of that shape, None being any size, and finite."""
    fits = value.ndim == len(shape) and all(said in (None, size) for said, size in zip(shape, value.shape, strict=True))
    dtype = str(value.dtype).removeprefix("torch.")
    if dtype != "float32" or not fits:
        said = ", ".join("any" if size is None else str(size) for size in shape)
        raise ExportError(f"{title} gave {name} {dtype} {list(value.shape)}, expected float32 [{said}]")
    if not value.isfinite().all():
        raise ExportError(f"{title} gave {name} with NaN or infinity on real samples")


def check_probabilities(title: str, scores: Tensor) -> None:
    """Raises ExportError unless each row is 0 or more and sums to 1."""
    sums = scores.sum(dim=1)
    if not (scores.min() >= 0 and torch.allclose(sums, torch.ones_like(sums), atol=1e-3)):
        raise ExportError(
            f"{title} gave scores from {float(scores.min()):.3g} that sum to {float(sums[0]):.3g}, expected "
            "probabilities, which sum to 1; end it with a softmax"
        )


def check_alone(title: str, together: Outputs, alone: Outputs) -> None:
    """The first sample by itself gives what it gives among the others: nothing mixes the samples of a batch."""
    for name, value in together.items():
        if not _near(value[:1], alone[name]):
            raise ExportError(f"{title} gives other {name} for a sample alone than for the same one in a batch")


def _near(one: Tensor, other: Tensor) -> bool:
    return one.shape == other.shape and torch.allclose(
        one, other, rtol=0.0, atol=TOLERANCE * max(1.0, float(one.abs().max()))
    )


def _shapes(outputs: Outputs) -> dict[str, torch.Size]:
    return {name: value.shape for name, value in outputs.items()}
