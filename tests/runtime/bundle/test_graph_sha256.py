"""A graph's checksum, by which its optimised form and its plan are kept, covers weights in other files."""

import shutil

import numpy as np
import onnx

from edgefuse.runtime import DEFAULT_BUNDLE, Bundle
from edgefuse.runtime.bundle.bundle import described


def with_weights_outside(bundle, seed):
    """The bundle, with the fusion graph's weights in a file of their own and one of them drawn from the seed."""
    manifest = Bundle.open(bundle).manifest
    path = bundle / manifest.fusion.file
    model = onnx.load(path)
    onnx.save(model, path, save_as_external_data=True, location="weights.bin", size_threshold=64)
    content = bytearray((bundle / "weights.bin").read_bytes())
    content[:4] = np.float32(seed).tobytes()
    (bundle / "weights.bin").write_bytes(content)
    files = {**manifest.files, path.name: described(path), "weights.bin": described(bundle / "weights.bin")}
    manifest.model_copy(update={"files": files}).write(bundle)
    return Bundle.open(bundle)


def test_other_weights_are_another_graph(tmp_path):
    one, other = tmp_path / "one", tmp_path / "other"
    shutil.copytree(DEFAULT_BUNDLE, one)
    shutil.copytree(DEFAULT_BUNDLE, other)
    first, second = with_weights_outside(one, 0.25), with_weights_outside(other, 0.5)
    file = first.manifest.fusion.file
    assert first.manifest.files[file] == second.manifest.files[file], "only their weights differ"
    assert first.graph_sha256("fusion") != second.graph_sha256("fusion")
    assert first.graph_sha256("text") == second.graph_sha256("text") == first.manifest.files["text.onnx"].sha256
