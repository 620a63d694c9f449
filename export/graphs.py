"""What is traced: one graph per sense and one for the fusion, with the names and the varying sizes of their tensors."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from edgefuse.fusion.config import NetworkConfig
from edgefuse.fusion.network import FusionNetwork

EXAMPLE_BATCH = 2
EXAMPLE_CLASSES = 5
"""Sizes of the example inputs. Neither 0 nor 1, nor equal: the tracer would take such sizes for constants."""

FRONT_END = "features"
"""The submodule of an encoder that holds its fixed arithmetic (resize, log-mel): its operators stay in float32."""


@dataclass(frozen=True, slots=True)
class GraphSource:
    """A graph before it is ONNX.

    `module` is called with `arguments`; flattened, these are the graph's `inputs` in order. `sizes` names the varying
    dimensions of each: {axis: name}.
    """

    name: str
    module: nn.Module
    arguments: tuple[object, ...]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    sizes: tuple[object, ...]


class EncoderGraph(nn.Module):
    """One sense's encoder, as it is: `(batch, ...) -> tokens (batch, n, dim), embedding (batch, dim)`."""

    def __init__(self, encoder: nn.Module) -> None:
        super().__init__()
        self.encoder = encoder

    def forward(self, sample: Tensor) -> tuple[Tensor, Tensor]:
        tokens, embedding = self.encoder(sample)
        return tokens, embedding


class FusionGraph(nn.Module):
    """The fusion with its inputs sense by sense, the order that the manifest promises.

    senses: (tokens (batch, n, dim), embedding (batch, dim)) of each; present: bool (batch, modalities); prompts:
    (classes, dim). Returns scores, sense_scores, embedding, weights, agreement: see Manifest.
    """

    def __init__(self, fusion: nn.Module) -> None:
        super().__init__()
        self.fusion = fusion

    def forward(self, senses: list[tuple[Tensor, Tensor]], present: Tensor, prompts: Tensor) -> tuple[Tensor, ...]:
        tokens, embeddings = [sense[0] for sense in senses], [sense[1] for sense in senses]
        return tuple(self.fusion(tokens, embeddings, present, prompts))


def graph_sources(network: FusionNetwork) -> list[GraphSource]:
    """Every graph of the network: its senses in the order of `config.modalities`, then `fusion`."""
    config = network.config
    examples = {
        "image": ("frame", torch.zeros(EXAMPLE_BATCH, 60, 80, 3, dtype=torch.uint8), {1: "height", 2: "width"}),
        "audio": ("pcm", torch.zeros(EXAMPLE_BATCH, config.window_samples), {}),
        "text": ("ids", torch.ones(EXAMPLE_BATCH, config.text_length, dtype=torch.int64), {}),
    }
    encoders = [encoder_source(network, modality, *examples[modality]) for modality in config.modalities]
    return [*encoders, fusion_source(network, encoders)]


def encoder_source(
    network: FusionNetwork, modality: str, name: str, example: Tensor, sizes: dict[int, str]
) -> GraphSource:
    """The graph of one sense, whose single input is `name` (batch, ...)."""
    return GraphSource(
        name=modality,
        module=EncoderGraph(network.encoders[modality]).eval(),
        arguments=(example,),
        inputs=(name,),
        outputs=("tokens", "embedding"),
        sizes=({0: "batch", **sizes},),
    )


def fusion_source(network: FusionNetwork, encoders: list[GraphSource]) -> GraphSource:
    """The fusion graph; its example tokens are what the encoders make of their own examples."""
    with torch.no_grad():
        senses = [encoder.module(*encoder.arguments) for encoder in encoders]
    config: NetworkConfig = network.config
    names = [f"{encoder.name}_{part}" for encoder in encoders for part in ("tokens", "embedding")]
    return GraphSource(
        name="fusion",
        module=FusionGraph(network.fusion).eval(),
        arguments=(
            senses,
            torch.ones(EXAMPLE_BATCH, len(encoders), dtype=torch.bool),
            torch.zeros(EXAMPLE_CLASSES, config.dim),
        ),
        inputs=(*names, "present", "prompts"),
        outputs=("scores", "sense_scores", "embedding", "weights", "agreement"),
        sizes=([({0: "batch"}, {0: "batch"}) for _ in encoders], {0: "batch"}, {0: "classes"}),
    )
