"""ResNet (He et al. 2016, arXiv 1512.03385) and ViT (Dosovitskiy et al. 2021, arXiv 2010.11929) as the image sense."""

from typing import Any

from torch import Tensor, nn

from edgefuse.fusion.alignment import Alignment, grid_means
from edgefuse.fusion.config import NetworkConfig
from edgefuse.fusion.encoder_choice import PretrainedImage
from edgefuse.fusion.encoders import Encoded
from edgefuse.fusion.pretrained.architectures import backbone
from edgefuse.fusion.pretrained.features import NormalizedImage

TOKENS = (3, 4)
"""Rows and columns of the tokens' grid, the same as the compact encoder's."""


class PretrainedImageEncoder(nn.Module):
    """uint8 (batch, H, W, 3) RGB, any size -> 12 tokens (a 3 x 4 grid) and the embedding. It has no map of where it
    looked that could be compared with an object's place."""

    def __init__(self, config: NetworkConfig, choice: PretrainedImage) -> None:
        super().__init__()
        self.features = NormalizedImage(choice.size, choice.mean, choice.deviation)
        self.backbone = backbone(choice)
        model = self.backbone.config
        self.first_cell = 0 if choice.architecture == "resnet" else 1
        width = model.hidden_sizes[-1] if choice.architecture == "resnet" else model.hidden_size
        self.alignment = Alignment(width, config.dim, grid_means(grid(choice, model), TOKENS))

    def forward(self, frame: Tensor) -> Encoded:
        return self.encode(self.features(frame))[0]

    def training_features(self, frame: Tensor) -> Tensor:
        """`features`, of frames of any size."""
        states: Tensor = self.features(frame)
        return states

    def encode(self, image: Tensor) -> tuple[Encoded, None]:
        """float (batch, 3, rows, columns) -> the encoding."""
        states = self.backbone(image).last_hidden_state
        if states.ndim == 4:
            states = states.flatten(2).transpose(1, 2)
        return self.alignment(states[:, self.first_cell :]), None


def grid(choice: PretrainedImage, model: Any) -> tuple[int, int]:
    """Rows and columns of the backbone's last map, `model` its configuration: a ViT's patches; a ResNet halves its
    input in the stem, in the pooling and in each stage but the first."""
    rows, columns = choice.size
    if choice.architecture == "vit":
        return rows // model.patch_size, columns // model.patch_size
    for _ in range(1 + len(model.depths) + model.downsample_in_first_stage):
        rows, columns = (rows + 1) // 2, (columns + 1) // 2
    return rows, columns
