"""One network with random weights, exported once; what a test changes is a copy."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import onnx
import pytest
import torch
from made_once import MadeOnce

from edgefuse.export import exporter
from edgefuse.export.checkpoint import spec_from_checkpoint
from edgefuse.export.spec import FusionSpec
from edgefuse.fusion.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from edgefuse.fusion.config import NetworkConfig
from edgefuse.fusion.network import FusionNetwork
from edgefuse.fusion.task_record import BuiltInRecord
from edgefuse.tabletop import splits
from edgefuse.tabletop.vocabulary import LABELS, build_tokenizer
from edgefuse.tasks import find_samples

sys.path.insert(0, str(Path(__file__).parent))  # the tests' own modules

FEW_PER_CLASS = 2


def random_network(seed: int) -> FusionNetwork:
    """As at the start of training, but with a fusion that already corrects late fusion: none of its layers is zero."""
    torch.manual_seed(seed)
    network = FusionNetwork(NetworkConfig(fusion_layers=1)).eval()
    with torch.no_grad():
        for parameter in network.fusion.parameters():
            if not parameter.any():
                parameter.normal_(std=0.05)
    return network


@pytest.fixture(scope="session")
def checkpoint_path(made_once: MadeOnce) -> Path:
    network = random_network(seed=3)
    task = BuiltInRecord(name="tabletop")
    checkpoint = Checkpoint(network, build_tokenizer(), LABELS, {}, network.config, task)
    return made_once("random.safetensors", lambda path: save_checkpoint(path, checkpoint))


@pytest.fixture(scope="session")
def spec(checkpoint_path: Path, few_examples: None) -> FusionSpec:
    return spec_from_checkpoint(checkpoint_path, find_samples)


@pytest.fixture(scope="session")
def checkpoint(checkpoint_path: Path) -> Checkpoint:
    return load_checkpoint(checkpoint_path)


@pytest.fixture(scope="session")
def few_examples() -> Iterator[None]:
    """Exports verify and calibrate on few examples, so that the tests are quick."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(splits, "VERIFICATION_PER_CLASS", FEW_PER_CLASS)
        patch.setattr(splits, "CALIBRATION_EXAMPLES", 70)
        patch.setattr(splits, "CONFIDENCE_PER_CLASS", 2)
        yield


@pytest.fixture(scope="session")
def fp32_bundle(spec: FusionSpec, made_once: MadeOnce) -> Path:
    command = "edgefuse export random.safetensors"
    return made_once("fp32", lambda path: exporter.export_bundle(spec, path, "fp32", command=command))


@pytest.fixture
def bundle_copy(fp32_bundle: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(fp32_bundle, tmp_path / "copy" / "bundle"))


@pytest.fixture
def traced_before(fp32_bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Exports take the graphs that were traced for `fp32_bundle`."""
    names = ("image", "audio", "text", "fusion")
    monkeypatch.setattr(
        exporter,
        "trace_graphs",
        lambda sources, progress: {name: onnx.load(fp32_bundle / f"{name}.onnx") for name in names},
    )
