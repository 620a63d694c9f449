"""The outlet holds the newest and counts what it drops."""

import threading

from edgefuse.runtime.streams.outlet import Outlet


def test_newest_wins_and_the_overtaken_are_counted():
    outlet = Outlet[int](1)
    for number in range(5):
        outlet.put(number)
    outlet.end()
    assert list(outlet) == [4]
    assert outlet.overtaken == 4


def test_what_waits_is_handed_out_in_order_after_the_end():
    outlet = Outlet[int](10)
    for number in range(3):
        outlet.put(number)
    outlet.end()
    assert list(outlet) == [0, 1, 2]
    assert outlet.overtaken == 0


def test_closing_ends_a_waiting_iteration_at_once():
    outlet = Outlet[int](10)
    taken: list[int] = []
    taker = threading.Thread(target=lambda: taken.extend(outlet))
    taker.start()
    outlet.close()
    taker.join(5)
    assert not taker.is_alive()
    assert taken == []
