"""Numbers in codec headers: fixed width, Exp-Golomb (H.264 §9.1), LEB128 (AV1 §4.10.5)."""

from __future__ import annotations

from core.errors import ProtocolError


class BitReader:
    """Reads big-endian bits. Every read beyond the end raises `ProtocolError`."""

    __slots__ = ("_bits", "_position", "_value")

    def __init__(self, data: bytes) -> None:
        self._value = int.from_bytes(data, "big")
        self._bits = len(data) * 8
        self._position = 0

    def bits(self, count: int) -> int:
        """The next `count` bits as an unsigned integer."""
        self._position += count
        if self._position > self._bits:
            raise ProtocolError("a codec header is truncated")
        return (self._value >> (self._bits - self._position)) & ((1 << count) - 1)

    def flag(self) -> bool:
        """The next bit."""
        return self.bits(1) == 1

    def ue(self) -> int:
        """Unsigned Exp-Golomb, below 2³²."""
        zeros = 0
        while not self.flag():
            zeros += 1
            if zeros > 31:
                raise ProtocolError("an Exp-Golomb number is too long")
        return (1 << zeros) - 1 + self.bits(zeros)

    def se(self) -> int:
        """Signed Exp-Golomb."""
        number = self.ue()
        return (number + 1) // 2 if number & 1 else -(number // 2)


def read_leb128(data: bytes, position: int) -> tuple[int, int]:
    """(value, position after it). Raises `ProtocolError` when truncated, over 8 bytes or over 32 bits."""
    value = 0
    for index in range(8):
        if position + index >= len(data):
            break
        byte = data[position + index]
        value |= (byte & 0x7F) << (7 * index)
        if not byte & 0x80:
            if value > 0xFFFFFFFF:
                break
            return value, position + index + 1
    raise ProtocolError("a LEB128 number is malformed")


def write_leb128(value: int) -> bytes:
    """The shortest LEB128 form."""
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)
