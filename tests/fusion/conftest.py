"""A network of random weights, and models as Hugging Face saves them."""

import numpy as np
import pytest
import torch
import transformers

from edgefuse.fusion.config import NetworkConfig
from edgefuse.fusion.network import FusionNetwork
from edgefuse.fusion.tokenizer import token_ids
from edgefuse.tabletop.vocabulary import PROMPTS, build_tokenizer


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


SHAPE = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 48}


@pytest.fixture(scope="session")
def pretrained(tmp_path_factory):
    """A folder of tiny models with random weights, `resnet` and so on, as `save_pretrained` saves the large ones; some
    with the heads that published checkpoints have."""
    transformers.utils.logging.disable_progress_bar()
    torch.manual_seed(0)
    layers = {"layers": 1, "attention_heads": 2, "ffn_dim": 48}
    whisper = {f"{part}_{name}": value for part in ("encoder", "decoder") for name, value in layers.items()}
    whisper |= {"pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2, "decoder_start_token_id": 1}
    wav2vec2 = {"conv_dim": (16, 16, 16), "conv_kernel": (10, 8, 4), "conv_stride": (5, 8, 8)}
    wav2vec2 |= {"num_conv_pos_embeddings": 16, "num_conv_pos_embedding_groups": 2}
    models = {
        "resnet": transformers.ResNetForImageClassification(
            transformers.ResNetConfig(embedding_size=8, hidden_sizes=[8, 16], depths=[1, 1], layer_type="basic")
        ),
        "vit": transformers.ViTForImageClassification(transformers.ViTConfig(image_size=32, patch_size=8, **SHAPE)),
        "wav2vec2": transformers.Wav2Vec2ForCTC(transformers.Wav2Vec2Config(vocab_size=8, **SHAPE, **wav2vec2)),
        "ast": transformers.ASTForAudioClassification(transformers.ASTConfig(max_length=200, num_mel_bins=32, **SHAPE)),
        "whisper": transformers.WhisperForConditionalGeneration(
            transformers.WhisperConfig(d_model=32, num_mel_bins=40, max_source_positions=100, vocab_size=60, **whisper)
        ),
        "bert": transformers.BertForMaskedLM(
            transformers.BertConfig(vocab_size=300, max_position_embeddings=40, **SHAPE)
        ),
    }
    folder = tmp_path_factory.mktemp("pretrained")
    for name, model in models.items():
        model.save_pretrained(folder / name)
    (folder / "resnet" / "preprocessor_config.json").write_text('{"size": {"shortest_edge": 64}}')
    build_tokenizer().save(str(folder / "bert" / "tokenizer.json"))
    return folder
