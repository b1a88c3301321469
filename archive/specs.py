"""Pure: what a writer is told about a generation and a piece, and spans of the timeline."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from archive import layout
from archive.entries import Codec


@dataclass(frozen=True, slots=True)
class Span:
    """Microseconds since the epoch of the consultation, on the timeline of capture time."""

    begin_us: int
    end_us: int


@dataclass(frozen=True, slots=True)
class GenerationSpec:
    """What an init piece is for. `input`: device, microphone, camera or screen; `track_id`: the room's name
    of it.
    """

    media: Literal["audio", "video"]
    codec: Codec
    container: layout.Container
    timescale: int
    feed: str
    input: str
    track_id: str
    width: int = 0
    height: int = 0


@dataclass(frozen=True, slots=True)
class PieceSpec:
    """What a piece holds. `clock`: whether its times are capture times or only arrival times."""

    span: Span
    frames: int
    sync: bool
    clock: Literal["capture", "arrival"] = "capture"
    uncertainty_us: int = 0
    source: Literal["live", "backfill"] = "live"
