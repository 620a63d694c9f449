"""Who made a bundle: OpenSSF's model signatures with keys of one's own, over every file of the directory.

See https://github.com/ossf/model-signing-spec; `model_signing` on the command line makes and checks the same.
"""

from __future__ import annotations

import importlib
import re
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from types import ModuleType
from typing import Any, Final

from edgefuse.runtime.errors import BundleError, FileError
from edgefuse.runtime.extras import how_to_install
from edgefuse.runtime.files.documents import read_bytes
from edgefuse.runtime.files.whole_file import write_beside

SIGNATURE_FILE: Final = "model.sig"


def sign_bundle(directory: Path, private_key: Path, password: str | None = None) -> Path:
    """Sign every file of a bundle that is complete; the signature lies in it, and takes the place of a former one.

    `private_key` is a PEM file with an elliptic key on P-256, P-384 or P-521, `password` what it is encrypted with.
    Raises BundleError where the key cannot be used, or the directory holds what cannot be signed.
    """
    package = _package("signing")
    read_bytes(private_key)  # in one line what is wrong with the file
    try:
        config = package.Config().set_hashing_config(_hashing(directory))
        config.use_elliptic_key_signer(
            private_key=private_key, password=None if password is None else password.encode()
        )
    except Exception as error:  # what cryptography raises shares no base class
        raise BundleError(f"{private_key} is no private key that can be used: {_first_line(error)}") from error
    signature = directory / SIGNATURE_FILE
    try:
        with write_beside(signature) as beside:
            config.sign(directory, beside)
    except OSError as error:
        raise BundleError(f"{signature} cannot be written: {error.strerror}") from error
    except Exception as error:
        raise BundleError(f"{directory} cannot be signed: {_first_line(error)}") from error
    return signature


def check_signature(directory: Path, public_key: Path) -> None:
    """Raises BundleError unless the directory's files are just those that the owner of this key signed.

    Nothing is parsed but the signature. `public_key` is a PEM file.
    """
    package = _package("verifying")
    signature = directory / SIGNATURE_FILE
    read_bytes(public_key)
    try:
        config = package.Config().set_hashing_config(_hashing(directory))
        config.use_elliptic_key_verifier(public_key=public_key)
    except Exception as error:  # what cryptography raises shares no base class
        raise BundleError(f"{public_key} is no public key that can be used: {_first_line(error)}") from error
    try:
        read_bytes(signature)
    except FileError as error:
        raise BundleError(f"{directory} is not signed: {error}; sign it with `edgefuse sign`") from error
    try:
        with redirect_stdout(StringIO()):  # the package prints what it thinks of older signatures
            config.verify(directory, signature)
    except Exception as error:
        why = _first_line(error) or type(error).__name__  # InvalidSignature says nothing
        raise BundleError(f"{directory} is not what the owner of {public_key} signed: {why}") from error


def _hashing(directory: Path) -> Any:
    """Every file but the signature; a link is refused."""
    config = _package("hashing").Config()
    return config.set_ignored_paths(paths=[SIGNATURE_FILE], ignore_git_paths=False)


def _package(module: str) -> ModuleType:
    try:
        return importlib.import_module(f"model_signing.{module}")
    except ImportError as error:
        raise BundleError(f"signatures need model-signing: {how_to_install('sign')} ({error})") from error


def _first_line(error: Exception) -> str:
    said = " ".join(str(error).split())
    changed = re.findall(r"Hash mismatch for \\*'(.+?)\\*': Expected", said)  # the rest is digests
    return f"{', '.join(changed)} differs" if changed else said[:200]
