"""Figures of matplotlib, drawn into files."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from edgefuse.runtime.files.whole_file import write_beside

if TYPE_CHECKING:
    from types import ModuleType

    from matplotlib.figure import Figure


@contextmanager
def plain_pyplot() -> Iterator[ModuleType]:
    """matplotlib's pyplot without a window, in which a text is a text: a `$` in a label begins no formula.

    Raises ModuleNotFoundError where matplotlib is not installed.
    """
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    with matplotlib.rc_context({"text.parse_math": False, "text.usetex": False}), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing")  # which is drawn as a box
        yield pyplot


def write_figure(pyplot: ModuleType, figure: Figure, path: Path) -> None:
    """Into a file of a suffix that matplotlib knows, whole or not at all; the figure is closed."""
    try:
        with write_beside(path) as beside:
            figure.savefig(beside, dpi=90)
    finally:
        pyplot.close(figure)
