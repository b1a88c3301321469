"""What a publisher hears from us: NACKs at once, coalesced keyframe requests, feedback, reports."""

from __future__ import annotations

from typing import Any

from core.clock import NS_PER_S
from rtp.rtcp import Fir, Nack, Pli, ReceiverReport, RtcpPacket, TransportFeedback, parse_compound
from sfu.uplink import FEEDBACK_INTERVAL_NS, Uplink
from tests.sfu.rig import FEEDBACK, MS, SSRC, Rig, frames, packet


def made(rig: Rig, *, numbered: bool = True) -> Uplink:
    uplink = Uplink(0xAAAA, "sfu", rig.now_ns)
    uplink.layers = list(rig.producer)
    uplink.transport_cc_id = 2 if numbered else None
    return uplink


def items(compounds: list[bytes]) -> list[RtcpPacket]:
    return [item for compound in compounds for item in parse_compound(compound)]


def test_a_gap_is_asked_for_in_the_batch_that_shows_it() -> None:
    rig = Rig()
    uplink = made(rig)
    rig.receive(packet(1, key=True), packet(4))
    assert items(uplink.repairs_due(rig.now_ns)) == [Nack(0xAAAA, SSRC, (2, 3))]
    assert uplink.repairs_due(rig.now_ns) == []


def test_an_unanswered_nack_is_repeated_and_an_answer_teaches_the_round_trip() -> None:
    rig = Rig()
    uplink = made(rig)
    rig.receive(packet(1, key=True), packet(3))
    uplink.repairs_due(rig.now_ns)
    rig.wait(40)
    rtx = packet(9, ssrc=0x1112, payload_type=97, payload=(2).to_bytes(2, "big") + b"\x61abc")
    rig.receive(rtx)
    assert rig.layer.rtt_ns == 40 * MS
    rig.receive(packet(5))
    assert uplink.repairs_due(rig.now_ns)
    rig.wait(30)
    assert uplink.repairs_due(rig.now_ns) == []
    rig.wait(30)
    assert items(uplink.repairs_due(rig.now_ns)) == [Nack(0xAAAA, SSRC, (4,))]


def test_audio_is_repaired_too() -> None:
    rig = Rig(kind="audio", codec="opus", clock_rate=48_000, feedback=frozenset({"nack"}))
    uplink = made(rig)
    rig.receive(packet(1), packet(3))
    assert items(uplink.repairs_due(rig.now_ns)) == [Nack(0xAAAA, SSRC, (2,))]


def test_sound_that_comes_again_as_itself_tells_the_round_trip_and_so_when_to_ask_again() -> None:
    voice: dict[str, Any] = {"kind": "audio", "codec": "opus", "clock_rate": 48_000, "rtx_payload_type": None}
    rig = Rig(**voice, feedback=frozenset({"nack"}))
    uplink = made(rig)
    rig.receive(packet(1), packet(3))
    assert uplink.repairs_due(rig.now_ns)
    rig.wait(32)
    rig.receive(packet(2), packet(4), packet(6))
    assert items(uplink.repairs_due(rig.now_ns)) == [Nack(0xAAAA, SSRC, (5,))]
    rig.wait(30)
    assert uplink.repairs_due(rig.now_ns) == []
    rig.wait(15)
    assert items(uplink.repairs_due(rig.now_ns)) == [Nack(0xAAAA, SSRC, (5,))]


def test_a_publisher_that_did_not_agree_to_nack_gets_none() -> None:
    rig = Rig(feedback=frozenset())
    rig.receive(packet(1, key=True), packet(3))
    assert made(rig).repairs_due(rig.now_ns) == []


def test_many_viewers_who_cannot_decode_cost_one_request() -> None:
    rig = Rig()
    uplink = made(rig)
    views = [rig.view(0x2000 + 4 * index) for index in range(60)]
    rig.receive(*frames(1, 1))
    rig.wait(600)
    uplink.repairs_due(rig.now_ns)
    for view in views:
        view.consumer.on_keyframe_request()
    assert items(uplink.repairs_due(rig.now_ns)) == [Pli(0xAAAA, SSRC)]
    assert uplink.repairs_due(rig.now_ns) == []


def test_fir_where_that_is_all_the_publisher_knows() -> None:
    rig = Rig(feedback=frozenset({"ccm fir"}))
    uplink = made(rig)
    rig.view()
    rig.receive(packet(1))
    (request,) = items(uplink.repairs_due(rig.now_ns))
    assert isinstance(request, Fir)
    assert request.requests[0].ssrc == SSRC


def test_no_request_to_a_publisher_that_cannot_be_asked() -> None:
    rig = Rig(feedback=frozenset({"nack"}))
    rig.view()
    rig.receive(packet(1))
    assert made(rig).repairs_due(rig.now_ns) == []


def test_packets_lost_for_good_make_us_ask_for_a_keyframe() -> None:
    rig = Rig(feedback=FEEDBACK)
    uplink = made(rig)
    rig.receive(packet(1, key=True), packet(3))
    uplink.repairs_due(rig.now_ns)
    for number in range(4, 90):
        rig.wait(20)
        rig.receive(packet(number))
        if any(isinstance(item, Pli) for item in items(uplink.repairs_due(rig.now_ns))):
            return
    raise AssertionError("no keyframe was asked for")


def test_transport_feedback_comes_often_and_tells_of_every_packet() -> None:
    rig = Rig()
    uplink = made(rig)
    heard = 0
    for number in range(100):
        rig.wait(10)
        uplink.number_received(number, rig.now_ns)
        for item in items(uplink.due(rig.now_ns)):
            if isinstance(item, TransportFeedback):
                heard += len(item.deltas)
    assert heard >= 100 - FEEDBACK_INTERVAL_NS // (10 * MS)
    assert uplink.counters.feedback_sent >= 15


def test_transport_feedback_names_a_stream_of_the_publisher_s() -> None:
    """libwebrtc passes over what names none of its own, and then believes the network to be gone."""
    rig = Rig()
    uplink = made(rig)
    rig.receive(packet(1, key=True))
    rig.wait(100)
    uplink.number_received(1, rig.now_ns)
    (feedback,) = [item for item in items(uplink.due(rig.now_ns)) if isinstance(item, TransportFeedback)]
    assert feedback.media_ssrc == SSRC


def test_no_transport_feedback_where_it_was_not_negotiated() -> None:
    rig = Rig()
    uplink = made(rig, numbered=False)
    uplink.number_received(1, rig.now_ns)
    assert uplink.due(rig.now_ns) == []


def test_a_receiver_report_once_per_second_tells_the_loss() -> None:
    rig = Rig()
    uplink = made(rig)
    rig.receive(packet(1, key=True), packet(2), packet(4), packet(5))
    rig.now_ns += NS_PER_S
    (report,) = [item for item in items(uplink.due(rig.now_ns)) if isinstance(item, ReceiverReport)]
    assert (report.reports[0].ssrc, report.reports[0].cumulative_lost) == (SSRC, 1)
    assert not any(isinstance(item, ReceiverReport) for item in items(uplink.due(rig.now_ns)))


def test_without_reduced_size_every_compound_begins_with_a_report() -> None:
    rig = Rig()
    uplink = made(rig)
    uplink.reduced_size = False
    rig.receive(packet(1, key=True), packet(3))
    (compound,) = uplink.repairs_due(rig.now_ns)
    assert isinstance(parse_compound(compound)[0], ReceiverReport)
