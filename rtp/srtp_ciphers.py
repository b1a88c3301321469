"""The three SRTP transforms: one packet in, one packet out. Replay and indices are `rtp.srtp`'s business."""

from __future__ import annotations

import hmac
import struct
from collections.abc import Callable
from functools import lru_cache
from typing import Final, Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hmac import HMAC

from core.errors import ProtocolError
from rtp.srtp_keys import SessionKeys

GCM_TAG_BYTES: Final = 16
HMAC_TAG_BYTES: Final = 10
RTCP_HEAD_BYTES: Final = 8
"""The part of a compound packet that stays in clear: first header and sender SSRC."""
E_BIT: Final = 0x80000000
_INDEX_BYTES: Final = 4
_NONCE_BYTES: Final = 12


class AuthenticationError(ProtocolError):
    """The tag does not fit: not from our peer, or damaged."""

    code = "srtp_authentication"


class PacketCipher(Protocol):
    """SRTP and SRTCP of one direction. `index` is ROC‖SEQ (48 bits) for RTP, the 31-bit counter for RTCP."""

    rtp_tag_bytes: int

    def encrypt_rtp(self, header: bytes, payload: bytes, ssrc: int, index: int) -> bytes: ...

    def decrypt_rtp(self, header: bytes, sealed: bytes, ssrc: int, index: int) -> bytes:
        """→ payload. Raises `AuthenticationError`."""
        ...

    def encrypt_rtcp(self, compound: bytes, ssrc: int, index: int) -> bytes: ...

    def split_rtcp(self, datagram: bytes) -> int:
        """The word with E bit and index, not authenticated yet. Raises `ProtocolError` when too short."""
        ...

    def decrypt_rtcp(self, datagram: bytes, ssrc: int, index: int) -> bytes:
        """→ compound packet. Raises `AuthenticationError`."""
        ...


class GcmCipher:
    """AEAD_AES_128_GCM and AEAD_AES_256_GCM (RFC 7714)."""

    rtp_tag_bytes = GCM_TAG_BYTES

    def __init__(self, rtp: SessionKeys, rtcp: SessionKeys) -> None:
        self.rtp_encrypt = AESGCM(rtp.encryption).encrypt
        self.rtp_decrypt = AESGCM(rtp.encryption).decrypt
        self._rtcp = AESGCM(rtcp.encryption)
        self.rtp_salt = int.from_bytes(rtp.salt, "big")
        self._rtcp_salt = int.from_bytes(rtcp.salt, "big")

    def encrypt_rtp(self, header: bytes, payload: bytes, ssrc: int, index: int) -> bytes:
        nonce = (self.rtp_salt ^ (ssrc << 48) ^ index).to_bytes(12, "big")
        return header + self.rtp_encrypt(nonce, payload, header)

    def decrypt_rtp(self, header: bytes, sealed: bytes, ssrc: int, index: int) -> bytes:
        nonce = (self.rtp_salt ^ (ssrc << 48) ^ index).to_bytes(12, "big")
        try:
            return self.rtp_decrypt(nonce, sealed, header)
        except InvalidTag:
            raise AuthenticationError("SRTP packet is not authentic") from None

    def encrypt_rtcp(self, compound: bytes, ssrc: int, index: int) -> bytes:
        head, word = compound[:RTCP_HEAD_BYTES], (index | E_BIT).to_bytes(4, "big")
        nonce = (self._rtcp_salt ^ (ssrc << 48) ^ index).to_bytes(12, "big")
        return head + self._rtcp.encrypt(nonce, compound[RTCP_HEAD_BYTES:], head + word) + word

    def split_rtcp(self, datagram: bytes) -> int:
        if len(datagram) < RTCP_HEAD_BYTES + GCM_TAG_BYTES + _INDEX_BYTES:
            raise ProtocolError("SRTCP packet is too short")
        return int.from_bytes(datagram[-_INDEX_BYTES:], "big")

    def decrypt_rtcp(self, datagram: bytes, ssrc: int, index: int) -> bytes:
        head, word = datagram[:RTCP_HEAD_BYTES], datagram[-_INDEX_BYTES:]
        nonce = (self._rtcp_salt ^ (ssrc << 48) ^ index).to_bytes(12, "big")
        try:
            return head + self._rtcp.decrypt(nonce, datagram[RTCP_HEAD_BYTES:-_INDEX_BYTES], head + word)
        except InvalidTag:
            raise AuthenticationError("SRTCP packet is not authentic") from None


def gcm_nonces(salted_ssrc: int, first_index: int, count: int) -> tuple[bytes, ...]:
    """The nonces of successive indices (RFC 7714 §8.1), all in one long integer. `salted_ssrc`: the salt with
    the SSRC in its place; the indices must stay below 2⁴⁸.
    """
    ones, indices, cut = _nonce_shape(count)
    return cut((ones * first_index + indices ^ ones * salted_ssrc).to_bytes(_NONCE_BYTES * count, "big"))


@lru_cache(maxsize=256)
def _nonce_shape(count: int) -> tuple[int, int, Callable[[bytes], tuple[bytes, ...]]]:
    """(a one in each nonce, its number in each nonce, what cuts them)."""
    indices = b"".join([index.to_bytes(_NONCE_BYTES, "big") for index in range(count)])
    ones = b"".join([(1).to_bytes(_NONCE_BYTES, "big")] * count)
    cut = struct.Struct(f"{_NONCE_BYTES}s" * count).unpack
    return int.from_bytes(ones, "big"), int.from_bytes(indices, "big"), cut


class CtrHmacCipher:
    """AES_CM_128_HMAC_SHA1_80 (RFC 3711 §4.1.1, §4.2.1). CTR encrypts and decrypts alike."""

    rtp_tag_bytes = HMAC_TAG_BYTES

    def __init__(self, rtp: SessionKeys, rtcp: SessionKeys) -> None:
        self._rtp = _Keystream(rtp)
        self._rtcp = _Keystream(rtcp)
        self._rtp_mac = HMAC(rtp.auth, hashes.SHA1())  # noqa: S303 - the profile's algorithm
        self._rtcp_mac = HMAC(rtcp.auth, hashes.SHA1())  # noqa: S303

    def encrypt_rtp(self, header: bytes, payload: bytes, ssrc: int, index: int) -> bytes:
        packet = header + self._rtp.apply(payload, ssrc, index)
        return packet + self._rtp_tag(packet, index)

    def _rtp_tag(self, packet: bytes, index: int) -> bytes:
        mac = self._rtp_mac.copy()
        mac.update(packet)
        mac.update((index >> 16).to_bytes(4, "big"))
        return mac.finalize()[:HMAC_TAG_BYTES]

    def decrypt_rtp(self, header: bytes, sealed: bytes, ssrc: int, index: int) -> bytes:
        encrypted = sealed[:-HMAC_TAG_BYTES]
        if not hmac.compare_digest(self._rtp_tag(header + encrypted, index), sealed[-HMAC_TAG_BYTES:]):
            raise AuthenticationError("SRTP packet is not authentic")
        return self._rtp.apply(encrypted, ssrc, index)

    def encrypt_rtcp(self, compound: bytes, ssrc: int, index: int) -> bytes:
        encrypted = self._rtcp.apply(compound[RTCP_HEAD_BYTES:], ssrc, index)
        packet = compound[:RTCP_HEAD_BYTES] + encrypted + (index | E_BIT).to_bytes(4, "big")
        return packet + self._rtcp_tag(packet)

    def _rtcp_tag(self, packet: bytes) -> bytes:
        mac = self._rtcp_mac.copy()
        mac.update(packet)
        return mac.finalize()[:HMAC_TAG_BYTES]

    def split_rtcp(self, datagram: bytes) -> int:
        if len(datagram) < RTCP_HEAD_BYTES + _INDEX_BYTES + HMAC_TAG_BYTES:
            raise ProtocolError("SRTCP packet is too short")
        return int.from_bytes(datagram[-_INDEX_BYTES - HMAC_TAG_BYTES : -HMAC_TAG_BYTES], "big")

    def decrypt_rtcp(self, datagram: bytes, ssrc: int, index: int) -> bytes:
        signed = datagram[:-HMAC_TAG_BYTES]
        if not hmac.compare_digest(self._rtcp_tag(signed), datagram[-HMAC_TAG_BYTES:]):
            raise AuthenticationError("SRTCP packet is not authentic")
        encrypted = signed[RTCP_HEAD_BYTES:-_INDEX_BYTES]
        return datagram[:RTCP_HEAD_BYTES] + self._rtcp.apply(encrypted, ssrc, index)


class _Keystream:
    """AES counter mode; the cipher context is made once and given a new counter."""

    __slots__ = ("_context", "_salt")

    def __init__(self, keys: SessionKeys) -> None:
        self._context = Cipher(algorithms.AES(keys.encryption), modes.CTR(bytes(16))).encryptor()
        self._salt = int.from_bytes(keys.salt, "big") << 16

    def apply(self, data: bytes, ssrc: int, index: int) -> bytes:
        self._context.reset_nonce((self._salt ^ (ssrc << 64) ^ (index << 16)).to_bytes(16, "big"))
        return self._context.update(data)
