"""Attackers with valid keys: a publisher whose packets are nonsense, a viewer whose feedback is."""

from __future__ import annotations

import struct
from contextlib import suppress

from bench.room_feed import Feed
from bench.room_viewer import Viewer
from core.errors import TeleconsultError
from rtp.packet import RtpPacket, parse_rtp
from rtp.srtp import SrtpSender
from tests.fuzz.live.stock import Stock
from transport.client import ClientTransport

MIN_RTCP_BYTES = 8
RTCP_SSRCS = 4
"""Where an RTCP packet has its sender's SSRC; the media's follows."""


def send_rtp(transport: ClientTransport, packet: RtpPacket) -> bool:
    """Sealed with the connection's own keys; False when it cannot be."""
    sealer = transport.sealer
    if sealer is None:
        return False
    with suppress(TeleconsultError, ValueError):
        transport.send((_sealed(sealer, packet),))
        return True
    return False


def _sealed(sealer: SrtpSender, packet: RtpPacket) -> bytes:
    return sealer.seal(packet.header(), packet.body())


def changed_packet(stock: Stock, ssrcs: list[int], payload_types: list[int]) -> RtpPacket | None:
    """A packet that is often one of the connection's streams by its SSRC, and anything else inside."""
    try:
        packet = parse_rtp(stock.of("rtp")[:1_200])
    except TeleconsultError:
        packet = RtpPacket(sequence_number=stock.chance.randrange(65_536))
    chance = stock.chance
    if ssrcs and chance.random() < 0.8:
        packet.ssrc = chance.choice(ssrcs)
    if payload_types and chance.random() < 0.8:
        packet.payload_type = chance.choice(payload_types)
    if chance.random() < 0.7:
        packet.payload = stock.payload()
    return packet


def changed_rtcp(stock: Stock, ssrcs: list[int]) -> bytes | None:
    """RTCP about the connection's own streams, mostly."""
    data = bytearray(stock.of("rtcp")[:1_200])
    if len(data) < MIN_RTCP_BYTES:
        return None
    if ssrcs and stock.chance.random() < 0.7:
        struct.pack_into("!I", data, RTCP_SSRCS, stock.chance.choice(ssrcs))
        if len(data) >= MIN_RTCP_BYTES + 4:
            struct.pack_into("!I", data, MIN_RTCP_BYTES, stock.chance.choice(ssrcs))
    data[0] = 0x80 | data[0] & 0x3F
    return bytes(data)


def publisher_strikes(feed: Feed, stock: Stock) -> int:
    """One packet and one report; how many were sent."""
    ssrcs = [stream.ssrc for stream in feed.streams.values()]
    types = [stream.payload_type for stream in feed.streams.values()]
    packet = changed_packet(stock, ssrcs, types)
    sent = packet is not None and send_rtp(feed.transport, packet)
    return sent + _report(feed.transport, stock, ssrcs)


def viewer_strikes(viewer: Viewer, stock: Stock) -> int:
    """Feedback of all kinds, and media where none is expected."""
    if viewer.transport is None:
        return 0
    ssrcs = list(viewer.ssrcs)
    sent = _report(viewer.transport, stock, ssrcs)
    if stock.chance.random() < 0.2:
        packet = changed_packet(stock, ssrcs, [])
        sent += packet is not None and send_rtp(viewer.transport, packet)
    return sent


def _report(transport: ClientTransport, stock: Stock, ssrcs: list[int]) -> int:
    compound = changed_rtcp(stock, ssrcs)
    if compound is None:
        return 0
    with suppress(TeleconsultError, ValueError):
        transport.send_rtcp(compound)
        return 1
    return 0
