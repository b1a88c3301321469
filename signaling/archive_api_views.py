"""What the archive's part of the REST API takes and gives."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from core.messages import Identifier, Model
from signaling.fields import RequestModel

ArchiveState = Literal["recording", "closed", "missing"]
"""`missing`: it was to be recorded, and nothing of it is there."""


class ArchiveQuery(RequestModel):
    """For the next page: `before_us` is the last one's `opened_at_us`."""

    before_us: int | None = Field(
        default=None, ge=0, le=2**53, strict=False, description="opened before, µs since 1970"
    )


class ArchiveView(Model):
    """One archived consultation. `retention_class`: how long it is kept. `length_us`: None while it goes on;
    by its closing entry, unverified.
    """

    consultation_id: Identifier
    header: str
    specialty: str
    site: str
    opened_at_us: int
    closed_at_us: int | None
    state: ArchiveState
    length_us: int | None
    objects: int | None
    size_bytes: int | None
    retention_class: str


class Decider(Model):
    """Somebody who approved a decision: the id in its line, and their name in the directory now."""

    subject: str
    name: str


class ArchiveDetail(ArchiveView):
    """`unentered`: objects that exist and no entry names, 100 at most. `manifest_bytes`: its size now.
    `decided`: people decided something about it later (holds, shredding, new custodians, exports);
    `deciders`: those of them that are the organisation's own.
    """

    manifest_bytes: int
    unentered: list[str]
    decided: bool
    deciders: list[Decider]


class Replay(Model):
    """What stands in the audit trail as `replay`."""

    replay_id: Identifier
    began_at_us: int


class Signer(Model):
    """A key this service trusts to sign archives. `source` `archive`: listed beside what it signs."""

    public: str
    source: Literal["settings", "archive"]
