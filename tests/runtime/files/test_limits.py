"""The limits, and what docs/limits.md says of them."""

import re
from pathlib import Path

from edgefuse.runtime.files import limits

DOCS = Path(__file__).parents[3] / "docs/limits.md"


def test_the_docs_say_every_limit():
    said = {
        name: int(most.replace(",", "")) for name, most in re.findall(r"\| `(\w+)` \| ([\d,]+) \|", DOCS.read_text())
    }
    ours = [limit for limit in vars(limits).values() if isinstance(limit, limits.Limit)]
    assert said == {limit.variable: limit.most for limit in ours}


def test_a_limit_says_how_to_raise_it():
    assert limits.FRAME_PIXELS.refusal(50_000_000) is None
    assert limits.FRAME_PIXELS.refusal(50_000_001) == (
        "50,000,001 pixels, of which at most 50,000,000 are taken (EDGEFUSE_MAX_FRAME_PIXELS raises that)"
    )
