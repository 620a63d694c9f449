"""A small real network as a bundle, its ONNX graphs written out, and its engines built once by the real builder."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import onnx
import onnx.parser
import pytest
from tokenizers import Tokenizer, models

from edgefuse.export.tensorrt import EngineRequest, build_engines
from edgefuse.export.tracing.onnx_export import MODULE, tensor_specs
from edgefuse.runtime.bundle.bundle import Bundle, described
from edgefuse.runtime.bundle.manifest import GraphSpec, ImageModality, Manifest, Provenance, TextModality, read_manifest

COLOURS = {"red": "something red", "green": "something green", "blue": "something blue"}

# Moves the bytes before it casts them, as PyTorch's `frame.permute(0, 3, 1, 2).float()` does.
IMAGE = """
image (uint8[batch, height, width, 3] frame) => (float[batch, 1, 3] tokens, float[batch, 3] embedding) {
  full = Constant<value_float = 255.0>()
  one = Constant<value_ints = [1]>()
  planes = Transpose<perm = [0, 3, 1, 2]>(frame)
  pixels = Cast<to = 1>(planes)
  mean = ReduceMean<axes = [2, 3], keepdims = 0>(pixels)
  embedding = Div(mean, full)
  tokens = Unsqueeze(embedding, one)
}"""

TEXT = """
text (int64[batch, 4] ids) => (float[batch, 4, 3] tokens, float[batch, 3] embedding) {
  table = Constant<value = float[4, 3] {0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1}>()
  tokens = Gather(table, ids)
  embedding = ReduceMean<axes = [1], keepdims = 0>(tokens)
}"""

FUSION = """
fusion (float[batch, 3] image_embedding, float[batch, 3] text_embedding, bool[batch, 2] present,
  float[classes, 3] prompts) => (float[batch, classes] scores) {
  told = Cast<to = 1>(present)
  first, second = Split<axis = 1>(told)
  of_first = Mul(image_embedding, first)
  of_second = Mul(text_embedding, second)
  both = Add(of_first, of_second)
  columns = Transpose<perm = [1, 0]>(prompts)
  near = MatMul(both, columns)
  scores = Softmax<axis = -1>(near)
}"""


def model_from_text(text: str) -> onnx.ModelProto:
    """A graph of opset 17; each node is named after its output and says that it came from the module `encoder.body`."""
    model = onnx.parser.parse_model(f'<ir_version: 9, opset_import: ["": 17]>\n{text}')
    for node in model.graph.node:
        node.name = f"node_{node.output[0]}"
        node.metadata_props.add(key=MODULE, value="encoder.body")
    return model


@pytest.fixture(scope="session")
def plain_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Without engines."""
    directory = tmp_path_factory.mktemp("plain") / "bundle"
    directory.mkdir()
    graphs = {}
    for name, text in (("image", IMAGE), ("text", TEXT), ("fusion", FUSION)):
        model = model_from_text(text)
        onnx.save(model, directory / f"{name}.onnx")
        inputs, outputs = tensor_specs(list(model.graph.input)), tensor_specs(list(model.graph.output))
        graphs[name] = GraphSpec(file=f"{name}.onnx", precision="fp32", inputs=inputs, outputs=outputs)
    Tokenizer(models.WordLevel({"red": 1, "green": 2, "blue": 3})).save(str(directory / "tokenizer.json"))
    Manifest(
        name="colours",
        dim=3,
        modalities=(
            ImageModality(name="image", graph=graphs["image"], max_age_ms=200),
            TextModality(name="text", graph=graphs["text"], max_age_ms=4000, max_tokens=4),
        ),
        fusion=graphs["fusion"],
        tokenizer="tokenizer.json",
        labels=COLOURS,
        files={path.name: described(path) for path in directory.iterdir()},
        made=Provenance(edgefuse="0", command="by hand"),
    ).write(directory)
    return directory


@pytest.fixture
def graph_from_text() -> Callable[[str], onnx.ModelProto]:
    return model_from_text


@pytest.fixture
def make(plain_bundle: Path, tmp_path: Path) -> Callable[..., Bundle]:
    """make(name, request, former): a copy of the plain bundle with engines, written and opened."""

    def made(name: str, request: EngineRequest | None = None, former: Path | None = None) -> Bundle:
        directory = Path(shutil.copytree(plain_bundle, tmp_path / name))
        manifest = read_manifest(directory)
        build_engines(directory, manifest, request or EngineRequest("tensorrt-rtx"), former).write(directory)
        return Bundle.open(directory)

    return made


@pytest.fixture(scope="session")
def built_once(plain_bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = Path(shutil.copytree(plain_bundle, tmp_path_factory.mktemp("built") / "bundle"))
    build_engines(directory, read_manifest(directory), EngineRequest("tensorrt-rtx")).write(directory)
    return directory


@pytest.fixture
def equipped(built_once: Path, tmp_path: Path) -> Path:
    """A copy of the bundle with its engines, for a test to change."""
    return Path(shutil.copytree(built_once, tmp_path / "equipped"))
