"""Networks of known, larger shapes with random weights, to measure with: what a real one of this size would cost.

`base`: ResNet-50 (224 x 224), BERT-base and an encoder after Deep Speech, fused by attention: about 150 M parameters.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from edgefuse.fusion.checkpoint import Checkpoint
from edgefuse.fusion.config import NetworkConfig
from edgefuse.fusion.encoder_choice import DeepSpeech, PretrainedImage, PretrainedText
from edgefuse.fusion.network import FusionNetwork
from edgefuse.fusion.task import Task

BASE = NetworkConfig(
    dim=256,
    heads=8,
    image_size=(224, 224),
    image_encoder=PretrainedImage(
        architecture="resnet",
        model={"depths": [3, 4, 6, 3], "hidden_sizes": [256, 512, 1024, 2048], "layer_type": "bottleneck"},
        size=(224, 224),
        mean=(0.485, 0.456, 0.406),
        deviation=(0.229, 0.224, 0.225),
    ),
    audio_encoder=DeepSpeech(),
    text_encoder=PretrainedText(
        architecture="bert",
        model={"hidden_size": 768, "num_hidden_layers": 12, "num_attention_heads": 12, "intermediate_size": 3072},
    ),
)
"""The architectures' published sizes (He et al. 2016; Devlin et al. 2019), whatever `transformers` has as defaults."""

SETTLING_EXAMPLES = 4
LAST_OF_BRANCH, BRANCH = "layer.2.normalization", 0.25
"""The last batch norm of a bottleneck block's branch, and the factor that it starts with."""


def base_network(task: Task, seed: int = 0) -> Checkpoint:
    """The preset `base`: the network in eval mode on the CPU, the task's tokenizer and labels, no figures.

    Random weights by each architecture's own initialisation, settled so that signals have sizes as in a trained
    network and no layer is zero; the same seed gives the same network. Takes about 10 s and 1.2 GB. Raises
    `PretrainedError` without `transformers`.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = FusionNetwork(BASE)
        settle(network)
    return Checkpoint(network.eval(), task.build_tokenizer(BASE.text_length), task.labels, {}, BASE)


def settle(network: FusionNetwork) -> None:
    """Batch norms get the statistics of random samples; the branches of the ResNet's blocks count for a quarter, as in
    trained networks, where a block changes its input little (Goyal et al. 2017, arXiv 1706.02677, start them at 0); the
    fusion's layers that start at zero get random weights."""
    for name, module in network.named_modules():
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
            module.train().momentum = 1.0
            if name.endswith(LAST_OF_BRANCH):
                nn.init.constant_(module.weight, BRANCH)
    with torch.no_grad():
        network.image(random_frames())
        network.audio(random_sounds())
        for parameter in network.fusion.parameters():
            if not parameter.any():
                parameter.normal_(std=0.05)


def random_frames() -> Tensor:
    """uint8 (examples, rows, columns, 3): patches of colour with soft edges, and noise of a camera's size."""
    patches = torch.rand(SETTLING_EXAMPLES, 3, 9, 9) * 255
    smooth = functional.interpolate(patches, size=BASE.image_size, mode="bilinear")
    noisy = smooth + 8 * torch.randn_like(smooth)
    return noisy.clamp(0, 255).to(torch.uint8).permute(0, 2, 3, 1)


def random_sounds() -> Tensor:
    """float32 (examples, samples): noise that swells and falls, from hardly audible to loud."""
    loudness = functional.interpolate(torch.rand(SETTLING_EXAMPLES, 1, 9), size=BASE.window_samples, mode="linear")
    return 10 ** (3 * loudness[:, 0] - 3.5) * torch.randn(SETTLING_EXAMPLES, BASE.window_samples)
