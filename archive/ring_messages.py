"""Pure: what box, service and recorder say to each other about what is delivered later.

The box asks the service, which passes the question on to the recorder, and the recorder's answer back: the
recorder alone knows the archive. Nothing of it stays with the service.
"""

from __future__ import annotations

from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from archive.entries import Count, Digest, Microseconds, Track
from archive.ring import MAX_OBJECT_BYTES, BufferKey, Consultation, Device, RingHead
from core.vocabulary import Identifier

MAX_LINES_BYTES: Final = 96 * 1024
"""Of a ring's manifest that are sent in one go."""
MAX_SPANS: Final = 256
MAX_THERE: Final = 8192
Step = Literal["key", "commit", "lines", "wanted", "piece", "done"]
Refusal = Literal[
    "not_recorded",
    "ring_unknown",
    "ring_invalid",
    "not_committed",
    "not_wanted",
    "out_of_order",
    "paused",
    "not_granted",
    "storage_failed",
]
"""not_recorded: there is no archive, or it takes nothing more. ring_unknown: commit first. not_committed: no
line under a committed head names it. out_of_order: its init piece comes first."""


class _Message(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class WantedSpan(_Message):
    """A hole of one track, microseconds since the consultation's epoch."""

    track: Track
    begin_us: Microseconds
    end_us: Microseconds


class BackfillAsk(_Message):
    """One question of a box. `commit`: how far its ring goes, before anything else. `lines`: those of its
    manifest from `first` on. `wanted`: what is missing. `done`: there is nothing more to come.

    `ring`: the SHA-256 of the ring's first line.
    """

    lease: str = Field(min_length=20, max_length=100, repr=False)
    step: Literal["commit", "lines", "wanted", "done"]
    ring: Digest
    head: RingHead | None = None
    first: Count = 0
    lines: str = Field(default="", max_length=MAX_LINES_BYTES)


class BackfillAnswer(_Message):
    """`known`: how many lines of the ring's manifest the recorder holds. `there`: entries it has already.
    `never`: entries of a privacy pause, or of a time for which somebody had recording stopped: a box that was
    cut off could not know, and removes them now. `refused`: why not, and then nothing else counts.
    """

    known: Count = 0
    spans: list[WantedSpan] = Field(default=[], max_length=MAX_SPANS)
    there: list[Count] = Field(default=[], max_length=MAX_THERE)
    never: list[Count] = Field(default=[], max_length=MAX_THERE)
    key: BufferKey | None = None
    refused: Refusal | None = None


class BackfillLease(_Message):
    """What lets one box deliver to one consultation's archive, for `expires_in` seconds."""

    lease: str = Field(repr=False)
    expires_in: int
    key: BufferKey


class BackfillQuestion(_Message):
    """As the recorder gets it. The service vouches for `device`, its `public_key` (base64url) and `feeds`."""

    question_id: Identifier
    consultation: Consultation
    device: Device
    public_key: str = Field(max_length=64)
    feeds: list[Identifier] = Field(max_length=64)
    step: Step
    ring: str = Field(default="", max_length=64)
    head: RingHead | None = None
    first: Count = 0
    lines: str = Field(default="", max_length=MAX_LINES_BYTES)
    entry: Count = 0
    size: Annotated[int, Field(ge=0, le=MAX_OBJECT_BYTES)] = 0
