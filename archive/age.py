"""Encrypting to one X25519 recipient in the age format, version 1 (C2SP `age.md`).

`pyrage` opens what this writes, and so does the `age` tool. It encrypts, too, but takes over twice as long,
and holds the interpreter meanwhile (docs/performance.md, the archive).

An object's keys are wiped as soon as it is encrypted: who takes a recorder over later opens nothing with its
memory (`tests/recorder/test_forgotten_keys.py`). OpenSSL wipes its own copies when it frees them; `Secrets`
wipes those that Python holds.
"""

from __future__ import annotations

import base64
import ctypes
import hmac
import os
import sys
from dataclasses import dataclass
from types import TracebackType
from typing import Final, Self

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

CHUNK_BYTES: Final = 64 * 1024
_PREFIX: Final = "age1"
_ALPHABET: Final = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
_KEY_BYTES: Final = 32
_TAG_BYTES: Final = 16
_CHECKSUM_LETTERS: Final = 6
_LABEL: Final = b"age-encryption.org/v1/X25519"
_BEFORE_BYTES: Final = bytes.__basicsize__ - 1
"""Of a `bytes` object, in front of what it holds; a terminating zero is counted in its basic size."""


@dataclass(frozen=True, slots=True)
class X25519Recipient:
    """Who alone can open it. Make one with `parse`."""

    raw: bytes
    key: X25519PublicKey

    @classmethod
    def parse(cls, text: str) -> X25519Recipient:
        """`age1…` of a recipient that was checked before (the Bech32 checksum is not looked at again).
        Raises `ValueError`.
        """
        letters = text.removeprefix(_PREFIX)[:-_CHECKSUM_LETTERS]
        padding = len(letters) * 5 - _KEY_BYTES * 8
        if not text.startswith(_PREFIX) or not 0 <= padding < 5 or not set(letters) <= set(_ALPHABET):
            raise ValueError("not an X25519 recipient of age")
        bits = 0
        for letter in letters:
            bits = bits << 5 | _ALPHABET.index(letter)
        raw = (bits >> padding).to_bytes(_KEY_BYTES, "big")
        return cls(raw, X25519PublicKey.from_public_bytes(raw))


class Secrets:
    """Key material of one object, overwritten when the block ends, whatever happens in it."""

    def __init__(self) -> None:
        self._kept: list[bytes] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for secret in self._kept:
            ctypes.memset(id(secret) + _BEFORE_BYTES, 0, len(secret))
        self._kept.clear()

    def keep(self, secret: bytes) -> bytes:
        """That very object, to be wiped. Only for one that was made just now, and is held nowhere else."""
        assert type(secret) is bytes
        assert len(secret) > 1, "the interpreter shares shorter ones"
        self._kept.append(secret)
        return secret

    def derive(self, secret: bytes, salt: bytes, info: bytes) -> bytes:
        """HKDF-SHA-256 (RFC 5869), one block of 32 bytes. Not the library's: that keeps what is between."""
        between = self.keep(hmac.digest(salt or bytes(_KEY_BYTES), secret, "sha256"))
        return self.keep(hmac.digest(between, info + b"\x01", "sha256"))


def encrypt(data: bytes, recipient: X25519Recipient) -> bytearray:
    """The file: header, nonce, then each 64 KiB of `data` with 16 bytes of tag."""
    last = max(0, len(data) - 1) // CHUNK_BYTES
    with Secrets() as secrets:
        file_key, nonce = secrets.keep(os.urandom(16)), os.urandom(16)
        head = _header(secrets, file_key, recipient) + nonce
        cipher = ChaCha20Poly1305(secrets.derive(file_key, nonce, b"payload"))
        sealed = bytearray(len(head) + len(data) + (last + 1) * _TAG_BYTES)
        sealed[: len(head)] = head
        clear, target, at = memoryview(data), memoryview(sealed), len(head)
        for number in range(last + 1):
            chunk = clear[number * CHUNK_BYTES : (number + 1) * CHUNK_BYTES]
            end = at + len(chunk) + _TAG_BYTES
            once = number.to_bytes(11, "big") + bytes([number == last])
            cipher.encrypt_into(once, chunk, None, target[at:end])
            at = end
    return sealed


def _header(secrets: Secrets, file_key: bytes, recipient: X25519Recipient) -> bytes:
    """One stanza; a file key is used once, so the wrapping nonce is zero."""
    ephemeral = X25519PrivateKey.generate()
    share = ephemeral.public_key().public_bytes_raw()
    shared = secrets.keep(ephemeral.exchange(recipient.key))
    wrapping = secrets.derive(shared, share + recipient.raw, _LABEL)
    body = ChaCha20Poly1305(wrapping).encrypt(bytes(12), file_key, None)
    text = b"age-encryption.org/v1\n-> X25519 %b\n%b\n---" % (_unpadded(share), _unpadded(body))
    mac = hmac.digest(secrets.derive(file_key, b"", b"header"), text, "sha256")
    return text + b" " + _unpadded(mac) + b"\n"


def _unpadded(data: bytes) -> bytes:
    return base64.b64encode(data).rstrip(b"=")


if sys.implementation.name != "cpython":
    raise ImportError("keys are wiped from where CPython lays out `bytes`")
