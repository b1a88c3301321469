"""When packets are asked for again, and when not."""

from __future__ import annotations

from rtp.nack import MAX_MISSING, MAX_PER_REQUEST, MAX_TRIES, NackGenerator

MS = 1_000_000


def test_a_gap_is_asked_for_at_once() -> None:
    nack = NackGenerator()
    for number in (65_533, 1):
        nack.received(number, 0)
    assert nack.due(0) == [65_534, 65_535, 0]
    assert nack.due(0) == []


def test_nothing_is_asked_for_while_packets_come_in_order() -> None:
    nack = NackGenerator()
    for number in range(65_000, 66_000):
        nack.received(number & 0xFFFF, number)
        assert nack.due(number) == []
        assert nack.next_due_ns() is None


def test_retries_come_after_a_quarter_more_than_the_round_trip() -> None:
    nack = NackGenerator(rtt_ns=100 * MS)
    nack.received(1, 0)
    nack.received(3, 0)
    asked_at = [now for now in range(0, 1000 * MS, MS) if nack.due(now)]
    assert asked_at == [0, 125 * MS, 250 * MS, 375 * MS, 500 * MS, 625 * MS, 750 * MS, 875 * MS]


def test_retries_are_at_least_twenty_milliseconds_apart_and_at_most_ten() -> None:
    nack = NackGenerator(rtt_ns=MS)
    nack.received(1, 0)
    nack.received(3, 0)
    asked_at = [now for now in range(0, 1000 * MS, MS) if nack.due(now)]
    assert asked_at == [i * 20 * MS for i in range(MAX_TRIES)]
    assert (len(nack), nack.given_up, nack.needs_keyframe) == (0, 1, True)


def test_a_packet_that_came_is_not_asked_for_any_more() -> None:
    nack = NackGenerator()
    nack.received(1, 0)
    nack.received(4, 0)
    assert nack.due(0) == [2, 3]
    nack.received(2, 50 * MS, repaired=True)
    assert nack.due(500 * MS) == [3]
    assert not nack.needs_keyframe


def test_what_is_too_old_is_given_up_and_a_keyframe_wanted() -> None:
    nack = NackGenerator(max_age_ns=300 * MS)
    nack.received(1, 0)
    nack.received(3, 0)
    nack.due(0)
    assert nack.due(301 * MS) == []
    assert nack.needs_keyframe
    assert nack.next_due_ns() is None


def test_a_huge_jump_is_not_repaired_but_restarts_with_a_keyframe() -> None:
    nack = NackGenerator()
    nack.received(1, 0)
    nack.received(3, 0)
    nack.received(3 + MAX_MISSING + 2, 0)
    assert nack.due(0) == []
    assert nack.needs_keyframe
    nack.received(3 + MAX_MISSING + 4, 0)
    assert nack.due(0) == [3 + MAX_MISSING + 3]


def test_the_list_of_missing_packets_is_bounded_over_many_gaps() -> None:
    nack = NackGenerator()
    for number in range(0, 30_000, 300):
        nack.received(number, 0)
        assert len(nack) <= MAX_MISSING


def test_one_request_fits_a_datagram_and_the_rest_follows() -> None:
    nack = NackGenerator()
    nack.received(0, 0)
    nack.received(500, 0)
    first, second = nack.due(0), nack.due(0)
    assert len(first) == len(second) == MAX_PER_REQUEST
    assert first + second + nack.due(0) == list(range(1, 500))


def test_where_packets_overtake_each_other_requests_wait_a_little() -> None:
    nack = NackGenerator(rtt_ns=100 * MS)
    nack.received(1, 0)
    nack.received(3, 0)
    nack.received(2, 4 * MS)
    nack.received(5, 10 * MS)
    assert nack.due(10 * MS) == []
    due_ns = nack.next_due_ns()
    assert due_ns is not None
    assert 14 * MS < due_ns <= 15 * MS
    nack.received(4, 13 * MS)
    assert nack.due(100 * MS) == []


def test_repairs_do_not_count_as_overtaking() -> None:
    nack = NackGenerator(rtt_ns=10 * MS)
    nack.received(1, 0)
    nack.received(3, 0)
    assert nack.due(0) == [2]
    nack.received(2, 4 * MS, repaired=True)
    nack.received(5, 10 * MS)
    assert nack.due(10 * MS) == [4]


def test_the_wait_for_overtaken_packets_fades_away() -> None:
    nack = NackGenerator()
    nack.received(1, 0)
    nack.received(3, 0)
    nack.received(2, 15 * MS)
    number = 3
    for _ in range(400):
        number += 2
        nack.received(number, 0)
        nack.received(number - 1, 0, repaired=True)
    nack.received(number + 2, 0)
    assert nack.due(MS) == [number + 1]


def test_a_keyframe_makes_older_repairs_needless() -> None:
    nack = NackGenerator()
    for number in (65_530, 65_532, 2):
        nack.received(number, 0)
    nack.forget_before(65_535)
    assert nack.due(0) == [65_535, 0, 1]


def test_old_and_repeated_packets_are_ignored() -> None:
    nack = NackGenerator()
    for number in (10, 10, 9, 5, 11):
        nack.received(number, 0)
    assert nack.due(0) == []


def test_what_comes_as_itself_after_it_was_asked_for_counts_as_answered() -> None:
    nack = NackGenerator()
    for number in (1, 3, 6):
        nack.received(number, 0)
    assert nack.due(0) == [2, 4, 5]
    nack.received(2, 30 * MS)
    nack.received(4, 30 * MS, repaired=True)  # counted where RTX is unwrapped
    nack.received(8, 40 * MS)
    nack.received(7, 41 * MS)  # only overtaken: nobody had asked
    assert nack.answered == 1
