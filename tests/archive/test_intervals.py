"""What spans make up together and what they leave, against counting every moment."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from archive.intervals import left, merged, without

MOMENTS = 40
SPAN = st.tuples(st.integers(0, MOMENTS), st.integers(0, MOMENTS)).map(lambda two: (min(two), max(two)))
SPANS = st.lists(SPAN, max_size=8)


def moments(spans: list[tuple[int, int]]) -> set[int]:
    return {moment for begin, end in spans for moment in range(begin, end)}


@given(SPANS)
def test_merged_is_the_same_time_in_order_and_never_touching(spans: list[tuple[int, int]]) -> None:
    found = merged(spans)
    assert moments(found) == moments(spans)
    assert all(one[1] < other[0] for one, other in pairwise(found))


@given(SPAN, SPANS)
def test_what_is_left_of_a_span_is_what_no_other_covers(
    span: tuple[int, int], taken: list[tuple[int, int]]
) -> None:
    found = list(left(*span, taken))
    assert moments(found) == moments([span]) - moments(taken)
    assert all(begin < end for begin, end in found)


@given(SPANS, SPANS)
def test_without_does_so_for_every_span(spans: list[tuple[int, int]], taken: list[tuple[int, int]]) -> None:
    assert moments(without(spans, taken)) == moments(spans) - moments(taken)
