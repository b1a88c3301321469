"""The reorder buffer: order, patience, bounds."""

from __future__ import annotations

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from rtp.reorder import Gap, ReorderBuffer

MS = 1_000_000


def buffer(max_packets: int = 100) -> ReorderBuffer[int]:
    return ReorderBuffer(max_wait_ns=50 * MS, max_packets=max_packets)


def test_items_in_order_pass_at_once_across_the_wrap() -> None:
    order = buffer()
    for number in (65_534, 65_535, 0, 1):
        assert order.push(number, number, 0) == [number]
    assert order.next_deadline_ns is None


def test_swapped_items_come_out_in_order() -> None:
    order = buffer()
    assert order.push(10, 10, 0) == [10]
    assert order.push(12, 12, 1) == []
    assert order.push(13, 13, 2) == []
    assert order.push(11, 11, 3) == [11, 12, 13]


def test_a_missing_item_is_waited_for_until_its_time_is_over_and_then_reported() -> None:
    order = buffer()
    order.push(65_535, 65_535, 0)
    order.push(2, 2, 10 * MS)
    assert order.next_deadline_ns == 60 * MS
    assert order.poll(60 * MS - 1) == []
    assert order.poll(60 * MS) == [Gap(65_536, 2), 2]
    assert order.push(0, 0, 61 * MS) == []
    assert order.late == 1


def test_two_holes_are_each_waited_for() -> None:
    order = buffer()
    order.push(1, 1, 0)
    order.push(3, 3, 10 * MS)
    order.push(5, 5, 40 * MS)
    assert order.poll(60 * MS) == [Gap(2, 1), 3]
    assert order.poll(90 * MS) == [Gap(4, 1), 5]


def test_a_full_buffer_gives_up_early() -> None:
    order = buffer(max_packets=3)
    order.push(1, 1, 0)
    for number in (3, 4, 5):
        assert order.push(number, number, 0) == []
    assert order.push(6, 6, 0) == [Gap(2, 1), 3, 4, 5, 6]


def test_duplicates_are_dropped_whether_waiting_or_delivered() -> None:
    order = buffer()
    order.push(1, 1, 0)
    order.push(3, 3, 0)
    assert order.push(3, 33, 0) == []
    assert order.push(1, 11, 0) == []
    assert (order.duplicates, order.late) == (1, 1)
    assert order.push(2, 2, 0) == [2, 3]


def test_flush_gives_everything_with_its_gaps() -> None:
    order = buffer()
    for number in (1, 3, 6):
        order.push(number, number, 0)
    assert order.flush() == [Gap(2, 1), 3, Gap(4, 2), 6]
    assert order.flush() == []


def test_a_sender_that_restarts_its_numbering_is_followed() -> None:
    order = buffer()
    order.push(30_000, 30_000, 0)
    out = [item for number in range(100, 130) for item in order.push(number, number, 0)]
    assert out[0] == Gap(30_001, 0)
    assert out[1:] == list(range(115, 130))


def test_late_repairs_do_not_look_like_a_restart() -> None:
    order = buffer()
    order.push(30_000, 30_000, 0)
    for index in range(100):
        assert order.push(100 + index, 0, 0) == []
        assert order.push(30_001 + index, 1, 0) == [1]


@given(st.integers(0, 65_535), st.integers(1, 300), st.randoms(use_true_random=False), st.floats(0, 0.3))
@settings(deadline=None)
def test_whatever_arrives_comes_out_once_in_order_with_the_rest_as_gaps(
    first: int, count: int, rng: random.Random, loss: float
) -> None:
    order = buffer(max_packets=20)
    arrivals = sorted(
        (index for index in range(count) if index == 0 or rng.random() >= loss),
        key=lambda index: index if index == 0 else index + rng.random() * 8,
    )
    out = [item for index in arrivals for item in order.push((first + index) & 0xFFFF, index, index * MS)]
    out += order.flush()
    expected = 0
    for item in out:
        if isinstance(item, Gap):
            assert item.first - first == expected
            expected += item.count
        else:
            assert item == expected
            expected += 1
    assert sum(not isinstance(item, Gap) for item in out) + order.late == len(arrivals)
