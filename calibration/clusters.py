"""Samples chosen so that they cover what there is: near-duplicates dropped, every cluster of them equally often."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

ALIKE = 0.999
"""Cosine similarity from which on two samples count as one."""

_FEWEST_PER_CLUSTER = 8
_MOST_CLUSTERS = 32


@dataclass(frozen=True, slots=True, eq=False)
class ClusterChoice:
    """rows: which samples, int64, rising; clusters: how many of each cluster; duplicates: how many were dropped."""

    rows: np.ndarray
    clusters: tuple[int, ...]
    duplicates: int


def choose_balanced(vectors: np.ndarray, count: int, seed: int = 0, alike: float = ALIKE) -> ClusterChoice:
    """`count` of vectors (samples, dim), fewer if there are no more that differ.

    Each cluster gives as many as every other, but a small one all it has. Needs scikit-learn.
    """
    kept = distinct(vectors, alike)
    clusters = cluster(vectors[kept], seed)
    rng = np.random.default_rng(seed)
    members = [rng.permutation(kept[clusters == one]) for one in range(clusters.max(initial=-1) + 1)]
    shares = fair_shares([len(rows) for rows in members], count)
    chosen = [rows[:share] for rows, share in zip(members, shares, strict=True)]
    rows = np.sort(np.concatenate(chosen)) if chosen else kept
    return ClusterChoice(rows, tuple(share for share in shares if share), len(vectors) - len(kept))


def distinct(vectors: np.ndarray, alike: float = ALIKE) -> np.ndarray:
    """The rows of vectors (samples, dim) that are not nearly an earlier one: int64."""
    units = unit(vectors)
    kept: list[int] = []
    for row, one in enumerate(units):
        if not kept or (units[kept] @ one).max() < alike:
            kept.append(row)
    return np.array(kept, np.int64)


def cluster(vectors: np.ndarray, seed: int = 0) -> np.ndarray:
    """The number of each sample's cluster, int64 (samples,)."""
    count = max(1, min(_MOST_CLUSTERS, len(vectors) // _FEWEST_PER_CLUSTER))
    centres = centres_of(unit(vectors), count, seed) if len(vectors) else np.zeros((1, vectors.shape[1]), np.float32)
    return np.asarray(((unit(vectors)[:, None] - centres) ** 2).sum(axis=2).argmin(axis=1), np.int64)


def centres_of(vectors: np.ndarray, count: int, seed: int = 0) -> np.ndarray:
    """Of `count` clusters of vectors (samples, dim), float32 (count, dim), by k-means."""
    from sklearn.cluster import MiniBatchKMeans

    fitted = MiniBatchKMeans(max(1, count), random_state=seed, n_init=3, batch_size=1024).fit(vectors)
    return np.asarray(fitted.cluster_centers_, np.float32)


def fair_shares(sizes: list[int], count: int) -> list[int]:
    """How many to take of each of clusters of these sizes so that none has more than another, unless it is used up."""
    shares = [0] * len(sizes)
    left = min(count, sum(sizes))
    while left:
        open_ones = [index for index, size in enumerate(sizes) if shares[index] < size]
        each = max(1, left // len(open_ones))
        for index in open_ones:
            more = min(each, sizes[index] - shares[index], left)
            shares[index] += more
            left -= more
    return shares


def unit(vectors: np.ndarray) -> np.ndarray:
    """Each of length 1."""
    return np.asarray(vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12))
