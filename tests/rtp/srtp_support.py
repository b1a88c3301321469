"""What the SRTP tests share."""

from __future__ import annotations

import struct

import pylibsrtp

from rtp.srtp import SrtpKeys, SrtpProfile

PROFILES = list(SrtpProfile)
LIBSRTP_PROFILE = {
    SrtpProfile.AEAD_AES_256_GCM: pylibsrtp.Policy.SRTP_PROFILE_AEAD_AES_256_GCM,
    SrtpProfile.AEAD_AES_128_GCM: pylibsrtp.Policy.SRTP_PROFILE_AEAD_AES_128_GCM,
    SrtpProfile.AES_CM_128_HMAC_SHA1_80: pylibsrtp.Policy.SRTP_PROFILE_AES128_CM_SHA1_80,
}


def keys_for(profile: SrtpProfile, seed: int = 0) -> SrtpKeys:
    """Keys that are the same for the same seed."""
    numbers = bytes((seed + 7 * i) & 0xFF for i in range(64))
    return SrtpKeys(profile, numbers[: profile.key_bytes], numbers[32 : 32 + profile.salt_bytes])


def libsrtp(keys: SrtpKeys, *, outbound: bool) -> pylibsrtp.Session:
    """libsrtp with the same keys, for any SSRC in one direction."""
    kind = pylibsrtp.Policy.SSRC_ANY_OUTBOUND if outbound else pylibsrtp.Policy.SSRC_ANY_INBOUND
    policy = pylibsrtp.Policy(keys.master_key + keys.master_salt, kind, 0, LIBSRTP_PROFILE[keys.profile])
    policy.window_size = 1024
    return pylibsrtp.Session(policy)


def rtp_header(sequence_number: int, ssrc: int = 0x1234) -> bytes:
    """A plain header."""
    return struct.pack("!BBHII", 0x80, 96, sequence_number & 0xFFFF, 3000, ssrc)
