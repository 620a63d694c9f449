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
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from edgefuse.fusion.config import NetworkConfig
from edgefuse.fusion.transformer import MASKED, TransformerBlock, unit

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
    modalities); prompts: (classes, dim), length 1 each. What an absent sense's tensors hold (anything below 1e15) has
    no influence. At least one sense should be present; with none, scores are uniform but for the correction.

    The heads take vectors in rows, (batch x modalities, dim), and not (batch, modalities, dim): as layers over single
    vectors they stay in float where layers over tokens turn int8.
    """

    firsts: Tensor
    seconds: Tensor
    beside_fused: Tensor

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.senses = len(config.modalities)
        firsts, seconds = torch.combinations(torch.arange(self.senses)).T
        self.register_buffer("firsts", firsts.contiguous(), persistent=False)
        self.register_buffer("seconds", seconds.contiguous(), persistent=False)
        beside_fused = torch.tensor([[1 + sense, 0] for sense in range(self.senses)])
        self.register_buffer("beside_fused", beside_fused.flatten(), persistent=False)
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
        features = config.dim + len(firsts) * (config.dim + 3)
        self.agreement = nn.Sequential(nn.Linear(features, half), nn.GELU(), nn.Linear(half, 1))

    def forward(self, tokens: list[Tensor], embeddings: list[Tensor], present: Tensor, prompts: Tensor) -> FusionOutput:
        raw = self.logits(tokens, embeddings, present, prompts)
        agreement = torch.where(present.sum(dim=1) > 1, torch.sigmoid(raw.agreement_logit), 1.0)
        return FusionOutput(raw.logits.softmax(-1), raw.sense_logits.softmax(-1), raw.embedding, raw.weights, agreement)

    def logits(self, tokens: list[Tensor], embeddings: list[Tensor], present: Tensor, prompts: Tensor) -> FusionLogits:
        """As `forward`, before softmax and sigmoid: what the losses take."""
        here = present.unsqueeze(2)
        stacked = torch.where(here, torch.stack(embeddings, dim=1), 0.0)
        here = here.to(stacked.dtype)
        absent = torch.where(present, 0.0, MASKED)

        states = self.contextual(tokens, embeddings, absent)
        fused, evidence = states[:, 0], self.evidence(stacked)
        weights = self.weigh(states, absent) * present.to(stacked.dtype)
        count = here.sum(dim=1)
        several = (count > 1.5).to(stacked.dtype)
        total = (weights.unsqueeze(2) * evidence).sum(dim=1)
        total = (self.gain(fused) * several).exp() * count * total + self.correction(fused) * several
        return FusionLogits(
            total @ prompts.T,
            evidence @ prompts.T,
            unit(total),
            weights,
            self.agreement(torch.cat([fused, self.comparison(stacked, evidence, here)], dim=1)).squeeze(1),
        )

    def evidence(self, stacked: Tensor) -> Tensor:
        """s_m e_m of each sense: embeddings (batch, modalities, dim), stacked -> the same shape."""
        return stacked * self.log_scale.exp().unsqueeze(1)

    def contextual(self, tokens: list[Tensor], embeddings: list[Tensor], absent: Tensor) -> Tensor:
        """What the transformer makes of all tokens: (batch, 1 + modalities, dim), of the fusion token, then of each
        sense. absent (batch, modalities): `MASKED` where a sense is absent, so that nothing attends to it, else 0."""
        parts = [self.query.expand(absent.shape[0], -1, -1)]
        for index, kind in enumerate(self.kind):
            parts.append(self.embedding_tokens[index](embeddings[index]).unsqueeze(1) + kind)
            parts.append(self.token_norms[index](tokens[index]) + kind)
        sequence = torch.cat(parts, dim=1)
        members = membership([1, *(1 + one.shape[1] for one in tokens)], sequence)
        bias = functional.pad(absent, (1, 0)).index_select(1, members.argmax(dim=0)).unsqueeze(1)
        for block in self.blocks:
            sequence = block(sequence, bias)
        mean: Tensor = members @ self.final_norm(sequence) / members.sum(dim=1, keepdim=True)
        return mean

    def weigh(self, states: Tensor, absent: Tensor) -> Tensor:
        """Softmax over the present senses: (batch, modalities)."""
        beside_fused = states.index_select(1, self.beside_fused).reshape(-1, 2 * states.shape[2])
        weights: Tensor = (self.trust(beside_fused).reshape(absent.shape) + absent).softmax(dim=1)
        return weights

    def comparison(self, stacked: Tensor, evidence: Tensor, here: Tensor) -> Tensor:
        """What two senses have in common, (batch, features), all 0 for a pair of which one is absent.

        Per pair: the product of their embeddings, element by element, and its sum (the cosine); log sum_k q_i(k)
        q_j(k), where q is what a sense says in a learned vocabulary of meanings (of two independent witnesses, that is
        the evidence that they speak of the same thing); and whether both are present.
        """
        meanings = self.meanings(evidence.flatten(0, 1)).softmax(dim=-1).unflatten(0, (-1, self.senses))
        held = torch.cat([stacked, meanings, here], dim=2)
        products = held.index_select(1, self.firsts) * held.index_select(1, self.seconds)
        product, meant, both = products.split([stacked.shape[2], MEANINGS, 1], dim=2)
        overlap = torch.log(meant.sum(dim=2, keepdim=True) * MEANINGS + 1e-4) * both
        return torch.cat([product, product.sum(dim=2, keepdim=True), overlap, both], dim=2).flatten(1)


def membership(sizes: list[int], like: Tensor) -> Tensor:
    """(parts, tokens): 1 where a token is of a part, the parts being `sizes` tokens long and following each other."""
    members: Tensor = torch.block_diag(*(like.new_ones(1, size) for size in sizes))
    return members


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
