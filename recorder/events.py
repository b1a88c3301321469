"""Pure: what happens in the room besides the media, as lines of JSON on the consultation's timeline."""

from __future__ import annotations

import json
from typing import Any, Final

from archive.specs import Span
from core.clock import NS_PER_S
from core.messages import (
    ArchiveHead,
    CaptureClock,
    CheckCode,
    Error,
    LayerChanged,
    LayersWanted,
    MarksMoved,
    MediaReset,
    Model,
    Offer,
    Pong,
    Published,
    Renewed,
    SetLogLevel,
    TakeStill,
    Waiting,
    Welcome,
)
from recorder.jobs import EventsJob

FLUSH_NS: Final = NS_PER_S
"""Events are sealed at most this long after they happened."""
MAX_LINES: Final = 1_000
"""More than this are sealed at once."""
SAME_FRAME_US: Final = 8_000
"""Capture times this near are one frame: frames of 60 a second are 16,667 apart."""

NOT_ARCHIVED: Final = (
    Error,
    ArchiveHead,
    CheckCode,
    LayerChanged,
    LayersWanted,
    MediaReset,
    Offer,
    Pong,
    Published,
    Renewed,
    SetLogLevel,
    TakeStill,
    Waiting,
)
"""What the server says to us as a client. Everything else it says is something that happened in the room."""
_OUR_OWN: Final = {"resume_token", "type", "quality_limits", "ice_servers", "token_expires_at_us"}


class EventLog:
    """Collects events until it is time to seal them."""

    def __init__(self, epoch_us: int) -> None:
        self._epoch_us = epoch_us
        self._lines: list[bytes] = []
        self._begin_us = self._end_us = 0
        self._first_ns = 0
        self._moved_us: dict[str, int] = {}
        """Of each feed: the frame that was last told where its marks are."""

    def add_message(self, message: Model, unix_us: int, now_ns: int) -> None:
        """A message from the server, if it tells of something that happened."""
        if isinstance(message, Welcome):
            fields = message.model_dump(mode="json", exclude=_OUR_OWN)
            self.add({"type": "room_state", **fields}, unix_us, now_ns)
        elif not isinstance(message, NOT_ARCHIVED) and not self._told_before(message):
            self.add(message.model_dump(mode="json"), unix_us, now_ns)

    def _told_before(self, message: Model) -> bool:
        """Where marks have moved is kept once for each frame of a feed, whatever a box says."""
        if not isinstance(message, MarksMoved):
            return False
        last_us = self._moved_us.get(message.feed)
        if last_us is not None and abs(message.captured_us - last_us) < SAME_FRAME_US:
            return True
        self._moved_us[message.feed] = message.captured_us
        return False

    def add_clock(self, message: CaptureClock, unix_us: int, now_ns: int) -> None:
        """How a track's RTP time was mapped to capture time: it dates every frame of it."""
        self.add(message.model_dump(mode="json"), unix_us, now_ns)

    def add(self, fields: dict[str, Any], unix_us: int, now_ns: int) -> None:
        """One event that happened now."""
        at_us = max(0, unix_us - self._epoch_us)
        if not self._lines:
            self._begin_us, self._first_ns = at_us, now_ns
        self._end_us = max(at_us, self._begin_us)
        line = {**fields, "at_us": at_us}
        if "at_us" in fields:
            line["said_at_us"] = fields["at_us"]  # the server's clock; lines are dated by ours
        self._lines.append(json.dumps(line, ensure_ascii=False, separators=(",", ":")).encode())

    def poll(self, now_ns: int) -> EventsJob | None:
        """What is to be sealed now."""
        if self._lines and (now_ns - self._first_ns >= FLUSH_NS or len(self._lines) >= MAX_LINES):
            return self.take()
        return None

    def take(self) -> EventsJob | None:
        """All there is."""
        if not self._lines:
            return None
        lines, self._lines = tuple(self._lines), []
        return EventsJob(lines, Span(self._begin_us, self._end_us))
