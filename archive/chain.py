"""Pure: the chain of signed lines. Each entry holds the hash of the line before it and its own Ed25519
signature.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any, Final, Protocol

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from archive import canonical
from archive.entries import NO_PREVIOUS, Entry, parse_entry
from core.errors import ProtocolError

DOMAIN: Final = b"teleconsult-archive-entry/1\n"
"""Goes before what is signed, so that no other signature of the same key can be passed off as an entry's."""
MAX_LINE_BYTES: Final = 1 << 20
SIGNER_PREFIX: Final = "ed25519:"


class SigningKey(Protocol):
    """The private half, wherever it lives."""

    @property
    def public(self) -> str:
        """`ed25519:` and 64 hexadecimal digits."""

    def sign(self, message: bytes) -> bytes:
        """64 bytes (RFC 8032)."""


@dataclass(frozen=True, slots=True)
class Head:
    """Where a chain stands: the number its next entry gets, and the hash of the line before."""

    next_entry: int = 0
    previous: str = NO_PREVIOUS

    def after(self, line: bytes) -> Head:
        """The head once `line` (with its newline) is appended."""
        return Head(self.next_entry + 1, hashlib.sha256(line).hexdigest())


def seal_entry(fields: dict[str, Any], head: Head, signer: SigningKey) -> tuple[Entry, bytes]:
    """Number, chain and sign an entry; returns it and its line. Raises `ProtocolError` when a field is
    wrong.
    """
    complete = {**fields, "entry": head.next_entry, "previous": head.previous, "signer": signer.public}
    complete["signature"] = signer.sign(DOMAIN + canonical.encode(complete)).hex()
    line = canonical.spell(complete) + b"\n"  # checked just now
    if len(line) > MAX_LINE_BYTES:
        raise ProtocolError("an entry is longer than a line may be")
    return parse_entry(complete), line


def read_line(line: bytes) -> tuple[Entry, bytes]:
    """One line with its newline → entry and the message its signature is over. Raises `ProtocolError`."""
    if not line.endswith(b"\n") or len(line) > MAX_LINE_BYTES:
        raise ProtocolError("not a whole line")
    fields = canonical.decode(line[:-1])
    entry = parse_entry(fields)
    del fields["signature"]
    return entry, DOMAIN + canonical.encode(fields)


def signature_holds(entry: Entry, message: bytes) -> bool:
    """True when the key the entry names has signed `message`."""
    public = bytes.fromhex(entry.signer.removeprefix(SIGNER_PREFIX))
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(bytes.fromhex(entry.signature), message)
    except (InvalidSignature, ValueError):
        return False
    return True
