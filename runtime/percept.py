"""A percept: one fused result, with what each sense gave to it and where every millisecond went."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

CONTRADICTION_BELOW = 0.1
"""Agreement below this is a contradiction; while half a phrase is in the window it wavers between 0.1 and 0.5.

That was seen with the default bundle. It is a property of the network, and has to come from the bundle.
"""


@dataclass(frozen=True, slots=True)
class Trace:
    """The times behind a percept [ns], all on one clock, for the evidence that called for it.

    sensed -> received (by the perceiver) -> taken (by its encoder) -> encoded -> fused -> published. Evidence of a
    recording that is read as fast as possible counts as sensed when it was received.
    """

    sensed_ns: int
    received_ns: int
    taken_ns: int
    encoded_ns: int
    fused_ns: int
    published_ns: int

    @property
    def latency_ms(self) -> float:
        """From sensed to published: at time t the percept that is out speaks of time t - latency."""
        return (self.published_ns - self.sensed_ns) / 1e6

    @property
    def stages_ms(self) -> dict[str, float]:
        """Where the latency went; the parts add up to it."""
        times = {
            "receive": self.received_ns,
            "wait": self.taken_ns,
            "encode": self.encoded_ns,
            "fuse": self.fused_ns,
            "publish": self.published_ns,
        }
        before = [self.sensed_ns, *times.values()]
        return {stage: (after - start) / 1e6 for (stage, after), start in zip(times.items(), before, strict=False)}


@dataclass(frozen=True, slots=True)
class Sense:
    """One sense's part in a percept.

    `age_ms` is how long before the percept's stamp its evidence was sensed, None if it had sensed nothing by then.
    Where `valid` is False (absent or too old) it had no part: weight 0 and no label of its own. A network that does not
    say how much each sense counted, or what each says by itself, leaves `weight`, or `label` and `confidence`, None.
    """

    valid: bool
    weight: float | None
    age_ms: float | None
    label: str | None
    confidence: float | None


@dataclass(frozen=True, slots=True)
class Percept:
    """What is there, how sure, which sense said so, and how old its evidence was.

    `stamp_ns` is when the evidence that called for this percept was sensed. `scores` are probabilities over the
    prompts. `embedding` is float32 (dim,), L2-normalised, in the space of the prompts, None where the network has none.
    `agreement` in 0..1 is how likely the valid senses speak of the same thing, None where fewer than two are valid or
    the network does not say.

    `frame_id` is the coordinate frame of the picture that took part, empty where none did or nobody says.

    Where confidence is calibrated for the senses that are valid, `confidence` is how often such percepts are right and
    `certain` whether that is enough for the precision that was wanted (False: abstain, also where a sense met what the
    bundle was not made for); else `confidence` is the score of the label and `certain` None. That was measured with the
    bundle's own prompts, so that with any others `certain` is None.

    `far_prompt` is whether the prompt that names `label` is far from all that training knew, so that the percept says
    little; None where the bundle does not say what training knew.
    """

    stamp_ns: int
    label: str
    confidence: float
    scores: dict[str, float]
    embedding: np.ndarray | None
    senses: dict[str, Sense]
    agreement: float | None
    trace: Trace
    certain: bool | None = None
    frame_id: str = ""
    far_prompt: bool | None = None

    @property
    def contradiction(self) -> bool:
        """Whether the senses speak of different things almost surely: seen one, told another."""
        return self.agreement is not None and self.agreement < CONTRADICTION_BELOW

    def as_json(self) -> dict[str, Any]:
        """What a line of JSONL holds."""
        return {
            "stamp_ns": self.stamp_ns,
            "label": self.label,
            "confidence": round(self.confidence, 6),
            "certain": self.certain,
            "far_prompt": self.far_prompt,
            "scores": {label: round(score, 6) for label, score in self.scores.items()},
            "senses": {name: _sense_as_json(sense) for name, sense in self.senses.items()},
            "agreement": _rounded(self.agreement, 6),
            "contradiction": self.contradiction,
            "trace": {
                "latency_ms": round(self.trace.latency_ms, 3),
                "stages_ms": {stage: round(ms, 3) for stage, ms in self.trace.stages_ms.items()},
            },
        }


def _sense_as_json(sense: Sense) -> dict[str, Any]:
    return {
        "weight": _rounded(sense.weight, 6),
        "age_ms": _rounded(sense.age_ms, 3),
        "valid": sense.valid,
        "label": sense.label,
    }


def _rounded(value: float | None, digits: int) -> float | None:
    return None if value is None else round(value, digits)
