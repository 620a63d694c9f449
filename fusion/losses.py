"""What the network is trained to minimise."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from edgefuse.fusion.transformer import MASKED

NO_LABEL = -1


def cross_entropy(logits: Tensor, labels: Tensor, allowed: Tensor | None = None) -> Tensor:
    """Mean cross-entropy over the rows whose label is not -1 (0 where there is none).

    logits (n, classes), labels int64 (n,), allowed bool (classes,) or (n, classes): what is not allowed is left out of
    the softmax's denominator, so that nothing pushes it down.
    """
    logits = logits.float()
    if allowed is not None:
        logits = torch.where(allowed, logits, torch.full_like(logits, MASKED))
    total = functional.cross_entropy(logits, labels, ignore_index=NO_LABEL, reduction="sum")
    return total / (labels != NO_LABEL).sum().clamp(min=1)


def attribute_loss(logits: Sequence[Tensor], labels: Tensor, combinations: Tensor) -> Tensor:
    """The attributes that a class is composed of, each apart: logits (n, values) of each, labels int64 (n, attributes)
    or -1 where unknown.

    combinations: bool (values + 1, ...), an axis per attribute: whether training shows these values together; the last
    index of an axis is "unknown", and true. A value that is held out with an example's other attributes is left out of
    the softmax: the network never learns that such a combination is impossible.
    """
    losses = []
    for attribute, one in enumerate(logits):
        others = torch.cat([labels[:, :attribute], labels[:, attribute + 1 :]], dim=1).unbind(dim=1)
        shown = combinations.movedim(attribute, -1)[others][..., : one.shape[1]]
        losses.append(cross_entropy(one, labels[:, attribute], shown))
    first, *more = losses
    return sum(more, first)


def info_nce(left: Tensor, right: Tensor, left_labels: Tensor, right_labels: Tensor, scale: float = 12.0) -> Tensor:
    """InfoNCE between two senses' embeddings (n, dim), symmetric; rows with label -1 take no part.

    With one positive per row, L = -mean_i log( exp(s <x_i, y_i>) / sum_j exp(s <x_i, y_j>) ), and the mutual
    information of the senses is bounded from below by it: I(X; Y) >= log N - L, N rows (van den Oord, Li, Vinyals 2018,
    arXiv 1807.03748, eq. 5; Poole et al. 2019, arXiv 1905.06922). Here all rows of the same label are positives and
    their logarithms are averaged (Khosla et al. 2020, arXiv 2004.11362, eq. 2).
    """
    rows, columns = left_labels != NO_LABEL, right_labels != NO_LABEL
    positive = (left_labels[:, None] == right_labels[None, :]) & rows[:, None] & columns[None, :]
    logits = scale * left.float() @ right.float().T
    return 0.5 * (one_way(logits, positive, columns) + one_way(logits.T, positive.T, rows))


def one_way(logits: Tensor, positive: Tensor, candidates: Tensor) -> Tensor:
    """Mean over the rows that have a positive of -mean_positives log softmax over the candidates."""
    logs = torch.where(candidates, logits, torch.full_like(logits, MASKED)).log_softmax(dim=1)
    count = positive.sum(dim=1)
    per_row = -(logs * positive).sum(dim=1) / count.clamp(min=1)
    return per_row.sum() / (count > 0).sum().clamp(min=1)


def triplet(anchor: Tensor, other: Tensor, anchor_labels: Tensor, other_labels: Tensor, margin: float = 0.25) -> Tensor:
    """max(0, margin - cos(anchor_i, other_i) + max_j cos(anchor_i, other_j)), j the hardest of another label (Schroff
    et al. 2015, arXiv 1503.03832), over the rows whose two senses carry one label; embeddings (n, dim) of length 1."""
    cosine = anchor.float() @ other.float().T
    known = other_labels != NO_LABEL
    negative = (anchor_labels[:, None] != other_labels[None, :]) & known[None, :]
    hardest = torch.where(negative, cosine, torch.full_like(cosine, -1.0)).amax(dim=1)
    matched = (anchor_labels == other_labels) & known
    excess = functional.relu(margin - cosine.diagonal() + hardest)
    return (excess * matched).sum() / matched.sum().clamp(min=1)


def place_loss(looked_at: Tensor, places: Tensor) -> Tensor:
    """Cross-entropy between where the image attention looks (n, queries, cells) and where the object is (n, cells),
    each of sum 1; rows without an object (sum 0) take no part."""
    visible = places.sum(dim=1) > 0.5
    per_row = -(places * torch.log(looked_at.float().mean(dim=1) + 1e-6)).sum(dim=1)
    return (per_row * visible).sum() / visible.sum().clamp(min=1)


def agreement_loss(logit: Tensor, agree: Tensor) -> Tensor:
    """Binary cross-entropy; agree float (n,): 1 matched, 0 contradicting, -1 takes no part."""
    known = agree >= 0
    per_row = functional.binary_cross_entropy_with_logits(logit.float(), agree.clamp(min=0), reduction="none")
    return (per_row * known).sum() / known.sum().clamp(min=1)
