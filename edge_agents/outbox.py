"""Encoded pictures on their way from the encoder's thread to the event loop."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable
from typing import Final

from edge_agents.encoder import EncodedFrame

MAX_WAITING: Final = 8
"""Access units; a loop that is this far behind is stuck, and old pictures help nobody."""


class Outbox:
    """Bounded hand-over. When full it drops everything waiting, and whatever follows until the next keyframe:
    a picture whose reference is missing cannot be decoded.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        deliver: Callable[[EncodedFrame], None],
        request_keyframe: Callable[[], None],
    ) -> None:
        self._loop, self._deliver, self._request_keyframe = loop, deliver, request_keyframe
        self._lock = threading.Lock()
        self._waiting: deque[EncodedFrame] = deque()
        self._needs_keyframe = False
        self.dropped = 0

    def put(self, frame: EncodedFrame) -> None:
        """Called in the encoder's thread; never blocks."""
        with self._lock:
            if not self._admit(frame):
                self.dropped += 1
                return
            self._waiting.append(frame)
            wake = len(self._waiting) == 1
        if wake and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._drain)

    def _admit(self, frame: EncodedFrame) -> bool:
        if frame.keyframe:
            self._needs_keyframe = False
        if self._needs_keyframe:
            return False
        if len(self._waiting) < MAX_WAITING:
            return True
        self.dropped += len(self._waiting)
        self._waiting.clear()
        self._needs_keyframe = not frame.keyframe
        if self._needs_keyframe:
            self._request_keyframe()
        return frame.keyframe

    def _drain(self) -> None:
        with self._lock:
            frames = list(self._waiting)
            self._waiting.clear()
        for frame in frames:
            self._deliver(frame)
