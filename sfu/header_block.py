"""Pure: the headers of a whole run of packets for one consumer, in a few operations on one long integer.

Consumers of one plan differ, per packet, in a constant: payload type, SSRC, and what is added to sequence
number, timestamp and transport-wide number. So the headers of a run, laid end to end, are a template plus
that constant times a number that has a one at the place of each header.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from functools import lru_cache
from typing import Final, NamedTuple

_FIXED_BYTES: Final = 12
_NUMBER_BYTES: Final = 2


class _Shape(NamedTuple):
    """`ones`: a one at the end of the constant's place in each header."""

    ones: int
    size_bytes: int
    cut: Callable[[bytes], tuple[bytes, ...]]


class HeaderBlock(NamedTuple):
    """`template`: the headers with a payload type and SSRC of 0 and all numbers counted from the first
    packet's. `sequence_span`, `timestamp_span`: the greatest of these numbers.
    """

    template: int
    shape: _Shape
    packets: int
    number_shift: int
    """Bits between SSRC and the end of the transport-wide number; 0 without one."""
    sequence_span: int
    timestamp_span: int

    def headers(
        self, payload_type: int, ssrc: int, sequence_number: int, timestamp: int, number: int
    ) -> tuple[bytes, ...] | None:
        """With the first packet's numbers; `number` is ignored without transport-wide numbers. None where a
        number wraps inside the run, which would carry into the field before it.
        """
        if (
            sequence_number + self.sequence_span > 0xFFFF
            or timestamp + self.timestamp_span > 0xFFFFFFFF
            or number + self.packets > 0x10000
        ):
            return None
        constant = payload_type << 80 | sequence_number << 64 | timestamp << 32 | ssrc
        if self.number_shift:
            constant = constant << self.number_shift | number
        ones, size_bytes, cut = self.shape
        return cut((self.template + constant * ones).to_bytes(size_bytes, "big"))


def header_block(
    headers: list[bytes], number_position: int | None, sequence_span: int, timestamp_span: int
) -> HeaderBlock:
    """`headers` as `HeaderBlock.template` wants them, each with its number at the same `number_position`."""
    shape = _shape(tuple(map(len, headers)), number_position)
    shift = 0 if number_position is None else 8 * (number_position + _NUMBER_BYTES - _FIXED_BYTES)
    template = int.from_bytes(b"".join(headers), "big")
    return HeaderBlock(template, shape, len(headers), shift, sequence_span, timestamp_span)


@lru_cache(maxsize=512)
def _shape(sizes_bytes: tuple[int, ...], number_position: int | None) -> _Shape:
    end = _FIXED_BYTES if number_position is None else number_position + _NUMBER_BYTES
    ones = b"".join([bytes(end - 1) + b"\1" + bytes(size - end) for size in sizes_bytes])
    cut = struct.Struct("".join([f"{size}s" for size in sizes_bytes])).unpack
    return _Shape(int.from_bytes(ones, "big"), len(ones), cut)
