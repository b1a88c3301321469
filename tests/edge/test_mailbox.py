"""The newest frame wins."""

from __future__ import annotations

import threading

from edge_agents.mailbox import Mailbox


def test_the_newest_value_wins_and_the_others_are_counted() -> None:
    box: Mailbox[int] = Mailbox()
    for number in range(5):
        box.put(number)
    assert box.take(0) == 4
    assert box.dropped == 4
    assert box.take(0) is None


def test_a_value_taken_in_time_is_not_counted_as_dropped() -> None:
    box: Mailbox[int] = Mailbox()
    for number in range(5):
        box.put(number)
        assert box.take(0) == number
    assert box.dropped == 0


def test_closing_wakes_a_waiting_taker_with_nothing() -> None:
    box: Mailbox[int] = Mailbox()
    taken: list[int | None] = []
    taker = threading.Thread(target=lambda: taken.append(box.take(30)))
    taker.start()
    box.close()
    taker.join(5)
    assert taken == [None]
    box.put(1)
    assert box.take(0) is None
