"""By turns, so that none always follows the same one."""

from __future__ import annotations

from functools import partial

from edgefuse.bench.runs.turns import take_turns


def test_every_second_round_is_the_other_way_round():
    taken: list[str] = []
    take_turns({name: partial(taken.append, name) for name in "abc"}, 3)
    assert "".join(taken) == "abccbaabc"


def test_what_each_gave_is_kept_in_the_order_of_the_rounds():
    numbers = iter(range(10))
    given = take_turns({"a": lambda: next(numbers), "b": lambda: -next(numbers)}, 2)
    assert given == {"a": [0, 3], "b": [-1, -2]}


def test_no_round_gives_nothing():
    assert take_turns({"a": lambda: 1}, 0) == {"a": []}
