"""What a transport and its owner promise each other (docs/design.md, "transport/")."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from typing import Literal, Protocol, runtime_checkable
from zlib import crc32

from rtp.packet import RtpPacket
from rtp.sdp import Candidate, Fingerprint, IceParameters
from rtp.srtp import SrtpSender

TransportState = Literal["connecting", "connected", "silent", "closed"]
"""silent: nothing authentic heard for some time, still kept. closed: gone for good."""
DtlsRole = Literal["client", "server"]

__all__ = [
    "Candidate",
    "DtlsRole",
    "Fingerprint",
    "IceParameters",
    "MediaTransport",
    "RunSink",
    "TransportSink",
    "TransportState",
    "host_candidate",
    "is_loopback",
    "tcp_candidate",
]


def host_candidate(address: str, port: int, *, preference: int = 65535) -> Candidate:
    """A UDP host candidate with RFC 8445 §5.1.2.1's priority; `preference` (16 bits) orders our addresses."""
    foundation = str(crc32(address.encode()))
    return Candidate(foundation, 1, "udp", (126 << 24) | (preference << 8) | 255, address, port, "host")


def tcp_candidate(address: str, port: int, *, preference: int = 8191) -> Candidate:
    """A passive TCP host candidate; `preference` (13 bits) orders our addresses.

    Priority: type preference 90 as browsers have it, so that UDP comes first; direction preference 4
    (RFC 6544 §4.2).
    """
    priority = (90 << 24) | (((4 << 13) | preference) << 8) | 255
    foundation = str(crc32(f"tcp {address}".encode()))
    return Candidate(foundation, 1, "tcp", priority, address, port, "host", tcp_type="passive")


def is_loopback(candidate: Candidate) -> bool:
    """True for 127.0.0.0/8 and ::1; False for host names."""
    return candidate.is_ip and ipaddress.ip_address(candidate.address).is_loopback


class TransportSink(Protocol):
    """What a transport's owner implements. Called on the event loop; must not block."""

    def rtp_received(self, packet: RtpPacket) -> None: ...

    def rtcp_received(self, compound: bytes, arrival_ns: int) -> None:
        """`compound` is authenticated plaintext."""

    def state_changed(self, state: TransportState) -> None: ...


@runtime_checkable
class RunSink(Protocol):
    """A sink that can take what came at once: packets of one stream with successive numbers."""

    def rtp_run_received(self, packets: Sequence[RtpPacket]) -> None: ...


class MediaTransport(Protocol):
    """What both ends offer. Outgoing RTP: `sealer.seal(header, payload)`, collected, then `send(list)`."""

    @property
    def sealer(self) -> SrtpSender | None:
        """None until DTLS is done and after close."""

    @property
    def state(self) -> TransportState: ...

    @property
    def close_reason(self) -> str: ...

    @property
    def rtt_ns(self) -> int | None: ...

    @property
    def srtp_profile(self) -> str | None: ...

    def send(self, datagrams: Sequence[bytes]) -> None:
        """Send sealed packets in order, runs of one size in one call. Never blocks; drops are counted."""

    def send_rtcp(self, compound: bytes) -> None:
        """Seal and send one compound RTCP packet. Nothing happens before DTLS is done."""
