"""What training says of its losses while it runs."""

import re


def total_loss(stage: str) -> float:
    """Of a stage such as "training: total 3.52, fused 1.20"."""
    return float(re.search(r": total ([\d.]+)", stage)[1])
