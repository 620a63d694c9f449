"""BERT (Devlin et al. 2019, arXiv 1810.04805) as the text sense."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from edgefuse.fusion.config import PADDING_ID, NetworkConfig
from edgefuse.fusion.encoder_choice import PretrainedText
from edgefuse.fusion.encoders import Encoded
from edgefuse.fusion.pretrained.architectures import backbone
from edgefuse.fusion.transformer import MASKED, AttentionPooling


class BertEncoder(nn.Module):
    """int64 ids (batch, length), 0 = padding -> `text_tokens` tokens and the embedding; a text of padding only has the
    embedding 0."""

    def __init__(self, config: NetworkConfig, choice: PretrainedText) -> None:
        super().__init__()
        self.backbone = backbone(choice)
        width = self.backbone.config.hidden_size
        self.norm = nn.LayerNorm(width)
        self.tokens = nn.Linear(width, config.dim)
        self.token_pooling = AttentionPooling(width, config.text_tokens)
        self.pooling = AttentionPooling(width, queries=2)
        self.embedding = nn.Linear(2 * width, config.dim)

    def forward(self, ids: Tensor) -> Encoded:
        filled = (ids != PADDING_ID).to(self.embedding.weight.dtype)
        hidden = (1 - filled) * MASKED
        states = self.norm(self.read(ids, hidden))
        pooled, _ = self.pooling(states, hidden)
        embedding = functional.normalize(self.embedding(pooled.flatten(1)), dim=-1) * filled.amax(dim=1, keepdim=True)
        return Encoded(self.tokens(self.token_pooling(states, hidden)[0]), embedding)

    def read(self, ids: Tensor, hidden: Tensor) -> Tensor:
        """The backbone's states (batch, length, width). It gets its mask, places and segment ready made: those that it
        would make hide with infinity, which 16-bit floats turn into NaN, and gather in a way that ONNX refuses."""
        places = torch.arange(ids.shape[1]).unsqueeze(0)
        read = self.backbone(
            ids, attention_mask=hidden[:, None, None], position_ids=places, token_type_ids=torch.zeros_like(places)
        )
        states: Tensor = read.last_hidden_state
        return states
