"""Losses against their formulas."""

import math

import torch

from edgefuse.fusion.losses import agreement_loss, attribute_loss, cross_entropy, info_nce, place_loss, triplet


def test_info_nce_is_its_formula():
    torch.manual_seed(0)
    left, right = (torch.nn.functional.normalize(torch.randn(6, 8), dim=1) for _ in range(2))
    labels = torch.arange(6)
    logits = 12.0 * left @ right.T
    forward = -sum(logits[i, i] - logits[i].exp().sum().log() for i in range(6)) / 6
    backward = -sum(logits[i, i] - logits[:, i].exp().sum().log() for i in range(6)) / 6
    torch.testing.assert_close(info_nce(left, right, labels, labels), (forward + backward) / 2)


def test_info_nce_of_unrelated_senses_is_log_n():
    same = torch.ones(32, 4) / 2
    labels = torch.arange(32)
    assert math.isclose(info_nce(same, same, labels, labels).item(), math.log(32), rel_tol=1e-5)


def test_info_nce_takes_every_matching_pair_and_no_unlabelled_row():
    eye = torch.eye(3)
    repeated, labels = eye[[0, 0, 1]], torch.tensor([0, 0, 1])
    assert info_nce(repeated, repeated, labels, labels, scale=50.0).item() < 0.75
    masked = torch.tensor([0, 1, -1])
    two = info_nce(eye[:2], eye[:2], torch.tensor([0, 1]), torch.tensor([0, 1]))
    torch.testing.assert_close(info_nce(eye, eye, masked, masked), two)


def test_triplet_is_margin_plus_hardest_minus_own():
    anchor = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    other = torch.tensor([[0.8, 0.6], [0.6, 0.8]])
    labels = torch.tensor([0, 1])
    torch.testing.assert_close(triplet(anchor, other, labels, labels), torch.tensor(0.25 - 0.8 + 0.6))


def test_a_held_out_class_is_never_pushed_down():
    logits = torch.zeros(2, 4, requires_grad=True)
    cross_entropy(logits, torch.tensor([0, 2]), torch.tensor([True, True, True, False])).backward()
    assert (logits.grad[:, 3] == 0).all()
    assert (logits.grad[:, 1] > 0).all()


def combinations(*sizes: int, held_out: list[tuple[int, ...]]) -> torch.Tensor:
    """Of attributes with so many values; the last index of each axis is "unknown"."""
    shown = torch.ones([size + 1 for size in sizes], dtype=torch.bool)
    for combination in held_out:
        shown[combination] = False
    return shown


def test_attributes_never_push_down_a_held_out_combination():
    logits = [torch.zeros(1, 6, requires_grad=True), torch.zeros(1, 6, requires_grad=True)]
    attribute_loss(logits, torch.tensor([[2, 4]]), combinations(6, 6, held_out=[(2, 5), (1, 0)])).backward()
    assert logits[1].grad[0, 5] == 0
    assert (logits[1].grad[0] != 0).sum() == 5
    assert (logits[0].grad[0] != 0).all()


def test_of_three_attributes_a_value_is_left_out_that_is_held_out_with_both_others():
    logits = [torch.zeros(2, size, requires_grad=True) for size in (2, 3, 4)]
    labels = torch.tensor([[1, 2, 0], [1, -1, 0]])
    attribute_loss(logits, labels, combinations(2, 3, 4, held_out=[(1, 2, 3)])).backward()
    assert logits[2].grad[0, 3] == 0
    assert logits[2].grad[1, 3] > 0, "with an attribute unknown nothing is held out"


def test_an_unknown_attribute_costs_nothing():
    logits = [torch.randn(2, 3), torch.randn(2, 3)]
    loss = attribute_loss(logits, torch.tensor([[0, -1], [1, -1]]), combinations(3, 3, held_out=[]))
    torch.testing.assert_close(loss, cross_entropy(logits[0], torch.tensor([0, 1])))


def test_without_labels_every_loss_is_zero_and_no_nan():
    none, logits = torch.full((3,), -1), torch.randn(3, 6)
    assert cross_entropy(logits, none) == 0
    assert info_nce(logits, logits, none, none) == 0
    assert triplet(logits, logits, none, none) == 0
    assert place_loss(torch.full((3, 2, 48), 1 / 48), torch.zeros(3, 48)) == 0
    assert agreement_loss(torch.randn(3), torch.full((3,), -1.0)) == 0


def test_looking_at_the_object_costs_less_than_looking_away():
    places = torch.zeros(1, 48)
    places[0, 5] = 1
    at, away = torch.full((2, 1, 2, 48), 1e-3)
    at[0, :, 5] = away[0, :, 9] = 1 - 47e-3
    assert place_loss(at, places) < 0.1 < place_loss(away, places)
