"""RTP packets as bytes plus a few integers (RFC 3550 §5.1)."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from typing import Final

from core.errors import ProtocolError

HEADER_BYTES: Final = 12
"""The fixed header, without CSRCs and extension."""

_HEADER: Final = struct.Struct("!BBHII")
_EXTENSION_HEAD: Final = struct.Struct("!HH")
_MIN_RTCP_BYTES: Final = 8
_MAX_CSRCS: Final = 15
_MAX_PADDING_BYTES: Final = 255


@dataclass(slots=True, init=False)
class RtpPacket:
    """One RTP packet, taken apart.

    `extension` is the raw block behind the 4-byte extension head (a multiple of 4 bytes); `extension_profile`
    is None when the packet has no extension. `payload` is without padding; `padding_bytes` counts the
    padding, its count octet included. `arrival_ns` is Unix time, 0 when unknown, and no part of the packet's
    identity.
    """

    ssrc: int
    payload_type: int
    sequence_number: int
    timestamp: int
    marker: bool
    csrcs: tuple[int, ...]
    extension_profile: int | None
    extension: bytes
    payload: bytes
    padding_bytes: int
    arrival_ns: int = field(compare=False)

    def __init__(
        self,
        ssrc: int = 0,
        payload_type: int = 0,
        sequence_number: int = 0,
        timestamp: int = 0,
        marker: bool = False,
        csrcs: tuple[int, ...] = (),
        extension_profile: int | None = None,
        extension: bytes = b"",
        payload: bytes = b"",
        padding_bytes: int = 0,
        arrival_ns: int = 0,
    ) -> None:
        # A generated one stays interpreted where this is compiled, and this runs for every packet.
        self.ssrc = ssrc
        self.payload_type = payload_type
        self.sequence_number = sequence_number
        self.timestamp = timestamp
        self.marker = marker
        self.csrcs = csrcs
        self.extension_profile = extension_profile
        self.extension = extension
        self.payload = payload
        self.padding_bytes = padding_bytes
        self.arrival_ns = arrival_ns

    def header(self) -> bytes:
        """The header with CSRCs and extension: what SRTP authenticates but does not encrypt.

        Raises `ValueError` for a field that does not fit the wire format.
        """
        csrcs = self.csrcs
        if len(csrcs) > _MAX_CSRCS or not 0 <= self.padding_bytes <= _MAX_PADDING_BYTES:
            raise ValueError("an RTP packet has at most 15 CSRCs and 255 bytes of padding")
        if not 0 <= self.payload_type <= 127:
            raise ValueError("an RTP payload type is between 0 and 127")
        first = 0x80 | (0x20 if self.padding_bytes else 0) | len(csrcs)
        second = self.payload_type | (0x80 if self.marker else 0)
        profile = self.extension_profile
        if profile is not None:
            first |= 0x10
        try:
            fixed = _HEADER.pack(first, second, self.sequence_number, self.timestamp, self.ssrc)
            if csrcs:
                fixed += struct.pack(f"!{len(csrcs)}I", *csrcs)
        except struct.error as error:
            raise ValueError(f"an RTP header field is out of range: {error}") from error
        if profile is None:
            return fixed
        return fixed + extension_head(profile, self.extension) + self.extension

    def body(self) -> bytes:
        """Payload and padding: what SRTP encrypts."""
        if not self.padding_bytes:
            return self.payload
        return self.payload + bytes(self.padding_bytes - 1) + bytes((self.padding_bytes,))

    def serialize(self) -> bytes:
        """Inverse of `parse_rtp`; padding octets, whose content means nothing, become zero."""
        return self.header() + self.body()


def extension_head(profile: int, block: bytes) -> bytes:
    """The 4 bytes in front of an extension block. `ValueError` unless a multiple of 4 long."""
    words, rest = divmod(len(block), 4)
    if rest or words > 0xFFFF:
        raise ValueError("an RTP extension block is a multiple of 4 bytes, at most 65535 words")
    return _EXTENSION_HEAD.pack(profile, words)


def is_rtcp(data: bytes) -> bool:
    """True for what demultiplexes as (S)RTCP: version 2 and packet type 192…223 (RFC 7983, RFC 5761 §4)."""
    return len(data) >= _MIN_RTCP_BYTES and 128 <= data[0] <= 191 and 192 <= data[1] <= 223


def is_rtp(data: bytes) -> bool:
    """True for what demultiplexes as (S)RTP (RFC 7983, RFC 5761 §4)."""
    return len(data) >= HEADER_BYTES and 128 <= data[0] <= 191 and not 192 <= data[1] <= 223


def header_length(data: bytes) -> int:
    """Bytes of RTP header in `data`, CSRCs and extension included.

    Raises `ProtocolError` when `data` is not RTP version 2 or ends inside its header.
    """
    size = len(data)
    if size < HEADER_BYTES:
        raise ProtocolError("RTP packet shorter than its fixed header")
    first = data[0]
    if first >> 6 != 2:
        raise ProtocolError("RTP version is not 2")
    length = HEADER_BYTES + 4 * (first & 0x0F)
    if first & 0x10:
        if size < length + 4:
            raise ProtocolError("RTP packet ends inside its extension head")
        length += 4 + 4 * (data[length + 2] << 8 | data[length + 3])
    if size < length:
        raise ProtocolError("RTP packet ends inside its header")
    return length


def parse_rtp(data: bytes, arrival_ns: int = 0) -> RtpPacket:
    """Bytes of one plaintext RTP packet → `RtpPacket`. Raises `ProtocolError`."""
    first = data[0] if data else 0
    if first == 0x80 and len(data) >= HEADER_BYTES:
        return packet_from_parts(data, data[HEADER_BYTES:], arrival_ns)
    length = header_length(data)
    return packet_from_parts(data, data[length:], arrival_ns)


def packet_from_parts(header: bytes, body: bytes, arrival_ns: int) -> RtpPacket:
    """Bytes that begin with a header `header_length` has accepted, plus the body behind it → `RtpPacket`.

    This is how SRTP avoids parsing twice. Raises `ProtocolError` for impossible padding.
    """
    first, second, sequence_number, timestamp, ssrc = _HEADER.unpack_from(header)
    marker = second > 127
    if first == 0x80:
        return RtpPacket(
            ssrc, second & 0x7F, sequence_number, timestamp, marker, (), None, b"", body, 0, arrival_ns
        )
    csrcs: tuple[int, ...] = ()
    offset = HEADER_BYTES
    if count := first & 0x0F:
        csrcs = struct.unpack_from(f"!{count}I", header, offset)
        offset += 4 * count
    profile: int | None = None
    extension = b""
    if first & 0x10:
        profile, words = _EXTENSION_HEAD.unpack_from(header, offset)
        extension = header[offset + 4 : offset + 4 + 4 * words]
    padding = 0
    if first & 0x20:
        padding = body[-1] if body else 0
        if not 0 < padding <= len(body):
            raise ProtocolError("RTP padding count is impossible")
        body = body[:-padding]
    return RtpPacket(
        ssrc,
        second & 0x7F,
        sequence_number,
        timestamp,
        marker,
        csrcs,
        profile,
        extension,
        body,
        padding,
        arrival_ns,
    )
