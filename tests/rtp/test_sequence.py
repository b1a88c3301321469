"""Wrapping numbers, and the window of used ones, against plain models."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from rtp.sequence import SequenceUnwrapper, TimestampUnwrapper, seq_delta, seq_newer, timestamp_delta
from rtp.window import WINDOW, IndexWindow

u16 = st.integers(0, 0xFFFF)


@given(u16, st.integers(-0x8000, 0x7FFF))
def test_delta_finds_the_distance_across_the_wrap(base: int, distance: int) -> None:
    assert seq_delta((base + distance) & 0xFFFF, base) == distance
    assert seq_newer((base + distance) & 0xFFFF, base) == (distance > 0)


@given(st.integers(0, 0xFFFFFFFF), st.integers(-0x80000000, 0x7FFFFFFF))
def test_timestamps_do_so_on_32_bits(base: int, distance: int) -> None:
    assert timestamp_delta((base + distance) & 0xFFFFFFFF, base) == distance


@given(u16, st.lists(st.integers(-3000, 3000), max_size=100))
def test_unwrapping_follows_a_jumping_sequence(first: int, steps: list[int]) -> None:
    unwrapper = SequenceUnwrapper()
    assert unwrapper.unwrap(first) == first
    highest = first
    for step in steps:
        extended = highest + step
        assert unwrapper.peek(extended & 0xFFFF) == extended
        assert unwrapper.highest == highest
        assert unwrapper.unwrap(extended & 0xFFFF) == extended
        highest = max(highest, extended)
        assert unwrapper.highest == highest


@given(st.integers(0, 0xFFFFFFFF), st.lists(st.integers(-(2**30), 2**30), max_size=50))
def test_unwrapping_timestamps_does_too(first: int, steps: list[int]) -> None:
    unwrapper = TimestampUnwrapper()
    assert unwrapper.peek(first) == first
    highest = unwrapper.unwrap(first)
    for step in steps:
        assert unwrapper.peek((highest + step) & 0xFFFFFFFF) == highest + step
        assert unwrapper.unwrap((highest + step) & 0xFFFFFFFF) == highest + step
        highest = max(highest, highest + step)


@given(
    st.integers(0, 5000),
    st.lists(st.one_of(st.integers(-2100, 2100), st.integers(-3, 3), st.sampled_from([-WINDOW, 1 - WINDOW]))),
)
def test_the_window_agrees_with_a_set_of_used_numbers(first: int, steps: list[int]) -> None:
    window = IndexWindow(first)
    used, top = {first}, first
    for step in steps:
        index = top + step
        free = index >= 0 and index > top - WINDOW and index not in used and index >= first - WINDOW
        assert window.is_free(index) == free
        if free:
            window.take(index)
            used.add(index)
            top = max(top, index)
        assert window.top == top


@given(st.integers(0, 1 << 40), st.integers(-0x8000, 0x7FFF))
def test_the_window_finds_the_nearest_index_to_a_sequence_number(first: int, distance: int) -> None:
    assert IndexWindow(first).nearest((first + distance) & 0xFFFF) == first + distance
