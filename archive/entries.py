"""Pure: the manifest's entries, one model per kind. `docs/archive-format.md` says what each field means.

Times ending in `_us` are microseconds: `at_us` and `epoch_us` since 1970 UTC, `begin_us` and `end_us` since
the consultation's epoch, on the timeline of capture time that all tracks share.
"""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, model_validator

from archive import layout
from core.errors import ProtocolError

FORMAT: Final = "teleconsult-archive/1"
NO_PREVIOUS: Final = "0" * 64
SIGNER_PATTERN: Final = r"^ed25519:[0-9a-f]{64}$"

_LIMIT: Final = 2**53 - 1
Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Signature = Annotated[str, Field(pattern=r"^[0-9a-f]{128}$")]
Microseconds = Annotated[int, Field(ge=0, le=_LIMIT)]
Count = Annotated[int, Field(ge=0, le=_LIMIT)]
Track = Annotated[str, Field(pattern=layout.TRACK_PATTERN)]
Generation = Annotated[int, Field(ge=0, lt=layout.MAX_GENERATIONS)]
Number = Annotated[int, Field(ge=1, lt=layout.MAX_PIECES)]
Label = Annotated[str, Field(max_length=64)]
Reason = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,39}$")]
Codec = Literal["H264", "VP8", "VP9", "AV1", "opus"]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Custodian(_Strict):
    """Who keeps the other half of a recipient key; `offline`: it is on no connected machine."""

    custodian: str = Field(min_length=1, max_length=200)
    recipient: str = Field(min_length=10, max_length=4096)
    offline: bool


class _Entry(_Strict):
    consultation: str = Field(pattern=layout.CONSULTATION_PATTERN)
    entry: Count
    previous: Digest
    at_us: Microseconds
    signer: str = Field(pattern=SIGNER_PATTERN)
    signature: Signature


class _Span(_Strict):
    begin_us: Microseconds
    end_us: Microseconds

    @model_validator(mode="after")
    def _forwards(self) -> Self:
        if self.end_us < self.begin_us:
            raise ValueError("the span ends before it begins")
        return self


class _Object(_Strict):
    object: str
    sha256: Digest
    size: Count


class OpenEntry(_Entry):
    """Entry 0: commits to who can read the consultation and with what."""

    kind: Literal["open"]
    format: Literal["teleconsult-archive/1"]
    epoch_us: Microseconds
    public_key: str = Field(pattern=r"^age1[0-9a-z]{10,4000}$")
    recipients: list[Custodian] = Field(min_length=2, max_length=64)
    session_key_sha256: Digest


class GenerationEntry(_Entry, _Object):
    """A track begins, or goes on with another codec, size or source. The object is its init piece."""

    kind: Literal["generation"]
    track: Track
    generation: Generation
    reason: Reason
    media: Literal["audio", "video"]
    codec: Codec
    container: layout.Container
    timescale: Annotated[int, Field(ge=1, le=1_000_000_000)]
    width: Annotated[int, Field(ge=0, le=65535)]
    height: Annotated[int, Field(ge=0, le=65535)]
    feed: Label
    input: Label
    track_id: Label


class PieceEntry(_Entry, _Object, _Span):
    """At most a second of one track. `sync`: decoding can start here."""

    kind: Literal["piece"]
    track: Track
    generation: Generation
    number: Number
    frames: Count
    sync: bool
    source: Literal["live", "backfill"]
    clock: Literal["capture", "arrival"]
    uncertainty_us: Microseconds


class EventsEntry(_Entry, _Object, _Span):
    """Some seconds of what happened besides the media."""

    kind: Literal["events"]
    number: Number
    count: Count


class FileEntry(_Entry, _Object):
    """A file sent in the chat. Its name, kind and plain hash are in the events (`chat_added`), encrypted."""

    kind: Literal["file"]
    number: Number
    file_id: Annotated[str, Field(pattern=layout.FILE_ID_PATTERN)]


class GapEntry(_Entry, _Span):
    """Something is missing and the recorder knows it; `track` null: everything."""

    kind: Literal["gap"]
    track: Track | None
    reason: Reason
    discarded: Count
    """Sealed objects without an entry that a restarted recorder removed."""


class CloseEntry(_Entry):
    """The last entry."""

    kind: Literal["close"]
    reason: Reason
    end_us: Microseconds
    objects: Count
    bytes: Count


Entry = OpenEntry | GenerationEntry | PieceEntry | EventsEntry | FileEntry | GapEntry | CloseEntry
SealedEntry = GenerationEntry | PieceEntry | EventsEntry | FileEntry
"""The entries that have an object."""

_adapter: Final[TypeAdapter[Entry]] = TypeAdapter(Annotated[Entry, Field(discriminator="kind")])


def parse_entry(fields: Any) -> Entry:
    """Fields → entry. Raises `ProtocolError` naming the first field that is wrong."""
    try:
        return _adapter.validate_python(fields)
    except ValidationError as error:
        problem = error.errors(include_url=False, include_context=False, include_input=False)[0]
        where = ".".join(str(part) for part in problem["loc"]) or "entry"
        raise ProtocolError(f"{where}: {problem['msg']}") from None
