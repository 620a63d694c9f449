"""What speaks against a candidate, and which of the others is taken."""

from __future__ import annotations

import numpy as np

from edgefuse.calibration.ranges import Method
from edgefuse.export.parity import graph_check
from edgefuse.export.precision.candidates import Candidate
from edgefuse.export.precision.verdict import judge
from edgefuse.runtime.bundle.verification import Precision


def candidate(
    precision: Precision, speedup: float | None = 1.0, error: float = 0.0, method: Method | None = None
) -> Candidate:
    """Whose embeddings (all of 100) are turned by `error` away from the float32 graph's."""
    exact = np.tile(np.array([1, 0], np.float32), (100, 1))
    turned = np.tile(np.array([1, error], np.float32), (100, 1))
    return Candidate(
        graph="image",
        precision=precision,
        method=method,
        size_bytes=1000,
        outputs=() if precision == "fp32" else (graph_check("image", "embedding", precision, exact, turned),),
        latency_ms=None if speedup is None else 10 / speedup,
        speedup=speedup,
        speedup_range=None if speedup is None else (speedup - 0.02, speedup + 0.02),
    )


def verdicts(*candidates: Candidate, scheme: str = "onnxruntime") -> dict[str, str | None]:
    found = judge(candidates, "auto", "tensorrt" if scheme == "tensorrt" else "onnxruntime")
    assert sum(one.chosen for one in found) == 1
    assert all(one.chosen == (one.refused is None) for one in found)
    return {one.name: one.refused for one in found}


def test_the_fastest_that_is_exact_enough_is_taken() -> None:
    assert verdicts(candidate("fp32"), candidate("int8", 1.5, 0.05), candidate("fp16", 1.2)) == {
        "fp32": "int8 is faster (1.50)",
        "int8": None,
        "fp16": "int8 is faster (1.25)",
    }
    assert verdicts(candidate("fp32"), candidate("int8", 1.2), candidate("fp16", 1.5))["fp16"] is None


def test_an_error_beyond_its_bound_is_refused_however_fast() -> None:
    found = verdicts(candidate("fp32"), candidate("int8", 3.0, 0.5), candidate("fp16", 1.1, 0.001))
    assert found["int8"] == "error too large: embedding, cosine p1 0.8944, bound 0.99"
    assert found["fp16"] is None
    assert "error too large" in str(verdicts(candidate("fp32"), candidate("int8", 3.0, float("nan")))["int8"])


def test_a_narrower_type_has_to_be_faster_beyond_doubt() -> None:
    found = verdicts(candidate("fp32"), candidate("int8", 0.97), candidate("fp16", 1.04))
    assert found == {
        "fp32": None,
        "int8": "int8 is not faster than fp32 here (0.97)",
        "fp16": "fp16 is not faster than fp32 here (1.04)",
    }


def test_of_the_calibration_methods_the_most_exact_is_taken() -> None:
    found = verdicts(
        candidate("fp32"),
        candidate("int8", 1.50, 0.02, "minmax"),
        candidate("int8", 1.52, 0.01, "entropy"),
        candidate("int8", 1.51, 0.50, "percentile"),
    )
    assert found["int8 entropy"] is None
    assert found["int8 minmax"] == "int8 entropy errs less"


def test_for_tensorrt_nothing_is_timed_and_fp16_is_taken_where_it_is_exact() -> None:
    def untimed(error: float) -> dict[str, str | None]:
        candidates = candidate("fp32", None), candidate("int8", None, 0.01), candidate("fp16", None, error)
        return verdicts(*candidates, scheme="tensorrt")

    assert untimed(0.001)["fp16"] is None
    assert untimed(0.5)["fp32"] is None
    assert untimed(0.5)["int8"] == "its time on a GPU cannot be measured here; taken only when asked for"


def test_what_is_asked_for_is_taken_whatever_its_error() -> None:
    found = judge([candidate("fp32"), candidate("int8", 0.5, 0.5, "minmax")], "int8", "onnxruntime")
    assert [one.chosen for one in found] == [False, True]
