"""A recording is divided at every place where a clock was set back, and each message is of one run."""

from hypothesis import given
from hypothesis import strategies as st

from edgefuse.runtime.streams.recorded_runs import Times, divide

MS = 1_000_000
moments = st.integers(0, 2**64 - 1) | st.integers(1000, 1100).map(lambda ms: ms * MS)
messages = st.lists(st.tuples(st.sampled_from("abc"), moments, st.none() | moments), max_size=60)


def times_of(*stored: tuple[str, int, int | None]) -> dict[str, Times]:
    times = {topic: Times() for topic in "abc"}
    for place, (topic, log_ns, own_ns) in enumerate(stored):
        times[topic].add(place, log_ns, own_ns if own_ns is None else min(own_ns, 2**62))
    return times


def at(*log_ms: int, topic: str = "a") -> list[tuple[str, int, None]]:
    return [(topic, ms * MS, None) for ms in log_ms]


@given(messages)
def test_every_message_is_of_one_run_whatever_the_clocks_say(stored):
    times = times_of(*stored)
    runs = divide(times)
    for topic, of in times.items():
        assert sum(runs.lengths[topic]) == len(of.places)
        assert min(runs.lengths[topic]) >= 0
        assert len(runs.lengths[topic]) == len(runs.others_clock) == len(runs.steps) + 1
    places = [step.place for step in runs.steps]
    assert places == sorted(set(places))


def test_it_is_divided_before_the_first_of_three_messages_that_are_earlier():
    assert divide(times_of(*at(0, 10, 20, 5, 15, 25))).steps == [], "two are late now and then"
    runs = divide(times_of(*at(0, 10, 20, 1, 11, 19)))
    assert [(step.index, step.by_ns) for step in runs.steps] == [(3, -19 * MS)]
    assert runs.lengths["a"] == [3, 3]


def test_a_step_that_two_topics_see_is_one():
    first = [*at(0, 10, 20), *at(0, 10, 20, topic="b")]
    runs = divide(times_of(*first, *at(0), *at(21, topic="b"), *at(10, 20), *at(0, 10, 20, topic="b")))
    assert len(runs.steps) == 1
    assert runs.lengths == {"a": [3, 3], "b": [4, 3], "c": [0, 0]}


def test_sources_of_one_topic_that_take_turns_are_no_step():
    runs = divide(times_of(*at(*(ms - 500 * (ms // 10 % 2) for ms in range(1000, 2000, 10)))))
    assert runs.steps == []
