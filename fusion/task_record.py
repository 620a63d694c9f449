"""What a network was trained on, as its checkpoint records it: a built-in task by its name, or a folder."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

DIGEST_DIGITS = 16
"""Of a file's SHA-256: enough to tell a million files apart."""

Digest = Annotated[str, Field(pattern=rf"^[0-9a-f]{{{DIGEST_DIGITS}}}$")]


class BuiltInRecord(BaseModel):
    """A task whose samples edgefuse makes itself."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["built-in"] = "built-in"
    name: str


class FolderRecord(BaseModel):
    """A folder of one's own, laid out as `fusion/folder.py` says, and which of its files training saw.

    A file is known by the digest of what it holds, whatever it is called and wherever it lies. So nothing that was
    trained on is ever taken for held out, also where the folder has moved, grown or changed.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["folder"] = "folder"
    path: str = Field(description="absolute, on the machine that trained")
    trained_on: tuple[Digest, ...] = Field(description="digests of the files that were trained on, sorted")
    held_out: tuple[Digest, ...] = Field(description="of the others, sorted")


TaskRecord = Annotated[BuiltInRecord | FolderRecord, Field(discriminator="kind")]

RECORD: TypeAdapter[BuiltInRecord | FolderRecord] = TypeAdapter(TaskRecord)
"""Reads and writes a record as JSON."""
