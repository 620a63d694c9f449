"""The exported graphs say what PyTorch says: any batch, any frame size, any subset of the senses, any classes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
import torch

from edgefuse.export.errors import ExportError
from edgefuse.export.feeds import Feed
from edgefuse.export.spec import FusionSpec, subsets
from edgefuse.export.tracing.equality import check_equal
from edgefuse.export.tracing.graphs import GraphSource, graph_sources
from edgefuse.export.tracing.onnx_export import onnx_from_source
from edgefuse.fusion.checkpoint import Checkpoint
from edgefuse.runtime.bundle.bundle import Bundle
from edgefuse.runtime.engines.backends import open_engine

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
        outputs = open_engine(bundle, modality.name).run({modality.graph.inputs[0].name: inputs[modality.name]})
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
    found = open_engine(bundle, "fusion").run(
        arrays | {"prompts": open_engine(bundle, "text").run({"ids": prompt_ids})["embedding"]}
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
    found = open_engine(Bundle.open(fp32_bundle), "image").run({"frame": frames})
    np.testing.assert_allclose(found["embedding"], expected.embedding.numpy(), atol=1e-4)
    np.testing.assert_allclose(found["tokens"], expected.tokens.numpy(), atol=1e-3)


def test_what_an_absent_sense_holds_changes_nothing(fp32_bundle: Path) -> None:
    bundle = Bundle.open(fp32_bundle)
    present = np.array([[True, False, True]])
    arrays = fusion_inputs(bundle, samples(batch=1), present)
    arrays["prompts"] = open_engine(bundle, "text").run({"ids": samples(batch=37)["text"]})["embedding"]
    fusion = open_engine(bundle, "fusion")
    before = fusion.run(arrays)
    after = fusion.run(arrays | {name: -1e3 * arrays[name] - 7 for name in ("audio_tokens", "audio_embedding")})
    for name, value in before.items():
        np.testing.assert_array_equal(after[name], value, err_msg=name)
    there = fusion.run(arrays | {"present": np.array([[True, True, True]])})
    assert np.abs(there["scores"] - before["scores"]).max() > 1e-4


def test_varying_sizes_have_names(fp32_bundle: Path) -> None:
    bundle = Bundle.open(fp32_bundle)
    assert open_engine(bundle, "image").inputs[0].shape == ("batch", "height", "width", 3)
    shapes = {tensor.name: tensor.shape for tensor in open_engine(bundle, "fusion").inputs}
    assert shapes["prompts"] == ("classes", 128)
    assert shapes["audio_tokens"] == ("batch", 16, 128)
    assert shapes["present"] == ("batch", 3)


@pytest.mark.slow
def test_the_same_network_gives_the_same_bytes(spec: FusionSpec) -> None:
    once, again = (onnx_from_source(graph_sources(spec)[2]) for _ in range(2))
    assert once.SerializeToString() == again.SerializeToString()


def test_the_exporter_keeps_the_terminal_quiet(capfd: pytest.CaptureFixture[str]) -> None:
    onnx_from_source(touch(torch.nn.Linear(4, 4)))
    assert capfd.readouterr() == ("", "")


class Inner(torch.nn.Module):
    """A network in which the module `stages.1` is in the way."""

    def __init__(self, obstacle: torch.nn.Module) -> None:
        super().__init__()
        self.stages = torch.nn.Sequential(torch.nn.Linear(4, 4), obstacle)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.stages(x)


class Eigen(torch.nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.linalg.eigvalsh(x.unsqueeze(1) * x.unsqueeze(2))


class Choosing(torch.nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x if x.sum() > 0 else -x


class Baked(torch.nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + torch.zeros(int(x.shape[0]), 1)


class Raising(torch.nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if torch.compiler.is_exporting():
            raise NotImplementedError("not while exporting\nfor many reasons")
        return x


@pytest.mark.parametrize(
    ("obstacle", "said"),
    [
        (Eigen(), r"operator aten\._linalg_eigh\.default of module 0\.stages\.1 has no counterpart in ONNX"),
        (
            Choosing(),
            r"control flow that depends on values in module 0\.stages\.1 \(.*test_onnx_export\.py:\d+\); write",
        ),
        (Baked(), r"the batch of x is baked in as 5; take sizes from the input's shape"),
        (Raising(), r"NotImplementedError: not while exporting in module 0\.stages\.1 \(.*test_onnx_export\.py:\d+\)"),
    ],
    ids=["operator", "control flow", "size", "exception"],
)
def test_what_does_not_export_is_named_with_its_module(obstacle: torch.nn.Module, said: str) -> None:
    with pytest.raises(ExportError, match=rf"graph touch does not export to ONNX: {said}") as caught:
        onnx_from_source(touch(Inner(obstacle)))
    assert "\n" not in str(caught.value)


def test_a_graph_that_computes_something_else_than_pytorch_is_refused() -> None:
    source = touch(torch.nn.Linear(4, 4))
    model = onnx_from_source(source)
    check_equal(model, source)
    weight = next(tensor for tensor in model.graph.initializer if tensor.name.endswith("weight"))
    weight.CopyFrom(onnx.numpy_helper.from_array(-onnx.numpy_helper.to_array(weight), weight.name))
    with pytest.raises(ExportError, match=r"graph touch, traced to ONNX, is not what it is in PyTorch on a batch of 1"):
        check_equal(model, source)


def touch(module: torch.nn.Module) -> GraphSource:
    feed = Feed({"x": np.random.default_rng(0).standard_normal((3, 4)).astype(np.float32)})
    return GraphSource("touch", Single(module), (torch.ones(5, 4),), ("x",), ("tokens",), ({0: "batch"},), feed)


class Single(torch.nn.Sequential):
    """One module, whose outputs are a tuple."""

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor]:
        return (super().forward(x),)
