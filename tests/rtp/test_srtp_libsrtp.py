"""SRTP and libsrtp understand each other, packet for packet."""

from __future__ import annotations

import pytest

from rtp.packet import RtpPacket
from rtp.rtcp import Nack, ReceiverReport, build_compound
from rtp.srtp import SrtpProfile, SrtpReceiver, SrtpSender
from tests.rtp.srtp_support import PROFILES, keys_for, libsrtp

profiles = pytest.mark.parametrize("profile", PROFILES)


def varied_packet(i: int) -> RtpPacket:
    """CSRCs, extensions and padding come and go."""
    return RtpPacket(
        ssrc=77,
        payload_type=96,
        sequence_number=(65_000 + i) & 0xFFFF,
        timestamp=i,
        marker=i % 4 == 0,
        csrcs=(1, 2)[: i % 3],
        extension_profile=0xBEDE if i % 2 else None,
        extension=b"\x10a\0\0" if i % 2 else b"",
        payload=bytes(i % 1200),
        padding_bytes=i % 5,
    )


@profiles
def test_both_seal_to_the_same_bytes_and_open_each_other_across_two_wraps(profile: SrtpProfile) -> None:
    keys = keys_for(profile)
    sender, receiver = SrtpSender(keys), SrtpReceiver(keys)
    theirs_out, theirs_in = libsrtp(keys, outbound=True), libsrtp(keys, outbound=False)
    for i in range(0, 140_000, 97):
        packet = varied_packet(i)
        sealed = sender.seal(packet.header(), packet.body())
        assert sealed == theirs_out.protect(packet.serialize())
        assert theirs_in.unprotect(sealed) == packet.serialize()
        assert receiver.open_packet(sealed, i) == packet


@profiles
def test_reordered_and_lossy_streams_are_followed_alike(profile: SrtpProfile) -> None:
    keys = keys_for(profile)
    sender, ours, theirs = SrtpSender(keys), SrtpReceiver(keys), libsrtp(keys, outbound=False)
    sealed = {i: sender.seal(varied_packet(i).header(), b"x") for i in range(1200)}
    order = [i ^ 5 for i in range(1200) if i % 7]  # swaps neighbours, loses one in seven
    for i in order:
        assert ours.open(sealed[i]) == theirs.unprotect(sealed[i])


@profiles
def test_rtcp_goes_both_ways(profile: SrtpProfile) -> None:
    keys = keys_for(profile)
    sender, receiver = SrtpSender(keys), SrtpReceiver(keys)
    theirs_out, theirs_in = libsrtp(keys, outbound=True), libsrtp(keys, outbound=False)
    for i in range(50):
        compound = build_compound([ReceiverReport(i % 3 + 1), Nack(i % 3 + 1, 9, tuple(range(i + 1)))])
        assert theirs_in.unprotect_rtcp(sender.seal_rtcp(compound)) == compound
        assert receiver.open_rtcp(theirs_out.protect_rtcp(compound)) == compound


@profiles
def test_packets_too_large_for_libsrtp_pass_as_well(profile: SrtpProfile) -> None:
    keys = keys_for(profile)
    packet = RtpPacket(ssrc=1, payload=bytes(9000))
    sealed = SrtpSender(keys).seal(packet.header(), packet.body())
    assert len(sealed) == 9012 + profile.rtp_overhead_bytes
    assert SrtpReceiver(keys).open_packet(sealed, 0) == packet
