"""Sealing one object: encrypted (age) and hashed.

Encrypting takes 64 KiB at a time without letting other threads run; hashing lets them. So sealing a large
object holds nobody up for longer than one such block.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from archive.age import X25519Recipient, encrypt


@dataclass(frozen=True, slots=True)
class Sealed:
    """An object as it will lie on the disk. `sha256`: hexadecimal."""

    content: bytearray
    sha256: str


@dataclass(frozen=True, slots=True)
class Staged:
    """A sealed object that is on the disk already, at `path`, to be renamed."""

    path: Path
    sha256: str
    size_bytes: int


def seal(data: bytes, recipient: X25519Recipient) -> Sealed:
    """Encrypt `data` to `recipient` alone."""
    content = encrypt(data, recipient)
    return Sealed(content, hashlib.sha256(content).hexdigest())
