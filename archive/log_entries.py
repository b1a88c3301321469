"""Pure: the log's leaves, one model per kind. `docs/archive-format.md`, "Log", says what each field means.

A leaf is canonical JSON without a newline. Leaves hold ids and plain words, never anybody's name.
"""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, model_validator

from archive import canonical, layout
from archive.entries import NO_PREVIOUS, Count, Digest, Microseconds, Reason
from core.errors import ProtocolError

MAX_LEAF_BYTES: Final = 4096
SUBJECT_PATTERN: Final = r"^[A-Za-z0-9][A-Za-z0-9_:.-]{0,99}$"
DETAIL_PATTERN: Final = r"^[a-z0-9_.:-]{0,64}$"

AccessKind = Literal[
    "join", "denied", "replay", "export", "shred", "hold", "release", "rewrap", "control", "lost"
]
Subject = Annotated[str, Field(pattern=SUBJECT_PATTERN)]
Detail = Annotated[str, Field(pattern=DETAIL_PATTERN)]
Consultation = Annotated[str, Field(pattern=layout.CONSULTATION_PATTERN)]


class _Leaf(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    at_us: Microseconds


class _Head(_Leaf):
    """Where a manifest stands: how many lines, and SHA-256 of the last one; none and null: there is no
    archive.
    """

    entries: Count
    head: Digest | None

    @model_validator(mode="after")
    def _both(self) -> Self:
        if (self.entries == 0) != (self.head is None) or self.head == NO_PREVIOUS:
            raise ValueError("lines and their hash come together")
        return self


class OpenLeaf(_Leaf):
    """A consultation opens: who decided whether it is recorded, and the class of the reason."""

    kind: Literal["open"]
    consultation: Consultation
    organisation: Subject
    by: Subject
    record: bool
    reason: Literal["patient_agreed", "patient_declined", "site_decided", "unknown"]


class RecordingLeaf(_Leaf):
    """Recording stops, or begins (again), by somebody's decision. `corrected`: the leaf before it about this
    consultation tells what never came about.
    """

    kind: Literal["recording"]
    consultation: Consultation
    by: Subject
    record: bool
    reason: Literal["patient_agreed", "patient_declined", "site_decided", "corrected", "unknown"]


class HeadLeaf(_Head):
    """Where an open archive stands. `final`: it was closed, while the consultation goes on or waits for its
    end.
    """

    kind: Literal["head"]
    consultation: Consultation
    final: bool


class CloseLeaf(_Head):
    """A consultation ends. `final`: its archive is closed with this line; `provisional`: the recorder has
    not said so (yet); `unrecorded`: there is none; `not_opened`: it never came about.
    """

    kind: Literal["close"]
    consultation: Consultation
    state: Literal["final", "provisional", "unrecorded", "not_opened"]


class AddendumLeaf(_Head):
    """After the close: the archive's closing line that came late (`late_close`), or a manifest of late
    pieces.
    """

    kind: Literal["addendum"]
    consultation: Consultation
    reason: Reason


class AccessLeaf(_Leaf):
    """Somebody came in, looked, took, was refused, or decided about keeping. `second`: the second of two
    people.
    """

    kind: Literal["access"]
    access: AccessKind
    by: Subject
    second: Subject | None
    consultation: Consultation | None
    detail: Detail


class KeyLeaf(_Leaf):
    """The log is signed with another key from here on. Both as `<name>+<key id>+<base64>`, under one name.
    The old key signs the checkpoint that ends with this leaf.
    """

    kind: Literal["key"]
    key: Annotated[str, Field(max_length=300)]
    replaces: Annotated[str, Field(max_length=300)]


Leaf = OpenLeaf | RecordingLeaf | HeadLeaf | CloseLeaf | AddendumLeaf | AccessLeaf | KeyLeaf
_adapter: Final[TypeAdapter[Leaf]] = TypeAdapter(Annotated[Leaf, Field(discriminator="kind")])


def parse_leaf(data: bytes) -> Leaf:
    """A leaf's bytes → its model. Raises `ProtocolError` naming what is wrong."""
    if len(data) > MAX_LEAF_BYTES:
        raise ProtocolError("a leaf is longer than it may be")
    return make_leaf(canonical.decode(data))


def make_leaf(fields: Any) -> Leaf:
    """Raises `ProtocolError` naming the first field that is wrong."""
    try:
        return _adapter.validate_python(fields)
    except ValidationError as error:
        problem = error.errors(include_url=False, include_context=False, include_input=False)[0]
        where = ".".join(str(part) for part in problem["loc"]) or "leaf"
        raise ProtocolError(f"{where}: {problem['msg']}") from None


def spell_leaf(leaf: Leaf) -> bytes:
    """Its canonical bytes: what is hashed. Raises `ProtocolError` when they are too many."""
    data = canonical.encode(leaf.model_dump(mode="json"))
    if len(data) > MAX_LEAF_BYTES:
        raise ProtocolError("a leaf is longer than it may be")
    return data
