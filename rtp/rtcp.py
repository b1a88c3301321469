"""RTCP packets (RFC 3550 §6, RFC 4585, RFC 5104, RFC 5506) as frozen values, and
`parse_compound` and `build_compound` between them and bytes."""

from rtp.rtcp_build import build_compound
from rtp.rtcp_feedback import Fir, FirRequest, Nack, Pli, Remb
from rtp.rtcp_parse import parse_compound
from rtp.rtcp_types import (
    MAX_REPORT_BLOCKS,
    Goodbye,
    ReceiverReport,
    ReportBlock,
    RtcpPacket,
    SenderReport,
    SourceDescription,
    UnknownRtcp,
)
from rtp.twcc_codec import TransportFeedback

__all__ = [
    "MAX_REPORT_BLOCKS",
    "Fir",
    "FirRequest",
    "Goodbye",
    "Nack",
    "Pli",
    "ReceiverReport",
    "Remb",
    "ReportBlock",
    "RtcpPacket",
    "SenderReport",
    "SourceDescription",
    "TransportFeedback",
    "UnknownRtcp",
    "build_compound",
    "parse_compound",
]
