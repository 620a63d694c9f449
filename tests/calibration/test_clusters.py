"""A set covers what there is: clusters of very unequal size come out balanced, near-duplicates once."""

from __future__ import annotations

import numpy as np

from edgefuse.calibration.clusters import choose_balanced, distinct, fair_shares


def modes(sizes: list[int], spread: float = 0.02, dim: int = 16) -> tuple[np.ndarray, np.ndarray]:
    """Vectors around one axis per mode, and which mode each is of."""
    rng = np.random.default_rng(0)
    mode = np.repeat(np.arange(len(sizes)), sizes)
    return np.eye(dim)[mode] + rng.normal(0, spread, (len(mode), dim)), mode


def test_modes_of_very_unequal_size_come_out_nearly_alike() -> None:
    vectors, mode = modes([1000, 40, 40, 40])
    chosen = choose_balanced(vectors, 120, alike=1.0)
    counts = np.bincount(mode[chosen.rows])
    assert counts.sum() == 120
    assert len(chosen.rows) == len(set(chosen.rows))
    assert counts[1:].min() >= 6
    randomly = np.bincount(mode[np.random.default_rng(1).choice(len(mode), 120, replace=False)], minlength=4)
    assert counts[1:].sum() > 2 * randomly[1:].sum()


def test_every_cluster_gives_as_many_as_every_other_unless_it_is_used_up() -> None:
    assert fair_shares([100, 100, 3], 63) == [30, 30, 3]
    assert fair_shares([5, 5], 100) == [5, 5]
    assert fair_shares([10, 10, 10], 4) in ([2, 1, 1], [1, 2, 1], [1, 1, 2])
    assert fair_shares([], 10) == []


def test_near_duplicates_count_once() -> None:
    vectors, _ = modes([20, 20])
    twice = np.concatenate([vectors, vectors + 1e-5, 3 * vectors])
    assert distinct(twice, alike=0.9999).tolist() == list(range(40))
    chosen = choose_balanced(twice, 100, alike=0.9999)
    assert (len(chosen.rows), chosen.duplicates) == (40, 80)


def test_the_same_samples_give_the_same_choice() -> None:
    vectors, _ = modes([300, 100])
    assert (choose_balanced(vectors, 50).rows == choose_balanced(vectors, 50).rows).all()
