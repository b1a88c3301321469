"""Encoded pictures and sound on their way from the threads that made them to the event loop."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable
from typing import Final

from edge_agents.audio import EncodedAudio
from edge_agents.encoder import EncodedFrame

MAX_WAITING: Final = 8
"""Access units; a loop that is this far behind is stuck, and old pictures help nobody."""
MAX_WAITING_AUDIO: Final = 25
"""Half a second."""


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


class AudioOutbox:
    """Bounded hand-over of Opus packets; when full the oldest goes."""

    def __init__(self, loop: asyncio.AbstractEventLoop, deliver: Callable[[EncodedAudio], None]) -> None:
        self._loop, self._deliver = loop, deliver
        self._waiting: deque[EncodedAudio] = deque(maxlen=MAX_WAITING_AUDIO)

    def put(self, unit: EncodedAudio) -> None:
        """Called in the audio thread; never blocks."""
        self._waiting.append(unit)
        # Looked at after appending: the drain ends only when it finds nothing left.
        if len(self._waiting) == 1 and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._drain)

    def _drain(self) -> None:
        while self._waiting:
            self._deliver(self._waiting.popleft())
