"""Which candidate of a graph is taken, and why the others are not."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from edgefuse.export.precision.candidates import Candidate
from edgefuse.export.precision.quantize import Scheme

FASTER = 1.03
"""How many times as fast as float32 a narrower type has to be, at the low end of what was measured."""


def judge(
    candidates: Sequence[Candidate], wanted: Literal["fp32", "fp16", "int8", "auto"], scheme: Scheme
) -> list[Candidate]:
    """The candidates of one graph, the float32 one first, with the one that is chosen marked and the others refused."""
    if wanted == "auto":
        reasons = [_objection(one, scheme) for one in candidates]
        reasons = _least_error_only(candidates, reasons)
        taken = _fastest(candidates, reasons)
    else:
        reasons = [None if one.precision == wanted else f"{wanted} was asked for" for one in candidates]
        reasons = _least_error_only(candidates, reasons)
        taken = next((index for index, reason in enumerate(reasons) if reason is None), 0)
    return [
        one.model_copy(
            update={
                "chosen": index == taken,
                "refused": None if index == taken else reasons[index] or _beaten(candidates[taken], one),
            }
        )
        for index, one in enumerate(candidates)
    ]


def _objection(one: Candidate, scheme: Scheme) -> str | None:
    """What speaks against a candidate by itself; nothing ever against float32."""
    if one.precision == "fp32":
        return None
    if one.strain > 1:
        return f"error too large: {_broken(one)}"
    if scheme == "tensorrt" and one.precision == "int8":
        return "its time on a GPU cannot be measured here; taken only when asked for"
    if not may_be_faster(one):
        return f"{one.precision} is not faster than fp32 here ({one.speedup:.2f})"
    return None


def may_be_faster(one: Candidate) -> bool:
    """Whether a narrower type was not timed, or is faster than float32 beyond doubt."""
    return one.speedup_range is None or one.speedup_range[0] >= FASTER


def _broken(one: Candidate) -> str:
    row = one.worst
    if row is None:
        return "not measured"
    if row.cosine_bound is not None and row.cosine_p1 is not None and not row.cosine_p1 >= row.cosine_bound:
        return f"{row.output}, cosine p1 {row.cosine_p1:.4f}, bound {row.cosine_bound}"
    return f"{row.output}, off by {row.max_abs_difference:.2g}, bound {row.difference_bound:.2g}"


def _least_error_only(candidates: Sequence[Candidate], reasons: Sequence[str | None]) -> list[str | None]:
    """Of the int8 ones that nothing speaks against only the most exact is left: their operators are the same."""
    left = [index for index, one in enumerate(candidates) if one.precision == "int8" and reasons[index] is None]
    best = min(left, key=lambda index: candidates[index].strain, default=None)
    return [
        f"{candidates[best].name} errs less" if best is not None and index in left and index != best else reason
        for index, reason in enumerate(reasons)
    ]


def _fastest(candidates: Sequence[Candidate], reasons: Sequence[str | None]) -> int:
    """Untimed (TensorRT): the narrowest that is left; float32 counts as 1 and as the widest."""
    left = [index for index, reason in enumerate(reasons) if reason is None]
    return max(left, key=lambda index: (candidates[index].speedup or 1.0, candidates[index].precision != "fp32"))


def _beaten(taken: Candidate, one: Candidate) -> str:
    if taken.speedup is None or one.speedup is None:
        return f"{taken.precision} passes its bounds and is narrower"
    return f"{taken.precision} is faster ({taken.speedup / one.speedup:.2f})"
