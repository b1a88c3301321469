"""VP9 over RTP (RFC 9628). Access units are VP9 frames, or superframes of a picture's spatial layers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from core.errors import ProtocolError
from rtp.payload.assembler import AccessUnit, Depacketizer, equal_fragments, join
from rtp.payload.bits import BitReader

_I, _P, _L, _F, _B, _E, _V = 0x80, 0x40, 0x20, 0x10, 0x08, 0x04, 0x02
_MAX_REFERENCES: Final = 3
_MAX_LAYERS: Final = 8
_SYNC_CODE: Final = 0x498342
_RGB: Final = 7


@dataclass(frozen=True, slots=True)
class Descriptor:
    """The payload descriptor's parts that we use (RFC 9628 §4.2). `size_bytes`: its length."""

    inter_predicted: bool
    starts_frame: bool
    ends_frame: bool
    spatial_layer: int
    size_bytes: int


def parse_descriptor(payload: bytes) -> Descriptor:
    """Read the descriptor in flexible or non-flexible mode. Raises `ProtocolError` when it is truncated."""
    reader = _Bytes(payload)
    flags = reader.take()
    if flags & _I and reader.take() & 0x80:
        reader.take()
    spatial_layer = 0
    if flags & _L:
        spatial_layer = (reader.take() >> 1) & 0x07
        if not flags & _F:
            reader.take()  # TL0PICIDX
    if flags & _F and flags & _P:
        _skip_references(reader)
    if flags & _V:
        _skip_scalability(reader)
    return Descriptor(bool(flags & _P), bool(flags & _B), bool(flags & _E), spatial_layer, reader.position)


class _Bytes:
    def __init__(self, data: bytes) -> None:
        self._data = data
        self.position = 0

    def take(self, count: int = 1) -> int:
        """Skip `count` bytes, return the first."""
        if self.position + count > len(self._data):
            raise ProtocolError("VP9: the payload descriptor is truncated")
        value = self._data[self.position]
        self.position += count
        return value


def _skip_references(reader: _Bytes) -> None:
    for _ in range(_MAX_REFERENCES):
        if not reader.take() & 0x01:
            return
    raise ProtocolError("VP9: too many reference indices")


def _skip_scalability(reader: _Bytes) -> None:
    head = reader.take()
    layers = (head >> 5) + 1
    if head & 0x10:
        reader.take(4 * layers)
    if head & 0x08:
        for _ in range(reader.take()):
            references = (reader.take() >> 2) & 0x03
            if references:
                reader.take(references)


def packetize(frame: bytes, max_payload_bytes: int, *, keyframe: bool) -> list[bytes]:
    """One VP9 frame → RTP payloads in non-flexible mode. Raises `ValueError` for an empty frame."""
    if not frame:
        raise ValueError("the frame is empty")
    pieces = equal_fragments(frame, max_payload_bytes - 1)
    last = len(pieces) - 1
    base = 0 if keyframe else _P
    return [
        bytes((base | (_B if index == 0 else 0) | (_E if index == last else 0),)) + piece
        for index, piece in enumerate(pieces)
    ]


def frame_size(frame: bytes) -> tuple[int, int] | None:
    """(width, height) of a keyframe, None for other frames (VP9 bitstream §6.2). Raises `ProtocolError`."""
    reader = BitReader(frame[:32])
    if reader.bits(2) != 2:
        raise ProtocolError("VP9: the frame marker is missing")
    profile = reader.bits(1) | reader.bits(1) << 1
    if profile == 3:
        reader.flag()
    if reader.flag() or reader.flag():  # show_existing_frame, or not a keyframe
        return None
    reader.bits(2)
    if reader.bits(24) != _SYNC_CODE:
        raise ProtocolError("VP9: the keyframe's sync code is wrong")
    _skip_color_config(reader, profile)
    return reader.bits(16) + 1, reader.bits(16) + 1


def _skip_color_config(reader: BitReader, profile: int) -> None:
    if profile >= 2:
        reader.flag()
    if reader.bits(3) != _RGB:
        reader.flag()
        if profile in (1, 3):
            reader.bits(3)
    elif profile in (1, 3):
        reader.flag()


def superframe(frames: list[bytes]) -> bytes:
    """Frames of one picture's layers as one superframe (VP9 bitstream annex B)."""
    if len(frames) == 1:
        return frames[0]
    size_bytes = max(1, (max(map(len, frames)).bit_length() + 7) // 8)
    marker = bytes((0xC0 | (size_bytes - 1) << 3 | len(frames) - 1,))
    sizes = b"".join(len(frame).to_bytes(size_bytes, "little") for frame in frames)
    return b"".join(frames) + marker + sizes + marker


class Vp9Depacketizer(Depacketizer):
    """RTP payloads → VP9 frames or superframes."""

    codec = "VP9"

    def __init__(self) -> None:
        super().__init__()
        self._reset()

    def _reset(self) -> None:
        self._frames: list[bytes] = []
        self._parts: list[bytes] = []
        self._inter_predicted = False

    def _surely_starts(self, payload: bytes) -> bool:
        descriptor = parse_descriptor(payload)
        return descriptor.starts_frame and descriptor.spatial_layer == 0

    def _add(self, payload: bytes) -> bool:
        descriptor = parse_descriptor(payload)
        if descriptor.size_bytes >= len(payload):
            raise ProtocolError("VP9: the payload is empty")
        if descriptor.starts_frame != (not self._parts):
            return False
        if descriptor.starts_frame and not self._frames:
            self._inter_predicted = descriptor.inter_predicted
        self._parts.append(payload[descriptor.size_bytes :])
        if descriptor.ends_frame:
            self._frames.append(join(self._parts))
            self._parts = []
        if len(self._frames) > _MAX_LAYERS:
            raise ProtocolError("VP9: too many layers in one picture")
        return True

    def _finish(self, timestamp: int, after_loss: bool) -> AccessUnit | None:
        if self._parts or not self._frames:
            return None
        sizes = [frame_size(frame) for frame in self._frames]
        keyframe = sizes[0] is not None and not self._inter_predicted
        return AccessUnit(superframe(self._frames), timestamp, keyframe, after_loss, sizes[0])
