"""Pure: frames as a container takes them, and what of a track its init piece depends on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from archive.entries import Codec
from archive.layout import Container

VIDEO_TIMESCALE: Final = 90_000
AUDIO_TIMESCALE: Final = 48_000
WEBM_TIMESCALE: Final = 1_000


@dataclass(frozen=True, slots=True)
class TrackFormat:
    """All that an init piece depends on besides the codec's own headers."""

    codec: Codec
    width: int = 0
    height: int = 0

    @property
    def media(self) -> Literal["audio", "video"]:
        return "audio" if self.codec == "opus" else "video"

    @property
    def container(self) -> Container:
        """VP8 has no settled mapping to MP4."""
        return "webm" if self.codec == "VP8" else "mp4"

    @property
    def timescale(self) -> int:
        """Ticks per second of `Sample` times."""
        if self.container == "webm":
            return WEBM_TIMESCALE
        return AUDIO_TIMESCALE if self.codec == "opus" else VIDEO_TIMESCALE


@dataclass(frozen=True, slots=True)
class Sample:
    """One frame. `ticks`: decode (= presentation) time on the timeline; `duration`: ticks until the next."""

    data: bytes
    ticks: int
    duration: int
    sync: bool
