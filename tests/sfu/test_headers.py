"""Outgoing headers: only what must change changes, and consumers with the same ids share the work."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from rtp.extensions import (
    ABS_CAPTURE_TIME,
    ABS_SEND_TIME,
    MID,
    PLAYOUT_DELAY,
    TRANSPORT_CC,
    ExtensionMap,
    build_extensions,
    parse_extensions,
)
from rtp.packet import RtpPacket, parse_rtp
from sfu.headers import MAX_EVENING_BYTES, HeaderPlan, numbered_headers, plain_headers, plan_key

UNKNOWN = "urn:example:never-heard-of"
SOURCE = ExtensionMap(
    {1: MID, 2: ABS_CAPTURE_TIME, 3: TRANSPORT_CC, 4: UNKNOWN, 5: ABS_SEND_TIME, 6: "urn:only-here"}
)
TARGET = ExtensionMap({9: ABS_CAPTURE_TIME, 4: TRANSPORT_CC, 3: UNKNOWN, 7: PLAYOUT_DELAY, 8: ABS_SEND_TIME})
PLAYOUT = (PLAYOUT_DELAY, b"\0\0\x14")


def source_packet(**changes: object) -> RtpPacket:
    profile, block = build_extensions(
        [(1, b"0"), (2, b"12345678"), (3, b"\x12\x34"), (4, b"survives"), (5, b"abc"), (6, b"dropped")]
    )
    packet = RtpPacket(
        ssrc=1, payload_type=96, sequence_number=7, timestamp=9, marker=True, extension_profile=profile,
        extension=block, payload=b"media",
    )  # fmt: skip
    for name, value in changes.items():
        setattr(packet, name, value)
    return packet


def sent(plan: HeaderPlan, packet: RtpPacket, number: int | None) -> RtpPacket:
    item = plan.prepare(packet)
    slot = () if number is None else (number,)
    header = item.pack(item.first, item.marker | 102, 1000, 2000, 3000, item.prefix, *slot) + item.tail
    return parse_rtp(header + item.payload)


def values(packet: RtpPacket) -> dict[int, bytes]:
    return parse_extensions(packet.extension_profile, packet.extension)


def test_numbers_and_ids_change_and_everything_else_survives() -> None:
    plan = HeaderPlan(plan_key(SOURCE, TARGET, [PLAYOUT]))
    packet = sent(plan, source_packet(), 0xABCD)
    assert (packet.payload_type, packet.sequence_number, packet.timestamp, packet.ssrc) == (
        102,
        1000,
        2000,
        3000,
    )
    assert packet.marker
    assert packet.payload == b"media"
    assert values(packet) == {9: b"12345678", 3: b"survives", 4: b"\xab\xcd", 7: b"\0\0\x14"}


def test_a_subscriber_without_extensions_gets_none() -> None:
    plan = HeaderPlan(plan_key(SOURCE, ExtensionMap({}), [PLAYOUT]))
    packet = sent(plan, source_packet(marker=False), None)
    assert packet.extension_profile is None
    assert not packet.marker


def test_a_packet_without_extensions_still_carries_our_own() -> None:
    plan = HeaderPlan(plan_key(SOURCE, TARGET, [PLAYOUT]))
    packet = sent(plan, source_packet(extension_profile=None, extension=b""), 5)
    assert values(packet) == {4: b"\0\x05", 7: b"\0\0\x14"}


def test_ids_above_fourteen_take_the_two_byte_form() -> None:
    plan = HeaderPlan(plan_key(SOURCE, ExtensionMap({200: UNKNOWN, 4: TRANSPORT_CC}), []))
    assert values(sent(plan, source_packet(), 6)) == {200: b"survives", 4: b"\0\x06"}


def test_contributing_sources_survive() -> None:
    plan = HeaderPlan(plan_key(SOURCE, TARGET, []))
    packet = sent(plan, source_packet(csrcs=(11, 12)), 6)
    assert packet.csrcs == (11, 12)
    assert values(packet)[3] == b"survives"


def test_consumers_with_the_same_ids_have_equal_keys_and_share_one_preparation() -> None:
    assert plan_key(SOURCE, TARGET, [PLAYOUT]) == plan_key(SOURCE, TARGET, [PLAYOUT])
    plan = HeaderPlan(plan_key(SOURCE, TARGET, [PLAYOUT]))
    batch = [source_packet(), source_packet(sequence_number=8)]
    assert plan.prepare_batch(batch) is plan.prepare_batch(batch)
    assert plan.prepare_batch(list(batch)) is not plan.prepare_batch(batch)


def frame(count: int, sequence: int, timestamp: int, capture_every: int = 100) -> list[RtpPacket]:
    """Packets of one size, but that some carry a capture time."""
    plain = build_extensions([(3, b"\x12\x34"), (4, b"stay")])
    dated = build_extensions([(2, b"12345678"), (3, b"\x12\x34"), (4, b"stay")])
    packets = []
    for index in range(count):
        profile, block = dated if index % capture_every == 0 else plain
        packets.append(
            source_packet(
                sequence_number=(sequence + index) & 0xFFFF,
                timestamp=timestamp & 0xFFFFFFFF,
                marker=index == count - 1,
                extension_profile=profile,
                extension=block,
                payload=bytes((index,)) * 500,
            )
        )
    return packets


near_wrap_16 = st.one_of(st.integers(0, 0xFFFF), st.integers(65_500, 0xFFFF))
near_wrap_32 = st.one_of(st.integers(0, 0xFFFFFFFF), st.integers(0xFFFFFFF0, 0xFFFFFFFF))


@given(
    st.integers(1, 40), near_wrap_16, near_wrap_32, near_wrap_16, near_wrap_32, near_wrap_16,
    st.booleans(), st.integers(1, 5), st.integers(0, 0xFFFFFFFF),
)  # fmt: skip
def test_headers_made_at_once_are_those_made_one_by_one(
    count: int, sequence: int, timestamp: int, move: int, later: int, number: int, numbered: bool, every: int,
    ssrc: int,
) -> None:  # fmt: skip
    target = TARGET if numbered else ExtensionMap({9: ABS_CAPTURE_TIME, 3: UNKNOWN})
    batch = HeaderPlan(plan_key(SOURCE, target, [])).prepare_batch(frame(count, sequence, timestamp, every))
    if numbered:
        wanted = numbered_headers(batch.items, 102, ssrc, move, later, number)
    else:
        wanted = plain_headers(batch.items, 102, ssrc, move, later)
    assert list(batch.headers(102, ssrc, move, later, number)) == wanted
    assert list(batch.sizes(16)[0]) == [len(header) + 500 + 16 for header in wanted]


def test_headers_whose_numbers_do_not_stand_at_one_place_are_made_one_by_one() -> None:
    batch = HeaderPlan(plan_key(SOURCE, TARGET, [])).prepare_batch(
        [source_packet(csrcs=(1,) * index, sequence_number=index) for index in range(5)]
    )
    assert list(batch.headers(102, 7, 0, 0, 9)) == numbered_headers(batch.items, 102, 7, 0, 0, 9)


@given(st.lists(st.integers(480, 540), min_size=1, max_size=20))
def test_packets_of_about_one_size_are_padded_to_leave_at_once_and_say_the_same(lengths: list[int]) -> None:
    packets = frame(len(lengths), 10, 0)
    for packet, length in zip(packets, lengths, strict=True):
        packet.payload = b"m" * length
    batch = HeaderPlan(plan_key(SOURCE, TARGET, [PLAYOUT])).prepare_batch(packets)
    even = batch.even()
    sizes, before = even.sizes(16)[0], batch.sizes(16)[0]
    if even is not batch:
        assert len(set(sizes[:-1])) == 1
        assert sizes[-1] <= sizes[0]
        assert all(0 <= size - was <= MAX_EVENING_BYTES for size, was in zip(sizes, before, strict=True))
    assert even.octets == sum(lengths)
    for header, payload, packet in zip(even.headers(102, 1, 0, 0, 5), even.payloads, packets, strict=True):
        assert parse_rtp(header + payload).payload == packet.payload


def test_a_frame_whose_first_packet_carries_its_capture_time_leaves_at_once() -> None:
    batch = HeaderPlan(plan_key(SOURCE, TARGET, [PLAYOUT])).prepare_batch(frame(15, 1, 1))
    assert len(set(batch.sizes(16)[0])) == 2
    assert len(set(batch.even().sizes(16)[0][:-1])) == 1
