"""How each graph runs on this machine's CPU, as `edgefuse bench --tune` measured it: the file plan.json."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import AliasChoices, BaseModel, ConfigDict, Discriminator, Field, Tag, ValidationError

from edgefuse.runtime.bundle.fields import Sha256
from edgefuse.runtime.engines.processor import this_cpu
from edgefuse.runtime.errors import EngineError, FileError, first_fault
from edgefuse.runtime.files.documents import read_json
from edgefuse.runtime.files.whole_file import write_whole

SCHEMA_VERSION: Final = 1
_FILE = Path("edgefuse", "plan.json")
_REMEDY = "delete it, and measure again with `edgefuse bench --tune`"
_MOST_THREADS = 1024


class OnnxRuntimeWay(BaseModel):
    """By ONNX Runtime.

    By default on the caller's thread alone: the senses run side by side in threads of their own, and the robot's other
    processes keep their cores.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)

    engine: Literal["onnxruntime"] = "onnxruntime"
    threads: int = Field(
        1,
        ge=1,
        le=_MOST_THREADS,
        description="that share one operator's work",
        validation_alias=AliasChoices("threads", "intra_op"),  # as it was called in plans of the first kind
    )
    spinning: bool = Field(False, description="whether they wait for work busily: sooner there, and a core is taken")


class OpenVinoWay(BaseModel):
    """By OpenVINO."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)

    engine: Literal["openvino"] = "openvino"
    threads: int = Field(1, ge=1, le=_MOST_THREADS, description="that share one operator's work")
    arithmetic: Literal["f32", "bf16"] = Field(description="what it computes in where the graph says float32")


Way = OnnxRuntimeWay | OpenVinoWay


def _engine(said: object) -> str:
    """Which of the two is meant; plans of the first kind knew one engine only, and did not name it."""
    engine = said.get("engine", "onnxruntime") if isinstance(said, dict) else getattr(said, "engine", None)
    return str(engine)


_Said = Annotated[
    Annotated[OnnxRuntimeWay, Tag("onnxruntime")] | Annotated[OpenVinoWay, Tag("openvino")], Discriminator(_engine)
]


class Plan(BaseModel):
    """The whole of plan.json: by machine (see `this_machine`), then by the graph's checksum."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)

    schema_version: Literal[1] = SCHEMA_VERSION
    machines: dict[str, dict[Sha256, _Said]] = {}


def this_machine() -> str:
    """16 hexadecimal digits that change with the processor and with the number of cores that may be used."""
    said = f"{this_cpu()}\n{len(os.sched_getaffinity(0))}"
    return hashlib.sha256(said.encode()).hexdigest()[:16]


def plan_file() -> Path | None:
    """Where the plan is, by the XDG base directory specification; None for a user who has no home."""
    chosen = Path(os.environ.get("XDG_CONFIG_HOME", ""))
    try:
        return (chosen if chosen.is_absolute() else Path.home() / ".config") / _FILE
    except RuntimeError:
        return None


def planned_way(graph_sha256: str) -> Way | None:
    """What is planned for this graph on this machine; raises EngineError for a plan that is damaged."""
    path = plan_file()
    if path is None or not path.is_file():
        return None
    return _read(path).machines.get(this_machine(), {}).get(graph_sha256)


def write_plan(ways: Mapping[str, Way]) -> Path:
    """Plan these graphs, by checksum, on this machine from now on; what is planned for others stays.

    Raises EngineError where the plan that is there is damaged, or none can be written.
    """
    path = plan_file()
    if path is None:
        raise EngineError("there is nowhere to keep a plan: set XDG_CONFIG_HOME")
    machines = _read(path).machines if path.is_file() else {}
    machine = machines.get(this_machine(), {}) | dict(ways)
    text = Plan(machines=machines | {this_machine(): machine}).model_dump_json(indent=2)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, (text + "\n").encode())
    except OSError as error:
        raise EngineError(f"{path} cannot be written: {error.strerror}") from error
    return path


def _read(path: Path) -> Plan:
    try:
        return Plan.model_validate(read_json(path))
    except FileError as error:
        raise EngineError(f"{error}; {_REMEDY}") from error
    except ValidationError as error:
        raise EngineError(f"{path}: {first_fault(error)}; {_REMEDY}") from error
