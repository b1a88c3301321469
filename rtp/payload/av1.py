"""AV1 over RTP (AV1 RTP payload format 1.0).

Access units are temporal units without delimiter, every OBU with its size, as in MP4 (AV1-ISOBMFF §2.4).
"""

from __future__ import annotations

from typing import Final

from core.errors import ProtocolError
from rtp.payload.assembler import AccessUnit, Depacketizer, join
from rtp.payload.av1_sequence import picture_size
from rtp.payload.bits import read_leb128, write_leb128

_SEQUENCE_HEADER, _TEMPORAL_DELIMITER, _FRAME_HEADER, _FRAME, _TILE_LIST, _PADDING = 1, 2, 3, 6, 8, 15
_NOT_SENT: Final = frozenset((_TEMPORAL_DELIMITER, _TILE_LIST, _PADDING))  # RTP payload format §5
_Z, _Y, _N = 0x80, 0x40, 0x08
_HAS_EXTENSION, _HAS_SIZE = 0x04, 0x02
_MIN_ROOM_BYTES: Final = 8
_MAX_OBUS: Final = 1024


def obu_type(obu: bytes) -> int:
    """Type of an OBU (AV1 §6.2.2)."""
    return (obu[0] >> 3) & 0x0F


def _split(obu: bytes) -> tuple[bytes, bytes, int]:
    """(header without the size flag, payload, position after it) of the OBU that `obu` starts with."""
    header_bytes = 2 if obu and obu[0] & _HAS_EXTENSION else 1
    if len(obu) < header_bytes or obu[0] & 0x80:
        raise ProtocolError("AV1: an OBU header is malformed")
    header = bytes((obu[0] & ~_HAS_SIZE,)) + obu[1:header_bytes]
    start, size = header_bytes, len(obu) - header_bytes
    if obu[0] & _HAS_SIZE:
        size, start = read_leb128(obu, header_bytes)
    if start + size > len(obu):
        raise ProtocolError("AV1: an OBU is truncated")
    return header, obu[start : start + size], start + size


def split_obus(temporal_unit: bytes) -> list[bytes]:
    """OBUs of a temporal unit in low-overhead form, without their size fields. Raises `ProtocolError`."""
    obus = []
    while temporal_unit:
        header, payload, end = _split(temporal_unit)
        obus.append(header + payload)
        temporal_unit = temporal_unit[end:]
    return obus


def _with_size(obu: bytes) -> bytes:
    header, payload, end = _split(obu)
    if end != len(obu):
        raise ProtocolError("AV1: an OBU is followed by stray bytes")
    return bytes((header[0] | _HAS_SIZE,)) + header[1:] + write_leb128(len(payload)) + payload


def packetize(temporal_unit: bytes, max_payload_bytes: int) -> list[bytes]:
    """Temporal unit → RTP payloads, every element with its length (W = 0); the marker goes on the last.

    Raises `ValueError` when there is nothing to send.
    """
    obus = [obu for obu in split_obus(temporal_unit) if obu_type(obu) not in _NOT_SENT]
    if not obus:
        raise ValueError("the temporal unit is empty")
    first_flags = _N if any(obu_type(obu) == _SEQUENCE_HEADER for obu in obus) else 0
    payloads: list[bytes] = []
    body, flags = b"", first_flags
    for obu in obus:
        rest = obu
        while rest:
            room = max_payload_bytes - 1 - len(body)
            if room < _MIN_ROOM_BYTES and body:
                payloads.append(bytes((flags,)) + body)
                body, flags = b"", _Z if rest is not obu else 0
                continue
            size = min(len(rest), room - len(write_leb128(room)))
            body, rest = body + write_leb128(size) + rest[:size], rest[size:]
            if rest:
                payloads.append(bytes((flags | _Y,)) + body)
                body, flags = b"", _Z
    return [*payloads, bytes((flags,)) + body] if body else payloads


def _elements(payload: bytes) -> list[bytes]:
    """OBU elements of one packet (§4.3). Raises `ProtocolError` when their lengths do not fit."""
    count = (payload[0] >> 4) & 0x03
    elements: list[bytes] = []
    position = 1
    while position < len(payload):
        size = len(payload) - position
        if not count or len(elements) < count - 1:
            size, position = read_leb128(payload, position)
        if position + size > len(payload):
            raise ProtocolError("AV1: an OBU element is truncated")
        elements.append(payload[position : position + size])
        position += size
    if not elements or (count and len(elements) != count) or len(elements) > _MAX_OBUS:
        raise ProtocolError("AV1: the packet has another number of OBU elements than it says")
    return elements


class Av1Depacketizer(Depacketizer):
    """RTP payloads → temporal units."""

    codec = "AV1"

    def __init__(self) -> None:
        super().__init__()
        self._reset()

    def _reset(self) -> None:
        self._obus: list[bytes] = []
        self._partial: list[bytes] = []

    def _surely_starts(self, payload: bytes) -> bool:
        """A new sequence, or a frame of the lowest spatial layer: real-time streams have one per unit."""
        if payload[0] & _Z:
            return False
        first = _elements(payload)[0]
        if payload[0] & _N or not first:
            return bool(payload[0] & _N)
        spatial_layer = (first[1] >> 3) & 0x03 if first[0] & _HAS_EXTENSION and len(first) > 1 else 0
        return obu_type(first) in (_SEQUENCE_HEADER, _FRAME_HEADER, _FRAME) and spatial_layer == 0

    def _add(self, payload: bytes) -> bool:
        continues, continued = payload[0] & _Z, payload[0] & _Y
        elements = _elements(payload)
        if bool(continues) != bool(self._partial):
            return False
        for index, element in enumerate(elements):
            self._partial.append(element)
            if not (continued and index == len(elements) - 1):
                self._complete(join(self._partial))
                self._partial = []
        return True

    def _complete(self, obu: bytes) -> None:
        if obu and obu_type(obu) not in _NOT_SENT:
            self._obus.append(_with_size(obu))
        if len(self._obus) > _MAX_OBUS:
            raise ProtocolError("AV1: a temporal unit has too many OBUs")

    def _finish(self, timestamp: int, after_loss: bool) -> AccessUnit | None:
        if self._partial or not self._obus:
            return None
        headers = tuple(obu for obu in self._obus if obu_type(obu) == _SEQUENCE_HEADER)
        return AccessUnit(
            data=join(self._obus),
            timestamp=timestamp,
            keyframe=bool(headers) and _first_frame_is_key(self._obus),
            after_loss=after_loss,
            size=picture_size(_split(headers[0])[1]) if headers else None,
            parameter_sets=headers,
        )


def _first_frame_is_key(obus: list[bytes]) -> bool:
    """show_existing_frame = 0 and frame_type = KEY_FRAME (AV1 §5.9.2)."""
    for obu in obus:
        if obu_type(obu) in (_FRAME_HEADER, _FRAME):
            payload = _split(obu)[1]
            return bool(payload) and payload[0] & 0xE0 == 0
    return False
