"""SRTP against the published test vectors."""

from __future__ import annotations

import pytest

from rtp.srtp import SrtpKeys, SrtpProfile
from rtp.srtp_ciphers import AuthenticationError, CtrHmacCipher, GcmCipher
from rtp.srtp_keys import SessionKeys, derive_key

GCM_SALT = b"Quid pro quo"
GCM_RTP_HEADER = bytes.fromhex("8040f17b8041f8d35501a0b2")
GCM_RTP_PAYLOAD = b"Gallia est omnis divisa in partes tres"
GCM_RTP_SEALED = {
    16: "f24de3a3fb34de6cacba861c9d7e4bcabe633bd50d294e6f42a5f47a51c7d19b36de3adf8833"
    "899d7f27beb16a9152cf765ee4390cce",
    32: "32b1de78a822fe12ef9f78fa332e33aab18012389a58e2f3b50b2a0276ffae0f1ba63799b87b"
    "7aa3db36dfffd6b0f9bb7878d7a76c13",
}
GCM_RTCP = bytes.fromhex("81c8000d4d6172734e5450314e545032525450200000042a0000e9304c756e61" + "deadbeef" * 5)
GCM_RTCP_SEALED = {
    16: "63e94885dcdab67ca727d7662f6b7e997ff5c0f76c06f32dc676a5f1730d6fda4ce09b4686303ded"
    "0bb9275bc84aa45896cf4d2fc5abf87245d9eade800005d4",
    32: "d50ae4d1f5ce5d304ba297e47d470c282c3ece5dbffe0a50a2eaa5c1110555be8415f658c61de047"
    "6f1b6fad1d1eb30c4446839f57ff6f6cb26ac3be800005d4",
}


def gcm(key_bytes: int) -> GcmCipher:
    keys = SessionKeys(bytes(range(key_bytes)), b"", GCM_SALT)
    return GcmCipher(keys, keys)


@pytest.mark.parametrize("key_bytes", [16, 32])
def test_gcm_seals_rtp_as_rfc_7714_section_16_shows(key_bytes: int) -> None:
    cipher = gcm(key_bytes)
    sealed = cipher.encrypt_rtp(GCM_RTP_HEADER, GCM_RTP_PAYLOAD, 0x5501A0B2, 0xF17B)
    assert sealed.hex() == GCM_RTP_HEADER.hex() + GCM_RTP_SEALED[key_bytes]
    assert cipher.decrypt_rtp(GCM_RTP_HEADER, sealed[12:], 0x5501A0B2, 0xF17B) == GCM_RTP_PAYLOAD


@pytest.mark.parametrize("key_bytes", [16, 32])
def test_gcm_seals_rtcp_as_rfc_7714_section_17_shows(key_bytes: int) -> None:
    cipher = gcm(key_bytes)
    sealed = cipher.encrypt_rtcp(GCM_RTCP, 0x4D617273, 0x5D4)
    assert sealed.hex() == GCM_RTCP[:8].hex() + GCM_RTCP_SEALED[key_bytes]
    assert cipher.split_rtcp(sealed) == 0x800005D4
    assert cipher.decrypt_rtcp(sealed, 0x4D617273, 0x5D4) == GCM_RTCP


def test_counter_mode_makes_the_keystream_of_rfc_3711_b2() -> None:
    keys = SessionKeys(
        bytes.fromhex("2b7e151628aed2a6abf7158809cf4f3c"),
        bytes(20),
        bytes.fromhex("f0f1f2f3f4f5f6f7f8f9fafbfcfd"),
    )
    sealed = CtrHmacCipher(keys, keys).encrypt_rtp(b"", bytes(0xFF02 * 16), 0, 0)
    assert sealed[:48].hex() == (
        "e03ead0935c95e80e166b16dd92b4eb4d23513162b02d0f72a43a2fe4a5f97ab41e95b3bb0a2e8dd477901e4fca894c0"
    )
    assert sealed[0xFEFF * 16 : 0xFF02 * 16].hex() == (
        "ec8cdf7398607cb0f2d21675ea9ea1e4362b7c3c6773516318a077d7fc5073ae6a2cc3787889374fbeb4c81b17ba6c44"
    )


def test_keys_are_derived_as_rfc_3711_b3_shows() -> None:
    keys = SrtpKeys(
        SrtpProfile.AES_CM_128_HMAC_SHA1_80,
        bytes.fromhex("e1f97a0d3e018be0d64fa32c06de4139"),
        bytes.fromhex("0ec675ad498afeebb6960b3aabe6"),
    )
    assert derive_key(keys, 0, 16).hex() == "c61e7a93744f39ee10734afe3ff7a087"
    assert derive_key(keys, 2, 14).hex() == "30cbbc08863d8c85d49db34a9ae1"
    assert derive_key(keys, 1, 94).hex() == (
        "cebe321f6ff7716b6fd4ab49af256a156d38baa48f0a0acf3c34e2359e6cdbcee049646c43d9327ad175578ef72270"
        "986371c10c9a369ac2f94a8c5fbcdddc256d6e919a48b610ef17c2041e474035766b68642c59bbfc2f34db60dbdfb2"
    )


@pytest.mark.parametrize("position", [0, 11, 12, 40, -1])
def test_one_changed_bit_anywhere_is_noticed(position: int) -> None:
    cipher = gcm(32)
    sealed = bytearray(cipher.encrypt_rtp(GCM_RTP_HEADER, GCM_RTP_PAYLOAD, 1, 2))
    sealed[position] ^= 1
    with pytest.raises(AuthenticationError):
        cipher.decrypt_rtp(bytes(sealed[:12]), bytes(sealed[12:]), 1, 2)
