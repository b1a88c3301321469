"""Capture time of frames, and how far it may be off."""

from __future__ import annotations

import random

import pytest

from core.clock import NS_PER_S, unix_ns_to_ntp
from rtp.capture_clock import CaptureClock
from rtp.extensions import AbsoluteCaptureTime

MS = 1_000_000
START_NS = 1_780_000_000_000_000_000
RATE = 90_000
FIRST_TIMESTAMP = 4_294_000_000


class Publisher:
    """Captures at START_NS + t (our clock); its clock is ahead by `offset_ns`; the way takes `delay_ns`."""

    def __init__(self, offset_ns: int = 0, delay_ns: int = 0) -> None:
        self.offset_ns = offset_ns
        self.delay_ns = delay_ns

    def timestamp(self, t_ns: int) -> int:
        return (FIRST_TIMESTAMP + t_ns * RATE // NS_PER_S) & 0xFFFFFFFF

    def report(self, clock: CaptureClock, t_ns: int, rtt_ns: int | None, extra_delay_ns: int = 0) -> None:
        arrival = START_NS + t_ns + self.delay_ns + extra_delay_ns
        ntp = unix_ns_to_ntp(START_NS + t_ns + self.offset_ns)
        clock.on_sender_report(ntp, self.timestamp(t_ns), arrival, rtt_ns)

    def capture(
        self, clock: CaptureClock, t_ns: int, encoding_ns: int = 0, rtt_ns: int | None = None
    ) -> None:
        value = AbsoluteCaptureTime(START_NS + t_ns + self.offset_ns)
        clock.on_capture_time(
            self.timestamp(t_ns), value, START_NS + t_ns + encoding_ns + self.delay_ns, rtt_ns
        )

    def error_us(self, clock: CaptureClock, t_ns: int) -> int:
        capture_us = clock.capture_time_us(self.timestamp(t_ns))
        assert capture_us is not None
        return abs(capture_us - (START_NS + t_ns) // 1000)


def test_nothing_is_known_before_the_first_packet() -> None:
    clock = CaptureClock(RATE)
    assert (clock.capture_time_us(0), clock.uncertainty_us, clock.anchor) == (None, None, None)


def test_until_a_report_comes_arrival_stands_in_with_a_wide_bound() -> None:
    clock, publisher = CaptureClock(RATE), Publisher(delay_ns=30 * MS)
    clock.capture_time_us(publisher.timestamp(0), START_NS + 30 * MS)
    assert publisher.error_us(clock, NS_PER_S) == pytest.approx(30_000, abs=20)
    assert clock.uncertainty_us is not None
    assert clock.uncertainty_us > 100_000


@pytest.mark.parametrize("offset_s", [-3600, -1, 0, 2, 86_400])
def test_a_publishers_wrong_clock_is_taken_out(offset_s: int) -> None:
    clock, publisher = CaptureClock(RATE), Publisher(offset_s * NS_PER_S, delay_ns=20 * MS)
    publisher.report(clock, 0, rtt_ns=40 * MS)
    assert publisher.error_us(clock, 5 * NS_PER_S) <= 50
    assert clock.uncertainty_us == 21_000


def test_the_true_time_lies_within_the_stated_bound_on_a_lopsided_jittery_way() -> None:
    rng = random.Random(4)
    clock, publisher = CaptureClock(RATE), Publisher(7 * NS_PER_S, delay_ns=35 * MS)
    for second in range(60):
        publisher.report(clock, second * NS_PER_S, rtt_ns=40 * MS, extra_delay_ns=rng.randrange(50 * MS))
        if second > 5:
            assert clock.uncertainty_us is not None
            assert publisher.error_us(clock, second * NS_PER_S) <= clock.uncertainty_us + 10_000
    assert publisher.error_us(clock, 60 * NS_PER_S) <= (clock.uncertainty_us or 0)


def test_a_frame_keeps_its_name_while_the_estimate_only_trembles() -> None:
    clock, publisher = CaptureClock(RATE), Publisher(NS_PER_S, delay_ns=10 * MS)
    publisher.report(clock, 0, rtt_ns=20 * MS)
    revision, name = clock.revision, clock.capture_time_us(publisher.timestamp(0))
    for second in range(1, 30):
        publisher.report(clock, second * NS_PER_S, rtt_ns=20 * MS, extra_delay_ns=second % 3 * MS // 4)
    assert clock.revision == revision
    assert clock.capture_time_us(publisher.timestamp(0)) == name


def test_capture_times_of_the_frames_themselves_win_over_reports() -> None:
    clock, publisher = CaptureClock(RATE), Publisher(3 * NS_PER_S, delay_ns=10 * MS)
    publisher.report(clock, 0, rtt_ns=20 * MS)
    publisher.capture(clock, 33 * MS, encoding_ns=25 * MS, rtt_ns=20 * MS)
    wrong = unix_ns_to_ntp(START_NS + NS_PER_S + publisher.offset_ns + 40 * MS)
    clock.on_sender_report(wrong, publisher.timestamp(NS_PER_S), START_NS + NS_PER_S + 10 * MS, 20 * MS)
    assert publisher.error_us(clock, NS_PER_S) <= 1100


def test_a_first_report_that_waited_does_not_date_frames_late() -> None:
    clock, publisher = CaptureClock(RATE), Publisher(offset_ns=-7 * NS_PER_S, delay_ns=2 * MS)
    for frame in range(30):
        publisher.capture(clock, frame * 33 * MS, 12 * MS, 4 * MS)
    publisher.report(clock, NS_PER_S, 4 * MS, extra_delay_ns=70 * MS)
    publisher.capture(clock, 1_033 * MS, 12 * MS, 4 * MS)
    assert publisher.error_us(clock, 1_033 * MS) < 13_000
    publisher.report(clock, 2 * NS_PER_S, 4 * MS)
    publisher.capture(clock, 2_033 * MS, 12 * MS, 4 * MS)
    assert publisher.error_us(clock, 2_033 * MS) < 1_500


def test_after_enough_reports_capture_times_no_longer_tell_of_the_clock() -> None:
    clock, publisher = CaptureClock(RATE), Publisher(delay_ns=2 * MS)
    publisher.capture(clock, 0, -500 * MS + 4 * MS)  # its camera's clock is half a second ahead of its own
    for second in range(1, 9):
        publisher.report(clock, second * NS_PER_S, 4 * MS)
    publisher.capture(clock, 9 * NS_PER_S, 4 * MS)
    assert publisher.error_us(clock, 9 * NS_PER_S) < 1_500


def test_with_capture_times_alone_the_encoding_delay_is_in_the_bound() -> None:
    clock, publisher = CaptureClock(RATE), Publisher(3 * NS_PER_S, delay_ns=10 * MS)
    publisher.capture(clock, 0, encoding_ns=30 * MS, rtt_ns=20 * MS)
    assert clock.uncertainty_us is not None
    assert publisher.error_us(clock, 0) <= clock.uncertainty_us


def test_a_hop_in_between_tells_its_offset_to_the_capturing_machine() -> None:
    clock = CaptureClock(RATE)
    clock.on_sender_report(unix_ns_to_ntp(START_NS), 0, START_NS, 0)
    capture = AbsoluteCaptureTime(START_NS + 5 * NS_PER_S + NS_PER_S // 2, clock_offset_ns=5 * NS_PER_S)
    clock.on_capture_time(45_000, capture, START_NS + NS_PER_S // 2, 0)
    assert clock.capture_time_us(45_000) == pytest.approx((START_NS + NS_PER_S // 2) // 1000, abs=1)


def test_a_publishers_clock_that_is_set_is_followed_after_three_reports() -> None:
    clock, publisher = CaptureClock(RATE), Publisher(0, delay_ns=10 * MS)
    for second in range(5):
        publisher.report(clock, second * NS_PER_S, rtt_ns=20 * MS)
    publisher.offset_ns = -20 * NS_PER_S
    for second in range(5, 9):
        publisher.report(clock, second * NS_PER_S, rtt_ns=20 * MS)
    assert publisher.error_us(clock, 9 * NS_PER_S) <= 1100


def test_when_a_clock_is_set_the_capture_times_of_the_beginning_say_nothing_any_more() -> None:
    clock, publisher = CaptureClock(RATE), Publisher(20 * NS_PER_S, delay_ns=10 * MS)
    for second in range(12):
        publisher.capture(clock, second * NS_PER_S, rtt_ns=20 * MS)
        publisher.report(clock, second * NS_PER_S + MS, rtt_ns=20 * MS)
    publisher.offset_ns = -20 * NS_PER_S
    for second in range(12, 15):
        publisher.report(clock, second * NS_PER_S, rtt_ns=20 * MS)
    publisher.capture(clock, 15 * NS_PER_S, rtt_ns=20 * MS)
    assert publisher.error_us(clock, 15 * NS_PER_S) <= 1100


def test_timestamps_that_jump_are_noticed_at_the_next_packet() -> None:
    clock, publisher = CaptureClock(RATE), Publisher(0, delay_ns=10 * MS)
    publisher.report(clock, 0, rtt_ns=20 * MS)
    revision = clock.revision
    arrival = START_NS + NS_PER_S
    assert clock.capture_time_us(publisher.timestamp(0) ^ 0x40000000, arrival) == arrival // 1000
    assert clock.revision == revision + 1
    assert clock.capture_time_us((publisher.timestamp(0) ^ 0x40000000) + 9000) == arrival // 1000 + 100_000


def test_a_plausible_frame_is_not_mistaken_for_a_jump() -> None:
    clock, publisher = CaptureClock(RATE), Publisher(0, delay_ns=10 * MS)
    publisher.report(clock, 0, rtt_ns=20 * MS)
    revision = clock.revision
    for second in range(20):
        t = second * NS_PER_S
        assert clock.capture_time_us(publisher.timestamp(t), START_NS + t + 60 * MS) is not None
    assert clock.revision == revision


def test_a_day_of_timestamps_wraps_without_moving_the_line() -> None:
    clock, publisher = CaptureClock(RATE), Publisher(NS_PER_S, delay_ns=5 * MS)
    publisher.report(clock, 0, rtt_ns=10 * MS)
    revision = clock.revision
    for minute in range(0, 24 * 60, 10):
        t = minute * 60 * NS_PER_S
        publisher.report(clock, t, rtt_ns=10 * MS)
        assert publisher.error_us(clock, t + NS_PER_S) <= 1100
    assert clock.revision == revision


def test_the_anchor_gives_the_same_line_and_lies_before_all_frames_under_way() -> None:
    clock, publisher = CaptureClock(RATE), Publisher(NS_PER_S, delay_ns=5 * MS)
    publisher.report(clock, 0, rtt_ns=10 * MS)
    assert clock.anchor is not None
    timestamp, capture_us = clock.anchor
    later = publisher.timestamp(2 * NS_PER_S)
    ticks = (later - timestamp) & 0xFFFFFFFF
    assert ticks == 12 * RATE
    assert clock.capture_time_us(later) == capture_us + ticks * 1_000_000 // RATE


def test_a_reset_forgets_the_old_publisher() -> None:
    clock, publisher = CaptureClock(RATE), Publisher()
    publisher.report(clock, 0, rtt_ns=10 * MS)
    clock.reset()
    assert clock.capture_time_us(0) is None
