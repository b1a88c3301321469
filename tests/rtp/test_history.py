"""The history of recent packets."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtp.history import PacketHistory

S = 1_000_000_000


def test_packets_are_found_for_the_whole_duration_and_then_leave() -> None:
    history: PacketHistory[str] = PacketHistory(2 * S)
    history.put(65_535, "a", 0)
    history.put(0, "b", S)
    history.put(1, "c", 2 * S)
    assert [history.get(n) for n in (65_535, 0, 1, 2)] == ["a", "b", "c", None]
    history.put(2, "d", 2 * S + 1)
    assert [history.get(n) for n in (65_535, 0)] == [None, "b"]


def test_a_burst_is_bounded_by_the_packet_cap() -> None:
    history: PacketHistory[int] = PacketHistory(2 * S, max_packets=10)
    for number in range(25):
        history.put(number, number, 0)
    assert len(history) == 10
    assert [n for n in range(25) if history.get(n) is not None] == list(range(15, 25))


def test_putting_a_number_again_replaces_the_packet() -> None:
    history: PacketHistory[str] = PacketHistory(S)
    history.put(1, "old", 0)
    history.put(1, "new", S)
    assert history.get(1) == "new"
    assert len(history) == 1
    history.clear()
    assert history.get(1) is None


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 5)), max_size=200))
def test_nothing_is_older_than_the_duration_or_beyond_the_cap(puts: list[tuple[int, int]]) -> None:
    history: PacketHistory[int] = PacketHistory(20, max_packets=8)
    first_put: dict[int, int] = {}
    now = 0
    for number, step in puts:
        now += step
        held = history.get(number) is not None
        history.put(number, now, now)
        if not held:
            first_put[number] = now
        assert history.get(number) == now or now - first_put[number] > 20
        assert len(history) <= 8
        assert all(now - first_put[n] <= 20 for n in range(31) if history.get(n) is not None)


def test_a_cap_that_would_make_numbers_ambiguous_is_refused() -> None:
    for cap in (0, 32_769):
        with pytest.raises(ValueError, match="history"):
            PacketHistory[int](S, cap)
