"""Reception statistics and round trips."""

from __future__ import annotations

import pytest

from core.clock import NS_PER_S, unix_ns_to_ntp
from rtp.reports import ReceptionStats, RttEstimator
from rtp.rtcp import ReportBlock

MS = 1_000_000
START_NS = 1_780_000_000_000_000_000


def feed(stats: ReceptionStats, numbers: list[int]) -> None:
    for number in numbers:
        stats.received(number & 0xFFFF, number * 3000 & 0xFFFFFFFF, number * NS_PER_S // 30)


def block_of(stats: ReceptionStats, now_ns: int = 0) -> ReportBlock:
    block = stats.report_block(now_ns)
    assert block is not None
    return block


def test_there_is_nothing_to_report_before_the_first_packet() -> None:
    assert ReceptionStats(1, 90_000).report_block(0) is None


def test_loss_is_counted_per_interval_and_in_all_across_the_wrap() -> None:
    stats = ReceptionStats(7, 90_000)
    feed(stats, [65_530, 65_531, 65_533, 65_537])
    block = block_of(stats)
    assert (block.ssrc, block.cumulative_lost, block.fraction_lost) == (7, 4, 128)
    assert block.highest_sequence == 65_537
    feed(stats, [65_538, 65_539])
    block = block_of(stats)
    assert (block.cumulative_lost, block.fraction_lost) == (4, 0)


def test_late_packets_mend_the_count_and_duplicates_may_make_it_negative() -> None:
    stats = ReceptionStats(1, 90_000)
    feed(stats, [1, 3])
    assert block_of(stats).cumulative_lost == 1
    feed(stats, [2, 2, 2])
    block = block_of(stats)
    assert (block.cumulative_lost, block.fraction_lost) == (-2, 0)


def test_a_large_jump_is_a_restart_not_loss() -> None:
    stats = ReceptionStats(1, 90_000)
    feed(stats, [100, 101, 20_000, 20_002])
    block = block_of(stats)
    assert (block.highest_sequence, block.cumulative_lost) == (20_002, 1)


def test_an_even_stream_has_no_jitter_and_an_uneven_one_has() -> None:
    stats = ReceptionStats(1, 90_000)
    feed(stats, list(range(100)))
    assert block_of(stats).jitter <= 1
    for i in range(100, 300):
        stats.received(i, i * 3000, i * NS_PER_S // 30 + (10 * MS if i % 2 else 0))
    assert block_of(stats).jitter == pytest.approx(900, abs=5)  # 10 ms at 90 kHz
    assert stats.jitter_ns == pytest.approx(10 * MS, rel=0.01)


def test_an_outage_or_a_new_timestamp_base_is_not_jitter() -> None:
    stats = ReceptionStats(1, 90_000)
    feed(stats, list(range(50)))
    stats.received(50, 3_000_000_000, 50 * NS_PER_S // 30)
    assert block_of(stats).jitter <= 1


def test_the_last_sender_report_is_named_with_the_time_since() -> None:
    stats = ReceptionStats(1, 90_000)
    feed(stats, [1])
    assert (block_of(stats).last_sr, block_of(stats).delay_since_last_sr) == (0, 0)
    stats.on_sender_report(0x1122_3344_5566_7788, 5 * NS_PER_S)
    block = block_of(stats, 6 * NS_PER_S + 500 * MS)
    assert (block.last_sr, block.delay_since_last_sr) == (0x3344_5566, 98_304)


def answer(sent_ns: int, held_ns: int) -> ReportBlock:
    ntp = unix_ns_to_ntp(sent_ns)
    return ReportBlock(1, 0, 0, 0, 0, ntp >> 16 & 0xFFFFFFFF, held_ns * 65_536 // NS_PER_S)


def test_the_round_trip_is_what_remains_when_the_holding_time_is_taken_off() -> None:
    rtt = RttEstimator()
    measured = rtt.on_report_block(answer(START_NS, 700 * MS), START_NS + 742 * MS)
    assert measured == pytest.approx(42 * MS, abs=MS // 10)
    assert rtt.rtt_ns == measured
    rtt.on_report_block(answer(START_NS, 0), START_NS + 122 * MS)
    assert rtt.rtt_ns == pytest.approx(52 * MS, abs=MS // 10)
    assert rtt.latest_ns == pytest.approx(122 * MS, abs=MS // 10)


def test_blocks_that_answer_nothing_or_nonsense_are_ignored() -> None:
    rtt = RttEstimator()
    assert rtt.on_report_block(ReportBlock(1, 0, 0, 0, 0, 0, 5), START_NS) is None
    assert rtt.on_report_block(answer(START_NS, 0), START_NS + 11 * NS_PER_S) is None
    assert rtt.rtt_ns is None


def test_a_report_that_seems_to_precede_its_question_means_no_delay() -> None:
    rtt = RttEstimator()
    assert rtt.on_report_block(answer(START_NS, 100 * MS), START_NS + 99 * MS) == 0
