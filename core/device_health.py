"""How a capture box is, as it travels: to the service, to the box's own status page, to `edge status`."""

from __future__ import annotations

from typing import Annotated, Final, Literal, get_args

from pydantic import Field

from core.annotations import Part
from core.vocabulary import Identifier

LogLevel = Literal["debug", "info", "warning", "error"]
SignalState = Literal["ok", "none", "failing"]
"""ok: pictures come. none: the source says that there is no signal. failing: the source cannot be opened, or
its pictures stopped."""
Word = Annotated[str, Field(max_length=64, pattern=r"^[A-Za-z0-9 ._:+/()-]*$")]
Count = Annotated[int, Field(ge=0, le=2**53 - 1)]
CLOCK_WARN_MS: Final = 500
HOT_C: Final = 85.0
DISK_LOW_BYTES: Final = 256 << 20
Trouble = Literal["no_signal", "source_fails", "not_flowing", "clock_off", "hot", "disk_low"]
TROUBLES: Final[tuple[Trouble, ...]] = get_args(Trouble)


class FeedHealth(Part):
    """One feed. `frames_per_s`: captured just now. `flowing`: captured and encoded. `sent`: packets go to the
    server. `uplink_bps`: what the path carries, as far as known.
    """

    feed: Identifier
    signal: SignalState
    flowing: bool
    sent: bool
    frames_per_s: float = Field(ge=0, le=1000, allow_inf_nan=False)
    encoder: Word = ""
    width: int = Field(default=0, ge=0, le=16_384)
    height: int = Field(default=0, ge=0, le=16_384)
    uplink_bps: Count | None = None


class DeviceHealth(Part):
    """The whole box. What cannot be measured is None.

    `clock_off_ms`: how far its clock is ahead of the server's. `buffer_bytes`: waiting to be delivered later.
    """

    feeds: list[FeedHealth] = Field(default=[], max_length=16)
    version: Word = ""
    temperature_c: float | None = Field(default=None, ge=-100, le=300, allow_inf_nan=False)
    clock_off_ms: int | None = Field(default=None, ge=-(2**53) + 1, le=2**53 - 1)
    buffer_bytes: Count | None = None
    memory_bytes: Count = 0
    disk_free_bytes: Count | None = None
    running_s: Count = 0

    @property
    def troubles(self) -> list[Trouble]:
        """What somebody should look at."""
        found: dict[Trouble, bool] = {
            "no_signal": any(feed.signal == "none" for feed in self.feeds),
            "source_fails": any(feed.signal == "failing" for feed in self.feeds),
            "not_flowing": any(feed.signal == "ok" and not feed.flowing for feed in self.feeds),
            "clock_off": self.clock_off_ms is not None and abs(self.clock_off_ms) > CLOCK_WARN_MS,
            "hot": self.temperature_c is not None and self.temperature_c >= HOT_C,
            "disk_low": self.disk_free_bytes is not None and self.disk_free_bytes < DISK_LOW_BYTES,
        }
        return [trouble for trouble, there in found.items() if there]
