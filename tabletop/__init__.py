"""The built-in task: objects on a table, seen, named aloud and typed of. One task among others."""

from typing import TYPE_CHECKING

from edgefuse import imported_when_asked_for

if TYPE_CHECKING:
    from edgefuse.tabletop.clip import render_clip
    from edgefuse.tabletop.errors import SynthesisError
    from edgefuse.tabletop.samples import Examples, examples, test_set
    from edgefuse.tabletop.task import SHIPPED, TABLETOP, Tabletop
    from edgefuse.tabletop.vocabulary import LABELS
else:
    __getattr__, __dir__ = imported_when_asked_for(
        __name__,
        {
            "clip": "render_clip",
            "errors": "SynthesisError",
            "samples": "Examples examples test_set",
            "task": "SHIPPED TABLETOP Tabletop",
            "vocabulary": "LABELS",
        },
    )

__all__ = [
    "LABELS",
    "SHIPPED",
    "TABLETOP",
    "Examples",
    "SynthesisError",
    "Tabletop",
    "examples",
    "render_clip",
    "test_set",
]
