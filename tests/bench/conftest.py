"""One short measurement of the default bundle against itself, which most tests look at."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest
from made_once import MadeOnce

sys.path.insert(0, str(Path(__file__).parent))  # made_results, made_runs

from edgefuse.bench.extent import Effort, Extent, Wish
from edgefuse.bench.load.variants import open_variants
from edgefuse.bench.measurement import measure
from edgefuse.bench.report.result import Result, read_result
from edgefuse.runtime import DEFAULT_BUNDLE, DEFAULT_CLIP

SHORT = Extent(
    engines=Effort(calls=200, seconds=1.0),
    rounds=4,
    round_s=0.5,
    overhead_s=1.6,
    search_s=0.3,
    search_steps=1,
    overload_rounds=1,
    idle_s=0.2,
    starts=1,
    ros_rounds=1,
    ros_s=1.0,
)


@pytest.fixture(scope="session")
def twice(tmp_path_factory: pytest.TempPathFactory, made_once: MadeOnce) -> Result:
    """The same bundle as two variants."""
    bundle = tmp_path_factory.mktemp("bench") / "tabletop"

    def write_measured(path: Path) -> None:
        shutil.copytree(DEFAULT_BUNDLE, bundle)
        variants = open_variants([bundle, bundle], ["auto"], DEFAULT_CLIP)
        measured = measure(variants, Wish(str(DEFAULT_CLIP), 30.0, SHORT), lambda stage, done, total: None)
        path.write_text(measured.model_dump_json())

    return read_result(made_once("twice.json", write_measured))
