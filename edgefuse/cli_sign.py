"""`edgefuse sign`: say who made a bundle."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Final

import typer

_PASSWORD: Final = "EDGEFUSE_KEY_PASSWORD"


def sign(
    bundle: Annotated[Path, typer.Argument(help="made by `edgefuse export`")],
    key: Annotated[Path, typer.Option(help=f"private key (PEM, elliptic); if encrypted, {_PASSWORD} opens it")],
) -> None:
    """Sign every file of a bundle, so that robots can refuse any other."""
    from edgefuse.runtime import Bundle
    from edgefuse.runtime.bundle.signature import sign_bundle
    from edgefuse.terminal import open_console

    Bundle.open(bundle)
    signature = sign_bundle(bundle, key, os.environ.get(_PASSWORD))
    open_console().print(f"{signature}: robots check it by `--require-signature` and the public key")
