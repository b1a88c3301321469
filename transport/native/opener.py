"""Opens what one peer sent at once, with the engine."""

from __future__ import annotations

import ctypes
import struct
from collections.abc import Sequence
from typing import Final

from rtp.packet import HEADER_BYTES, RtpPacket, packet_from_parts
from rtp.srtp import SrtpReceiver
from transport.coalesced import Coalesced
from transport.native.engine import Engine, NativeCipher

TAG_BYTES: Final = 16
BUFFER_BYTES: Final = 1 << 16
"""One receive call brings no more."""
_MIN_BYTES: Final = HEADER_BYTES + TAG_BYTES
_SEQ_SSRC: Final = struct.Struct("!2xH4xI")
_EXTENDED: Final = struct.Struct("!xBHIIH")
_WITH_EXTENSION: Final = 0x90

_plaintext: Final = memoryview(bytearray(BUFFER_BYTES))
_headers: Final = (ctypes.c_uint16 * (BUFFER_BYTES // _MIN_BYTES + 1))()
_plaintext_at: Final = ctypes.addressof(ctypes.c_char.from_buffer(_plaintext))
_headers_at: Final = ctypes.addressof(_headers)


class NativeOpener:
    """One direction's cipher beside the `SrtpReceiver` that knows which index may be opened."""

    __slots__ = ("_cipher", "_engine", "_receiver")

    def __init__(self, engine: Engine, receiver: SrtpReceiver, key: bytes, salt: bytes) -> None:
        self._engine = engine
        self._receiver = receiver
        self._cipher = NativeCipher(engine, key, salt, encrypts=False)

    def open_run(self, datagrams: Sequence[bytes], arrival_ns: int) -> list[RtpPacket]:
        """The packets of the datagrams from the first on, as far as they are one stream's next numbers and
        authentic; what is left is for `SrtpReceiver.open_packet`. All must be of one size but the last, which
        may be shorter, as one receive call brings them; otherwise fewer are opened.
        """
        first = datagrams[0]
        size = len(first)
        if size < _MIN_BYTES:
            return []
        sequence_number, ssrc = _SEQ_SSRC.unpack_from(first)
        index = self._receiver.next_index(ssrc)
        if index is None or index & 0xFFFF != sequence_number:
            return []
        sealed: bytes | int
        if isinstance(datagrams, Coalesced):
            sealed, sealed_bytes = datagrams.address, datagrams.size_bytes
        else:
            sealed = b"".join(datagrams)
            sealed_bytes = len(sealed)
        if sealed_bytes > BUFFER_BYTES:
            return []
        opened = self._engine.open(
            self._cipher.handle, sealed, sealed_bytes, size, ssrc, index, _plaintext_at, _headers_at
        )
        self._receiver.opened(ssrc, opened)
        packets: list[RtpPacket] = []
        plaintext = _plaintext[: opened * size].tobytes()
        start = 0
        for header_bytes in _headers[:opened]:
            end = min(start + size, sealed_bytes) - TAG_BYTES
            packets.append(_packet(plaintext, start, end, header_bytes, arrival_ns))
            start += size
        return packets


def _packet(plaintext: bytes, start: int, end: int, header_bytes: int, arrival_ns: int) -> RtpPacket:
    """The one between `start` and `end`."""
    body = start + header_bytes
    if plaintext[start] != _WITH_EXTENSION:
        return packet_from_parts(plaintext[start:body], plaintext[body:end], arrival_ns)
    second, sequence_number, timestamp, ssrc, profile = _EXTENDED.unpack_from(plaintext, start)
    return RtpPacket(
        ssrc,
        second & 0x7F,
        sequence_number,
        timestamp,
        second > 127,
        (),
        profile,
        plaintext[start + 16 : body],
        plaintext[body:end],
        0,
        arrival_ns,
    )
