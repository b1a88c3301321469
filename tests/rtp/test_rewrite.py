"""Rewriting: one continuous stream out of changing sources, no number twice."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from rtp.rewrite import MAX_GAP, MAX_LATE, StreamRewriter

MS = 1_000_000
A, B = 1, 2


def started(source: int = A, first: int = 1000) -> StreamRewriter:
    rewriter = StreamRewriter(90_000, first_sequence=first, first_timestamp=5000)
    rewriter.switch(source)
    return rewriter


def numbers(rewriter: StreamRewriter, source: int, sequence_numbers: list[int]) -> list[int | None]:
    out = [rewriter.rewrite(source, n & 0xFFFF, n * 3000 & 0xFFFFFFFF, n * 33 * MS) for n in sequence_numbers]
    return [None if pair is None else pair[0] for pair in out]


def test_the_first_packet_gets_the_given_numbers() -> None:
    assert started().rewrite(A, 7, 77, 0) == (1000, 5000)


def test_nothing_passes_before_a_source_is_chosen() -> None:
    assert StreamRewriter(90_000, 0, 0).rewrite(A, 1, 1, 0) is None


def test_numbers_follow_the_source_across_both_wraps() -> None:
    rewriter = started(first=65_530)
    assert numbers(rewriter, A, list(range(65_520, 65_550))) == [(65_530 + i) & 0xFFFF for i in range(30)]


def test_timestamps_keep_the_sources_distances() -> None:
    rewriter = started()
    out = [rewriter.rewrite(A, i, (4_294_965_000 + 3000 * i) & 0xFFFFFFFF, i) for i in range(3)]
    assert [pair and pair[1] for pair in out] == [5000, 8000, 11_000]


def test_a_gap_stays_open_for_the_late_packet_and_is_filled_once() -> None:
    rewriter = started()
    assert numbers(rewriter, A, [1, 2, 5, 4, 6, 3, 4, 3, 6]) == [
        1000, 1001, 1004, 1003, 1005, 1002, None, None, None,
    ]  # fmt: skip


def test_a_late_packet_keeps_its_own_timestamp() -> None:
    rewriter = started()
    assert rewriter.rewrite(A, 1, 3000, 0) == (1000, 5000)
    assert rewriter.rewrite(A, 3, 9000, 0) == (1002, 11_000)
    assert rewriter.rewrite(A, 2, 6000, 0) == (1001, 8000)


def test_skipped_packets_leave_no_gap() -> None:
    rewriter = started()
    assert numbers(rewriter, A, [1, 2]) == [1000, 1001]
    for number in (3, 4):
        rewriter.skip(A, number)
    assert numbers(rewriter, A, [5, 6]) == [1002, 1003]
    rewriter.skip(A, 8)
    assert numbers(rewriter, A, [9, 7, 8]) == [1005, 1004, None]


def test_a_switch_continues_number_and_time_and_drops_what_is_still_under_way() -> None:
    rewriter = started()
    for i in range(3):
        rewriter.rewrite(A, 10 + i, 3000 * i, 33 * MS * i)
    rewriter.switch(B)
    assert rewriter.rewrite(A, 13, 9000, 100 * MS) is None
    assert rewriter.rewrite(B, 500, 777, 166 * MS) == (1003, 5000 + 6000 + 9000)
    assert rewriter.rewrite(B, 499, 777, 167 * MS) is None
    assert rewriter.rewrite(A, 9, 0, 168 * MS) is None
    assert rewriter.rewrite(B, 501, 777 + 3000, 200 * MS) == (1004, 23_000)


def test_a_known_distance_in_capture_time_wins_over_arrival() -> None:
    rewriter = started()
    rewriter.rewrite(A, 1, 0, 0)
    rewriter.switch(B, elapsed_ns=50 * MS)
    assert rewriter.rewrite(B, 9, 123, 80 * MS) == (1001, 5000 + 4500)


def test_time_never_stands_still_at_a_switch() -> None:
    rewriter = started()
    rewriter.rewrite(A, 1, 0, 10)
    rewriter.switch(B)
    assert rewriter.rewrite(B, 1, 0, 10) == (1001, 5001)


def test_the_same_source_after_a_pause_leaves_no_gap() -> None:
    rewriter = started()
    assert numbers(rewriter, A, [1, 2]) == [1000, 1001]
    rewriter.switch(A)
    assert numbers(rewriter, A, [300, 299, 301]) == [1002, None, 1003]


def test_holes_of_an_old_source_are_never_filled_by_a_new_one() -> None:
    rewriter = started()
    assert numbers(rewriter, A, [1, 4]) == [1000, 1003]
    rewriter.switch(B)
    assert numbers(rewriter, B, [10, 2, 3, 11]) == [1004, None, None, 1005]


def test_a_jump_too_large_to_repair_is_closed_over() -> None:
    rewriter = started()
    jump = MAX_GAP + 3
    assert numbers(rewriter, A, [1, 1 + jump, 2, 2 + jump]) == [1000, 1001, None, 1002]


def test_a_packet_later_than_the_srtp_window_allows_is_dropped() -> None:
    rewriter = started()
    assert numbers(rewriter, A, [1, 3, *range(4, 4 + MAX_LATE), 2])[-1] is None


def test_a_nacked_number_is_traced_to_its_source_through_skips_and_switches() -> None:
    rewriter = started()
    assert rewriter.source_of(1000) is None
    assert numbers(rewriter, A, [1, 2, 5]) == [1000, 1001, 1004]
    rewriter.skip(A, 6)
    rewriter.skip(A, 7)
    assert numbers(rewriter, A, [8]) == [1005]
    rewriter.switch(B)
    assert rewriter.source_of(1005) == (A, 8)
    assert numbers(rewriter, B, [100]) == [1006]
    traced = [rewriter.source_of(n) for n in range(999, 1008)]
    assert traced == [None, (A, 1), (A, 2), (A, 3), (A, 4), (A, 5), (A, 8), (B, 100), None]


actions = st.lists(
    st.one_of(
        st.tuples(st.just("send"), st.integers(-6, 6)),
        st.tuples(st.just("send"), st.just(1)),
        st.tuples(st.just("skip"), st.integers(-3, 4)),
        st.tuples(st.just("switch"), st.sampled_from([A, B])),
        st.tuples(st.just("other"), st.integers(-6, 6)),
        st.tuples(st.just("send"), st.integers(-1200, 1200)),
    ),
    max_size=60,
)


@given(st.integers(0, 0xFFFF), st.integers(0, 0xFFFF), actions)
@settings(max_examples=300, deadline=None)
def test_no_number_is_ever_given_twice_and_each_is_traced_back(
    first: int, base: int, steps: list[tuple[str, int]]
) -> None:
    rewriter = started(first=first)
    newest = {A: base, B: base + 20_000}
    source = A
    given_numbers: dict[int, tuple[int, int]] = {}
    for i, (action, value) in enumerate(steps):
        if action == "switch":
            source = value
            rewriter.switch(source)
            continue
        chosen = source if action != "other" else A + B - source
        number = newest[chosen] + value
        newest[chosen] = max(newest[chosen], number)
        if action == "skip":
            rewriter.skip(chosen, number & 0xFFFF)
            continue
        out = rewriter.rewrite(chosen, number & 0xFFFF, number * 3000 & 0xFFFFFFFF, i * MS)
        if action == "other":
            assert out is None
        elif out is not None:
            assert out[0] not in given_numbers
            given_numbers[out[0]] = (chosen, number & 0xFFFF)
            assert rewriter.source_of(out[0]) == given_numbers[out[0]]


@given(st.lists(st.sampled_from(["send", "skip", "switch"]), max_size=200))
def test_without_loss_the_outgoing_numbers_have_no_gap(steps: list[str]) -> None:
    rewriter = started()
    number, out = 0, []
    for step in steps:
        if step == "switch":
            rewriter.switch(A)
            number += 50
            continue
        number += 1
        if step == "skip":
            rewriter.skip(A, number)
        else:
            out += numbers(rewriter, A, [number])
    assert out == list(range(1000, 1000 + len(out)))
