"""Pure: datagrams on a byte stream, for ICE-TCP (RFC 4571) and for TURN over TCP or TLS (RFC 8656 §3.7)."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Final, Protocol

from core.errors import ProtocolError

MAX_FRAME_BYTES: Final = 4_096
"""No datagram of a call is larger. What announces more is another protocol, or wants our memory."""

_LENGTH: Final = struct.Struct("!H")
_TURN_HEADER: Final = struct.Struct("!HH")
_STUN_HEADER_BYTES: Final = 20
_CHANNEL_HEADER_BYTES: Final = 4


class Framing(Protocol):
    """One direction's state of one stream; between calls at most one unfinished frame is kept."""

    def feed(self, data: bytes) -> list[bytes]:
        """The datagrams that `data` completes. Raises `ProtocolError`: the stream is of no use any more."""

    def frame(self, datagrams: Sequence[bytes]) -> bytes:
        """What carries them on the stream."""


class Rfc4571Framing:
    """Two bytes of length in front of each datagram (RFC 4571 §2); empty ones are skipped."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> list[bytes]:
        data = self._rest + data if self._rest else data
        datagrams, position, end = [], 0, len(data)
        while end - position >= 2:
            (size,) = _LENGTH.unpack_from(data, position)
            if size > MAX_FRAME_BYTES:
                raise ProtocolError("a frame is longer than any datagram of a call")
            if end - position < 2 + size:
                break
            if size:
                datagrams.append(data[position + 2 : position + 2 + size])
            position += 2 + size
        self._rest = data[position:]
        return datagrams

    def frame(self, datagrams: Sequence[bytes]) -> bytes:
        pack = _LENGTH.pack
        return b"".join([part for datagram in datagrams for part in (pack(len(datagram)), datagram)])


class TurnFraming:
    """STUN messages and channel data one after the other, each padded to four bytes (RFC 8656 §12.5)."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> list[bytes]:
        data = self._rest + data if self._rest else data
        datagrams, position, end = [], 0, len(data)
        while end - position >= _CHANNEL_HEADER_BYTES:
            size = _turn_size(data, position)
            padded = size + (-size & 3)
            if padded > MAX_FRAME_BYTES:
                raise ProtocolError("a message is longer than any of TURN's here")
            if end - position < padded:
                break
            datagrams.append(data[position : position + size])
            position += padded
        self._rest = data[position:]
        return datagrams

    def frame(self, datagrams: Sequence[bytes]) -> bytes:
        return b"".join([datagram + bytes(-len(datagram) & 3) for datagram in datagrams])


def _turn_size(data: bytes, position: int) -> int:
    """The first two bits tell a STUN message (0) from channel data (1); nothing else may come."""
    kind, length = (int(part) for part in _TURN_HEADER.unpack_from(data, position))
    if kind >> 14 == 0:
        return _STUN_HEADER_BYTES + length
    if kind >> 14 == 1:
        return _CHANNEL_HEADER_BYTES + length
    raise ProtocolError("neither STUN nor channel data")
