"""What the fusion promises: it starts as late fusion, and an absent sense has no say."""

from itertools import combinations, product

import pytest
import torch

from edgefuse.fusion.attention import MEANINGS, AttentionFusion, late_fusion
from edgefuse.fusion.config import NetworkConfig

SUBSETS = [subset for subset in product((False, True), repeat=3) if any(subset)]


def present_of(subset, rows=5):
    return torch.tensor([subset]).expand(rows, -1)


@pytest.fixture(scope="module")
def steered():
    """A fusion whose neutral starting values have been left, as training does."""
    torch.manual_seed(5)
    fusion = AttentionFusion(NetworkConfig()).eval()
    for parameter in fusion.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    return fusion


@pytest.mark.parametrize("subset", SUBSETS)
def test_an_untrained_fusion_is_late_fusion(network, encoded, subset):
    present = present_of(subset)
    with torch.inference_mode():
        out = network.fusion(*encoded[:2], present, encoded[2])
    torch.testing.assert_close(out.scores, late_fusion(out.sense_scores, present), atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("subset", SUBSETS)
def test_every_subset_gives_finite_well_formed_results(steered, encoded, subset):
    with torch.inference_mode():
        out = steered(*encoded[:2], present_of(subset), encoded[2])
    assert all(value.isfinite().all() for value in out)
    ones = torch.ones(5)
    torch.testing.assert_close(out.scores.sum(dim=1), ones)
    torch.testing.assert_close(out.weights.sum(dim=1), ones)
    torch.testing.assert_close(out.embedding.norm(dim=1), ones)
    assert (out.weights[:, [not here for here in subset]] == 0).all()
    assert ((out.agreement >= 0) & (out.agreement <= 1)).all()
    if sum(subset) == 1:
        assert (out.agreement == 1).all()


@pytest.mark.parametrize("subset", [one for one in SUBSETS if not all(one)])
def test_what_an_absent_sense_holds_does_not_matter(steered, encoded, subset):
    tokens, embeddings, prompts = encoded
    garbage = [t if here else torch.full_like(t, 1e6) for t, here in zip(tokens, subset, strict=True)]
    other = [e if here else torch.full_like(e, -1e6) for e, here in zip(embeddings, subset, strict=True)]
    with torch.inference_mode():
        one = steered(tokens, embeddings, present_of(subset), prompts)
        two = steered(garbage, other, present_of(subset), prompts)
    for left, right in zip(one, two, strict=True):
        torch.testing.assert_close(left, right, atol=0, rtol=0)


def test_rows_with_different_senses_do_not_mix(steered, encoded):
    tokens, embeddings, prompts = encoded
    present = torch.tensor([[1, 1, 1], [1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 1, 0]]).bool()
    with torch.inference_mode():
        together = steered(tokens, embeddings, present, prompts)
        for row in range(5):
            rows = slice(row, row + 1)
            alone = steered([t[rows] for t in tokens], [e[rows] for e in embeddings], present[rows], prompts)
            torch.testing.assert_close(together.scores[rows], alone.scores)


def test_more_prompts_do_not_change_the_order_of_the_others(steered, encoded):
    with torch.inference_mode():
        all_of_them = steered(*encoded[:2], present_of((True, True, False)), encoded[2]).scores
        some = steered(*encoded[:2], present_of((True, True, False)), encoded[2][:4]).scores
    torch.testing.assert_close(all_of_them[:, :4] / all_of_them[:, :4].sum(1, keepdim=True), some)


def test_two_senses_are_compared_in_the_order_that_checkpoints_know(steered, encoded):
    stacked = torch.stack(encoded[1], dim=1)
    here = torch.tensor([[1, 1, 1], [1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 1, 0]]).float().unsqueeze(2)
    with torch.inference_mode():
        evidence = steered.evidence(stacked * here)
        compared = steered.comparison(stacked * here, evidence, here)
        meanings = steered.meanings(evidence).softmax(dim=-1)
    expected = []
    for i, j in combinations(range(3), 2):
        both, shared = here[:, i] * here[:, j], stacked[:, i] * stacked[:, j] * here[:, i] * here[:, j]
        overlap = torch.log((meanings[:, i] * meanings[:, j]).sum(dim=1, keepdim=True) * MEANINGS + 1e-4)
        expected += [shared, shared.sum(dim=1, keepdim=True), overlap * both, both]
    torch.testing.assert_close(compared, torch.cat(expected, dim=1))
