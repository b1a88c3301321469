"""SRTP and SRTCP for one transport: indices, the nonce rule, replay protection (RFC 3711, RFC 7714).

Sending: each (SSRC, ROC‖SEQ) is sealed at most once, in whatever order numbers come; using one twice would
give the key away under GCM. Receiving: an index is opened at most once, and nothing is remembered of a packet
that is not authentic.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from operator import add
from typing import Final

from core.errors import ProtocolError, TeleconsultError
from rtp.packet import HEADER_BYTES, RtpPacket, header_length, packet_from_parts
from rtp.srtp_ciphers import E_BIT, AuthenticationError, CtrHmacCipher, GcmCipher, gcm_nonces
from rtp.srtp_keys import (
    SrtpKeys,
    SrtpProfile,
    derive_rtcp_keys,
    derive_rtp_keys,
    dtls_exporter_bytes,
    keys_from_dtls,
)
from rtp.window import WINDOW, IndexWindow

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
    """We were about to use an SRTP index twice (or cannot tell): a bug in the numbering above us."""

    code = "srtp_nonce_reuse"


class ReplayError(ProtocolError):
    """A packet with this index was opened before, or it is too old to tell."""

    code = "srtp_replay"


class SrtpSender:
    """Seals RTP and RTCP with one direction's keys."""

    __slots__ = ("_cipher", "_encrypt_gcm", "_gcm_salt", "_rtcp_index", "_windows", "profile", "tag_bytes")

    def __init__(self, keys: SrtpKeys) -> None:
        self.profile = keys.profile
        self._cipher = _make_cipher(keys)
        gcm = self._cipher if isinstance(self._cipher, GcmCipher) else None
        self._encrypt_gcm = gcm.rtp_encrypt if gcm else None
        self._gcm_salt = gcm.rtp_salt if gcm else 0
        self.tag_bytes = self._cipher.rtp_tag_bytes
        """By which a packet grows."""
        self._windows: dict[int, IndexWindow] = {}
        self._rtcp_index = 0

    def seal(self, header: bytes, payload: bytes) -> bytes:
        """Header (with CSRCs and extension) and payload (with padding) → SRTP packet.

        The index is the nearest one to the highest used that has the header's sequence number. Raises
        `NonceReuseError` when it was used before, is `WINDOW` or more old, or lies before the stream's
        beginning.
        """
        seq, ssrc = _unpack_seq_ssrc(header)
        window = self._windows.get(ssrc)
        if window is not None and (window.top + 1) & 0xFFFF == seq:
            index = window.top = window.top + 1
        else:
            index = self._claim(window, ssrc, seq)
        if self._encrypt_gcm is not None:  # one call less than encrypt_rtp: this line runs for every packet
            nonce = (self._gcm_salt ^ ssrc << 48 ^ index).to_bytes(12, "big")
            return header + self._encrypt_gcm(nonce, payload, header)
        return self._cipher.encrypt_rtp(header, payload, ssrc, index)

    def seal_each(self, headers: Sequence[bytes], payloads: Sequence[bytes]) -> list[bytes]:
        """`seal` for each in turn, in whatever order their numbers are."""
        return [self.seal(header, payload) for header, payload in zip(headers, payloads, strict=True)]

    def seal_run(self, headers: Sequence[bytes], payloads: Sequence[bytes]) -> list[bytes]:
        """As `seal` for each in turn, but cheaper when they are one stream's next numbers.

        The headers must be in the order of their numbers: of a run only the ends are looked at.
        """
        encrypt = self._encrypt_gcm
        if encrypt is None or len(headers) < 2 or len(headers) != len(payloads):
            return self.seal_each(headers, payloads)
        seq, ssrc = _unpack_seq_ssrc(headers[0])
        window, count = self._windows.get(ssrc), len(headers)
        follows = window is not None and (window.top + 1) & 0xFFFF == seq
        if (
            window is None
            or not follows
            or _unpack_seq_ssrc(headers[-1]) != ((seq + count - 1) & 0xFFFF, ssrc)
        ):
            return self.seal_each(headers, payloads)
        first = window.top + 1
        window.top += count  # all are used from here on, whatever happens below
        nonces = gcm_nonces(self._gcm_salt ^ ssrc << 48, first, count)
        return list(map(add, headers, map(encrypt, nonces, payloads, headers)))

    def claim_run(self, ssrc: int, sequence_number: int, count: int) -> int | None:
        """The first of `count` indices for someone else to seal with, once each: they count as used from
        here on.

        None unless they are the stream's next ones and the profile is GCM; then nothing is claimed.
        """
        window = self._windows.get(ssrc)
        if window is None or self._encrypt_gcm is None or (window.top + 1) & 0xFFFF != sequence_number:
            return None
        first = window.top + 1
        if first + count > _MAX_INDEX:
            return None
        window.top += count
        return first

    def next_sequence(self, ssrc: int) -> int | None:
        """The number with which a stream that begins anew on `ssrc` has to go on; None for a fresh SSRC."""
        window = self._windows.get(ssrc)
        return None if window is None else (window.top + 1) & 0xFFFF

    def _claim(self, window: IndexWindow | None, ssrc: int, seq: int) -> int:
        if window is None:
            self._windows[ssrc] = IndexWindow(seq)
            return seq
        index = window.nearest(seq)
        if index > _MAX_INDEX or not window.is_free(index):
            raise NonceReuseError(f"SRTP sequence number {seq} was used before or is too old to tell")
        window.take(index)
        return index

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
    """Opens RTP and RTCP with one direction's keys. A refusal is a `ProtocolError` and leaves no trace."""

    __slots__ = ("_cipher", "_rtcp_windows", "_tag_bytes", "_windows", "profile")

    def __init__(self, keys: SrtpKeys) -> None:
        self.profile = keys.profile
        self._cipher = _make_cipher(keys)
        self._tag_bytes = self._cipher.rtp_tag_bytes
        self._windows: dict[int, IndexWindow] = {}
        self._rtcp_windows: dict[int, IndexWindow] = {}

    def highest_index(self, ssrc: int, *, rtcp: bool = False) -> int | None:
        """The newest index opened of one SSRC (ROC‖SEQ, or the SRTCP index); None when nothing was."""
        window = (self._rtcp_windows if rtcp else self._windows).get(ssrc)
        return None if window is None else window.top

    def next_index(self, ssrc: int) -> int | None:
        """The index that would follow the newest opened one of an SSRC; None before the first."""
        window = self._windows.get(ssrc)
        return None if window is None or window.top >= _MAX_INDEX else window.top + 1

    def opened(self, ssrc: int, count: int) -> None:
        """Someone else opened the next `count` packets of an SSRC, and found them authentic."""
        self._windows[ssrc].top += count

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
        window = self._windows.get(ssrc)
        if window is None:
            return header, self._open_first(header, datagram[length:], ssrc, seq)
        index = window.top + 1
        if index & 0xFFFF == seq:
            body = self._cipher.decrypt_rtp(header, datagram[length:], ssrc, index)
            window.top = index
            return header, body
        index = window.nearest(seq)
        if index > _MAX_INDEX or not window.is_free(index):
            raise ReplayError("SRTP packet was received before or is too old")
        body = self._cipher.decrypt_rtp(header, datagram[length:], ssrc, index)
        window.take(index)
        return header, body

    def _open_first(self, header: bytes, sealed: bytes, ssrc: int, seq: int) -> bytes:
        if len(self._windows) >= MAX_RECEIVED_SSRCS:
            raise ProtocolError("peer uses too many SSRCs")
        index = seq
        try:
            body = self._cipher.decrypt_rtp(header, sealed, ssrc, index)
        except AuthenticationError:
            if seq >= _ROC_GUESS_SEQ:
                raise
            index += 0x10000
            body = self._cipher.decrypt_rtp(header, sealed, ssrc, index)
        self._windows[ssrc] = IndexWindow(index)
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
        window = self._rtcp_windows.get(ssrc)
        if window is None and len(self._rtcp_windows) >= MAX_RECEIVED_SSRCS:
            raise ProtocolError("peer uses too many SSRCs")
        if window is not None and not window.is_free(index):
            raise ReplayError("SRTCP packet was received before or is too old")
        compound = self._cipher.decrypt_rtcp(datagram, ssrc, index)
        if window is None:
            self._rtcp_windows[ssrc] = IndexWindow(index)
        else:
            window.take(index)
        return compound


def _make_cipher(keys: SrtpKeys) -> GcmCipher | CtrHmacCipher:
    rtp, rtcp = derive_rtp_keys(keys), derive_rtcp_keys(keys)
    return GcmCipher(rtp, rtcp) if keys.profile.is_gcm else CtrHmacCipher(rtp, rtcp)
