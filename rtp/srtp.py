"""SRTP and SRTCP for one transport: indices, the nonce rule, replay protection (RFC 3711, RFC 7714).

Sending: each (SSRC, ROC‖SEQ) is sealed at most once, in whatever order numbers come; using one twice would
give the key away under GCM. Receiving: an index is opened at most once, and nothing is remembered of a packet
that is not authentic.
"""

from __future__ import annotations

import struct
from typing import Final

from core.errors import ProtocolError, TeleconsultError
from rtp.packet import HEADER_BYTES, RtpPacket, header_length, packet_from_parts
from rtp.srtp_ciphers import E_BIT, AuthenticationError, CtrHmacCipher, GcmCipher
from rtp.srtp_keys import (
    SrtpKeys,
    SrtpProfile,
    derive_rtcp_keys,
    derive_rtp_keys,
    dtls_exporter_bytes,
    keys_from_dtls,
)

__all__ = [
    "MAX_RECEIVED_SSRCS",
    "WINDOW",
    "AuthenticationError",
    "NonceReuseError",
    "ReplayError",
    "SrtpKeys",
    "SrtpProfile",
    "SrtpReceiver",
    "SrtpSender",
    "dtls_exporter_bytes",
    "keys_from_dtls",
]

WINDOW: Final = 2048
"""How far behind the highest index a packet may come, sending and receiving."""
MAX_RECEIVED_SSRCS: Final = 2048
"""SSRCs one peer may send with; only its authentic packets count. More are refused: forgetting one would let
its packets be replayed."""
_ROC_GUESS_SEQ: Final = 4096
"""A stream first heard below this number may have begun just before its first wrap."""
_MAX_INDEX: Final = (1 << 48) - 1
_MAX_RTCP_INDEX: Final = (1 << 31) - 1
_RTCP_MIN_BYTES: Final = 8

_SEQ_SSRC: Final = struct.Struct("!2xH4xI")
_unpack_seq_ssrc: Final = _SEQ_SSRC.unpack_from


class NonceReuseError(TeleconsultError):
    """We were about to use an SRTP index twice (or cannot tell): a bug in the numbering above. Nothing was
    sealed.
    """

    code = "srtp_nonce_reuse"


class ReplayError(ProtocolError):
    """A packet with this index was opened before, or it is too old to tell."""

    code = "srtp_replay"


class _Indices:
    """Which indices of one SSRC have been used: all up to `top`, but for the holes of the last `WINDOW`.

    In order, only `top` moves. Holes are a bit set over `base`, `base` + 1, …
    """

    __slots__ = ("base", "holes", "salted_ssrc", "top")

    def __init__(self, first: int, salted_ssrc: int) -> None:
        self.top = first
        self.base = max(0, first - WINDOW)
        self.holes = (1 << (first - self.base)) - 1
        self.salted_ssrc = salted_ssrc

    def is_free(self, index: int) -> bool:
        if index > self.top:
            return True
        if index < self.base or index <= self.top - WINDOW:
            return False
        return bool(self.holes >> (index - self.base) & 1)

    def take(self, index: int) -> None:
        """Mark a free index as used."""
        if index <= self.top:
            self.holes &= ~(1 << (index - self.base))
            return
        if index > self.top + 1:
            self._leave_hole(index)
        self.top = index

    def _leave_hole(self, index: int) -> None:
        base = max(self.base, index - WINDOW)
        self.holes >>= base - self.base
        self.base = base
        start = max(self.top + 1, base)
        self.holes |= ((1 << (index - start)) - 1) << (start - base)


class SrtpSender:
    """Seals RTP and RTCP with one direction's keys."""

    __slots__ = ("_cipher", "_encrypt_gcm", "_rtcp_index", "_salt", "_streams", "profile")

    def __init__(self, keys: SrtpKeys) -> None:
        self.profile = keys.profile
        self._cipher = _make_cipher(keys)
        gcm = self._cipher if isinstance(self._cipher, GcmCipher) else None
        self._encrypt_gcm = gcm.rtp_encrypt if gcm else None
        self._salt = gcm.rtp_salt if gcm else 0
        self._streams: dict[int, _Indices] = {}
        self._rtcp_index = 0

    def seal(self, header: bytes, payload: bytes) -> bytes:
        """Header (with CSRCs and extension) and payload (with padding) → SRTP packet.

        The index is the nearest one to the highest used that has the header's sequence number. Raises
        `NonceReuseError` when it was used before, is more than `WINDOW` old, or lies before the stream's
        beginning.
        """
        seq, ssrc = _unpack_seq_ssrc(header)
        stream = self._streams.get(ssrc)
        if stream is not None and (stream.top + 1) & 0xFFFF == seq:
            index = stream.top + 1
            stream.top = index
        else:
            stream, index = self._claim(ssrc, seq)
        if self._encrypt_gcm is not None:
            return header + self._encrypt_gcm(
                (stream.salted_ssrc ^ index).to_bytes(12, "big"), payload, header
            )
        return self._cipher.encrypt_rtp(header, payload, ssrc, index)

    def _claim(self, ssrc: int, seq: int) -> tuple[_Indices, int]:
        stream = self._streams.get(ssrc)
        if stream is None:
            stream = self._streams[ssrc] = _Indices(seq, self._salt ^ (ssrc << 48))
            return stream, seq
        index = stream.top + ((seq - stream.top + 0x8000) & 0xFFFF) - 0x8000
        if not 0 <= index <= _MAX_INDEX or not stream.is_free(index):
            raise NonceReuseError(f"SRTP sequence number {seq} was used before or is too old to tell")
        stream.take(index)
        return stream, index

    def seal_rtcp(self, compound: bytes) -> bytes:
        """Compound RTCP packet → SRTCP packet. Raises `ValueError` when it has no sender SSRC."""
        if len(compound) < _RTCP_MIN_BYTES:
            raise ValueError("an RTCP packet has at least 8 bytes")
        if self._rtcp_index > _MAX_RTCP_INDEX:
            raise NonceReuseError("SRTCP indices are used up; the transport needs new keys")
        index = self._rtcp_index
        self._rtcp_index += 1
        return self._cipher.encrypt_rtcp(compound, int.from_bytes(compound[4:8], "big"), index)


class SrtpReceiver:
    """Opens RTP and RTCP with one direction's keys. Every refusal is a `ProtocolError` and leaves no trace.
    """

    __slots__ = ("_cipher", "_rtcp_streams", "_streams", "_tag_bytes", "profile")

    def __init__(self, keys: SrtpKeys) -> None:
        self.profile = keys.profile
        self._cipher = _make_cipher(keys)
        self._tag_bytes = self._cipher.rtp_tag_bytes
        self._streams: dict[int, _Indices] = {}
        self._rtcp_streams: dict[int, _Indices] = {}

    def highest_index(self, ssrc: int, *, rtcp: bool = False) -> int | None:
        """The newest index opened of one SSRC (ROC‖SEQ, or the SRTCP index); None when nothing was."""
        stream = (self._rtcp_streams if rtcp else self._streams).get(ssrc)
        return None if stream is None else stream.top

    def open(self, datagram: bytes) -> bytes:
        """SRTP packet → plaintext RTP packet.

        Raises `ReplayError`, `AuthenticationError`, or `ProtocolError` for what is not SRTP.
        """
        header, body = self._open(datagram)
        return header + body

    def open_packet(self, datagram: bytes, arrival_ns: int) -> RtpPacket:
        """As `open`, parsed in the same go."""
        header, body = self._open(datagram)
        return packet_from_parts(header, body, arrival_ns)

    def _open(self, datagram: bytes) -> tuple[bytes, bytes]:
        length = HEADER_BYTES
        if not datagram or datagram[0] != 0x80:
            length = header_length(datagram)
        if len(datagram) < length + self._tag_bytes:
            raise ProtocolError("SRTP packet has no room for its tag")
        header = datagram[:length]
        seq, ssrc = _unpack_seq_ssrc(header)
        stream = self._streams.get(ssrc)
        if stream is None:
            return header, self._open_first(header, datagram[length:], ssrc, seq)
        top = stream.top
        index = top + ((seq - top + 0x8000) & 0xFFFF) - 0x8000
        if index != top + 1 and (not 0 <= index <= _MAX_INDEX or not stream.is_free(index)):
            raise ReplayError("SRTP packet was received before or is too old")
        body = self._cipher.decrypt_rtp(header, datagram[length:], ssrc, index)
        stream.take(index)
        return header, body

    def _open_first(self, header: bytes, sealed: bytes, ssrc: int, seq: int) -> bytes:
        if len(self._streams) >= MAX_RECEIVED_SSRCS:
            raise ProtocolError("peer uses too many SSRCs")
        index = seq
        try:
            body = self._cipher.decrypt_rtp(header, sealed, ssrc, index)
        except AuthenticationError:
            if seq >= _ROC_GUESS_SEQ:
                raise
            index += 0x10000
            body = self._cipher.decrypt_rtp(header, sealed, ssrc, index)
        self._streams[ssrc] = _Indices(index, 0)
        return body

    def open_rtcp(self, datagram: bytes) -> bytes:
        """SRTCP packet → compound RTCP packet. Errors as for `open`; unencrypted SRTCP is refused (RFC 8827
        §6.5).
        """
        word = self._cipher.split_rtcp(datagram)
        if not word & E_BIT:
            raise ProtocolError("SRTCP packet is not encrypted")
        index = word & _MAX_RTCP_INDEX
        ssrc = int.from_bytes(datagram[4:8], "big")
        stream = self._rtcp_streams.get(ssrc)
        if stream is None and len(self._rtcp_streams) >= MAX_RECEIVED_SSRCS:
            raise ProtocolError("peer uses too many SSRCs")
        if stream is not None and not stream.is_free(index):
            raise ReplayError("SRTCP packet was received before or is too old")
        compound = self._cipher.decrypt_rtcp(datagram, ssrc, index)
        if stream is None:
            self._rtcp_streams[ssrc] = _Indices(index, 0)
        else:
            stream.take(index)
        return compound


def _make_cipher(keys: SrtpKeys) -> GcmCipher | CtrHmacCipher:
    rtp, rtcp = derive_rtp_keys(keys), derive_rtcp_keys(keys)
    return GcmCipher(rtp, rtcp) if keys.profile.is_gcm else CtrHmacCipher(rtp, rtcp)
