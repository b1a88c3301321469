"""What one subscriber receives: begins where it can be decoded, continues without a seam."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.clock import ntp_to_unix_ns
from core.errors import ProtocolError
from rtp.extensions import (
    ABS_CAPTURE_TIME,
    AbsoluteCaptureTime,
    ExtensionMap,
    build_extensions,
    decode_abs_capture_time,
    encode_abs_capture_time,
    parse_extensions,
)
from rtp.packet import RtpPacket
from sfu.consumer import CATCH_UP_BYTES
from tests.sfu.rig import IDS, MS, SSRC, Rig, accepted_media, follow_each_other, frames, packet

UNASKABLE = frozenset({"nack"})


def test_nothing_is_sent_before_a_keyframe_and_everything_from_it_on() -> None:
    rig = Rig()
    view = rig.view()
    rig.receive(packet(10), packet(11, frame=1))
    assert view.packets == []
    sent = [packet(12, frame=2, key=True), packet(13, frame=2), packet(14, frame=3)]
    rig.receive(packet(11, frame=1), *sent)
    assert view.payloads == [item.payload for item in sent]
    assert view.numbers == [32_000, 32_001, 32_002]


def test_joining_asks_the_publisher_for_a_keyframe() -> None:
    rig = Rig()
    rig.receive(packet(1))
    rig.view()
    assert rig.layer.keyframes.due(rig.now_ns)


def test_only_the_consumers_own_identifiers_change() -> None:
    rig = Rig()
    view = rig.view()
    profile, block = build_extensions([(1, b"0"), (2, b"\x11\x22"), (4, b"12345678")])
    rig.receive(packet(1, key=True, marker=True, extension_profile=profile, extension=block))
    (got,) = view.packets
    media = accepted_media(0x2000)
    assert (got.ssrc, got.payload_type, got.marker) == (media.ssrc, media.payload_type, True)
    values = parse_extensions(got.extension_profile, got.extension)
    assert values[3] == b"\0\0", "transport-wide number of this subscriber"
    assert values[8] == bytes((0, 0, 20)), "playout delay 0…200 ms"
    assert len(values) == 3
    assert values[9].startswith(b"12345678"), "capture time passes"


def test_audio_begins_with_the_next_packet() -> None:
    rig = Rig(kind="audio", codec="opus", clock_rate=48_000)
    view = rig.view(kind="audio", codec="opus", clock_rate=48_000)
    rig.receive(packet(1))
    assert len(view.packets) == 1


def test_loss_on_the_way_in_stays_a_gap_until_the_repaired_packet_fills_it() -> None:
    rig = Rig()
    view = rig.view()
    first, lost, last = packet(1, key=True), packet(2), packet(3)
    rig.receive(first)
    rig.receive(last)
    assert view.numbers == [32_000, 32_002]
    rig.receive(lost)
    assert view.numbers == [32_000, 32_002, 32_001]
    assert view.payloads[2] == lost.payload


def test_a_publishers_probe_leaves_no_gap() -> None:
    rig = Rig()
    view = rig.view()
    rig.receive(packet(1, key=True))
    rig.receive(packet(2, payload=b"", padding_bytes=200))
    rig.receive(packet(3))
    assert follow_each_other(view.numbers)
    assert len(view.numbers) == 2


def test_a_restarted_encoder_continues_the_numbers_after_its_first_keyframe() -> None:
    rig = Rig()
    view = rig.view()
    rig.receive(*frames(100, 2))
    rig.producer.bind(rig.layer, 0x9999, None)
    rig.wait(100)
    rig.receive(packet(7, ssrc=0x9999, frame=900), packet(8, ssrc=0x9999, frame=901, key=True))
    rig.receive(packet(9, ssrc=0x9999, frame=902))
    assert follow_each_other(view.numbers)
    assert len(view.numbers) == 8
    step = (view.packets[6].timestamp - view.packets[5].timestamp) & 0xFFFFFFFF
    assert step == 9_000, "100 ms passed"


def test_a_young_group_of_pictures_is_served_at_once() -> None:
    rig = Rig()
    sent = frames(1, 4)
    rig.receive(*sent)
    rig.wait(300)
    view = rig.view()
    assert view.payloads == [item.payload for item in sent]
    assert not rig.layer.keyframes.wanted
    late = packet(13, frame=5)
    rig.receive(late)
    assert view.payloads[-1] == late.payload
    assert follow_each_other(view.numbers)


def test_an_old_group_is_not_served_where_the_publisher_can_be_asked() -> None:
    rig = Rig()
    rig.receive(*frames(1, 4))
    rig.wait(900)
    view = rig.view()
    assert view.packets == []
    assert rig.layer.keyframes.wanted


def test_where_the_publisher_cannot_be_asked_the_whole_group_is_served_in_paced_parts() -> None:
    rig = Rig(feedback=UNASKABLE)
    big = bytes((0x7C, 0x01)) + bytes(1_100)
    sent = [packet(1, key=True)] + [packet(number, frame=number, payload=big) for number in range(2, 400)]
    for item in sent:
        rig.wait(20)
        rig.receive(item)
    view = rig.view()
    assert 0 < len(view.packets) < 200, "the first part only"
    live = packet(400, frame=400)
    rig.receive(live)
    for _ in range(10):
        rig.wait(20)
        before = sum(len(item.payload) for item in view.packets)
        view.consumer.catch_up(rig.now_ns)
        view.flush()
        assert sum(len(item.payload) for item in view.packets) - before <= CATCH_UP_BYTES
    assert view.payloads == [item.payload for item in (*sent, live)]
    assert follow_each_other(view.numbers)
    ticks = [(item.timestamp - view.packets[0].timestamp) & 0xFFFFFFFF for item in view.packets]
    assert ticks == [item.timestamp for item in (*sent, live)], "original timestamps, moved alike"


def test_a_keyframe_during_catching_up_jumps_to_the_new_group() -> None:
    rig = Rig(feedback=UNASKABLE)
    big = bytes((0x7C, 0x01)) + bytes(1_100)
    rig.receive(packet(1, key=True), *(packet(n, frame=n, payload=big) for n in range(2, 400)))
    view = rig.view()
    fresh = [packet(400, frame=400, key=True), packet(401, frame=400)]
    rig.receive(*fresh)
    view.consumer.catch_up(rig.now_ns)
    view.flush()
    assert view.payloads[-2:] == [item.payload for item in fresh]
    assert (view.packets[-1].timestamp - view.packets[0].timestamp) & 0xFFFFFFFF == 400 * 3_000
    assert follow_each_other(view.numbers)
    assert len(view.packets) < 300


def test_a_stopped_consumer_sends_nothing_and_leaves_nothing_behind() -> None:
    rig = Rig()
    view, other = rig.view(), rig.view(0x3000)
    rig.receive(*frames(1, 1))
    view.consumer.stop()
    rig.receive(packet(4, frame=2))
    assert len(view.packets) == 3
    assert len(other.packets) == 4
    assert view.consumer not in rig.layer.consumers
    assert rig.producer.consumers == [other.consumer]


def test_a_subscriber_without_keys_holds_nobody_up() -> None:
    rig = Rig()
    mute, other = rig.view(), rig.view(0x3000)
    mute.link.sealer = None
    rig.receive(*frames(1, 1))
    assert len(other.packets) == 3
    assert mute.packets == []


# simulcast


def simulcast() -> Rig:
    rig = Rig(bound=False, rids=("q", "f"))
    for ssrc, layer in enumerate(rig.producer, SSRC):
        rig.producer.bind(layer, ssrc, None)
    return rig


def test_a_switch_to_another_layer_waits_for_its_keyframe_and_leaves_no_seam() -> None:
    rig = simulcast()
    small, full = rig.producer
    view = rig.view()
    view.consumer.want(small, rig.now_ns)
    rig.receive(*frames(10, 2), layer=small)
    rig.wait(33)
    view.consumer.want(full, rig.now_ns)
    rig.receive(packet(500, ssrc=SSRC + 1, frame=77), layer=full)
    rig.receive(packet(16, frame=2), layer=small)
    assert len(view.packets) == 7, "the old layer goes on meanwhile"
    rig.wait(33)
    rig.receive(packet(501, ssrc=SSRC + 1, frame=78, key=True), layer=full)
    rig.receive(packet(17, frame=3), layer=small)
    rig.receive(packet(502, ssrc=SSRC + 1, frame=79), layer=full)
    assert len(view.packets) == 9
    assert follow_each_other(view.numbers)
    assert full.consumers == [view.consumer]
    assert small.consumers == []


def test_everyone_goes_over_to_the_layer_that_carries_most() -> None:
    rig = simulcast()
    small, full = rig.producer
    view = rig.view()
    for number in range(1, 101):
        rig.wait(20)
        rig.receive(packet(number, frame=number, key=number % 10 == 1), layer=small)
        large = bytes((0x7C, 0x85 if number % 10 == 1 else 1, 0x88)) + bytes(900)
        rig.receive(packet(number, ssrc=SSRC + 1, frame=number, payload=large), layer=full)
        rig.producer.choose(rig.now_ns)
    assert rig.producer.best is full
    assert view.consumer.active is full
    assert follow_each_other(view.numbers)
    assert len(view.payloads[-1]) > 900


def test_a_layer_the_publisher_stopped_is_replaced_by_one_that_lives() -> None:
    rig = simulcast()
    small, full = rig.producer
    view = rig.view()
    view.consumer.want(full, rig.now_ns)
    rig.producer.best = full
    for number in range(1, 120):
        rig.wait(20)
        rig.receive(packet(number, ssrc=SSRC + 1, key=True), layer=full)
        rig.producer.choose(rig.now_ns)
    assert full.bitrate_bps > 0
    rig.wait(2_500)
    rig.receive(packet(1, frame=50, key=True), layer=small)
    rig.producer.choose(rig.now_ns)
    rig.receive(packet(2, frame=51, key=True), layer=small)
    assert rig.producer.best is small
    assert view.consumer.active is small


# clocks


def test_sender_reports_and_clock_events_name_the_frames_capture_time() -> None:
    rig = Rig()
    view = rig.view()
    rig.receive(*frames(1, 1))
    assert rig.layer.stream is not None
    mapping = view.consumer.clock()
    assert mapping is not None
    frame_timestamp = view.packets[0].timestamp
    rtp, capture_us, _ = mapping
    ticks = ((frame_timestamp - rtp + 0x80000000) & 0xFFFFFFFF) - 0x80000000
    assert capture_us + ticks * 1_000_000 // 90_000 == rig.now_ns // 1_000
    later_ns = rig.now_ns + 500 * MS
    report = view.consumer.sender_report(later_ns)
    assert report is not None
    assert abs(ntp_to_unix_ns(report.ntp_time) - later_ns) < 10
    assert (report.rtp_timestamp - frame_timestamp) & 0xFFFFFFFF == pytest.approx(45_000, abs=1)
    assert (report.packet_count, report.octet_count) == (3, sum(map(len, view.payloads)))


def test_no_clock_is_told_before_the_first_packet() -> None:
    rig = Rig()
    view = rig.view()
    assert view.consumer.clock() is None
    assert view.consumer.sender_report(rig.now_ns) is None


def test_the_clock_key_changes_when_the_source_does() -> None:
    rig = Rig()
    view = rig.view()
    rig.receive(*frames(1, 1))
    before = view.consumer.clock_key()
    rig.receive(packet(4, frame=1))
    assert view.consumer.clock_key() == before
    rig.producer.bind(rig.layer, 0x9999, None)
    rig.receive(packet(8, ssrc=0x9999, frame=901, key=True))
    assert view.consumer.clock_key() != before


def test_capture_time_gets_our_estimate_of_the_clock_offset() -> None:
    rig = Rig()
    view = rig.view()
    capture_ns = rig.now_ns + 5_000 * MS
    value = encode_abs_capture_time(AbsoluteCaptureTime(capture_ns))
    profile, block = build_extensions([(4, value)])
    rig.receive(packet(1, key=True, extension_profile=profile, extension=block))
    (got,) = view.packets
    told = decode_abs_capture_time(parse_extensions(got.extension_profile, got.extension)[9])
    assert told.capture_ns == pytest.approx(capture_ns, abs=10), "the time itself passes unchanged"
    assert told.clock_offset_ns == pytest.approx(5_000 * MS, abs=2 * MS)
    clock = view.consumer.clock()
    assert clock is not None
    theirs_us = clock[1] + view.consumer.publisher_ahead_us
    ticks = (got.timestamp - clock[0]) & 0xFFFFFFFF
    assert theirs_us + ticks * 1_000_000 // 90_000 == pytest.approx(capture_ns // 1_000, abs=20)


def test_an_absurd_capture_time_passes_as_it_came() -> None:
    rig = Rig()
    view = rig.view()
    profile, block = build_extensions([(4, b"\xff" * 8)])
    rig.receive(packet(1, key=True, extension_profile=profile, extension=block))
    (got,) = view.packets
    assert parse_extensions(got.extension_profile, got.extension)[9] == b"\xff" * 8


# whatever arrives


@settings(max_examples=200, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, 60), st.booleans(), st.booleans(), st.sampled_from([SSRC, 0x9999])),
        max_size=60,
    ),
    st.booleans(),
)
def test_in_any_order_with_any_repetition_no_number_is_sealed_twice(
    steps: list[tuple[int, bool, bool, int]], numbered: bool
) -> None:
    """Real SRTP refuses to seal a number twice and the rig opens every datagram."""
    rig = Rig()
    extensions = ExtensionMap(IDS if numbered else {})
    view = rig.view(extensions=extensions)
    batch: list[RtpPacket] = []
    for number, key, flush, ssrc in steps:
        if rig.layer.source != ssrc:
            rig.receive(*batch)
            batch = []
            rig.producer.bind(rig.layer, ssrc, None)
        batch.append(packet(65_510 + number, frame=number, key=key, ssrc=ssrc))
        rig.wait(5)
        if flush:
            rig.receive(*batch)
            batch = []
    rig.receive(*batch)
    assert view.errors == []
    assert len(set(view.numbers)) == len(view.numbers)


def test_a_viewer_that_cannot_decode_asks_the_publisher() -> None:
    rig = Rig()
    view = rig.view()
    rig.receive(*frames(1, 1))
    assert not rig.layer.keyframes.wanted
    view.consumer.on_keyframe_request()
    assert rig.layer.keyframes.wanted


def test_capture_time_is_left_out_for_a_subscriber_that_did_not_negotiate_it() -> None:
    rig = Rig()
    view = rig.view(extensions=ExtensionMap({}))
    profile, block = build_extensions([(4, b"12345678")])
    rig.receive(packet(1, key=True, extension_profile=profile, extension=block))
    assert ABS_CAPTURE_TIME in IDS.values()
    assert view.packets[0].extension_profile is None


@settings(max_examples=300, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from([0xBEDE, 0x1000, 0x100F, 0x1234, None]),
            st.integers(0, 12).flatmap(lambda words: st.binary(min_size=4 * words, max_size=4 * words)),
            st.lists(st.integers(0, 0xFFFFFFFF), max_size=3),
            st.binary(max_size=40),
            st.sampled_from([96, 97, 5]),
        ),
        max_size=12,
    )
)
def test_no_packet_a_publisher_can_send_troubles_a_viewer(
    hostile: list[tuple[int | None, bytes, list[int], bytes, int]],
) -> None:
    rig = Rig()
    view = rig.view()
    rig.receive(packet(1, key=True))
    for number, (profile, block, csrcs, payload, payload_type) in enumerate(hostile, 2):
        made = packet(
            number,
            extension_profile=profile,
            extension=b"" if profile is None else block,
            csrcs=tuple(csrcs),
            payload=payload,
            payload_type=payload_type,
        )
        try:  # as the session does before anything else
            parse_extensions(made.extension_profile, made.extension)
            rig.receive(made)
        except ProtocolError:
            continue
    assert view.errors == []
    assert len(set(view.numbers)) == len(view.numbers)
    assert all(view.payloads)


@given(st.permutations(range(11, 17)))
@settings(max_examples=40, deadline=None)
def test_packets_that_overtook_each_other_in_one_batch_can_all_be_opened(order: list[int]) -> None:
    rig = Rig()
    view = rig.view()
    rig.receive(packet(10, key=True))
    rig.receive(*(packet(number, frame=1) for number in order))
    assert view.errors == []
    assert view.numbers == [32_000, *(number - 10 + 32_000 for number in order)]


def test_however_much_a_paused_subscriber_missed_it_goes_on_without_a_gap_at_the_next_keyframe() -> None:
    rig = Rig()
    view = rig.view()
    rig.receive(*frames(0, 2))
    sealer = view.link.sealer
    view.link.sealer = None
    view.consumer.pause()
    for first in range(6, 40_000, 50):  # more than half of all numbers: its receiver would lose count
        rig.wait(1)
        rig.receive(*(packet(number, frame=number) for number in range(first, first + 50)))
    view.link.sealer = sealer
    view.consumer.resume(rig.now_ns)
    assert rig.layer.keyframes.wanted
    rig.receive(packet(40_006, frame=40_006))
    rig.receive(packet(40_007, frame=40_007, key=True), packet(40_008, frame=40_007))
    assert view.errors == []
    assert len(view.packets) == 8
    assert follow_each_other(view.numbers)
