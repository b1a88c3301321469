"""Outgoing headers: only what must change changes, and consumers with the same ids share the work."""

from __future__ import annotations

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
from sfu.headers import HeaderPlan, plan_key

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
