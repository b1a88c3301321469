"""Pure: what a capture box's ring of pieces says of itself, and the statements that make it count
(docs/archive-format.md, "Delivered later").

The ring's manifest is a chain of lines like an archive's, signed with the box's own key. Its head is
committed before the box learns what is missing; a piece is taken only if a line under a committed head names
it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from typing import Annotated, Any, Final, Literal, Self

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, model_validator

from archive import canonical, layout
from archive.chain import SIGNER_PREFIX, Head, SigningKey
from archive.entries import SIGNER_PATTERN, Codec, Count, Digest, Label, Microseconds, Signature, Track
from core.errors import ProtocolError

LINE_DOMAIN: Final = b"teleconsult-ring-entry/1\n"
HEAD_DOMAIN: Final = b"teleconsult-ring-head/1\n"
KEY_DOMAIN: Final = b"teleconsult-buffer-key/1\n"
"""Each goes before what is signed: no signature is good for anything else."""
MAX_LINE_BYTES: Final = 4096
MAX_OBJECT_BYTES: Final = 16 << 20
"""A second at 50 Mbit/s is 6 MB."""
MAX_PIECE_US: Final = 2_000_000
Device = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$")]
Consultation = Annotated[str, Field(pattern=layout.CONSULTATION_PATTERN)]
Sign = Callable[[bytes], bytes]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class _Line(_Strict):
    consultation: Consultation
    device: Device
    entry: Count
    previous: Digest
    signature: Signature


class _RingObject(_Line):
    track: Track
    generation: Count
    sha256: Digest
    size: Annotated[int, Field(ge=1, le=MAX_OBJECT_BYTES)]


class RingOpen(_Line):
    """Line 0: whose key everything is sealed to."""

    kind: Literal["open"]
    public_key: str = Field(pattern=r"^age1[0-9a-z]{10,4000}$")
    epoch_us: Microseconds


class RingGeneration(_RingObject):
    """An init piece. `generation` counts per track, from 0."""

    kind: Literal["generation"]
    media: Literal["audio", "video"]
    codec: Codec
    container: Literal["mp4"]
    timescale: Annotated[int, Field(ge=1, le=1_000_000_000)]
    width: Annotated[int, Field(ge=0, le=65535)]
    height: Annotated[int, Field(ge=0, le=65535)]
    feed: Label


class RingPiece(_RingObject):
    """At most a second of a generation. `uncertainty_us`: how far its times may be off the server's."""

    kind: Literal["piece"]
    begin_us: Microseconds
    end_us: Microseconds
    frames: Count
    sync: bool
    uncertainty_us: Microseconds

    @model_validator(mode="after")
    def _short(self) -> Self:
        if not 0 <= self.end_us - self.begin_us <= MAX_PIECE_US:
            raise ValueError("its span is no piece's")
        return self


RingLine = RingOpen | RingGeneration | RingPiece
RingObject = RingGeneration | RingPiece
_LINES: Final[TypeAdapter[RingLine]] = TypeAdapter(Annotated[RingLine, Field(discriminator="kind")])


class RingHead(_Strict):
    """How far a ring's manifest goes: `entries` lines, the last of which has the hash `head`. `ring`: that
    of the first.
    """

    kind: Literal["ring_head"] = "ring_head"
    consultation: Consultation
    device: Device
    ring: Digest
    entries: Annotated[int, Field(ge=1, le=2**53 - 1)]
    head: Digest
    at_us: Microseconds
    signature: Signature


class BufferKey(_Strict):
    """What one box may seal to for one consultation: the public half of its key, signed by the archive's
    signer.
    """

    kind: Literal["buffer_key"] = "buffer_key"
    consultation: Consultation
    device: Device
    epoch_us: Microseconds
    public_key: str = Field(pattern=r"^age1[0-9a-z]{10,4000}$")
    at_us: Microseconds
    signer: str = Field(pattern=SIGNER_PATTERN)
    signature: Signature


def seal_line(fields: dict[str, Any], head: Head, sign: Sign) -> tuple[RingLine, bytes]:
    """Number, chain and sign a line; returns it and its bytes. Raises `ProtocolError`."""
    complete = {**fields, "entry": head.next_entry, "previous": head.previous}
    complete["signature"] = sign(LINE_DOMAIN + canonical.encode(complete)).hex()
    return _parsed(complete), canonical.spell(complete) + b"\n"  # checked just now


def read_line(line: bytes) -> tuple[RingLine, bytes]:
    """One line with its LF → what it says, and what its signature is over. Raises `ProtocolError`."""
    if not line.endswith(b"\n") or len(line) > MAX_LINE_BYTES:
        raise ProtocolError("not a whole line of a ring")
    fields = canonical.decode(line[:-1])
    found = _parsed(fields)
    del fields["signature"]
    return found, LINE_DOMAIN + canonical.encode(fields)


def follow(lines: Iterable[bytes], head: Head) -> Iterable[tuple[RingLine, bytes, Head]]:
    """Read lines that go on from `head`: each with what is signed, and the head after it. Signatures are not
    looked at. Raises `ProtocolError`.
    """
    for line in lines:
        found, message = read_line(line)
        if (found.entry, found.previous) != (head.next_entry, head.previous):
            raise ProtocolError("a line of the ring does not follow the one before")
        if (found.kind == "open") != (found.entry == 0):
            raise ProtocolError("a line of the ring cannot stand there")
        head = head.after(line)
        yield found, message, head


def sign_ring_head(consultation: str, device: str, ring: str, head: Head, at_us: int, sign: Sign) -> RingHead:
    """Where a ring's manifest stands now."""
    fields = {
        "kind": "ring_head",
        "consultation": consultation,
        "device": device,
        "ring": ring,
        "entries": head.next_entry,
        "head": head.previous,
        "at_us": at_us,
    }
    return RingHead.model_validate(
        {**fields, "signature": sign(HEAD_DOMAIN + canonical.encode(fields)).hex()}
    )


def sign_buffer_key(
    consultation: str, device: str, epoch_us: int, public_key: str, at_us: int, signer: SigningKey
) -> BufferKey:
    """For exactly that device and consultation."""
    fields = {
        "kind": "buffer_key",
        "consultation": consultation,
        "device": device,
        "epoch_us": epoch_us,
        "public_key": public_key,
        "at_us": at_us,
        "signer": signer.public,
    }
    return BufferKey.model_validate(
        {**fields, "signature": signer.sign(KEY_DOMAIN + canonical.encode(fields)).hex()}
    )


def ring_head_holds(head: RingHead, public_key: bytes) -> bool:
    """True when that box's key signed it."""
    return holds(public_key, head.signature, HEAD_DOMAIN + _unsigned(head))


def buffer_key_holds(key: BufferKey) -> bool:
    """True when the signer it names signed it."""
    public = bytes.fromhex(key.signer.removeprefix(SIGNER_PREFIX))
    return holds(public, key.signature, KEY_DOMAIN + _unsigned(key))


def holds(public_key: bytes, signature: str, message: bytes) -> bool:
    """True when `signature` (hexadecimal) is that key's over `message`."""
    try:
        Ed25519PublicKey.from_public_bytes(public_key).verify(bytes.fromhex(signature), message)
    except (InvalidSignature, ValueError):
        return False
    return True


def digest(data: bytes) -> str:
    """SHA-256 (hexadecimal) of an object."""
    return hashlib.sha256(data).hexdigest()


def _unsigned(statement: RingHead | BufferKey) -> bytes:
    return canonical.encode(statement.model_dump(mode="json", exclude={"signature"}))


def _parsed(fields: Any) -> RingLine:
    try:
        return _LINES.validate_python(fields)
    except ValidationError as error:
        problem = error.errors(include_url=False, include_context=False, include_input=False)[0]
        where = ".".join(str(part) for part in problem["loc"]) or "line"
        raise ProtocolError(f"ring: {where}: {problem['msg']}") from None
