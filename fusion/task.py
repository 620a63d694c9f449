"""What a network was trained on, as its checkpoint records it: a built-in task by its name, or a folder."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{16}$")]


class BuiltInTask(BaseModel):
    """A task whose samples edgefuse makes itself."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["built-in"] = "built-in"
    name: str


class FolderTask(BaseModel):
    """A folder of one's own, laid out as `fusion/folder.py` says, and which of its examples training saw.

    An example is known by what its files hold, whatever they are called and wherever they lie: see `Recording.digest`.
    So nothing that was trained on is ever taken for held out, also where the folder has moved, grown or changed.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["folder"] = "folder"
    path: str = Field(description="absolute, on the machine that trained")
    trained_on: tuple[Digest, ...] = Field(description="the examples that were trained on, sorted")
    held_out: tuple[Digest, ...] = Field(description="the others, sorted")


Task = Annotated[BuiltInTask | FolderTask, Field(discriminator="kind")]

TASK: TypeAdapter[BuiltInTask | FolderTask] = TypeAdapter(Task)
"""Reads and writes a task as JSON."""
