"""The seal of a manifest: its own SHA-256, by which it protects itself as it protects the other files.

It is taken over the file's bytes with 64 zeros where its digits stand: at the first place in the file, which is the
first field. Anyone can check it without an understanding of JSON, and a signature of it is one of the whole bundle.
It tells a change by hand or by accident, not an attacker, who can seal again.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any, Final

from edgefuse.runtime.errors import BundleError

UNSEALED: Final = "0" * 64


def sealed(text: str) -> str:
    """The text of a manifest with its SHA-256 in the place of the first `UNSEALED`."""
    return text.replace(UNSEALED, hashlib.sha256(text.encode()).hexdigest(), 1)


def check_seal(text: str, document: Any, path: Path) -> None:
    """Raises BundleError unless `text`, which holds `document`, is as it was sealed."""
    seal = document.get("sha256") if isinstance(document, dict) else None
    if seal is None or seal == UNSEALED:
        raise BundleError(f"{path} has no sha256 of itself: it was altered; export again")
    if not isinstance(seal, str) or sealed(text.replace(seal, UNSEALED, 1)) != text:
        raise BundleError(f"{path} was altered by hand: its sha256 is not what it says; export again")
