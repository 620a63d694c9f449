"""A network of random weights, and a data cache of the tests' own."""

import numpy as np
import pytest
import torch

from edgefuse.fusion.config import NetworkConfig
from edgefuse.fusion.network import FusionNetwork
from edgefuse.fusion.vocabulary import PROMPTS, build_tokenizer, token_ids


@pytest.fixture(autouse=True, scope="session")
def own_cache(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EDGEFUSE_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="session")
def network():
    torch.manual_seed(3)
    return FusionNetwork(NetworkConfig()).eval()


@pytest.fixture(scope="session")
def encoded(network):
    """Tokens and embeddings of five random examples, and the prompts' embeddings."""
    rng = np.random.default_rng(4)
    tokenizer = build_tokenizer()
    texts = ["red ball", "a cube", "nothing", "something blue", "the violet orb"]
    inputs = {
        "image": torch.from_numpy(rng.integers(0, 256, (5, 96, 128, 3), dtype=np.uint8)),
        "audio": torch.from_numpy(rng.normal(0, 0.1, (5, 25_600)).astype(np.float32)),
        "text": torch.from_numpy(token_ids(tokenizer, texts)),
    }
    with torch.inference_mode():
        both = [network.encoders[name](value) for name, value in inputs.items()]
        prompts = network.encoders["text"](torch.from_numpy(token_ids(tokenizer, PROMPTS))).embedding
    return [one.tokens for one in both], [one.embedding for one in both], prompts
