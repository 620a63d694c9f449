"""A bundle: a directory that holds one fusion network, checked before it is used."""

from __future__ import annotations

import hashlib
import logging
from dataclasses import dataclass
from pathlib import Path

from edgefuse.runtime.bundle.manifest import MANIFEST_FILE, Manifest, read_manifest
from edgefuse.runtime.errors import BundleError

_log = logging.getLogger(__name__)
_CHUNK = 1 << 20  # bytes read at a time: a graph may be larger than a robot's memory


@dataclass(frozen=True, slots=True)
class Bundle:
    """A directory whose every file is what its manifest says.

    `identity`: the first 12 digits of the SHA-256 of its manifest, which holds those of its files.
    """

    directory: Path
    manifest: Manifest
    identity: str

    @staticmethod
    def open(directory: str | Path) -> Bundle:
        """Read and check a bundle; raises BundleError where a file is missing, altered or of another schema."""
        try:
            directory = Path(directory)
            there = directory.is_dir()
        except (TypeError, ValueError, OSError) as error:  # no path at all, one with a NUL, one that is too long
            raise BundleError(f"a bundle's directory should be a path, but that is none: {error}") from error
        if not there:
            raise BundleError(f"{directory}: no such bundle; a bundle is a directory made by `edgefuse export`")
        manifest = read_manifest(directory)
        for file, expected in manifest.files.items():
            _check_file(directory / file, expected)
        _log.info("%s is the bundle %r, exported by edgefuse %s", directory, manifest.name, manifest.made.edgefuse)
        return Bundle(directory, manifest, sha256_of(directory / MANIFEST_FILE)[:12])

    @property
    def size_bytes(self) -> int:
        """All files that the manifest lists."""
        return sum((self.directory / file).stat().st_size for file in self.manifest.files)


def sha256_of(path: Path) -> str:
    """The checksum that the manifest keeps for a file."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def _check_file(path: Path, expected: str) -> None:
    if not path.is_file():
        raise BundleError(f"{path} is missing from the bundle; copy the whole directory again")
    found = sha256_of(path)
    if found != expected:
        raise BundleError(
            f"{path} was altered: sha256 {found[:12]}..., the manifest says {expected[:12]}...; copy or export it again"
        )
