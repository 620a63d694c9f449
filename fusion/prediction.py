"""Something that predicts, whatever it runs on, and the network in PyTorch as such."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch

from edgefuse.fusion.checkpoint import Checkpoint
from edgefuse.fusion.labels import prompt_of
from edgefuse.fusion.tokenizer import token_ids

BATCH = 64


class Encoding(Protocol):
    """tokens float32 (examples, n, dim); embedding float32 (examples, dim)."""

    @property
    def tokens(self) -> np.ndarray: ...

    @property
    def embedding(self) -> np.ndarray: ...


@dataclass(frozen=True, slots=True)
class EncodedRows:
    """An `Encoding` of plain arrays."""

    tokens: np.ndarray
    embedding: np.ndarray


class Predictor(Protocol):
    """What evaluation measures: the network in PyTorch, or a bundle in any precision."""

    def encode(self, sense: str, samples: np.ndarray) -> Encoding:
        """The encoding of a sense's samples (examples, ...): "image" uint8, "audio" float32, "text" int64 ids."""
        ...

    def prompts(self) -> np.ndarray:
        """The embeddings of the classes' prompts, float32 (classes, dim)."""
        ...

    def fuse(
        self, encoded: Mapping[str, Encoding], present: tuple[str, ...], prompts: np.ndarray
    ) -> Mapping[str, np.ndarray]:
        """What the senses in `present` say together: "scores" (examples, classes), "sense_scores" (examples,
        modalities, classes), "agreement" (examples,), "weights" (examples, modalities)."""
        ...


class NetworkPredictor:
    """A checkpoint's network in PyTorch, on the CPU."""

    def __init__(self, checkpoint: Checkpoint) -> None:
        self.checkpoint = checkpoint
        self.network = checkpoint.network.eval()
        self.modalities = checkpoint.config.modalities

    def encode(self, sense: str, samples: np.ndarray) -> EncodedRows:
        """See Predictor.encode."""
        tokens, embeddings = [], []
        with torch.inference_mode():
            for first in range(0, len(samples), BATCH):
                one = self.network.encoders[sense](torch.from_numpy(samples[first : first + BATCH]))
                tokens.append(one[0].numpy())
                embeddings.append(one[1].numpy())
        return EncodedRows(np.concatenate(tokens), np.concatenate(embeddings))

    def prompts(self) -> np.ndarray:
        """See Predictor.prompts."""
        texts = [prompt_of(label) for label in self.checkpoint.labels]
        return self.encode("text", token_ids(self.checkpoint.tokenizer, texts)).embedding

    def fuse(
        self, encoded: Mapping[str, Encoding], present: tuple[str, ...], prompts: np.ndarray
    ) -> dict[str, np.ndarray]:
        """See Predictor.fuse."""
        rows = len(encoded[self.modalities[0]].embedding)
        here = torch.tensor([[sense in present for sense in self.modalities]]).expand(rows, -1)
        tokens = [torch.from_numpy(encoded[sense].tokens) for sense in self.modalities]
        embeddings = [torch.from_numpy(encoded[sense].embedding) for sense in self.modalities]
        with torch.inference_mode():
            fused = self.network.fusion(tokens, embeddings, here, torch.from_numpy(prompts))
        return {name: value.numpy() for name, value in fused._asdict().items()}
