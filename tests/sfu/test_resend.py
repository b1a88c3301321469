"""NACKs of subscribers: answered from the history by RTX, or with the very ciphertext; within limits."""

from __future__ import annotations

from rtp.extensions import parse_extensions
from rtp.rtx import unwrap
from sfu.downlink import RESENDS_BURST
from sfu.layer import HISTORY_NS
from tests.sfu.rig import MS, Rig, View, frames, packet


def ask(rig: Rig, view: View, *numbers: int) -> None:
    view.consumer.on_nack(numbers, rig.now_ns)
    view.flush()


def test_a_lost_packet_comes_again_in_the_rtx_stream() -> None:
    rig = Rig()
    view = rig.view()
    rig.receive(*frames(1, 2))
    lost = view.packets[4]
    ask(rig, view, lost.sequence_number)
    again = view.packets[-1]
    assert (again.ssrc, again.payload_type, again.sequence_number) == (0x2001, 103, 5)
    original = unwrap(again, ssrc=lost.ssrc, payload_type=lost.payload_type)
    assert original is not None
    assert (original.sequence_number, original.timestamp) == (lost.sequence_number, lost.timestamp)
    assert original.payload == lost.payload
    number = parse_extensions(again.extension_profile, again.extension)[3]
    assert number == (6).to_bytes(2, "big"), "a new transport-wide number"


def test_rtx_numbers_count_up() -> None:
    rig = Rig()
    view = rig.view()
    rig.receive(*frames(1, 2))
    ask(rig, view, 32_000, 32_001)
    assert view.numbers[-2:] == [5, 6]


def test_without_rtx_the_very_same_ciphertext_goes_out_again() -> None:
    rig = Rig()
    view = rig.view(rtx_payload_type=None, rtx_ssrc=None)
    rig.receive(*frames(1, 2))
    ask(rig, view, 32_003)
    assert view.datagrams[-1] == view.datagrams[3]
    assert len(view.datagrams) == 7


def test_ciphertext_is_not_kept_for_a_subscriber_that_has_rtx() -> None:
    assert not Rig().view().consumer.keeps_ciphertext
    assert Rig().view(rtx_payload_type=None).consumer.keeps_ciphertext


def test_numbers_never_sent_and_long_forgotten_ones_are_passed_over() -> None:
    rig = Rig()
    view = rig.view()
    rig.receive(*frames(1, 2))
    ask(rig, view, 31_000, 40_000)
    assert len(view.packets) == 6
    rig.wait(HISTORY_NS / MS + 1)
    rig.receive(packet(7, frame=3))
    ask(rig, view, 32_000)
    assert len(view.packets) == 7
    assert view.link.counters.refused == 3


def test_a_packet_only_just_sent_again_is_not_sent_a_third_time() -> None:
    rig = Rig()
    view = rig.view()
    rig.receive(*frames(1, 1))
    for _ in range(5):
        ask(rig, view, 32_001)
        rig.wait(2)
    assert len(view.packets) == 4
    rig.wait(20)
    ask(rig, view, 32_001)
    assert len(view.packets) == 5


def test_a_long_round_trip_lengthens_that_pause() -> None:
    rig = Rig()
    view = rig.view()
    rig.receive(*frames(1, 1))
    view.link.rtt.rtt_ns = 200 * MS
    ask(rig, view, 32_001)
    rig.wait(100)
    ask(rig, view, 32_001)
    assert len(view.packets) == 4
    rig.wait(100)
    ask(rig, view, 32_001)
    assert len(view.packets) == 5


def test_a_subscriber_that_asks_for_everything_gets_a_bounded_amount() -> None:
    rig = Rig()
    view = rig.view()
    rig.receive(*frames(1, 700))
    before = len(view.packets)
    for _ in range(4):
        ask(rig, view, *range(32_000, 34_100))
        rig.wait(16)
    assert len(view.packets) - before <= RESENDS_BURST + 200


def test_packets_repaired_from_the_publisher_can_be_repaired_towards_the_viewer() -> None:
    rig = Rig()
    view = rig.view()
    rig.receive(packet(1, key=True))
    rig.receive(packet(3))
    ask(rig, view, 32_001)
    assert len(view.packets) == 2, "we do not have it either yet"
    rtx = packet(9, ssrc=0x1112, payload_type=97, payload=(2).to_bytes(2, "big") + packet(2).payload)
    rig.receive(rtx)
    assert view.payloads[-1] == packet(2).payload
    rig.wait(30)
    ask(rig, view, 32_001)
    assert view.packets[-1].payload[2:] == packet(2).payload


def test_after_an_encoder_restart_old_numbers_are_not_answered_with_new_packets() -> None:
    rig = Rig()
    view = rig.view()
    rig.receive(*frames(1, 1))
    rig.producer.bind(rig.layer, 0x9999, None)
    rig.receive(packet(1, ssrc=0x9999, key=True), packet(2, ssrc=0x9999))
    ask(rig, view, 32_000)
    assert len(view.packets) == 5
    ask(rig, view, 32_004)
    assert view.packets[-1].payload[2:] == packet(2).payload


def test_a_packet_of_the_layer_before_keeps_its_own_timestamp() -> None:
    rig = Rig(bound=False, rids=("q", "f"))
    small, full = rig.producer
    rig.producer.bind(small, 0x1111, None)
    rig.producer.bind(full, 0x1113, None)
    view = rig.view()
    view.consumer.want(small, rig.now_ns)
    rig.receive(*frames(1, 1), layer=small)
    lost = view.packets[1]
    rig.wait(33)
    view.consumer.want(full, rig.now_ns)
    rig.receive(packet(900, ssrc=0x1113, frame=5_000, key=True), layer=full)
    ask(rig, view, lost.sequence_number)
    assert view.packets[-1].payload[2:] == lost.payload
    assert view.packets[-1].timestamp == lost.timestamp
