"""SRTP protection profiles and key derivation (RFC 3711 §4.3, RFC 6188, RFC 7714 §11, RFC 5764 §4.2)."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import Final

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

_KDF_SALT_BYTES: Final = 14
_AUTH_KEY_BYTES: Final = 20


class SrtpProfile(Enum):
    """A DTLS-SRTP protection profile; the value is OpenSSL's name of it."""

    AEAD_AES_256_GCM = "SRTP_AEAD_AES_256_GCM"
    AEAD_AES_128_GCM = "SRTP_AEAD_AES_128_GCM"
    AES_CM_128_HMAC_SHA1_80 = "SRTP_AES128_CM_SHA1_80"

    @property
    def is_gcm(self) -> bool:
        """True for the authenticated ciphers of RFC 7714."""
        return self is not SrtpProfile.AES_CM_128_HMAC_SHA1_80

    @property
    def key_bytes(self) -> int:
        """Length of master and session encryption keys."""
        return 32 if self is SrtpProfile.AEAD_AES_256_GCM else 16

    @property
    def salt_bytes(self) -> int:
        """Length of master and session salts."""
        return 12 if self.is_gcm else 14

    @property
    def dtls_id(self) -> int:
        """The code point in DTLS's use_srtp extension."""
        return {"SRTP_AES128_CM_SHA1_80": 0x0001, "SRTP_AEAD_AES_128_GCM": 0x0007}.get(self.value, 0x0008)

    @property
    def rtp_overhead_bytes(self) -> int:
        """How much `SrtpSender.seal` adds."""
        return 16 if self.is_gcm else 10


@dataclass(frozen=True, slots=True)
class SrtpKeys:
    """Master key and salt of one direction. Raises `ValueError` for lengths the profile does not have."""

    profile: SrtpProfile
    master_key: bytes = field(repr=False)
    master_salt: bytes = field(repr=False)

    def __post_init__(self) -> None:
        expected = (self.profile.key_bytes, self.profile.salt_bytes)
        if (len(self.master_key), len(self.master_salt)) != expected:
            raise ValueError(
                f"{self.profile.value} needs a key of {expected[0]} and a salt of {expected[1]} bytes"
            )


@dataclass(frozen=True, slots=True)
class SessionKeys:
    """What one direction of RTP or of RTCP works with; `auth` is empty for GCM."""

    encryption: bytes = field(repr=False)
    auth: bytes = field(repr=False)
    salt: bytes = field(repr=False)


def dtls_exporter_bytes(profile: SrtpProfile) -> int:
    """How many bytes to export under the label EXTRACTOR-dtls_srtp."""
    return 2 * (profile.key_bytes + profile.salt_bytes)


def keys_from_dtls(profile: SrtpProfile, material: bytes, *, is_client: bool) -> tuple[SrtpKeys, SrtpKeys]:
    """Exported keying material → (keys we send with, keys we receive with), by role (RFC 5764 §4.2)."""
    if len(material) != dtls_exporter_bytes(profile):
        raise ValueError(f"{profile.value} needs {dtls_exporter_bytes(profile)} bytes of keying material")
    key, salt = profile.key_bytes, profile.salt_bytes
    client = SrtpKeys(profile, material[:key], material[2 * key : 2 * key + salt])
    server = SrtpKeys(profile, material[key : 2 * key], material[2 * key + salt :])
    return (client, server) if is_client else (server, client)


def derive_rtp_keys(keys: SrtpKeys) -> SessionKeys:
    """Session keys of RTP (labels 0…2)."""
    return _derive(keys, 0)


def derive_rtcp_keys(keys: SrtpKeys) -> SessionKeys:
    """Session keys of RTCP (labels 3…5)."""
    return _derive(keys, 3)


def _derive(keys: SrtpKeys, first_label: int) -> SessionKeys:
    profile = keys.profile
    auth = b"" if profile.is_gcm else derive_key(keys, first_label + 1, _AUTH_KEY_BYTES)
    return SessionKeys(
        encryption=derive_key(keys, first_label, profile.key_bytes),
        auth=auth,
        salt=derive_key(keys, first_label + 2, profile.salt_bytes),
    )


def derive_key(keys: SrtpKeys, label: int, length: int) -> bytes:
    """The AES-CM key derivation with a key derivation rate of 0 (RFC 3711 §4.3.1 and §4.3.3).

    GCM's 96-bit salt is used as if two zero bytes followed it (RFC 7714 §11).
    """
    salt = int.from_bytes(keys.master_salt.ljust(_KDF_SALT_BYTES, b"\0"), "big")
    counter = ((salt ^ (label << 48)) << 16).to_bytes(16, "big")
    return Cipher(algorithms.AES(keys.master_key), modes.CTR(counter)).encryptor().update(bytes(length))
