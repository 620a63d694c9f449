"""What of the optional parts is here, and what to type where one is not: edgefuse itself is on no registry."""

from __future__ import annotations

from importlib import metadata


def installed_version(package: str) -> str | None:
    """Of a package by the name that pip knows it by; None where it is not installed."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def how_to_install(extra: str | None = None) -> str:
    """What to type for an extra of pyproject.toml; without one, for what every robot needs."""
    wanted = "." if extra is None else f"'.[{extra}]'"
    return f"pip install {wanted} in the folder of edgefuse's source"
