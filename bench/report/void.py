"""When figures are void: what was measured says more of the circumstances than of the bundle."""

from __future__ import annotations

from edgefuse.bench.report.result import Host, Ratio

_BUSY_SHARE = 0.5
"""Of the cores, busy for others before the measurement began: from there on percepts wait for their turn."""

_OWN_LOAD = 2.0
"""A core, that the measurement itself may add at most."""

_WIDEST = 2.0
"""The ends of a range that are further apart than this factor say nothing of what lies between them."""


def why_busy(host: Host) -> str | None:
    """Why no ratio that was measured here counts; None where the machine had time for it."""
    before, after = host.load
    if before <= _BUSY_SHARE * host.cores and after <= (_BUSY_SHARE + _OWN_LOAD) * host.cores:
        return None
    return (
        f"the ratios are void: other programs kept this machine busy (load {max(host.load):g} on {host.cores} cores); "
        "measure again when it is idle"
    )


def is_wide(ratio: Ratio) -> bool:
    """Whether its range is too wide to say anything; more rounds, or none of --quick, make it narrower."""
    return not ratio.high <= _WIDEST * ratio.low


def format_ratio(ratio: Ratio | None, busy: bool) -> str:
    """With its range; "void" where it does not count, empty where there is none."""
    if ratio is None:
        return ""
    if busy:
        return "void"
    value = "void" if is_wide(ratio) else f"{ratio.value:.2f}"
    return f"{value} ({ratio.low:.2f}-{ratio.high:.2f})"
