"""What is exported: any PyTorch network that fuses senses, with real samples of each and how well it should do."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from tokenizers import Tokenizer
from torch import nn

from edgefuse.fusion.examples import Examples
from edgefuse.fusion.labels import PromptTexts
from edgefuse.runtime.bundle.manifest import Modality


@dataclass(frozen=True, slots=True)
class ModalitySpec:
    """One sense of the network.

    `described` is the manifest's entry but for its graph (None): kind, name, age limit, rate and window. `encoder` is
    called with one batch, `(batch, ...)` as the kind's class in runtime/bundle/manifest.py says, and gives tokens
    (batch, n, d) and embedding (batch, d), as a pair or by these names, or the embedding alone, which then counts as
    the only token. None: the fusion takes the samples themselves. `features` names the submodule with the encoder's
    fixed arithmetic (resize, log-mel), which stays in float32 whatever the precision; "" if there is none. Of a sense
    without an encoder it is a submodule of the network.
    """

    described: Modality
    encoder: nn.Module | None
    features: str = ""

    @property
    def name(self) -> str:
        return self.described.name


@dataclass(frozen=True, slots=True, kw_only=True)
class FusionSpec:
    """A fusion network as `edgefuse export` takes it: `module.py:function`, a function that returns one.

    `fusion` is called as `fusion(tokens, embeddings)`, two lists in the order of the senses; or, of a network that
    cannot be split (no sense has an encoder), with one batch per sense, `network(image, audio)`. If its `forward` has
    an argument `present`, it gets bool (batch, senses): what an absent sense's tensors hold is then arbitrary; without
    it every sense is needed. If it has `prompts`, it gets (classes, dim), the embeddings of the labels' prompts by the
    first text sense that has an encoder, so that classes can be named at run time; without it the classes are fixed. It
    returns the scores (batch, classes), probabilities that sum to 1, or a mapping or named tuple of the manifest's
    fusion outputs.

    `labels` are {label: prompt} in the order of the scores. `calibration` are samples of what the robot will meet, to
    measure ranges on; `holdout` others, to measure errors and, where they have labels, accuracy. `metric(scores,
    labels)` is how good scores are, 0..1; the share of right first guesses if None. `validation` gives labelled samples
    that training never saw, to measure confidence on; where it is None that is done on the hold-out. `tokenizer` is
    needed by a text sense; 0 is its padding. `checkpoint_sha256` says which weights these are. `remarks` say, for the
    report, what cannot be measured on these samples. `prompts` are those that training gave and paraphrases of them, so
    that the bundle can tell a prompt that the network hardly knows; None where nobody knows them. Modules are in
    float32 and on the CPU; the export puts them into eval mode.
    """

    name: str
    modalities: tuple[ModalitySpec, ...]
    fusion: nn.Module
    labels: Mapping[str, str]
    calibration: Examples
    holdout: Examples
    background: str | None = None
    tokenizer: Tokenizer | None = None
    metric: Callable[[np.ndarray, np.ndarray], float] | None = None
    checkpoint_sha256: str | None = None
    validation: Callable[[], Examples] | None = None
    remarks: tuple[str, ...] = ()
    prompts: PromptTexts | None = None

    @property
    def is_split(self) -> bool:
        """Whether the senses have encoders; False for a network that runs whole."""
        return any(modality.encoder is not None for modality in self.modalities)


def subsets(senses: tuple[str, ...]) -> list[tuple[str, ...]]:
    """Every non-empty subset of the senses, smallest first."""
    return [subset for size in range(1, len(senses) + 1) for subset in combinations(senses, size)]
