"""One incoming stream: what passes, what is asked for again, what is reported."""

from __future__ import annotations

import pytest

from core.clock import NS_PER_S, unix_ns_to_ntp
from core.errors import ProtocolError
from rtp.extensions import AbsoluteCaptureTime, build_extensions, encode_abs_capture_time
from rtp.packet import RtpPacket
from rtp.receive_stream import ReceiveStream
from rtp.rtcp import SenderReport
from rtp.rtx import wrap

MS = 1_000_000
START_NS = 1_780_000_000_000_000_000
SSRC, RTX_SSRC = 10, 11


def stream(**options: bool) -> ReceiveStream:
    return ReceiveStream(
        SSRC,
        90_000,
        payload_types=[96],
        rtx_ssrc=RTX_SSRC,
        rtx_payload_types={97: 96},
        abs_capture_time_id=5,
        **options,
    )


def packet(number: int, payload: bytes = b"media") -> RtpPacket:
    return RtpPacket(
        ssrc=SSRC,
        payload_type=96,
        sequence_number=number & 0xFFFF,
        timestamp=number * 3000 & 0xFFFFFFFF,
        payload=payload,
    )


def retransmission(original: RtpPacket) -> RtpPacket:
    return wrap(original, ssrc=RTX_SSRC, payload_type=97, sequence_number=1)


def test_packets_in_order_pass_untouched_across_the_wrap() -> None:
    receiver = stream()
    for number in range(65_530, 65_545):
        item = packet(number)
        assert receiver.receive(item, 0) is item
    assert receiver.nacks_due(0) == []
    assert receiver.bytes_received == 15 * 5


def test_a_lost_packet_is_asked_for_and_its_retransmission_becomes_the_original() -> None:
    receiver = stream()
    for number in (1, 3):
        receiver.receive(packet(number), 0)
    assert receiver.nacks_due(0) == [2]
    assert receiver.receive(retransmission(packet(2)), 30 * MS) == packet(2)
    assert receiver.nacks_due(500 * MS) == []
    assert receiver.repaired == 1


def test_original_and_retransmission_pass_only_once_in_either_order() -> None:
    receiver = stream()
    for number in (1, 4):
        receiver.receive(packet(number), 0)
    assert receiver.receive(packet(2), 0) is not None
    assert receiver.receive(retransmission(packet(2)), 0) is None
    assert receiver.receive(retransmission(packet(3)), 0) is not None
    assert receiver.receive(packet(3), 0) is None
    assert receiver.receive(packet(4), 0) is None
    assert receiver.duplicates == 3


def test_a_late_packet_passes_even_after_it_was_given_up() -> None:
    receiver = stream()
    for number in (1, 3):
        receiver.receive(packet(number), 0)
    receiver.nacks_due(0)
    assert receiver.nacks_due(2 * NS_PER_S) == []
    assert receiver.receive(packet(2), 2 * NS_PER_S) is not None


def test_giving_up_asks_for_a_keyframe_once() -> None:
    receiver = stream()
    for number in (1, 3):
        receiver.receive(packet(number), 0)
    assert not receiver.take_keyframe_need()
    receiver.nacks_due(2 * NS_PER_S)
    assert receiver.take_keyframe_need()
    assert not receiver.take_keyframe_need()


def test_probes_and_foreign_payload_types_are_swallowed() -> None:
    receiver = stream()
    receiver.receive(packet(1), 0)
    probe = RtpPacket(ssrc=RTX_SSRC, payload_type=97, sequence_number=9, padding_bytes=200)
    assert receiver.receive(probe, 0) is None
    foreign = packet(2)
    foreign.payload_type = 100
    assert receiver.receive(foreign, 0) is None
    assert receiver.nacks_due(0) == []


def test_a_padding_packet_of_the_media_stream_is_handed_on_because_its_number_is_used() -> None:
    receiver = stream()
    receiver.receive(packet(1), 0)
    padding = packet(2, b"")
    padding.padding_bytes = 100
    assert receiver.receive(padding, 0) is padding
    receiver.receive(packet(3), 0)
    assert receiver.nacks_due(0) == []


def test_a_retransmission_before_anything_else_is_dropped() -> None:
    receiver = stream()
    assert receiver.receive(retransmission(packet(500)), 0) is None
    assert receiver.receive(packet(1), 0) is not None


def test_a_retransmission_newer_than_anything_seen_reveals_the_gap_before_it() -> None:
    receiver = stream()
    receiver.receive(packet(1), 0)
    assert receiver.receive(retransmission(packet(3)), 0) == packet(3)
    assert receiver.nacks_due(0) == [2]


def test_a_truncated_retransmission_is_a_protocol_error() -> None:
    receiver = stream()
    receiver.receive(packet(1), 0)
    with pytest.raises(ProtocolError):
        receiver.receive(RtpPacket(ssrc=RTX_SSRC, payload_type=97, payload=b"x"), 0)


def test_without_nack_nothing_is_asked_for_but_duplicates_still_go() -> None:
    receiver = stream(nack=False)
    for number in (1, 3):
        receiver.receive(packet(number), 0)
    assert receiver.nacks_due(NS_PER_S) == []
    assert receiver.receive(packet(3), 0) is None
    assert not receiver.take_keyframe_need()


def test_repairs_do_not_hide_the_loss_from_the_sender() -> None:
    receiver = stream()
    for number in (1, 2, 4):
        receiver.receive(packet(number), 0)
    receiver.receive(retransmission(packet(3)), 0)
    block = receiver.report_block(0)
    assert block is not None
    assert (block.ssrc, block.cumulative_lost, block.highest_sequence) == (SSRC, 1, 4)


def test_sender_reports_set_the_capture_clock_and_are_acknowledged() -> None:
    receiver = stream()
    receiver.set_rtt(20 * MS)
    receiver.receive(packet(1), 0)
    receiver.on_sender_report(
        SenderReport(SSRC, unix_ns_to_ntp(START_NS), 3000, 1, 5), START_NS + 10 * MS, 50
    )
    assert receiver.capture_clock.capture_time_us(3000 + 90_000) == pytest.approx(
        START_NS // 1000 + 1_000_000, abs=2
    )
    block = receiver.report_block(50 + NS_PER_S)
    assert block is not None
    assert block.delay_since_last_sr == 65_536


def test_the_capture_time_in_a_frames_first_packet_is_read() -> None:
    receiver = stream()
    first = packet(1)
    first.arrival_ns = START_NS + 40 * MS
    value = encode_abs_capture_time(AbsoluteCaptureTime(START_NS + 5 * NS_PER_S))
    first.extension_profile, first.extension = build_extensions([(5, value)])
    receiver.set_rtt(0)
    receiver.receive(first, 0)
    assert receiver.capture_clock.capture_time_us(3000) == pytest.approx(first.arrival_ns // 1000, abs=2)
    assert receiver.capture_clock.uncertainty_us == 51_000


def test_a_broken_extension_does_not_cost_the_frame() -> None:
    receiver = stream()
    first = packet(1)
    first.arrival_ns = START_NS
    first.extension_profile, first.extension = 0xBEDE, b"\x5f\0\0\0"
    assert receiver.receive(first, 0) is first


def arriving(number: int, *, jump: int = 0) -> RtpPacket:
    """A packet on time; its timestamp is `jump` seconds off."""
    made = packet(number)
    made.timestamp = (made.timestamp + jump * 90_000) & 0xFFFFFFFF
    made.arrival_ns = START_NS + number * NS_PER_S // 30
    return made


def test_a_sender_report_about_other_timestamps_than_those_that_come_dates_nothing() -> None:
    receiver, first = stream(), arriving(1)
    receiver.receive(first, 0)
    report = SenderReport(SSRC, unix_ns_to_ntp(START_NS), arriving(1, jump=3600).timestamp, 1, 5)
    receiver.on_sender_report(report, first.arrival_ns, 50)
    assert receiver.capture_clock.capture_time_us(first.timestamp) == first.arrival_ns // 1000
    block = receiver.report_block(50)
    assert block is not None
    assert block.last_sr, "the round trip can be measured all the same"


def test_frames_whose_timestamps_jump_are_dated_by_their_arrival() -> None:
    receiver, jumped = stream(), arriving(2, jump=3600)
    receiver.receive(arriving(1), 0)
    receiver.receive(jumped, 0)
    assert receiver.capture_clock.capture_time_us(jumped.timestamp) == jumped.arrival_ns // 1000
