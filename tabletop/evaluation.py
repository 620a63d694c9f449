"""How well something perceives the tabletop task: every subset of senses, three noise levels, late fusion beside it.

The same code measures the network in PyTorch and a bundle in any precision: it takes a `Predictor`.
"""

from itertools import combinations

import numpy as np
from sklearn.metrics import classification_report, roc_auc_score
from tokenizers import Tokenizer

from edgefuse.fusion.prediction import EncodedRows, Encoding, Predictor
from edgefuse.fusion.progress import Progress, unseen
from edgefuse.fusion.tokenizer import token_ids
from edgefuse.tabletop.report import Contradiction, Report, Row
from edgefuse.tabletop.samples import NOTHING_LABEL, SNR_DB, Examples, Situation, examples, test_set
from edgefuse.tabletop.vocabulary import HELD_OUT_LABELS, LABELS, SEEN_LABELS

MODALITIES = ("image", "audio", "text")
SUBSETS = tuple(subset for size in (1, 2, 3) for subset in combinations(MODALITIES, size))
SITUATIONS: dict[Situation, str] = {"shown": "shown, nothing said", "named": "lamp off, named"}


def evaluate(
    predictor: Predictor,
    per_class: int = 60,
    progress: Progress = unseen,
    tokenizer: Tokenizer | None = None,
) -> Report:
    """The whole table on the test split, `per_class` examples of each of the 37 classes per noise level; texts are read
    with `tokenizer`, the network's, or with the built-in one.

    Raises `SynthesisError` without espeak-ng (unless the examples are cached).
    """
    prompts = predictor.prompts()
    rows: list[Row] = []
    total = len(SNR_DB) + len(SITUATIONS) + 1
    for level in SNR_DB:
        progress(f"evaluating, {level} noise", len(rows) // len(SUBSETS), total)
        some = test_set(level, per_class)
        encoded = encode(predictor, some, tokenizer)
        rows += [row(predictor, some, encoded, prompts, level, subset, level == "middle") for subset in SUBSETS]
        if level == "middle":
            contradiction = contradictions(predictor, some, encoded, prompts)
    for done, (situation, name) in enumerate(SITUATIONS.items()):
        progress(f"evaluating, {name}", len(SNR_DB) + done, total)
        count = max(1, per_class // 2) * NOTHING_LABEL
        some = examples("test", count, 12, "middle", SNR_DB["middle"], situation, range(NOTHING_LABEL))
        encoded = encode(predictor, some, tokenizer)
        rows.append(row(predictor, some, encoded, prompts, name, ("image", "audio"), False))
    progress("evaluating", total, total)
    return Report(tuple(rows), contradiction)


def encode(predictor: Predictor, some: Examples, tokenizer: Tokenizer | None) -> dict[str, Encoding]:
    text_ids = some.text_ids if tokenizer is None else token_ids(tokenizer, some.texts)
    return {
        "image": predictor.encode("image", some.images),
        "audio": predictor.encode("audio", some.audio),
        "text": predictor.encode("text", text_ids),
    }


def row(
    predictor: Predictor, some: Examples, encoded: dict[str, Encoding], prompts: np.ndarray, condition: str,
    subset: tuple[str, ...], per_class: bool,
) -> Row:  # fmt: skip
    """One subset of the senses under one condition."""
    out = predictor.fuse(encoded, subset, prompts)
    guess = out["scores"].argmax(axis=1)
    late = late_scores(out["sense_scores"], subset).argmax(axis=1)
    seen, unseen = np.isin(some.labels, SEEN_LABELS), np.isin(some.labels, HELD_OUT_LABELS)
    report = classification_report(
        some.labels[seen], guess[seen], labels=list(SEEN_LABELS), target_names=[LABELS[i] for i in SEEN_LABELS],
        output_dict=True, zero_division=0.0,
    )  # fmt: skip
    kept = report if per_class else {name: report[name] for name in ("macro avg", "weighted avg")}
    return Row(
        condition=condition,
        senses=subset,
        examples=int(seen.sum()),
        seen=accuracy(guess, some.labels, seen),
        seen_late=accuracy(late, some.labels, seen),
        unseen_examples=int(unseen.sum()),
        unseen=accuracy(guess, some.labels, unseen),
        unseen_late=accuracy(late, some.labels, unseen),
        calibration_error=calibration_error(out["scores"][seen], some.labels[seen]),
        classes={name: tidy(figures) for name, figures in kept.items() if isinstance(figures, dict)},
    )


def accuracy(guess: np.ndarray, labels: np.ndarray, rows: np.ndarray) -> float:
    """Share of `rows` that are right, 0..1."""
    return float((guess[rows] == labels[rows]).mean()) if rows.any() else float("nan")


def tidy(figures: dict[str, float]) -> dict[str, float]:
    return {"f1" if name == "f1-score" else name: round(float(value), 4) for name, value in figures.items()}


def late_scores(sense_scores: np.ndarray, subset: tuple[str, ...]) -> np.ndarray:
    """The product of the present senses' posteriors, not normalised, as logarithms: (n, classes)."""
    present = [MODALITIES.index(sense) for sense in subset]
    return np.asarray(np.log(np.clip(sense_scores[:, present], 1e-12, None)).sum(axis=1))


def calibration_error(scores: np.ndarray, labels: np.ndarray, bins: int = 15) -> float:
    """Expected calibration error (Guo et al. 2017, arXiv 1706.04599, eq. 3): the mean distance between confidence and
    accuracy over equal bins of confidence, weighted by their size."""
    confidence, right = scores.max(axis=1), scores.argmax(axis=1) == labels
    which = np.minimum((confidence * bins).astype(int), bins - 1)
    gaps = [abs(right[which == b].mean() - confidence[which == b].mean()) * (which == b).mean() for b in set(which)]
    return float(sum(gaps))


def contradictions(
    predictor: Predictor, some: Examples, encoded: dict[str, Encoding], prompts: np.ndarray
) -> Contradiction:
    """Seen one thing, told another: each object is paired with the phrase of another class, and told apart from the
    matched examples by `agreement`; beside it, by the plain cosine of the two embeddings."""
    objects = np.flatnonzero(some.labels != NOTHING_LABEL)
    image, audio = pick(encoded["image"], objects), pick(encoded["audio"], objects)
    shuffled = np.random.default_rng(3).permutation(len(objects))
    different = some.labels[objects] != some.labels[objects][shuffled]
    text = pick(encoded["text"], objects)
    scores, cosines = [], []
    for heard in (audio, pick(audio, shuffled)):
        out = predictor.fuse({"image": image, "audio": heard, "text": text}, ("image", "audio"), prompts)
        scores.append(out["agreement"])
        cosines.append((image.embedding * heard.embedding).sum(axis=1))
    truth = np.concatenate([np.ones(len(objects)), np.zeros(different.sum())])
    return Contradiction(
        pairs=int(different.sum()),
        auc=float(roc_auc_score(truth, np.concatenate([scores[0], scores[1][different]]))),
        auc_cosine=float(roc_auc_score(truth, np.concatenate([cosines[0], cosines[1][different]]))),
        matched_agreement=float(np.mean(scores[0])),
        contradicting_agreement=float(np.mean(scores[1][different])),
    )


def pick(encoding: Encoding, rows: np.ndarray) -> EncodedRows:
    return EncodedRows(encoding.tokens[rows], encoding.embedding[rows])
