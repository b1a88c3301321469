"""Pure: what the media side hands to the writing side."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from archive.samples import Sample, TrackFormat
from archive.specs import Span


@dataclass(slots=True)
class Generation:
    """A generation to be. The writer gives it its `number` when its init piece is in the archive;
    `sequence` counts its pieces, whether they could be written or not.
    """

    track: str
    format: TrackFormat
    first: Sample
    reason: str
    feed: str
    input: str
    track_id: str
    number: int | None = None
    sequence: int = 0


@dataclass(frozen=True, slots=True)
class PieceJob:
    """At most a second of one generation."""

    generation: Generation
    samples: tuple[Sample, ...]
    span: Span
    sync: bool
    clock: Literal["capture", "arrival"]
    uncertainty_us: int

    @property
    def cost_bytes(self) -> int:
        return sum(len(sample.data) for sample in self.samples)


@dataclass(frozen=True, slots=True)
class GapJob:
    """Something is missing; `track` None: everything."""

    track: str | None
    span: Span
    reason: str


@dataclass(frozen=True, slots=True)
class EventsJob:
    """Lines of JSON, one event each, without newlines."""

    lines: tuple[bytes, ...]
    span: Span

    @property
    def cost_bytes(self) -> int:
        return sum(map(len, self.lines))


TrackJob = PieceJob | GapJob
