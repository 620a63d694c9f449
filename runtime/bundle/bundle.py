"""A bundle: a directory that holds one fusion network, checked before it is used."""

from __future__ import annotations

import hashlib
import logging
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from edgefuse.runtime.bundle.graph_file import external_files
from edgefuse.runtime.bundle.manifest import FileSpec, Manifest, read_manifest
from edgefuse.runtime.bundle.signature import check_signature
from edgefuse.runtime.errors import BundleError
from edgefuse.runtime.files.digest import sha256_of
from edgefuse.runtime.files.limits import BUNDLE_BYTES

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Bundle:
    """A directory whose every file is what its manifest says."""

    directory: Path
    manifest: Manifest
    weights: Mapping[str, frozenset[str]]
    """By graph, the files of the bundle that its weights lie in besides its own."""

    @property
    def identity(self) -> str:
        """The first 12 digits of the SHA-256 of its manifest, which holds those of its files."""
        return self.manifest.sha256[:12]

    @staticmethod
    def open(directory: str | Path, require_signature: str | Path | None = None) -> Bundle:
        """Read and check a bundle; raises BundleError where a file is missing, altered or of another schema.

        `require_signature` is a public key: a bundle that its owner did not sign is refused before it is read.
        """
        try:
            directory = Path(directory)
            there = directory.is_dir()
        except (TypeError, ValueError, OSError) as error:  # no path at all, one with a NUL, one that is too long
            raise BundleError(f"a bundle's directory should be a path, but that is none: {error}") from error
        if not there:
            raise BundleError(f"{directory}: no such bundle; a bundle is a directory made by `edgefuse export`")
        if require_signature is not None:
            check_signature(directory, Path(require_signature))
        manifest = read_manifest(directory)
        if (refusal := BUNDLE_BYTES.refusal(_bytes_of(manifest))) is not None:
            raise BundleError(f"the files of {directory} are {refusal}")
        for file, expected in manifest.files.items():
            _check_size(directory / file, expected)
        for file, expected in manifest.files.items():
            _check_content(directory / file, expected)
        weights = {name: _weights(directory, graph.file, manifest) for name, graph in manifest.graphs.items()}
        _log.info("%s is the bundle %r, exported by edgefuse %s", directory, manifest.name, manifest.made.edgefuse)
        return Bundle(directory, manifest, weights)

    def graph_sha256(self, graph: str) -> str:
        """What a graph computes, as one checksum: of its file, and of the files that its weights lie in, if any."""
        file, files = self.manifest.graphs[graph].file, self.manifest.files
        weights = sorted(self.weights[graph])
        if not weights:
            return files[file].sha256
        return hashlib.sha256("".join(files[name].sha256 for name in (file, *weights)).encode()).hexdigest()

    @property
    def size_bytes(self) -> int:
        """All files that the manifest lists."""
        return _bytes_of(self.manifest)


def _bytes_of(manifest: Manifest) -> int:
    return sum(file.bytes for file in manifest.files.values())


def described(path: Path) -> FileSpec:
    """What the manifest keeps for a file."""
    return FileSpec(bytes=path.stat().st_size, sha256=sha256_of(path))


def _check_size(path: Path, expected: FileSpec) -> None:
    """Before anything of the file is read."""
    try:
        status = path.stat()
    except OSError as error:
        raise BundleError(f"{path} is missing from the bundle; copy the whole directory again") from error
    if not stat.S_ISREG(status.st_mode):
        raise BundleError(f"{path} is no regular file; copy or export the bundle again")
    if status.st_size != expected.bytes:
        raise BundleError(
            f"{path} was altered: it has {status.st_size:,} bytes, the manifest says {expected.bytes:,}; "
            "copy or export it again"
        )


def _check_content(path: Path, expected: FileSpec) -> None:
    try:
        found = sha256_of(path)
    except OSError as error:
        raise BundleError(f"{path} cannot be read: {error.strerror or error}") from error
    if found != expected.sha256:
        raise BundleError(
            f"{path} was altered: sha256 {found[:12]}..., the manifest says {expected.sha256[:12]}...; copy or export "
            "it again"
        )


def _weights(directory: Path, file: str, manifest: Manifest) -> frozenset[str]:
    """The files that a graph's weights lie in; raises BundleError for one that no checksum protects."""
    names = {(PurePosixPath(file).parent / name).as_posix() for name in external_files(directory / file)}
    for name in names:
        if name not in manifest.files:
            raise BundleError(
                f"{directory / file} has weights in {ascii(name)[:200]}, which is no file of the bundle; "
                "export it again"
            )
    return frozenset(names)
