"""One outgoing stream: numbers, extensions, repairs, reports."""

from __future__ import annotations

from typing import Any

import pytest

from core.clock import NS_PER_S, ntp_to_unix_ns
from rtp.extensions import (
    ABS_CAPTURE_TIME,
    MID,
    REPAIRED_RID,
    RID,
    TRANSPORT_CC,
    ExtensionMap,
    decode_abs_capture_time,
    decode_transport_number,
    parse_extensions,
)
from rtp.packet import RtpPacket
from rtp.rtcp import ReportBlock, TransportFeedback
from rtp.rtx import unwrap
from rtp.send_stream import MAX_RESENDS, RtxParameters, SendStream
from rtp.srtp import SrtpProfile, SrtpReceiver, SrtpSender
from rtp.twcc import SendLog, TransportSequence
from tests.rtp.srtp_support import keys_for

MS = 1_000_000
START_NS = 1_780_000_000_000_000_000
SSRC, RTX_SSRC = 20, 21
RTX = RtxParameters(RTX_SSRC, 97, 65_535)
IDS = ExtensionMap({1: MID, 2: RID, 3: REPAIRED_RID, 4: TRANSPORT_CC, 5: ABS_CAPTURE_TIME})


class Bench:
    """A stream, its sealer and the peer that opens what comes out."""

    def __init__(self, **options: Any) -> None:
        keys = keys_for(SrtpProfile.AEAD_AES_128_GCM)
        self.sealer = SrtpSender(keys)
        self.peer = SrtpReceiver(keys)
        self.stream = SendStream(
            SSRC, 96, 90_000, first_sequence=65_534, first_timestamp=4_294_967_000, **options
        )

    def send(self, payloads: list[bytes], frame: int = 0) -> list[bytes]:
        return self.stream.send(
            payloads,
            frame * 3000,
            capture_ns=START_NS + frame * NS_PER_S // 30,
            now_ns=frame * NS_PER_S // 30,
            sealer=self.sealer,
        )

    def open(self, datagrams: list[bytes]) -> list[RtpPacket]:
        return [self.peer.open_packet(datagram, 0) for datagram in datagrams]

    def nack(self, lost: list[int], now_ns: int) -> list[bytes]:
        return self.stream.on_nack(lost, now_ns, self.sealer)


def items_of(packet: RtpPacket) -> dict[int, bytes]:
    return parse_extensions(packet.extension_profile, packet.extension)


def test_frames_are_numbered_on_and_marked_at_their_end() -> None:
    bench = Bench()
    packets = bench.open(bench.send([b"a", b"b", b"c"], 0) + bench.send([b"d"], 1))
    assert [p.sequence_number for p in packets] == [65_534, 65_535, 0, 1]
    assert [p.timestamp for p in packets] == [4_294_967_000] * 3 + [2704]
    assert [p.marker for p in packets] == [False, False, True, True]
    assert [p.payload for p in packets] == [b"a", b"b", b"c", b"d"]
    assert {(p.ssrc, p.payload_type, p.extension_profile) for p in packets} == {(SSRC, 96, None)}


def test_capture_time_goes_with_the_first_packet_and_transport_numbers_with_all() -> None:
    numbers = TransportSequence(65_535)
    bench = Bench(extensions=IDS, mid="v", rid="hi", transport_sequence=numbers)
    items = [items_of(p) for p in bench.open(bench.send([b"a", b"b"], 3))]
    assert abs(decode_abs_capture_time(items[0].pop(5)).capture_ns - START_NS - NS_PER_S // 10) <= 2
    assert [decode_transport_number(i.pop(4)) for i in items] == [65_535, 0]
    assert items == [{1: b"v", 2: b"hi"}] * 2
    assert numbers.next() == 1


def test_a_frame_cut_with_regard_to_its_first_header_leaves_in_datagrams_of_one_size() -> None:
    bench = Bench(extensions=IDS, mid="0", rid="f", transport_sequence=TransportSequence())
    for frame in (0, 1):
        less = bench.stream.first_extra_bytes
        assert less > 0
        sent = bench.send([b"x" * (500 - less), b"y" * 500, b"z" * 500], frame)
        assert len(set(map(len, sent))) == 1
        bench.stream.on_report_block(ReportBlock(SSRC, 0, 0, 65_535, 0, 0, 0), START_NS)
    assert Bench().stream.first_extra_bytes == 0, "no capture time was negotiated"


def test_names_are_sent_until_the_peer_reports_on_the_stream() -> None:
    bench = Bench(extensions=IDS, mid="v", rid="hi")
    bench.stream.on_report_block(ReportBlock(SSRC, 0, 0, 0, 0, 0, 0), START_NS)
    first, second = bench.open(bench.send([b"a", b"b"]))
    assert set(items_of(first)) == {5}
    assert second.extension_profile is None


def test_a_nack_is_answered_in_the_rtx_stream_with_its_own_numbers() -> None:
    bench = Bench(extensions=IDS, mid="v", rid="hi", rtx=RTX, transport_sequence=TransportSequence())
    originals = bench.open(bench.send([b"a", b"b", b"c"]))
    answers = bench.open(bench.nack([65_535, 0], 10 * MS))
    assert [(p.ssrc, p.payload_type, p.sequence_number) for p in answers] == [
        (RTX_SSRC, 97, 65_535),
        (RTX_SSRC, 97, 0),
    ]
    restored = [unwrap(p, ssrc=SSRC, payload_type=96) for p in answers]
    for original, again in zip(originals[1:], restored, strict=True):
        assert again is not None
        assert (again.sequence_number, again.timestamp, again.marker, again.payload) == (
            original.sequence_number,
            original.timestamp,
            original.marker,
            original.payload,
        )
    assert items_of(answers[0]) == {1: b"v", 3: b"hi", 4: b"\0\3"}


def test_without_rtx_the_very_same_ciphertext_is_sent_again() -> None:
    bench = Bench()
    sent = bench.send([b"a", b"b"])
    assert bench.nack([65_534, 65_535], 10 * MS) == sent
    assert bench.stream.resent_packets == 2


def test_one_packet_is_not_sent_again_more_than_once_per_round_trip() -> None:
    bench = Bench(rtx=RTX)
    bench.send([b"a"])
    asked_at = [now for now in range(0, 100 * MS, MS) if bench.nack([65_534], now)]
    assert asked_at == [0, 20 * MS, 40 * MS, 60 * MS, 80 * MS]
    bench.stream.rtt.rtt_ns = 50 * MS
    assert not bench.nack([65_534], 120 * MS)
    assert bench.nack([65_534], 130 * MS)


def test_a_peer_that_asks_for_ever_is_not_served_for_ever() -> None:
    bench = Bench(rtx=RTX)
    bench.send([b"a"])
    assert sum(len(bench.nack([65_534], i * NS_PER_S)) for i in range(100)) == MAX_RESENDS


def test_numbers_never_sent_or_too_old_are_passed_over() -> None:
    bench = Bench(rtx=RTX)
    assert bench.nack([1], 0) == []
    for frame in range(0, 100, 10):
        bench.send([b"a"], frame)
    assert bench.nack([65_534], 3 * NS_PER_S) == []
    assert len(bench.nack([7], 3 * NS_PER_S)) == 1


def test_a_sender_report_carries_the_media_clock_on_to_now() -> None:
    bench = Bench(rtx=RTX)
    assert bench.stream.sender_report(START_NS) is None
    bench.send([b"abc", b"de"], 30)
    bench.nack([65_534], 0)
    report = bench.stream.sender_report(START_NS + 2 * NS_PER_S)
    assert report is not None
    assert (report.ssrc, report.packet_count, report.octet_count) == (SSRC, 2, 5)
    assert report.rtp_timestamp == (4_294_967_000 + 180_000) & 0xFFFFFFFF
    assert abs(ntp_to_unix_ns(report.ntp_time) - START_NS - 2 * NS_PER_S) <= 2


def test_every_datagram_is_in_the_send_log_with_its_size() -> None:
    log = SendLog()
    bench = Bench(extensions=IDS, rtx=RTX, transport_sequence=TransportSequence(), send_log=log)
    sent = bench.send([b"a" * 100, b"b"]) + bench.nack([65_534], 0)
    assert log.in_flight_bytes == sum(map(len, sent))
    results = log.on_feedback(TransportFeedback(1, 2, 0, 0, 0, (1, 1, 1)))
    assert [r.size_bytes for r in results] == [len(datagram) for datagram in sent]


def test_transport_numbers_are_not_wasted_where_the_extension_was_not_negotiated() -> None:
    numbers = TransportSequence(5)
    bench = Bench(extensions=ExtensionMap({1: MID}), mid="v", transport_sequence=numbers)
    bench.send([b"a"])
    assert numbers.next() == 5


@pytest.mark.parametrize("rtx", [RTX, None])
def test_an_empty_frame_sends_nothing(rtx: RtxParameters | None) -> None:
    bench = Bench(rtx=rtx)
    assert bench.send([]) == []
