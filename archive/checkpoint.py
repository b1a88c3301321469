"""Pure: signed notes and checkpoints of a log, byte for byte as C2SP writes them.

Sources: c2sp.org/signed-note, c2sp.org/tlog-checkpoint and c2sp.org/tlog-cosignature (version 1, Ed25519).
A note is text, a blank line, and one signature line per key; a checkpoint is a note whose text is a log's
name (origin), its size and its root. `archive.witness` makes and checks the second kind of signature,
cosignatures.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Self

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from archive.chain import SIGNER_PREFIX, SigningKey
from archive.merkle import HASH_BYTES
from core.errors import ProtocolError

ED25519: Final = 0x01
"""Type of an ordinary note signature."""
COSIGNATURE: Final = 0x04
"""Type of a witness's signature with its time."""
MAX_NOTE_BYTES: Final = 64 * 1024
MAX_SIGNATURES: Final = 64
MAX_SIZE: Final = 2**53 - 1
KEY_ID_BYTES: Final = 4
PUBLIC_BYTES: Final = 32
SIGNATURE_BYTES: Final = 64
_DASH: Final = "— "
_SIZE: Final = re.compile(r"0|[1-9][0-9]{0,15}")
_NAME: Final = re.compile(r"[^\s+]{1,200}")


@dataclass(frozen=True, slots=True)
class VerifierKey:
    """A public key with the name it signs under: `<name>+<key id>+<base64(type ‖ key)>`."""

    name: str
    kind: int
    public: bytes

    @property
    def key_id(self) -> bytes:
        """SHA-256(name ‖ LF ‖ type ‖ key), its first four bytes."""
        return hashlib.sha256(self.name.encode() + b"\n" + bytes([self.kind]) + self.public).digest()[:4]

    @property
    def text(self) -> str:
        """As it is written in a file or a setting."""
        return f"{self.name}+{self.key_id.hex()}+{_encode(bytes([self.kind]) + self.public)}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Raises `ProtocolError`."""
        parts = text.split("+", 2)
        if len(parts) != 3:
            raise ProtocolError("a verifier key is <name>+<key id>+<base64>")
        data = _decode(parts[2])
        if len(data) != 1 + PUBLIC_BYTES or data[0] not in (ED25519, COSIGNATURE):
            raise ProtocolError("not an Ed25519 verifier key")
        key = cls(check_name(parts[0]), data[0], data[1:])
        if key.key_id.hex() != parts[1]:
            raise ProtocolError("the verifier key's id does not belong to its name and key")
        return key

    @classmethod
    def of(cls, name: str, signer: str, kind: int = ED25519) -> Self:
        """Of a key as `archive.chain` writes it (`ed25519:…`)."""
        return cls(check_name(name), kind, bytes.fromhex(signer.removeprefix(SIGNER_PREFIX)))

    def accepts(self, message: bytes, signature: bytes) -> bool:
        """True when this key made this plain Ed25519 signature."""
        try:
            Ed25519PublicKey.from_public_bytes(self.public).verify(signature, message)
        except (InvalidSignature, ValueError):
            return False
        return True


@dataclass(frozen=True, slots=True)
class NoteSignature:
    """One signature line. `data`: what follows the key id."""

    name: str
    key_id: bytes
    data: bytes

    @property
    def line(self) -> str:
        """With its newline."""
        return f"{_DASH}{self.name} {_encode(self.key_id + self.data)}\n"

    @classmethod
    def parse(cls, line: str) -> Self:
        """A line without its newline. Raises `ProtocolError`."""
        name, separator, encoded = line.removeprefix(_DASH).partition(" ")
        data = _decode(encoded)
        if not line.startswith(_DASH) or not separator or len(data) <= KEY_ID_BYTES:
            raise ProtocolError("not a note's signature line")
        return cls(check_name(name), data[:KEY_ID_BYTES], data[KEY_ID_BYTES:])

    def by(self, key: VerifierKey) -> bool:
        """True when it says it is of that key; it may still be wrong."""
        return (self.name, self.key_id) == (key.name, key.key_id)


@dataclass(frozen=True, slots=True)
class Note:
    """`text` ends with a newline and is what is signed."""

    text: str
    signatures: tuple[NoteSignature, ...]

    @property
    def body(self) -> bytes:
        return self.text.encode()

    def spell(self) -> str:
        """The whole note."""
        return self.text + "\n" + "".join(signature.line for signature in self.signatures)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Raises `ProtocolError`."""
        if len(text.encode("utf-8", "surrogatepass")) > MAX_NOTE_BYTES:
            raise ProtocolError("the note is too long")
        if any(char < " " and char != "\n" for char in text) or not _is_unicode(text):
            raise ProtocolError("a note is plain text")
        body, blank, lines = text.rpartition("\n\n")
        if not blank or not body or not lines.endswith("\n") or lines.count("\n") > MAX_SIGNATURES:
            raise ProtocolError("not a signed note")
        return cls(body + "\n", tuple(NoteSignature.parse(line) for line in lines[:-1].split("\n")))

    def signed_by(self, keys: Sequence[VerifierKey]) -> VerifierKey | None:
        """The first of `keys` (of type Ed25519) that signed it.

        Raises `ProtocolError` when a known key's signature is wrong: such a note is not to be used at all.
        """
        found = None
        for signature in self.signatures:
            for key in keys:
                if key.kind != ED25519 or not signature.by(key):
                    continue
                if not key.accepts(self.body, signature.data):
                    raise ProtocolError(f"the signature of {key.name} is wrong")
                found = found or key
        return found


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A log's name, how many leaves it has, and their root."""

    origin: str
    size: int
    root: bytes

    @property
    def text(self) -> str:
        """The note's text."""
        return f"{self.origin}\n{self.size}\n{_encode(self.root)}\n"

    @classmethod
    def parse(cls, text: str) -> Self:
        """A note's text; extension lines are allowed and ignored. Raises `ProtocolError`."""
        lines = text.split("\n")
        if len(lines) < 4 or lines[-1] or not all(lines[:-1]):
            raise ProtocolError("a checkpoint is at least three lines")
        root = _decode(lines[2])
        if not _SIZE.fullmatch(lines[1]) or int(lines[1]) > MAX_SIZE or len(root) != HASH_BYTES:
            raise ProtocolError("not a checkpoint: its size or root cannot be read")
        return cls(lines[0], int(lines[1]), root)


def sign_checkpoint(checkpoint: Checkpoint, key: SigningKey) -> Note:
    """The signed note, under the log's own name."""
    verifier = VerifierKey.of(checkpoint.origin, key.public)
    signature = key.sign(checkpoint.text.encode())
    return Note(checkpoint.text, (NoteSignature(verifier.name, verifier.key_id, signature),))


def check_name(name: str) -> str:
    """A key's name: no white space, no `+`. Raises `ProtocolError`."""
    if not _NAME.fullmatch(name) or not name.isprintable():
        raise ProtocolError("a key's name has 1–200 characters, none of them a space or '+'")
    return name


def _encode(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _decode(text: str) -> bytes:
    try:
        data = base64.b64decode(text.encode("ascii"), validate=True)
    except (binascii.Error, UnicodeEncodeError):
        raise ProtocolError("not base64") from None
    if _encode(data) != text:
        raise ProtocolError("not base64 as it is always written")
    return data


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
