"""The modules that are traced: a spec's own ones, with tensors in and tensors out in the manifest's order."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence

from torch import Tensor, nn

from edgefuse.export.tracing.outputs import encoder_outputs, fusion_outputs

EXTRAS = ("present", "prompts")
"""What a fusion may take beside the senses."""


class EncoderGraph(nn.Module):
    """One sense's encoder: `(batch, ...) -> tokens (batch, n, d), embedding (batch, d)`."""

    def __init__(self, encoder: nn.Module) -> None:
        super().__init__()
        self.encoder = encoder

    def forward(self, sample: Tensor) -> tuple[Tensor, Tensor]:
        return encoder_outputs(self.encoder(sample))


class FusionGraph(nn.Module):
    """The fusion of encoded senses.

    Takes tokens (batch, n, d) and embedding (batch, d) of each of `senses` in turn, then the `extras` that the fusion
    has: present bool (batch, senses), prompts (classes, dim). Gives the outputs that the fusion has.
    """

    tensors_per_sense = 2

    def __init__(self, fusion: nn.Module, senses: int) -> None:
        super().__init__()
        self.fusion = fusion
        self.senses = senses
        parameters = inspect.signature(fusion.forward).parameters
        self.extras = tuple(name for name in EXTRAS if name in parameters)

    def forward(self, *tensors: Tensor) -> tuple[Tensor, ...]:
        return tuple(self.named(*tensors).values())

    def named(self, *tensors: Tensor) -> dict[str, Tensor]:
        """As `forward`, by name."""
        count = self.senses * self.tensors_per_sense
        extras = dict(zip(self.extras, tensors[count:], strict=True))
        return fusion_outputs(self.fuse_sensed(tensors[:count], extras))

    def fuse_sensed(self, sensed: Sequence[Tensor], extras: Mapping[str, Tensor]) -> object:
        """What the spec's own module gives."""
        return self.fusion(list(sensed[::2]), list(sensed[1::2]), **extras)


class WholeGraph(FusionGraph):
    """A network that is not split: takes one batch of samples per sense, then its extras."""

    tensors_per_sense = 1

    def fuse_sensed(self, sensed: Sequence[Tensor], extras: Mapping[str, Tensor]) -> object:
        """What the spec's own module gives."""
        return self.fusion(*sensed, **extras)
