"""The ways in which a graph could be held, each with what was measured of it and why it was taken or not."""

from __future__ import annotations

import math

from pydantic import Field

from edgefuse.calibration.ranges import Method
from edgefuse.runtime.bundle.verification import GraphCheck, Precision, Strict


class Candidate(Strict):
    """One graph in one type, against the same graph in float32, on held-out samples."""

    graph: str
    precision: Precision
    method: Method | None = Field(None, description="how int8's ranges were chosen")
    wider: tuple[str, ...] = Field(
        (), description="the first nodes of layers left in float32, being to blame for the error"
    )
    size_bytes: int | None = Field(None, description="of the ONNX file; None: it could not be made")
    outputs: tuple[GraphCheck, ...] = Field((), description="the error of each output, with its bound")
    latency_ms: float | None = Field(None, description="median of one sample on this machine; None: not timed")
    speedup: float | None = Field(None, description="float32's latency over this one's, side by side; the median")
    speedup_range: tuple[float, float] | None = Field(None, description="in which the speedup lies, 95 %")
    chosen: bool = False
    refused: str | None = Field(None, description="why it was not taken")

    @property
    def cosine_p1(self) -> float | None:
        """Of the output with the largest error; None where no output has a cosine."""
        return min((row.cosine_p1 for row in self.outputs if row.cosine_p1 is not None), default=None)

    @property
    def cosine_min(self) -> float | None:
        """Likewise."""
        return min((row.cosine_min for row in self.outputs if row.cosine_min is not None), default=None)

    @property
    def max_abs_difference(self) -> float | None:
        """Likewise."""
        return max((row.max_abs_difference for row in self.outputs), default=None)

    @property
    def strain(self) -> float:
        """The largest error as a share of what its bound allows: above 1 it is broken; infinite if not measured."""
        return max((strain_of(row) for row in self.outputs), default=0.0 if self.precision == "fp32" else math.inf)

    @property
    def worst(self) -> GraphCheck | None:
        """The output with the largest error."""
        return max(self.outputs, key=strain_of, default=None)

    @property
    def name(self) -> str:
        """How tables call it: "int8 entropy, 2 layers wider"."""
        layers = f", {len(self.wider)} layer{'s' * (len(self.wider) > 1)} wider" if self.wider else ""
        return self.precision + (f" {self.method}" if self.method else "") + layers


class Blame(Strict):
    """A layer and the error that it adds in int8."""

    graph: str
    layer: str = Field(description="the node's name and the PyTorch module that it came from")
    noise: float = Field(description="power of the error it adds, as a share of its output's power")


def strain_of(row: GraphCheck) -> float:
    """The error of an output as a share of what its bounds allow; 0 if it has none."""
    shares = [0.0]
    if row.cosine_bound is not None and row.cosine_p1 is not None:
        shares.append((1 - row.cosine_p1) / (1 - row.cosine_bound))
    if row.difference_bound is not None:
        shares.append(row.max_abs_difference / row.difference_bound)
    return max(math.inf if math.isnan(share) else share for share in shares)
