"""`edgefuse export` and `edgefuse verify` as a user types them."""

from __future__ import annotations

from pathlib import Path

import pytest
from command_line import edgefuse, refused

NETWORKS = Path(__file__).with_name("networks.py")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nowhere.py:network"], "nowhere.py: no such file"),
        (["nowhere.safetensors"], "nowhere.safetensors: no such file"),
        ([f"{NETWORKS}:split_spec", "--size", "batch=4"], "give --target tensorrt or tensorrt-rtx"),
        ([f"{NETWORKS}:split_spec", "--data", "digits"], "brings samples of its own"),
    ],
)
def test_bad_input_gets_one_line_and_exit_code_2(arguments: list[str], said: str, tmp_path: Path) -> None:
    line = refused("export", *arguments, "-o", tmp_path / "bundle")
    assert line.startswith("edgefuse: ")
    assert said in line
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_a_network_of_ones_own_is_exported_verified_and_found_out_when_it_changes(tmp_path: Path) -> None:
    model = tmp_path / "touch.py"
    model.write_text(NETWORKS.read_text())
    exported = edgefuse("export", f"{model}:whole_spec", "-o", tmp_path / "bundle", "--precision", "fp32")
    assert exported.returncode == 0, exported.stderr
    assert exported.stderr == ""
    assert "camera + imu" in exported.stdout

    source = ["verify", tmp_path / "bundle", "--checkpoint", f"{model}:whole_spec"]
    assert edgefuse(*source).returncode == 0
    model.write_text(NETWORKS.read_text().replace("manual_seed(0)", "manual_seed(1)"))
    changed = edgefuse(*source)
    assert changed.returncode == 1
    assert "edgefuse: fusion, scores (fp32): cosine similarity" in changed.stderr
