"""The schedule: which new tokens call for a percept."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, Protocol, TypeAlias

from edgefuse.runtime.arguments import is_one_of, number_in, shown
from edgefuse.runtime.bundle.manifest import Modality
from edgefuse.runtime.errors import EdgefuseError
from edgefuse.runtime.samples import NS_PER_S
from edgefuse.runtime.senses.evidence import Tokens
from edgefuse.runtime.senses.tokens import TokenStore

FuseOn: TypeAlias = Literal["lead", "any"] | float
"""When a percept is due: on each new evidence of the first sense, of any sense, or that many times a second."""

_SLOWEST_HZ, _FASTEST_HZ = 1e-6, 1000.0


class Schedule(Protocol):
    """Decides after each encoding."""

    def trigger(self, store: TokenStore) -> Tokens | None:
        """Of the tokens that no percept has used, those that a percept is due for now; None to wait for more."""
        ...


class OnLead:
    """On everything new of the leading sense; while that one is absent or too old, on everything new of any sense."""

    def __init__(self, lead: Modality) -> None:
        self._name = lead.name

    def trigger(self, store: TokenStore) -> Tokens | None:
        """See Schedule."""
        news = store.news()
        if self._name in news or not news:
            return news.get(self._name)
        newest = _newest(news)
        lead = store.newest(self._name)
        leaderless = lead is None or newest.stamp_ns - lead.stamp_ns > store.max_age_ns(self._name)
        return newest if leaderless else None


class OnAny:
    """On everything new of any sense."""

    def trigger(self, store: TokenStore) -> Tokens | None:
        """See Schedule."""
        news = store.news()
        return _newest(news) if news else None


class AtRate:
    """At most `rate_hz` times a second of the samples' own time, on whatever is newest then."""

    def __init__(self, rate_hz: float) -> None:
        self._period_ns = round(NS_PER_S / rate_hz)
        self._due_ns: int | None = None

    def trigger(self, store: TokenStore) -> Tokens | None:
        """See Schedule."""
        news = store.news()
        if not news:
            return None
        newest = _newest(news)
        due_ns = newest.stamp_ns if self._due_ns is None else self._due_ns
        if newest.stamp_ns < due_ns:
            return None
        self._due_ns = due_ns + ((newest.stamp_ns - due_ns) // self._period_ns + 1) * self._period_ns
        return newest


def schedule_from(fuse_on: FuseOn, lead: Modality) -> Schedule:
    """The schedule that `fuse_on` names; raises EdgefuseError for what names none."""
    if is_one_of(fuse_on, ("lead",)):
        return OnLead(lead)
    if is_one_of(fuse_on, ("any",)):
        return OnAny()
    try:
        return AtRate(number_in("fuse_on", fuse_on, _SLOWEST_HZ, _FASTEST_HZ))
    except EdgefuseError as error:
        expected = f"'lead', 'any' or a rate up to {_FASTEST_HZ:g} Hz"
        raise EdgefuseError(f"fuse_on should be {expected}, but is {shown(fuse_on)}") from error


def _newest(news: Mapping[str, Tokens]) -> Tokens:
    return max(news.values(), key=lambda tokens: tokens.stamp_ns)
