"""Fusion of any subset of the senses by attention, started as late fusion and free to learn better.

Each sense m has its own evidence: its embedding e_m times a learned scale s_m; its own logits over prompts p_k are
s_m <e_m, p_k>. Late fusion, the product of the senses' posteriors, is the softmax of their sum. The attention fusion
adds to it what a product cannot know, from a transformer over all tokens: how far to trust each sense here (weights
a_m), how sure to be (gain g), and what no sense saw alone (a correction c):

    u = g n sum_m a_m s_m e_m + c        n senses present; logits = <u, p_k>; fused embedding = u / |u|

At the start a_m = 1 / n, g = 1 and c = 0: exactly late fusion. With one sense present it stays so: there is nothing to
fuse, and the result is that sense's own posterior.
"""

import math
from itertools import combinations
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from edgefuse.fusion.config import NetworkConfig
from edgefuse.fusion.transformer import MASKED, TransformerBlock

MEANINGS = 64
"""Size of the learned vocabulary in which two senses are compared for agreement."""


class FusionOutput(NamedTuple):
    """scores (batch, classes) probabilities; sense_scores (batch, modalities, classes) each sense's own posterior,
    uniform where absent; embedding (batch, dim) length 1; weights (batch, modalities) sum 1 over the present senses, 0
    for absent ones; agreement (batch,) 0..1, the probability that the present senses speak of one thing, 1 when fewer
    than two are present."""

    scores: Tensor
    sense_scores: Tensor
    embedding: Tensor
    weights: Tensor
    agreement: Tensor


class FusionLogits(NamedTuple):
    """The same before softmax and sigmoid, for losses: logits (batch, classes), sense_logits (batch, modalities,
    classes), embedding (batch, dim), weights (batch, modalities), agreement_logit (batch,) whatever is present."""

    logits: Tensor
    sense_logits: Tensor
    embedding: Tensor
    weights: Tensor
    agreement_logit: Tensor


class AttentionFusion(nn.Module):
    """`forward(tokens, embeddings, present, prompts)` -> `FusionOutput`.

    tokens: one (batch, n_m, dim) per modality; embeddings: one (batch, dim) per modality; present: bool (batch,
    modalities); prompts: (classes, dim), length 1 each. What an absent sense's tensors hold (anything finite) has no
    influence. At least one sense should be present; with none, scores are uniform but for the correction.
    """

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.senses = len(config.modalities)
        pairs = self.senses * (self.senses - 1) // 2
        self.log_scale = nn.Parameter(torch.full((self.senses,), math.log(10.0)))
        self.kind = nn.Parameter(torch.randn(self.senses, config.dim) * 0.02)
        self.query = nn.Parameter(torch.randn(1, 1, config.dim) * 0.02)
        self.token_norms = nn.ModuleList(nn.LayerNorm(config.dim) for _ in config.modalities)
        self.embedding_tokens = nn.ModuleList(nn.Linear(config.dim, config.dim) for _ in config.modalities)
        self.blocks = nn.ModuleList(TransformerBlock(config.dim, config.heads) for _ in range(config.fusion_layers))
        self.final_norm = nn.LayerNorm(config.dim)
        half = config.dim // 2
        self.trust = nn.Sequential(nn.Linear(2 * config.dim, half), nn.GELU(), zero_linear(half, 1))
        self.gain = zero_linear(config.dim, 1)
        self.correction = zero_linear(config.dim, config.dim)
        self.meanings = nn.Linear(config.dim, MEANINGS)
        features = config.dim + pairs * (config.dim + 3)
        self.agreement = nn.Sequential(nn.Linear(features, half), nn.GELU(), nn.Linear(half, 1))

    def forward(self, tokens: list[Tensor], embeddings: list[Tensor], present: Tensor, prompts: Tensor) -> FusionOutput:
        raw = self.logits(tokens, embeddings, present, prompts)
        several = present.sum(dim=1) > 1
        agreement = torch.where(several, torch.sigmoid(raw.agreement_logit), torch.ones_like(raw.agreement_logit))
        return FusionOutput(raw.logits.softmax(-1), raw.sense_logits.softmax(-1), raw.embedding, raw.weights, agreement)

    def logits(self, tokens: list[Tensor], embeddings: list[Tensor], present: Tensor, prompts: Tensor) -> FusionLogits:
        """As `forward`, before softmax and sigmoid: what the losses take."""
        here = present.unsqueeze(2)
        stacked = torch.stack(embeddings, dim=1)
        stacked = torch.where(here, stacked, torch.zeros_like(stacked))
        fused, senses = self.contextual(tokens, stacked, present)
        evidence = self.evidence(stacked)

        weights = self.weigh(fused, senses, present)
        count = present.sum(dim=1, keepdim=True).to(stacked.dtype)
        total = (weights.unsqueeze(2) * evidence).sum(dim=1)
        several = (count > 1.5).to(stacked.dtype)
        total = (self.gain(fused) * several).exp() * count * total + self.correction(fused) * several
        return FusionLogits(
            total @ prompts.T,
            evidence @ prompts.T,
            functional.normalize(total, dim=-1),
            weights,
            self.agreement(torch.cat([fused, self.comparison(stacked, evidence, present)], dim=1)).squeeze(1),
        )

    def evidence(self, stacked: Tensor) -> Tensor:
        """s_m e_m of each sense: embeddings (batch, modalities, dim), stacked -> the same shape."""
        return stacked * self.log_scale.exp().unsqueeze(1)

    def contextual(self, tokens: list[Tensor], stacked: Tensor, present: Tensor) -> tuple[Tensor, Tensor]:
        """What the transformer makes of all tokens: of the fusion token (batch, dim), of each sense (batch, m, dim)."""
        states, hidden = [self.query.expand(present.shape[0], -1, -1)], [torch.zeros_like(stacked[:, :1, 0])]
        sizes = [1]
        for index in range(self.senses):
            here = present[:, index].reshape(-1, 1, 1)
            summary = self.embedding_tokens[index](stacked[:, index]).unsqueeze(1)
            sense = torch.cat([summary, self.token_norms[index](tokens[index])], dim=1) + self.kind[index]
            states.append(torch.where(here, sense, torch.zeros_like(sense)))
            absent = (~present[:, index : index + 1]).to(stacked.dtype) * MASKED
            hidden.append(absent.expand(-1, sense.shape[1]))
            sizes.append(sense.shape[1])
        sequence, bias = torch.cat(states, dim=1), torch.cat(hidden, dim=1).unsqueeze(1)
        for block in self.blocks:
            sequence = block(sequence, bias)
        parts = self.final_norm(sequence).split(sizes, dim=1)
        return parts[0].squeeze(1), torch.stack([part.mean(dim=1) for part in parts[1:]], dim=1)

    def weigh(self, fused: Tensor, senses: Tensor, present: Tensor) -> Tensor:
        """Softmax over the present senses: (batch, modalities), 0 for absent ones."""
        both = torch.cat([senses, fused.unsqueeze(1).expand_as(senses)], dim=2)
        bias = (~present).to(senses.dtype) * MASKED
        return (self.trust(both).squeeze(2) + bias).softmax(dim=1) * present.to(senses.dtype)

    def comparison(self, stacked: Tensor, evidence: Tensor, present: Tensor) -> Tensor:
        """What two senses have in common, (batch, features), all 0 for a pair of which one is absent.

        Per pair: the product of their embeddings, element by element, and its sum (the cosine); log sum_k q_i(k)
        q_j(k), where q is what a sense says in a learned vocabulary of meanings (of two independent witnesses, that is
        the evidence that they speak of the same thing); and whether both are present.
        """
        meanings = self.meanings(evidence).softmax(dim=-1)
        features = []
        for i, j in combinations(range(self.senses), 2):
            both = (present[:, i] & present[:, j]).to(stacked.dtype).unsqueeze(1)
            product = stacked[:, i] * stacked[:, j]
            overlap = torch.log((meanings[:, i] * meanings[:, j]).sum(dim=1, keepdim=True) * MEANINGS + 1e-4)
            features += [product, product.sum(dim=1, keepdim=True), overlap * both, both]
        return torch.cat(features, dim=1)


def zero_linear(size_in: int, size_out: int) -> nn.Linear:
    """A linear layer that starts at 0, so that what it steers starts at its neutral value."""
    layer = nn.Linear(size_in, size_out)
    nn.init.zeros_(layer.weight)
    nn.init.zeros_(layer.bias)
    return layer


def late_fusion(sense_scores: Tensor, present: Tensor) -> Tensor:
    """The baseline: the normalised product of the present senses' posteriors.

    sense_scores (batch, modalities, classes), present bool (batch, modalities) -> probabilities (batch, classes).
    """
    logs = torch.log(sense_scores.clamp(min=1e-12)) * present.unsqueeze(2).to(sense_scores.dtype)
    return logs.sum(dim=1).softmax(dim=-1)
