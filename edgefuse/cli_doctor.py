"""`edgefuse doctor`: what this machine has, and what is missing for what."""

from __future__ import annotations

from typing import Annotated

import typer

from edgefuse.options import CAMERA_HELP, MICROPHONE_HELP, Channel, Insecure
from edgefuse.terminal import open_console, progress_bar


def doctor(
    camera: Annotated[str | None, typer.Option(help=f"{CAMERA_HELP}; it is watched for 3 s")] = None,
    insecure: Insecure = False,
    microphone: Annotated[str | None, typer.Option(help=f"{MICROPHONE_HELP}; it is listened to for 3 s")] = None,
    channel: Channel = None,
) -> None:
    """Say what this machine has, and what is missing for what; exit code 1 if something that must work does not."""
    from rich.table import Table
    from rich.text import Text

    from edgefuse.runtime.doctor import examine, find_program, measure

    table = Table("", "for", "", box=None)
    speech = find_program("speech of the tabletop task", "espeak-ng", "apt-get install espeak-ng")
    console = open_console()
    with progress_bar(console) as progress:
        progress("looking at this machine", 0, None)
        findings = [*examine(), speech, *measure(camera, microphone, channel, insecure)]
    for finding in findings:
        mark = Text(finding.state, {"ok": "green", "missing": "yellow", "wrong": "red"}[finding.state])
        table.add_row(mark, finding.subject, finding.detail)
    console.print(table)
    raise typer.Exit(1 if any(finding.state == "wrong" for finding in findings) else 0)
