"""SDP: read with `parse_sdp`, write with `Session.serialize` (RFC 8866, RFC 8829, RFC 8839)."""

from rtp.sdp_attributes import (
    Direction,
    ExtMap,
    Group,
    Msid,
    Origin,
    Rid,
    Setup,
    Simulcast,
    SsrcAttribute,
    SsrcGroup,
)
from rtp.sdp_codecs import CodecParameters, parse_fmtp
from rtp.sdp_fragment import IceFragment, parse_fragment, serialize_fragment
from rtp.sdp_model import BUNDLE, Media, Session
from rtp.sdp_parser import MAX_LINE_CHARS, MAX_LINES, MAX_MEDIA, MAX_SDP_CHARS, parse_sdp
from rtp.sdp_transport import Candidate, Fingerprint, IceParameters

__all__ = [
    "BUNDLE",
    "MAX_LINES",
    "MAX_LINE_CHARS",
    "MAX_MEDIA",
    "MAX_SDP_CHARS",
    "Candidate",
    "CodecParameters",
    "Direction",
    "ExtMap",
    "Fingerprint",
    "Group",
    "IceFragment",
    "IceParameters",
    "Media",
    "Msid",
    "Origin",
    "Rid",
    "Session",
    "Setup",
    "Simulcast",
    "SsrcAttribute",
    "SsrcGroup",
    "parse_fmtp",
    "parse_fragment",
    "parse_sdp",
    "serialize_fragment",
]
