"""What /diagnostics says of a node: one status per part, judged by limits."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final, get_args

from diagnostic_msgs.msg import DiagnosticStatus
from rclpy.node import Node

from edgefuse.runtime.errors import RefusalReason
from edgefuse.runtime.streams import StreamHealth
from edgefuse_ros.conversions import status_from_finding
from edgefuse_ros.faults import LOST, Faults
from edgefuse_ros.perceiver_thread import PerceiverThread
from edgefuse_ros.settings import Limits

OK: Final = DiagnosticStatus.OK
WARN: Final = DiagnosticStatus.WARN
ERROR: Final = DiagnosticStatus.ERROR
_REFUSALS: Final = get_args(RefusalReason)
_THERMAL = Path("/sys/class/thermal")


class Diagnosis:
    """Asked once a second; tells what is wrong now, and counts since the start."""

    def __init__(self, node: Node, faults: Faults) -> None:
        """Statuses carry the full name of `node`, so that two robots' do not mix: `robot/perception: image`."""
        self._node_name = node.get_fully_qualified_name().lstrip("/")
        self._faults = faults
        self._logger = node.get_logger()
        self._losing: set[str] = set()  # senses of which the log has said so
        self._counted: dict[str, int] = {}
        self._faults_seen: dict[str, int] = {}
        self._cpu_s, self._wall_s = time.process_time(), time.monotonic()

    def of_perceiving(self, perceiving: PerceiverThread, limits: Limits, withheld: int) -> Iterator[DiagnosticStatus]:
        """The fusion, then each sense; for a node that is active."""
        yield self._fusion(perceiving, limits, withheld)
        drops, silent_s, drift = perceiving.perceiver.drops(), perceiving.silent_s(), perceiving.perceiver.drift()
        for sense in perceiving.perceiver.senses:
            yield self._sense(sense, perceiving, limits, drops.get(sense, {}), silent_s[sense], drift.get(sense))

    def of_state(self, label: str, failure: str | None) -> DiagnosticStatus:
        """A node that is not active; ERROR where it was to be, and why it is not."""
        return self._status("perception", OK if failure is None else ERROR, failure or label, {"state": label})

    def of_stream(self, name: str, health: StreamHealth) -> DiagnosticStatus:
        """A device."""
        level = {"live": OK, "starting": OK, "ended": OK, "stalled": WARN, "reconnecting": WARN, "lost": ERROR}
        values = {"source": health.name, "samples": health.samples, "overtaken": health.overtaken}
        values |= {"reconnects": health.reconnects, "last error": health.error or ""}
        values |= {"broken": health.broken, "last broken": health.skipped or ""}
        message = health.state if level[health.state] == OK else f"{health.state}: {health.error or 'no samples'}"
        return self._status(name, level[health.state], message, values)

    def of_faults(self) -> DiagnosticStatus:
        """What went wrong within the node; WARN while it goes on."""
        counts = {place: sum(self._faults.of(place).values()) for place in self._faults.places}
        new = [place for place, count in counts.items() if count > self._faults_seen.get(place, 0)]
        self._faults_seen = counts
        message = "; ".join(f"{place}: {self._faults.last(place)}" for place in new) or "none lately"
        values = {f"{place} {reason}": n for place in counts for reason, n in self._faults.of(place).items()}
        return self._status("faults", WARN if new else OK, message, values)

    def of_computer(self, warn_c: float) -> DiagnosticStatus:
        """What the node takes of the CPU since it was last asked, and how hot that is where readable."""
        cpu_s, wall_s = time.process_time(), time.monotonic()
        percent = 100 * (cpu_s - self._cpu_s) / max(1e-3, wall_s - self._wall_s)
        self._cpu_s, self._wall_s = cpu_s, wall_s
        hottest_c = max(temperatures_c(), default=None)
        hot = hottest_c is not None and hottest_c > warn_c
        values = {"cpu of this process [%]": f"{percent:.0f}", "temperature [C]": _shown(hottest_c)}
        return self._status("computer", WARN if hot else OK, f"hot: {hottest_c:.0f} C" if hot else "fine", values)

    def _fusion(self, perceiving: PerceiverThread, limits: Limits, withheld: int) -> DiagnosticStatus:
        figures, bundle = perceiving.figures(), perceiving.perceiver.bundle
        p99_ms = figures.latency_p99_ms or 0.0
        level, message = OK, f"{figures.rate_hz:.1f} percepts/s"
        if figures.rate_hz < limits.rate_warn_hz:
            level, message = WARN, f"only {figures.rate_hz:.1f} percepts/s"
        if p99_ms > limits.latency_warn_ms:
            level = ERROR if p99_ms > limits.latency_error_ms else WARN
            message = f"late: p99 {p99_ms:.0f} ms"
        values = {
            "rate [Hz]": f"{figures.rate_hz:.1f}",
            "latency p50 [ms]": _shown(figures.latency_p50_ms),
            "latency p99 [ms]": _shown(figures.latency_p99_ms),
            "less sure than min_confidence": withheld,
            "bundle": f"{bundle.manifest.name} {bundle.identity}",
            "prompts far from training": ", ".join(perceiving.perceiver.far_prompts),
        }
        values |= {f"backend of {graph}": backend for graph, backend in perceiving.perceiver.backends.items()}
        return self._status("perception", level, message, values)

    def _sense(
        self,
        sense: str,
        perceiving: PerceiverThread,
        limits: Limits,
        drops: dict[str, int],
        silent_s: float,
        drift: float | None,
    ) -> DiagnosticStatus:
        level, message = OK, "heard" if sense in perceiving.heard_s else "nothing so far"
        if drift is not None and drift > limits.drift_warn:
            level, message = WARN, f"unlike what the bundle was made for: drift {drift:.1f}"
        stamp_age_s = perceiving.stamp_age_s.get(sense)
        if stamp_age_s is not None and stamp_age_s > limits.stamp_age_warn_s:
            level, message = WARN, f"stamped {stamp_age_s:.1f} s before it comes: is its clock this computer's?"
        if sense in limits.expected and silent_s > limits.silent_warn_s:
            level = ERROR if silent_s > limits.silent_error_s else WARN
            message = f"silent for {silent_s:.1f} s"
        for finding in self._shares(sense, perceiving, drops, limits):
            level, message = max(level, finding[0]), finding[1]
        latest = perceiving.latest.senses.get(sense) if perceiving.latest is not None else None
        values: dict[str, Any] = {"silent for [s]": f"{silent_s:.2f}"}
        values["age at the last percept [ms]"] = _shown(None if latest is None else latest.age_ms)
        values["valid at the last percept"] = latest is not None and latest.valid
        values["drift [sd]"] = _shown(drift)
        values["stamped before it came [s]"] = "" if stamp_age_s is None else f"{stamp_age_s:.3f}"
        values |= {f"dropped: {reason}": count for reason, count in drops.items()}
        values |= {f"refused: {reason}": count for reason, count in self._faults.of(sense).items()}
        return self._status(sense, level, message, values)

    def _shares(
        self, sense: str, perceiving: PerceiverThread, drops: Mapping[str, int], limits: Limits
    ) -> Iterator[tuple[bytes, str]]:
        """Level and words, where a share of what was sent since the last time got lost or was refused."""
        faults = self._faults.of(sense)
        lost = self._more(f"{sense} lost", faults.pop(LOST, 0))
        refused = self._more(f"{sense} refused", sum(faults.values()) + sum(drops.get(each, 0) for each in _REFUSALS))
        came = refused + self._more(f"{sense} taken", perceiving.taken[sense])
        if lost and lost >= limits.lost_warn * (lost + came):
            said = f"{lost} of {lost + came} lost lately: {self._faults.line(sense, LOST)}"
            if sense not in self._losing:
                self._losing.add(sense)
                self._logger.warning(f"{sense}: {said}")
            yield WARN, said
        if refused and refused >= limits.refused_warn * came:
            why = perceiving.perceiver.refusal(sense) or self._faults.last(sense)
            said = f"{refused} of {came} refused lately, the last since it {why}"
            yield ERROR if refused >= limits.refused_error * came else WARN, said

    def _more(self, what: str, count: int) -> int:
        """By how much a count has grown since the last time; it begins anew with a run."""
        before, self._counted[what] = self._counted.get(what, 0), count
        return max(0, count - before)

    def _status(self, part: str, level: bytes, message: str, values: dict[str, Any]) -> DiagnosticStatus:
        return status_from_finding(f"{self._node_name}: {part}", self._node_name, level, message, values)


def temperatures_c() -> list[float]:
    """Of every thermal zone that can be read."""
    found = []
    for path in _THERMAL.glob("thermal_zone*/temp"):
        try:
            found.append(int(path.read_text()) / 1000)
        except (OSError, ValueError):
            continue
    return found


def _shown(value: float | None) -> str:
    return "" if value is None else f"{value:.1f}"
