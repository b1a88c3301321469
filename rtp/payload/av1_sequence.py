"""Picture size out of an AV1 sequence header (AV1 §5.5)."""

from __future__ import annotations

from typing import Final

from core.errors import ProtocolError
from rtp.payload.bits import BitReader

_MAX_HEADER_BYTES: Final = 1024


def picture_size(sequence_header: bytes) -> tuple[int, int]:
    """(largest width, largest height) from the payload of a sequence header OBU. Raises `ProtocolError`."""
    if len(sequence_header) > _MAX_HEADER_BYTES:
        raise ProtocolError("AV1: the sequence header is too long")
    reader = BitReader(sequence_header)
    reader.bits(4)
    if reader.flag():  # reduced_still_picture_header
        reader.bits(5)
    else:
        _skip_operating_points(reader)
    width_bits, height_bits = reader.bits(4) + 1, reader.bits(4) + 1
    return reader.bits(width_bits) + 1, reader.bits(height_bits) + 1


def _skip_operating_points(reader: BitReader) -> None:
    delay_bits = _decoder_model(reader)
    display_delays = reader.flag()
    for _ in range(reader.bits(5) + 1):
        reader.bits(12)
        if reader.bits(5) > 7:
            reader.flag()
        if delay_bits and reader.flag():
            reader.bits(2 * delay_bits + 1)
        if display_delays and reader.flag():
            reader.bits(4)


def _decoder_model(reader: BitReader) -> int:
    """Skip timing_info and decoder_model_info; return the length of its buffer delays, 0 without one."""
    if not reader.flag():
        return 0
    reader.bits(64)
    if reader.flag():
        _skip_uvlc(reader)
    if not reader.flag():
        return 0
    delay_bits = reader.bits(5) + 1
    reader.bits(42)
    return delay_bits


def _skip_uvlc(reader: BitReader) -> None:
    zeros = 0
    while not reader.flag():
        zeros += 1
    if zeros < 32:
        reader.bits(zeros)
