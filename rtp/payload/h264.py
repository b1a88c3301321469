"""H.264 over RTP (RFC 6184, mode 1): single NAL units, STAP-A, FU-A. Access units are Annex B."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from core.errors import ProtocolError
from rtp.payload.assembler import AccessUnit, Depacketizer, equal_fragments
from rtp.payload.h264_sps import picture_size

START_CODE: Final = b"\x00\x00\x00\x01"
_SHORT_START_CODE: Final = b"\x00\x00\x01"
_SLICE, _IDR, _SPS, _PPS, _AUD = 1, 5, 7, 8, 9
_STAP_A: Final = 24
_FU_A: Final = 28
_FU_HEADER_BYTES: Final = 2
_MAX_STAP_NAL_BYTES: Final = 0xFFFF


def split_annex_b(data: bytes) -> list[bytes]:
    """NAL units of a byte stream without their start codes (H.264 annex B)."""
    units = []
    start = data.find(_SHORT_START_CODE)
    while start >= 0:
        start += 3
        end = data.find(_SHORT_START_CODE, start)
        unit = data[start : end if end >= 0 else len(data)].rstrip(b"\x00")
        if unit:
            units.append(unit)
        start = end
    return units


def packetize(access_unit: bytes, max_payload_bytes: int, first_less: int = 0) -> list[bytes]:
    """Annex B access unit → RTP payloads, in order; the caller sets the marker on the last.

    Small NAL units share a STAP-A; big ones become FU-A fragments of one size (the last may be shorter), so
    that a frame is a long run of equal datagrams: `first_less` is by how many bytes the header of the first
    one is longer than the others'. Raises `ValueError` when there is no NAL unit in it.
    """
    units = split_annex_b(access_unit)
    if not units:
        raise ValueError("the access unit has no NAL unit")
    payloads: list[bytes] = []
    together: list[bytes] = []
    for unit in units:
        if not _fits(together, unit, max_payload_bytes):
            payloads += _aggregate(together)
            together = []
        if len(unit) > max_payload_bytes:
            payloads += _fragment(unit, max_payload_bytes, 0 if payloads else first_less)
        else:
            together.append(unit)
    return payloads + _aggregate(together)


def _fits(together: list[bytes], unit: bytes, max_payload_bytes: int) -> bool:
    if len(unit) > _MAX_STAP_NAL_BYTES:
        return False
    return 1 + sum(2 + len(other) for other in together) + 2 + len(unit) <= max_payload_bytes


def _aggregate(units: list[bytes]) -> list[bytes]:
    if len(units) < 2:
        return units
    # RFC 6184 §5.7.1: NRI of the aggregate is the highest inside it.
    header = max(unit[0] & 0x60 for unit in units) | _STAP_A
    return [bytes((header,)) + b"".join(len(unit).to_bytes(2, "big") + unit for unit in units)]


def _fragment(unit: bytes, max_payload_bytes: int, first_less: int) -> list[bytes]:
    indicator, kind = unit[0] & 0x60 | _FU_A, unit[0] & 0x1F
    pieces = equal_fragments(unit[1:], max_payload_bytes - _FU_HEADER_BYTES, first_less)
    last = len(pieces) - 1
    return [
        bytes((indicator, kind | (0x80 if index == 0 else 0) | (0x40 if index == last else 0))) + piece
        for index, piece in enumerate(pieces)
    ]


def iter_stap_a(payload: bytes) -> Iterable[bytes]:
    """NAL units of a STAP-A. Raises `ProtocolError` when their sizes do not add up (RFC 6184 §5.7.1)."""
    position = 1
    while position < len(payload):
        size = int.from_bytes(payload[position : position + 2], "big")
        unit = payload[position + 2 : position + 2 + size]
        if not size or len(unit) != size:
            raise ProtocolError("H264: a STAP-A is truncated")
        yield unit
        position += 2 + size


class H264Depacketizer(Depacketizer):
    """RTP payloads → Annex B access units, every NAL unit behind a 4-byte start code."""

    codec = "H264"

    def __init__(self) -> None:
        super().__init__()
        self._reset()

    def _reset(self) -> None:
        self._units: list[bytes] = []
        self._fragments: list[bytes] = []

    def _surely_starts(self, payload: bytes) -> bool:
        """AUD or SPS begin an access unit; the first slice of a non-IDR picture needs nothing before it."""
        kind = payload[0] & 0x1F
        if kind == _STAP_A:
            return any(_opens(unit[0] & 0x1F, unit[1:2]) for unit in [*iter_stap_a(payload)][:1])
        if kind == _FU_A and len(payload) > _FU_HEADER_BYTES:
            return payload[1] & 0x80 != 0 and _opens(payload[1] & 0x1F, payload[2:3])
        return _opens(kind, payload[1:2])

    def _add(self, payload: bytes) -> bool:
        kind = payload[0] & 0x1F
        if payload[0] & 0x80:
            raise ProtocolError("H264: forbidden_zero_bit is set")
        if kind == _FU_A:
            return self._add_fragment(payload)
        if self._fragments:
            return False  # the end of a fragmented NAL unit is missing
        if kind == _STAP_A:
            for unit in iter_stap_a(payload):
                self._add_unit(unit)
        else:
            self._add_unit(payload)
        return True

    def _add_unit(self, unit: bytes) -> None:
        kind = unit[0] & 0x1F
        if not 1 <= kind <= 23 or unit[0] & 0x80:
            raise ProtocolError(f"H264: NAL unit type {kind} is not used in packetization-mode 1")
        self._units.append(unit)

    def _add_fragment(self, payload: bytes) -> bool:
        if len(payload) <= _FU_HEADER_BYTES:
            raise ProtocolError("H264: an FU-A is empty")
        header = payload[1]
        starts, ends = header & 0x80, header & 0x40
        if starts and ends:
            raise ProtocolError("H264: an FU-A both starts and ends its NAL unit")
        if bool(starts) == bool(self._fragments):
            return False
        if starts:
            self._fragments.append(bytes((payload[0] & 0xE0 | header & 0x1F,)))
        self._fragments.append(payload[_FU_HEADER_BYTES:])
        if ends:
            unit = b"".join(self._fragments)
            self._fragments = []
            self._add_unit(unit)
        return True

    def _finish(self, timestamp: int, after_loss: bool) -> AccessUnit | None:
        if self._fragments or not self._units:
            return None
        kinds = {unit[0] & 0x1F for unit in self._units}
        sets = tuple(unit for unit in self._units if unit[0] & 0x1F in (_SPS, _PPS))
        return AccessUnit(
            data=START_CODE + START_CODE.join(self._units),
            timestamp=timestamp,
            keyframe=_IDR in kinds,
            after_loss=after_loss,
            size=_size(sets),
            parameter_sets=sets,
        )


def _opens(kind: int, first_byte: bytes) -> bool:
    if kind in (_AUD, _SPS):
        return True
    # first_mb_in_slice = 0 is the single bit 1 (H.264 §7.3.3).
    return kind == _SLICE and bool(first_byte) and first_byte[0] & 0x80 != 0


def _size(parameter_sets: Iterable[bytes]) -> tuple[int, int] | None:
    for unit in parameter_sets:
        if unit[0] & 0x1F == _SPS:
            try:
                return picture_size(unit)
            except ProtocolError:
                return None  # the decoder is the judge of a parameter set, not we
    return None
