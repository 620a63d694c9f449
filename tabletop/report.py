"""The figures of an evaluation, as JSON and as a table on the terminal."""

from dataclasses import asdict, dataclass
from typing import Any

from rich.console import Group
from rich.table import Table
from rich.text import Text

GOALS = {"seen": 0.92, "over_single": 0.06, "unseen": 0.85, "unseen_image": 0.45, "auc": 0.97}
"""Of the fused result of image and audio, middle image noise, speech at 0 dB."""


@dataclass(frozen=True, slots=True)
class Row:
    """One subset of the senses under one condition. Accuracies 0..1; `_late` is plain late fusion of the same
    posteriors; `unseen` is measured among all 37 prompts (chance 0.027); classes: precision, recall, f1, support by
    class (or only the macro and weighted averages)."""

    condition: str
    senses: tuple[str, ...]
    examples: int
    seen: float
    seen_late: float
    unseen_examples: int
    unseen: float
    unseen_late: float
    calibration_error: float
    classes: dict[str, dict[str, float]]


@dataclass(frozen=True, slots=True)
class Contradiction:
    """How well matched and contradicting pairs of image and audio are told apart (area under the ROC curve)."""

    pairs: int
    auc: float
    auc_cosine: float
    matched_agreement: float
    contradicting_agreement: float


@dataclass(frozen=True, slots=True)
class Report:
    """What `evaluate` measured."""

    rows: tuple[Row, ...]
    contradiction: Contradiction

    def row(self, condition: str, *senses: str) -> Row:
        """The row of a condition ("low", "middle", "high", "shown, nothing said", "lamp off, named") and senses."""
        return next(one for one in self.rows if one.condition == condition and one.senses == senses)

    def goals(self) -> dict[str, tuple[float, float]]:
        """Each goal's name: (what was reached, what was wanted at least)."""
        both, image, audio = (self.row("middle", *s) for s in (("image", "audio"), ("image",), ("audio",)))
        return {
            "seen pairs, fused": (both.seen, GOALS["seen"]),
            "seen pairs, fused minus late fusion": (both.seen - both.seen_late, 0.0),
            "seen pairs, fused minus better sense": (both.seen - max(image.seen, audio.seen), GOALS["over_single"]),
            "unseen pairs, fused": (both.unseen, GOALS["unseen"]),
            "unseen pairs, image": (image.unseen, GOALS["unseen_image"]),
            "contradiction, AUC": (self.contradiction.auc, GOALS["auc"]),
        }

    def figures(self) -> dict[str, float]:
        """The goals' figures and the accuracy on seen pairs of every row, flat: what a checkpoint carries."""
        accuracies = {f"{one.condition}: {' + '.join(one.senses)}": round(one.seen, 4) for one in self.rows}
        return {**{name: round(got, 4) for name, (got, _) in self.goals().items()}, **accuracies}

    def as_json(self) -> dict[str, Any]:
        """Plain lists, dicts and numbers, rounded to four digits."""
        rows = [{name: round_figures(value) for name, value in asdict(one).items()} for one in self.rows]
        contradiction = {name: round_figures(value) for name, value in asdict(self.contradiction).items()}
        goals = {
            name: {"reached": round_figures(got), "wanted": wanted} for name, (got, wanted) in self.goals().items()
        }
        return {"rows": rows, "contradiction": contradiction, "goals": goals}

    def table(self) -> Group:
        """For `rich.console.Console.print`."""
        names = ("noise", "senses", "seen pairs", "late fusion", "unseen pairs", "late fusion", "F1 macro", "ECE")
        figures = Table(*names, title="Accuracy in %, test split")
        for one in self.rows:
            shares = (one.seen, one.seen_late, one.unseen, one.unseen_late, one.classes["macro avg"]["f1"])
            percent = [f"{100 * share:.1f}" for share in shares]
            figures.add_row(one.condition, " + ".join(one.senses), *percent, f"{one.calibration_error:.3f}")
        goals = Table("goal (middle noise, 0 dB)", "reached", "wanted", "")
        for name, (got, wanted) in self.goals().items():
            goals.add_row(
                name, f"{got:.3f}", f"{wanted:.2f}", Text("yes", "green") if got >= wanted else Text("no", "red")
            )
        return Group(figures, goals)


def round_figures(value: object) -> object:
    return round(value, 4) if isinstance(value, float) else list(value) if isinstance(value, tuple) else value
