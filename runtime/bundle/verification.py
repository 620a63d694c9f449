"""What verify measured of a bundle: each graph, the alignment of each sense with the prompts, the task's accuracy."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, FailFast, Field

from edgefuse.runtime.bundle.fields import MOST_ROWS, MOST_SENSES, Count, Name

Precision = Literal["fp32", "fp16", "int8"]

_LARGEST: Final = 1e30


class Strict(BaseModel):
    """What is read from a file of the bundle: nothing unknown in it, nothing changed afterwards."""

    model_config = ConfigDict(extra="forbid", frozen=True, ser_json_inf_nan="strings")


class GraphCheck(Strict):
    """One row of `edgefuse verify`: an output of a graph, or of the whole chain ("end to end"), against PyTorch.

    Cosines are taken per sample over the flattened output; None for an output of one number per sample. A bound of None
    is not enforced.
    """

    graph: Name
    output: Name
    precision: Precision
    samples: Count
    cosine_p1: float | None = Field(description="1st percentile of the samples' cosine similarities")
    cosine_min: float | None
    max_abs_difference: float
    cosine_bound: float | None = Field(description="smallest cosine_p1 that is accepted")
    difference_bound: float | None = Field(description="largest max_abs_difference that is accepted")

    @property
    def failure(self) -> str | None:
        """What is wrong with the row, in one line; None when it is within its bounds."""
        name = f"{self.graph}, {self.output} ({self.precision})"
        if self.cosine_bound is not None and not (self.cosine_p1 or 0.0) >= self.cosine_bound:
            return f"{name}: cosine similarity at the 1st percentile is {self.cosine_p1:.5f}, below {self.cosine_bound}"
        if self.difference_bound is not None and not self.max_abs_difference <= self.difference_bound:
            return f"{name}: largest difference is {self.max_abs_difference:.2g}, above {self.difference_bound}"
        return None


class AlignmentCheck(Strict):
    """One row of `edgefuse verify`: whether a sense ("fusion" for the fused embedding) still ranks the prompts alike.

    rank_agreement is the mean over samples of Spearman's rank correlation, between PyTorch and the bundle, of the
    cosines of the sample's embedding with every prompt (Spearman 1904).
    """

    sense: Name
    samples: Count
    prompts: Count
    rank_agreement: float
    bound: float = Field(description="smallest that is accepted")

    @property
    def failure(self) -> str | None:
        """What is wrong with the row, in one line; None when it is within its bound."""
        if self.rank_agreement >= self.bound:
            return None
        return f"{self.sense}: prompts are ranked with an agreement of {self.rank_agreement:.4f}, below {self.bound}"


class AccuracyCheck(Strict):
    """One row of `edgefuse verify`: task accuracy of a subset of senses, PyTorch beside the bundle [0..1]."""

    senses: Annotated[tuple[Name, ...], FailFast()] = Field(max_length=MOST_SENSES)
    samples: Count
    checkpoint: float
    bundle: float
    loss_bound: float = Field(description="largest loss against the checkpoint that is accepted")

    @property
    def failure(self) -> str | None:
        """What is wrong with the row, in one line; None when it is within its bound."""
        loss = self.checkpoint - self.bundle
        if loss <= self.loss_bound + 1e-9:
            return None
        return (
            f"accuracy with {' + '.join(self.senses)}: {self.bundle:.1%} against {self.checkpoint:.1%} in PyTorch, "
            f"a loss of more than {self.loss_bound:.1%}"
        )


class Verification(Strict):
    """What verify measured when the bundle was made."""

    graphs: Annotated[tuple[GraphCheck, ...], FailFast()] = Field(max_length=MOST_ROWS)
    accuracy: Annotated[tuple[AccuracyCheck, ...], FailFast()] = Field(
        max_length=MOST_ROWS, description="none where the samples have no labels"
    )
    alignment: Annotated[tuple[AlignmentCheck, ...], FailFast()] = Field(
        (), max_length=MOST_ROWS, description="none where no prompts are used"
    )

    @property
    def failures(self) -> tuple[str, ...]:
        """One line for each row that breaks its bound."""
        return tuple(row.failure for row in self._rows if row.failure is not None)

    @property
    def senseless(self) -> str | None:
        """The first figure that cannot be, in words; None where all can. Of a graph that failed, some may be NaN."""
        for row in self._rows:
            for field, figure in row:
                if isinstance(figure, float) and not abs(figure) <= _LARGEST:
                    return f"{field} is {figure}"
        return None

    @property
    def _rows(self) -> tuple[GraphCheck | AccuracyCheck | AlignmentCheck, ...]:
        return (*self.graphs, *self.alignment, *self.accuracy)
