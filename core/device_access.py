"""Pure: how a capture box gets in. Its code, what it signs, what it and the service say to each other.

The box makes an Ed25519 key of its own. The code, typed once, registers its public half; afterwards every
token is had by signing a challenge of the service's. What is signed begins with what it is for, so that no
signature is good for anything else.
"""

from __future__ import annotations

import base64
import hashlib
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from pydantic import ConfigDict, Field

from core.device_health import DeviceHealth, LogLevel
from core.ids import ID_PATTERN, NAME_PATTERN
from core.messages import Model
from core.vocabulary import Identifier

CODE_CHARS: Final = 12
"""60 bits: too many to guess at the pace the service allows, few enough to type."""
CODE_BYTES: Final = 8
KEY_BYTES: Final = 32
SIGNATURE_BYTES: Final = 64
_ALPHABET: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
"""Crockford's base 32: no I, L, O, U."""
_MISREAD: Final = str.maketrans({"O": "0", "I": "1", "L": "1", " ": None, "-": None, "\t": None})
_ENROL: Final = b"teleconsult enrol v1\n"
_TOKEN: Final = b"teleconsult device token v1\n"
_KIOSK: Final = b"teleconsult device kiosk v1\n"
_BACKFILL: Final = b"teleconsult device backfill v1\n"


class Assignment(Model):
    """The open consultation a box is attached to, and its room token for `expires_in` seconds."""

    room: str = Field(pattern=NAME_PATTERN)
    consultation_id: str = Field(pattern=ID_PATTERN)
    """Both become names of files on the box."""
    token: str = Field(max_length=8192, repr=False)
    expires_in: int
    feeds: list[str]


class DeviceAnswer(Model):
    """What a box is told for a good signature. `assignment`: None while no consultation wants it.

    `challenge`: the next one, so that staying in touch costs one request. `log_level`: what its log shall
    show instead of what it is configured for, for `log_for_s` seconds.
    """

    assignment: Assignment | None
    challenge: str = Field(max_length=200)
    challenge_in: int
    server_time_us: int
    log_level: LogLevel | None = None
    log_for_s: int = 0


class DeviceChallenge(Model):
    """`challenge` is good once, for `challenge_in` seconds."""

    challenge: str = Field(max_length=200)
    challenge_in: int
    server_time_us: int


class Enrolled(Model):
    """Whose key is registered from now on."""

    device_id: Identifier
    name: str
    feeds: list[str]


class KioskLink(Model):
    """Shown once: the on-site page's link, with its token in the fragment."""

    url: str
    room: Identifier
    expires_at_us: int


class _Request(Model):
    """Values of another type are refused, not guessed at."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class EnrolRequest(_Request):
    """`signature`: of `enrol_statement`, so that nobody registers a key that is not theirs."""

    code: str = Field(min_length=1, max_length=64)
    public_key: str = Field(max_length=64, description="base64url of the 32 bytes")
    signature: str = Field(max_length=128, description="base64url of the 64 bytes")


class ChallengeRequest(_Request):
    device_id: Identifier


class SignedRequest(_Request):
    """`signature`: of `token_statement` (or `kiosk_statement`)."""

    device_id: Identifier
    challenge: str = Field(max_length=200)
    signature: str = Field(max_length=128, description="base64url of the 64 bytes")


class LeaseRequest(SignedRequest):
    """`signature`: of `backfill_statement`."""

    consultation_id: Identifier


class TokenRequest(SignedRequest):
    """`health`: how the box is, while it is in no room to say so."""

    health: DeviceHealth | None = None


def code_of(random: bytes) -> str:
    """`CODE_BYTES` random bytes as a code people type: `7KQ2-M9XD-04TB`."""
    number = int.from_bytes(random[:CODE_BYTES], "big")
    chars = "".join(_ALPHABET[(number >> 5 * index) & 31] for index in range(CODE_CHARS))
    return "-".join(chars[start : start + 4] for start in range(0, CODE_CHARS, 4))


def normal_code(text: str) -> str | None:
    """What somebody typed, as twelve characters; None for what cannot be a code."""
    plain = text.strip().upper().translate(_MISREAD)
    return plain if len(plain) == CODE_CHARS and set(plain) <= set(_ALPHABET) else None


def code_hash(normal: str) -> str:
    """What is stored. A plain hash is enough: the code is random, used once, and over within days."""
    return hashlib.sha256(normal.encode()).hexdigest()


def enrol_statement(normal: str, public_key: bytes) -> bytes:
    """What the box signs with its new key."""
    return _ENROL + normal.encode() + b"\n" + public_key


def token_statement(device_id: str, challenge: str) -> bytes:
    """What the box signs for a token."""
    return _TOKEN + device_id.encode() + b"\n" + challenge.encode()


def kiosk_statement(device_id: str, challenge: str) -> bytes:
    """What the box signs for the on-site page's link."""
    return _KIOSK + device_id.encode() + b"\n" + challenge.encode()


def backfill_statement(device_id: str, consultation_id: str, challenge: str) -> bytes:
    """What the box signs for the right to deliver to one consultation's archive."""
    return b"\n".join((_BACKFILL + device_id.encode(), consultation_id.encode(), challenge.encode()))


def is_signed(public_key: bytes, signature: str, statement: bytes) -> bool:
    """True when the signature (base64url) is that key's under the statement."""
    raw = from_base64(signature, SIGNATURE_BYTES)
    if raw is None or len(public_key) != KEY_BYTES:
        return False
    try:
        Ed25519PublicKey.from_public_bytes(public_key).verify(raw, statement)
    except (InvalidSignature, ValueError):
        return False
    return True


def to_base64(raw: bytes) -> str:
    """base64url without padding (RFC 4648 §5)."""
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def from_base64(text: str, size_bytes: int) -> bytes | None:
    """The bytes; None when it is not exactly so many, spelled the one way."""
    try:
        raw = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except ValueError:
        return None
    return raw if len(raw) == size_bytes and to_base64(raw) == text else None
