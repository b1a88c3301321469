"""Transport-wide feedback: exact on the wire, complete end to end."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import ProtocolError
from rtp.rtcp import TransportFeedback, build_compound, parse_compound
from rtp.twcc import (
    MAX_ARRIVALS_PER_FEEDBACK,
    MAX_LOGGED,
    MAX_STATUSES_PER_FEEDBACK,
    FeedbackBuilder,
    PacketResult,
    SendLog,
    TransportSequence,
)
from rtp.twcc_codec import build_transport_feedback

MS = 1_000_000
START_NS = 1_780_000_000_000_000_000

deltas = st.one_of(st.none(), st.integers(0, 255), st.integers(-0x8000, 0x7FFF))
runs = st.lists(st.tuples(deltas, st.integers(1, 40)), min_size=1, max_size=12).map(
    lambda parts: tuple(delta for delta, count in parts for _ in range(count))
)


@given(st.integers(0, 0xFFFF), st.integers(-(2**23), 2**23 - 1), st.integers(0, 255), runs)
def test_feedback_survives_the_wire(
    base: int, reference: int, count: int, statuses: tuple[int | None, ...]
) -> None:
    feedback = TransportFeedback(1, 2, base, reference, count, statuses)
    assert parse_compound(build_compound([feedback])) == [feedback]


@pytest.mark.parametrize(
    ("statuses", "chunks"),
    [
        ((4,) * 20, "2014"),  # run of 20 small deltas
        ((None,) * 9000 + (4,), "1fff" + "0329" + "2001"),  # runs of at most 8191
        ((4, None, 4, 4), "ac00"),  # one bit each: 1011
        ((4, None, 300, 4), "d240"),  # two bits each: 01 00 10 01
        ((300,) * 7 + (4,), "4007" + "2001"),
    ],
)
def test_chunks_are_chosen_as_the_draft_shows(statuses: tuple[int | None, ...], chunks: str) -> None:
    body = build_transport_feedback(TransportFeedback(1, 2, 0, 0, 0, statuses))
    assert body[8 : 8 + len(chunks) // 2].hex() == chunks


def test_a_feedback_recorded_by_hand_is_read() -> None:
    # base 0x0fff, 3 packets, reference 0x000010, count 5; run of 2 small, 1 large in a two-bit vector
    control = "0fff" + "0003" + "000010" + "05" + "d600" + "28" + "04" + "fffe" + "0000"
    data = bytes.fromhex("8fcd0006" + "00000001" + "00000002" + control)
    assert parse_compound(data) == [TransportFeedback(1, 2, 0x0FFF, 16, 5, (40, 4, -2))]


@pytest.mark.parametrize(
    "control",
    [
        "0000" + "0000" + "000000" + "00",  # about no packets
        "0000" + "0001" + "000000" + "00",  # no chunk
        "0000" + "ffff" + "000000" + "00" + "1fff" * 8 + "0007" + "0000",  # more than anybody sends
        "0000" + "0001" + "000000" + "00" + "0000" + "0000",  # empty run
        "0000" + "0001" + "000000" + "00" + "6001" + "0000",  # reserved symbol
        "0000" + "0005" + "000000" + "00" + "4005" + "0000",  # deltas missing
    ],
)
def test_malformed_feedback_is_refused(control: str) -> None:
    body = bytes.fromhex("0000000100000002" + control)
    with pytest.raises(ProtocolError):
        parse_compound(b"\x8f\xcd" + (len(body) // 4).to_bytes(2, "big") + body)


def test_numbers_are_handed_out_round_the_clock() -> None:
    sequence = TransportSequence(65_534)
    assert [sequence.next() for _ in range(4)] == [65_534, 65_535, 0, 1]


def test_nothing_received_means_no_feedback() -> None:
    builder = FeedbackBuilder(1)
    assert builder.build() == []
    builder.received(5, START_NS)
    assert len(builder.build()) == 1
    assert builder.build() == []


def test_a_number_missing_between_two_feedbacks_is_reported_lost_and_corrected_when_it_comes() -> None:
    builder = FeedbackBuilder(1)
    builder.received(10, START_NS)
    builder.build()
    builder.received(12, START_NS + MS)
    (feedback,) = builder.build()
    assert (feedback.base_sequence, feedback.deltas[0]) == (11, None)
    builder.received(11, START_NS + 2 * MS)
    (feedback,) = builder.build()
    assert feedback.base_sequence == 11
    assert len(feedback.deltas) == 1
    assert feedback.deltas[0] is not None
    builder.received(13, START_NS + 3 * MS)
    assert builder.build()[0].base_sequence == 13


def test_every_feedback_is_small_enough_for_one_datagram() -> None:
    random_numbers = random.Random(1)
    builder = FeedbackBuilder(1)
    for number in sorted(random_numbers.sample(range(10_000), 3000)):
        builder.received(number, START_NS + random_numbers.randrange(10**9))
    feedbacks = builder.build()
    assert max(len(build_compound([f])) for f in feedbacks) < 1200
    for feedback in feedbacks:
        assert len(feedback.deltas) <= MAX_STATUSES_PER_FEEDBACK
        assert sum(d is not None for d in feedback.deltas) <= MAX_ARRIVALS_PER_FEEDBACK
    assert [f.feedback_count for f in feedbacks] == list(range(len(feedbacks)))


def test_hostile_jumps_cannot_make_feedback_long() -> None:
    builder = FeedbackBuilder(1)
    for i in range(50):
        builder.received(i * 30_000 & 0xFFFF, START_NS)
    assert sum(len(f.deltas) for f in builder.build()) == 50


@given(st.integers(0, 0xFFFF), st.integers(0, 2**32), st.integers(1, 400), st.integers(0, 2**31))
def test_the_sender_learns_each_packets_fate_to_a_quarter_of_a_millisecond(
    first: int, clock_ns: int, count: int, seed: int
) -> None:
    rng = random.Random(seed)
    sequence, log, builder = TransportSequence(first), SendLog(), FeedbackBuilder(1)
    arrivals: dict[int, int] = {}
    results: list[PacketResult] = []
    for i in range(count):
        number = sequence.next()
        log.sent(number, 1000 + i, i * MS)
        if rng.random() < 0.8 or i == count - 1:
            arrivals[number] = clock_ns + i * MS + rng.randrange(30 * MS)
            builder.received(number, arrivals[number])
        if rng.random() < 0.05:
            results += [r for f in builder.build() for r in log.on_feedback(f)]
    results += [r for f in builder.build() for r in log.on_feedback(f)]
    assert {r.number for r in results if r.arrival_ns is not None} == set(arrivals)
    first_number = next(iter(arrivals))
    base = next(r.arrival_ns for r in results if r.number == first_number and r.arrival_ns is not None)
    for result in results:
        if result.arrival_ns is not None:
            expected = arrivals[result.number] - arrivals[first_number]
            assert abs(result.arrival_ns - base - expected) <= MS // 4
    told = {r.number for r in results}
    untold = [i for i in range(count) if (first + i) & 0xFFFF not in told]
    assert log.in_flight_bytes == sum(1000 + i for i in untold)


def test_a_loss_is_reported_once_and_may_be_taken_back() -> None:
    log = SendLog()
    for number in range(3):
        log.sent(number, 100, number)
    lost = TransportFeedback(1, 2, 0, 0, 0, (0, None, 4))
    assert [r.arrival_ns is None for r in log.on_feedback(lost)] == [False, True, False]
    assert log.in_flight_bytes == 0
    assert log.on_feedback(lost) == []
    late = log.on_feedback(TransportFeedback(1, 2, 1, 0, 1, (8,)))
    assert late == [PacketResult(1, 100, 1, 2 * MS)]
    assert log.on_feedback(TransportFeedback(1, 2, 1, 0, 1, (8,))) == []
    assert log.in_flight_bytes == 0


def test_feedback_about_packets_never_sent_is_passed_over() -> None:
    log = SendLog()
    log.sent(100, 10, 0)
    assert log.on_feedback(TransportFeedback(1, 2, 30_000, 0, 0, (0, 1, 2))) == []


def test_the_log_is_bounded_when_no_feedback_comes() -> None:
    log, sequence = SendLog(), TransportSequence()
    for _ in range(3 * MAX_LOGGED):
        log.sent(sequence.next(), 1, 0)
    assert log.in_flight_bytes <= MAX_LOGGED


def test_the_reference_time_is_followed_across_its_wrap() -> None:
    log = SendLog()
    for number in range(2):
        log.sent(number, 1, 0)
    (before,) = log.on_feedback(TransportFeedback(1, 2, 0, 2**23 - 1, 0, (0,)))
    (after,) = log.on_feedback(TransportFeedback(1, 2, 1, -(2**23), 1, (0,)))
    assert before.arrival_ns is not None
    assert after.arrival_ns is not None
    assert after.arrival_ns - before.arrival_ns == 64 * MS
