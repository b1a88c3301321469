"""The reports among RTCP's packets as values (RFC 3550 §6), and the union of all packets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from rtp.rtcp_feedback import Fir, Nack, Pli, Remb
from rtp.twcc_codec import TransportFeedback

SR: Final = 200
RR: Final = 201
SDES: Final = 202
BYE: Final = 203
RTPFB: Final = 205
PSFB: Final = 206
SDES_CNAME: Final = 1
MAX_REPORT_BLOCKS: Final = 31
"""What one SR or RR holds."""


@dataclass(frozen=True, slots=True)
class ReportBlock:
    """What a receiver says about one SSRC (RFC 3550 §6.4.1)."""

    ssrc: int
    fraction_lost: int
    """Of 256, since the last report."""
    cumulative_lost: int
    """Signed, 24 bits: duplicates may make it negative."""
    highest_sequence: int
    """Extended: cycles << 16 | number."""
    jitter: int
    """In timestamp units."""
    last_sr: int
    """Middle 32 bits of the last SR's NTP time; 0: none yet."""
    delay_since_last_sr: int
    """In 1/65536 s."""


@dataclass(frozen=True, slots=True)
class SenderReport:
    """`ntp_time` is the 64-bit NTP time at which `rtp_timestamp` is taken."""

    ssrc: int
    ntp_time: int
    rtp_timestamp: int
    packet_count: int
    octet_count: int
    reports: tuple[ReportBlock, ...] = ()


@dataclass(frozen=True, slots=True)
class ReceiverReport:
    ssrc: int
    reports: tuple[ReportBlock, ...] = ()


@dataclass(frozen=True, slots=True)
class SourceDescription:
    """(SSRC, CNAME) pairs; other items are skipped, a chunk without CNAME has an empty one."""

    cnames: tuple[tuple[int, str], ...]


@dataclass(frozen=True, slots=True)
class Goodbye:
    ssrcs: tuple[int, ...]
    reason: str = ""


@dataclass(frozen=True, slots=True)
class UnknownRtcp:
    """A packet we do not interpret (APP, XR, feedback formats), kept as it came; `count` has 5 bits."""

    packet_type: int
    count: int
    body: bytes


RtcpPacket = (
    SenderReport
    | ReceiverReport
    | SourceDescription
    | Goodbye
    | Nack
    | Pli
    | Fir
    | TransportFeedback
    | Remb
    | UnknownRtcp
)
