"""The runs of a recording: what lies between two places where a clock was set back.

A bag was looped, a recorder restarted, two recordings merged, a computer's clock corrected: then the same time comes
again, and what was sensed before has nothing to do with what was sensed after. A topic's messages are stored in the
order in which they were taken, those of several topics only roughly so. So a clock is seen to be set back within a
topic (see StampOrder), and the others are divided where their own does so, or else at the same place.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from edgefuse.runtime.errors import SampleError
from edgefuse.runtime.samples import NS_PER_S
from edgefuse.runtime.senses.continuity import SetBack, StampOrder

CLOCKS_APART_NS = 10 * NS_PER_S
"""A message that says it was sensed so long before or after it was logged is on another clock than the log."""

_TOGETHER_NS = NS_PER_S
"""Topics whose clocks are set back within this time have seen the same."""

_FOR_GOOD = 3
"""Messages in a row that show that a publisher's clock has changed; one or two may be damaged."""

_MOST_NS = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Times:
    """When the messages of a topic were stored, logged and, by their own header, sensed.

    In the order in which they were stored: `places` count the messages of the whole bag, `log_ns` and `own_ns` are ROS
    time; `own_ns` is 0 where a message does not say.
    """

    places: array[int] = field(default_factory=lambda: array("q"))
    log_ns: array[int] = field(default_factory=lambda: array("q"))
    own_ns: array[int] = field(default_factory=lambda: array("q"))

    def add(self, place: int, log_ns: int, own_ns: int | None) -> None:
        """One message more."""
        self.places.append(place)
        self.log_ns.append(min(log_ns, _MOST_NS))
        self.own_ns.append(own_ns or 0)

    def apart(self, index: int) -> bool:
        """Whether a message's own stamp is on another clock than the log."""
        own_ns = self.own_ns[index]
        return own_ns != 0 and abs(own_ns - self.log_ns[index]) > CLOCKS_APART_NS


@dataclass(frozen=True, slots=True)
class ClockStep:
    """Where time begins anew: before the message `index` of `topic`.

    The clock went on by `by_ns` too much (less than 0: it went back): the log's, or (`of_stamps`) that of whoever
    publishes the topic. `before_ns` and `log_ns` are the log times before and behind the step.
    """

    topic: str
    index: int
    place: int
    before_ns: int
    log_ns: int
    by_ns: int
    of_stamps: bool


@dataclass(frozen=True, slots=True)
class RecordedRuns:
    """How a recording is divided: a run more than there are steps.

    `lengths` says how many messages of a topic are of each run; `others_clock` which topics of each run have stamps
    that are on another clock than the log, or on none that goes on.
    """

    steps: Sequence[ClockStep]
    lengths: Mapping[str, Sequence[int]]
    others_clock: Sequence[frozenset[str]]


def divide(times: Mapping[str, Times]) -> RecordedRuns:
    """The runs of a recording, of whose topics each has had these times."""
    own = sorted((step for topic, of in times.items() for step in _own_steps(topic, of)), key=lambda step: step.place)
    seen = _merged(own, times)
    cuts = {topic: [0, *_cuts(topic, seen, times), len(of.places)] for topic, of in times.items()}
    return RecordedRuns(
        [step for step, _ in seen],
        {topic: [end - start for start, end in pairwise(those)] for topic, those in cuts.items()},
        [
            frozenset(topic for topic, of in times.items() if _of_no_use(of, *cuts[topic][run : run + 2]))
            for run in range(len(seen) + 1)
        ],
    )


def _own_steps(topic: str, times: Times) -> Iterator[ClockStep]:
    """Where the clocks of a topic's own messages step."""
    backs = dict(_set_backs(times.log_ns, range(len(times.log_ns))))
    for index, by_ns in backs.items():
        yield _step(topic, times, index, -by_ns, of_stamps=False)
    for start, end in pairwise([0, *backs, len(times.log_ns)]):
        stamped = [index for index in range(start, end) if times.own_ns[index]]
        changes = dict(_clock_changes(times, stamped)) | {
            index: -by_ns for index, by_ns in _set_backs(times.own_ns, stamped)
        }
        for index, by_ns in changes.items():
            yield _step(topic, times, index, by_ns, of_stamps=True)


def _step(topic: str, times: Times, index: int, by_ns: int, of_stamps: bool) -> ClockStep:
    before_ns, log_ns = times.log_ns[index - 1], times.log_ns[index]
    return ClockStep(topic, index, times.places[index], before_ns, log_ns, by_ns, of_stamps)


def _set_backs(stamps: Sequence[int], among: Sequence[int]) -> Iterator[tuple[int, int]]:
    """The index of each stamp before which time was set back for good, and by how much [ns]."""
    order, lately = StampOrder(), deque[int](maxlen=_FOR_GOOD)
    newest = 0
    for index in among:
        lately.append(index)
        try:
            order.check(stamps[index])
        except SampleError:
            continue
        except SetBack:
            yield lately[0], newest - stamps[lately[0]]
            order = StampOrder()
        newest = stamps[index]
        order.accept(newest)


def _clock_changes(times: Times, stamped: Sequence[int]) -> Iterator[tuple[int, int]]:
    """The index of each message from which on stamps are on the log's clock and were not, or the other way round.

    With it, by how much they are ahead of the log more than before [ns].
    """
    apart = [times.apart(index) for index in stamped]
    now = None
    for number in range(len(stamped) - _FOR_GOOD + 1):
        if len(set(apart[number : number + _FOR_GOOD])) > 1 or apart[number] == now:
            continue
        if now is not None:
            before_ns, ahead_ns = (times.own_ns[i] - times.log_ns[i] for i in stamped[number - 1 : number + 1])
            yield stamped[number], ahead_ns - before_ns
        now = apart[number]


def _merged(own: Sequence[ClockStep], times: Mapping[str, Times]) -> list[tuple[ClockStep, dict[str, int]]]:
    """The steps of the recording, in their order, each with the index before which each topic has seen it itself."""
    seen: list[tuple[ClockStep, dict[str, int]]] = []
    behind = dict.fromkeys(times, 0)
    for step in own:
        number = _same(step, seen, behind[step.topic], times[step.topic].places[step.index - 1])
        if number is None:
            number = len(seen)
            seen.append((step, {}))
        seen[number][1][step.topic] = step.index
        behind[step.topic] = number + 1
    return seen


def _same(step: ClockStep, seen: Sequence[tuple[ClockStep, object]], behind: int, last_place: int) -> int | None:
    """Which of the steps that were seen before is this one; None if it is another.

    It is the last one that lies between the topic's messages, or one at which the log showed about the same time.
    """
    candidates = range(behind, len(seen))
    between = [number for number in candidates if last_place < seen[number][0].place]
    if between:
        return between[-1]
    near = (number for number in candidates if abs(step.log_ns - seen[number][0].log_ns) <= _TOGETHER_NS)
    return next(near, None)


def _cuts(topic: str, seen: Sequence[tuple[ClockStep, dict[str, int]]], times: Mapping[str, Times]) -> Iterator[int]:
    """The index of the topic's first message behind each step."""
    of = times[topic]
    known = [
        own.get(topic, None if step.of_stamps else _first_behind(step, of, times[step.topic])) for step, own in seen
    ]
    cut = 0
    for number, (step, _) in enumerate(seen):
        index = known[number]
        if index is None:  # the log goes on, so its time tells
            end = next((later for later in known[number:] if later is not None), len(of.places))
            index = next((i for i in range(cut, end) if of.log_ns[i] >= step.log_ns), end)
        cut = max(cut, index)
        yield cut


def _first_behind(step: ClockStep, of: Times, stepping: Times) -> int:
    """The index of a topic's first message behind a step of the log, which it has not seen itself.

    It is the first that is stored behind the step, and logged nearer to what the stepping topic then says than to what
    it said before.
    """
    index = bisect_left(of.places, step.place)
    while index < len(of.places):
        now_ns = stepping.log_ns[bisect_right(stepping.places, of.places[index]) - 1]
        if abs(of.log_ns[index] - now_ns) <= abs(of.log_ns[index] - step.before_ns):
            break
        index += 1
    return index


def stands_still(times: Times, start: int = 0, end: int | None = None) -> bool:
    """Whether most messages' own stamps are those of the messages before: then they say nothing."""
    stamps = [stamp_ns for stamp_ns in times.own_ns[start:end] if stamp_ns]
    still = sum(before == now for before, now in pairwise(stamps))
    return still >= _FOR_GOOD and 2 * still > len(stamps)


def _of_no_use(times: Times, start: int, end: int) -> bool:
    stamped = [index for index in range(start, end) if times.own_ns[index]]
    return 2 * sum(map(times.apart, stamped)) > len(stamped) or stands_still(times, start, end)
