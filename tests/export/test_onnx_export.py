"""The exported graphs say what PyTorch says: any batch, any frame size, any subset of the senses, any classes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from edgefuse.export.errors import ExportError
from edgefuse.export.examples import subsets
from edgefuse.export.graphs import GraphSource, graph_sources
from edgefuse.export.onnx_export import onnx_from_source
from edgefuse.fusion.checkpoint import Checkpoint
from edgefuse.runtime.bundle import Bundle

SENSES = ("image", "audio", "text")


def samples(batch: int, frame: tuple[int, int] = (96, 128)) -> dict[str, np.ndarray]:
    random = np.random.default_rng(batch)
    return {
        "image": random.integers(0, 256, (batch, *frame, 3), dtype=np.uint8),
        "audio": (0.1 * random.standard_normal((batch, 25_600))).astype(np.float32),
        "text": random.integers(0, 200, (batch, 32)) * (np.arange(32) < 6),
    }


def fusion_inputs(bundle: Bundle, inputs: dict[str, np.ndarray], present: np.ndarray) -> dict[str, np.ndarray]:
    arrays = {"present": present}
    for modality in bundle.manifest.modalities:
        outputs = bundle.engine(modality.name).run({modality.graph.inputs[0].name: inputs[modality.name]})
        arrays |= {f"{modality.name}_{output}": array for output, array in outputs.items()}
    return arrays


@pytest.mark.parametrize("senses", subsets(SENSES), ids="+".join)
def test_end_to_end_parity_for_every_subset_of_senses(
    senses: tuple[str, ...], fp32_bundle: Path, checkpoint: Checkpoint
) -> None:
    bundle, inputs = Bundle.open(fp32_bundle), samples(batch=3)
    present = np.array([[sense in senses for sense in SENSES]] * 3)
    prompt_ids = samples(batch=5)["text"]
    with torch.inference_mode():
        tensors = [torch.from_numpy(inputs[sense]) for sense in SENSES]
        expected = checkpoint.network(*tensors, torch.from_numpy(present), torch.from_numpy(prompt_ids))
    arrays = fusion_inputs(bundle, inputs, present)
    found = bundle.engine("fusion").run(
        arrays | {"prompts": bundle.engine("text").run({"ids": prompt_ids})["embedding"]}
    )
    for name, value in expected._asdict().items():
        np.testing.assert_allclose(found[name], value.numpy(), atol=1e-4, err_msg=name)


@pytest.mark.parametrize("frame", [(480, 640), (97, 131), (24, 24)])
@pytest.mark.parametrize("batch", [1, 4])
def test_frames_of_any_size_and_batch(
    batch: int, frame: tuple[int, int], fp32_bundle: Path, checkpoint: Checkpoint
) -> None:
    frames = samples(batch, frame)["image"]
    with torch.inference_mode():
        expected = checkpoint.network.encoders["image"](torch.from_numpy(frames))
    found = Bundle.open(fp32_bundle).engine("image").run({"frame": frames})
    np.testing.assert_allclose(found["embedding"], expected.embedding.numpy(), atol=1e-4)
    np.testing.assert_allclose(found["tokens"], expected.tokens.numpy(), atol=1e-3)


def test_what_an_absent_sense_holds_changes_nothing(fp32_bundle: Path) -> None:
    bundle = Bundle.open(fp32_bundle)
    present = np.array([[True, False, True]])
    arrays = fusion_inputs(bundle, samples(batch=1), present)
    arrays["prompts"] = bundle.engine("text").run({"ids": samples(batch=37)["text"]})["embedding"]
    fusion = bundle.engine("fusion")
    before = fusion.run(arrays)
    after = fusion.run(arrays | {name: -1e3 * arrays[name] - 7 for name in ("audio_tokens", "audio_embedding")})
    for name, value in before.items():
        np.testing.assert_array_equal(after[name], value, err_msg=name)
    there = fusion.run(arrays | {"present": np.array([[True, True, True]])})
    assert np.abs(there["scores"] - before["scores"]).max() > 1e-4


def test_varying_sizes_have_names(fp32_bundle: Path) -> None:
    bundle = Bundle.open(fp32_bundle)
    assert bundle.engine("image").inputs[0].shape == ("batch", "height", "width", 3)
    shapes = {tensor.name: tensor.shape for tensor in bundle.engine("fusion").inputs}
    assert shapes["prompts"] == ("classes", 128)
    assert shapes["audio_tokens"] == ("batch", 16, 128)
    assert shapes["present"] == ("batch", 3)


def test_the_same_network_gives_the_same_bytes(checkpoint: Checkpoint) -> None:
    once, again = (onnx_from_source(graph_sources(checkpoint.network)[2]) for _ in range(2))
    assert once.SerializeToString() == again.SerializeToString()


def test_the_exporter_keeps_the_terminal_quiet(capfd: pytest.CaptureFixture[str]) -> None:
    onnx_from_source(one_input_source(torch.nn.Linear(4, 4)))
    assert capfd.readouterr() == ("", "")


def test_an_operator_that_does_not_export_is_named_with_its_graph() -> None:
    class Eigen(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.linalg.eigvalsh(x @ x.T)

    with pytest.raises(ExportError, match=r"graph touch does not export to ONNX: .*eigh") as caught:
        onnx_from_source(one_input_source(Eigen()))
    assert "\n" not in str(caught.value)


def one_input_source(module: torch.nn.Module) -> GraphSource:
    return GraphSource("touch", module, (torch.ones(4, 4),), ("x",), ("y",), ({},))
