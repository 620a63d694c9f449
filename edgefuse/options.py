"""Options that several commands have, so that they are called, and explained, alike."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, get_args

import typer

from edgefuse.runtime import Backend

OWN_BUNDLE = "edgefuse's own"
CAMERA_HELP = "index, /dev/..., URL (RTSP, HTTP) or GStreamer pipeline"
MICROPHONE_HELP = "index, name or part of one, or `default`"

Camera = Annotated[str | None, typer.Option("--camera", help=CAMERA_HELP)]
Insecure = Annotated[
    bool, typer.Option("--insecure", help="take a camera by https or rtsps also where its certificate proves nothing")
]
Microphone = Annotated[str | None, typer.Option("--microphone", help=MICROPHONE_HELP)]
SoundFile = Annotated[Path | None, typer.Option("--audio", help="sound file, where it is not beside the video")]
Channel = Annotated[
    int | None, typer.Option("--channel", help="of the sound, counted from 0; else the mean of all", min=0)
]
SignedBy = Annotated[
    Path | None, typer.Option(help="public key (PEM): refuse a bundle that its owner did not sign by `edgefuse sign`")
]
Topics = Annotated[list[str] | None, typer.Option("--topic", help="sense=topic of a recording, where several fit")]
OnBackend = Annotated[Backend, typer.Option("--backend", help="what runs the graphs; auto: the fastest that is here")]
OnBackends = Annotated[
    list[str] | None,
    typer.Option(
        "--backend",
        help="what runs the graphs; repeated: each bundle on each",
        autocompletion=lambda incomplete: [name for name in get_args(Backend) if name.startswith(incomplete)],
    ),
]


def show_help(context: typer.Context) -> None:
    """What a group of commands does when it is called without one."""
    if context.invoked_subcommand is None:
        print(context.get_help())


def complete_senses(context: typer.Context, incomplete: str) -> list[str]:
    """The senses of the bundle that was named before, for the shell."""
    from edgefuse.runtime import EdgefuseError
    from edgefuse.runtime.bundle.manifest import read_manifest

    try:
        senses = [modality.name for modality in read_manifest(Path(context.params["bundle"])).modalities]
    except EdgefuseError:
        return []
    return [sense for sense in senses if sense.startswith(incomplete)]
