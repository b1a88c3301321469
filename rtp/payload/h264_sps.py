"""Picture size out of an H.264 sequence parameter set (H.264 §7.3.2.1.1, cropping: §7.4.2.1.1)."""

from __future__ import annotations

from typing import Final

from core.errors import ProtocolError
from rtp.payload.bits import BitReader

# profile_idc values whose SPS carries chroma format and scaling matrices.
_HIGH_PROFILES: Final = frozenset((100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135))
_MAX_SPS_BYTES: Final = 1024
_MAX_MACROBLOCKS_PER_SIDE: Final = 1024  # 16,384 pixels: far above level 6.2


def unescape(nal_unit: bytes) -> bytes:
    """Remove emulation prevention bytes (H.264 §7.4.1)."""
    return nal_unit.replace(b"\x00\x00\x03", b"\x00\x00")


def picture_size(sps: bytes) -> tuple[int, int]:
    """(width, height) in pixels after cropping, of an SPS with NAL header. Raises `ProtocolError`."""
    if not 4 <= len(sps) <= _MAX_SPS_BYTES or sps[0] & 0x1F != 7:
        raise ProtocolError("H264: not a sequence parameter set")
    reader = BitReader(unescape(sps)[1:])
    profile = reader.bits(8)
    reader.bits(16)
    reader.ue()
    chroma_format, separate_planes = _chroma(reader) if profile in _HIGH_PROFILES else (1, False)
    reader.ue()
    _skip_order_count(reader)
    reader.ue()
    reader.flag()
    columns, rows = reader.ue() + 1, reader.ue() + 1
    if max(columns, rows) > _MAX_MACROBLOCKS_PER_SIDE:
        raise ProtocolError("H264: the picture is impossibly large")
    frames_only = reader.flag()
    if not frames_only:
        reader.flag()
    reader.flag()
    field_factor = 1 if frames_only else 2
    width, height = columns * 16, rows * 16 * field_factor
    if reader.flag():
        unit_x, unit_y = _crop_unit(0 if separate_planes else chroma_format)
        left, right, top, bottom = (reader.ue() for _ in range(4))
        width -= unit_x * (left + right)
        height -= unit_y * field_factor * (top + bottom)
    if width <= 0 or height <= 0:
        raise ProtocolError("H264: cropping leaves no picture")
    return width, height


def _chroma(reader: BitReader) -> tuple[int, bool]:
    """(chroma_format_idc, separate_colour_plane_flag); skips bit depths and scaling lists."""
    chroma_format = reader.ue()
    separate_planes = reader.flag() if chroma_format == 3 else False
    reader.ue()
    reader.ue()
    reader.flag()
    if reader.flag():
        for index in range(8 if chroma_format != 3 else 12):
            if reader.flag():
                _skip_scaling_list(reader, 16 if index < 6 else 64)
    return chroma_format, separate_planes


def _skip_scaling_list(reader: BitReader, size: int) -> None:
    last = following = 8
    for _ in range(size):
        if following:
            following = (last + reader.se()) % 256
        last = following or last


def _skip_order_count(reader: BitReader) -> None:
    kind = reader.ue()
    if kind == 0:
        reader.ue()
    elif kind == 1:
        reader.flag()
        reader.se()
        reader.se()
        count = reader.ue()
        if count > 255:
            raise ProtocolError("H264: too many reference frames in the picture order cycle")
        for _ in range(count):
            reader.se()


def _crop_unit(chroma_format: int) -> tuple[int, int]:
    """Pixels per cropping step: table 6-1's SubWidthC and SubHeightC."""
    return {1: (2, 2), 2: (2, 1)}.get(chroma_format, (1, 1))
