"""Events of one worker to whoever watches it (signaling), through bounded queues.

A reader that falls behind is disconnected, not silently robbed of events: on reconnecting it gets the whole
present state again, which is the only thing it needs.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Final

from core.messages import Model

QUEUE_MAX_EVENTS: Final = 2_000


class SlowReader(Exception):
    """This reader's queue was full; its connection must be closed."""


class Subscription:
    """One reader's queue."""

    def __init__(self, backlog: Iterable[Model], limit: int) -> None:
        self._queue: asyncio.Queue[Model] = asyncio.Queue()
        self._overflowed = False
        for event in backlog:
            self._queue.put_nowait(event)
        self._limit = limit + self._queue.qsize()

    def put(self, event: Model) -> bool:
        """False when the queue was full: the event is dropped and the reader will be told to start over."""
        if self._overflowed or self._queue.qsize() >= self._limit:
            self._overflowed = True
            return False
        self._queue.put_nowait(event)
        return True

    async def get(self) -> Model:
        """The next event. Raises `SlowReader` once events were dropped."""
        if self._overflowed:
            raise SlowReader
        return await self._queue.get()


class EventHub:
    """Fans events out to all readers."""

    def __init__(self, limit: int = QUEUE_MAX_EVENTS) -> None:
        self._limit = limit
        self._readers: set[Subscription] = set()
        self.dropped = 0

    @property
    def readers(self) -> int:
        """How many watch."""
        return len(self._readers)

    def emit(self, event: Model) -> None:
        """Queue the event for every reader; never waits."""
        for reader in self._readers:
            if not reader.put(event):
                self.dropped += 1

    @asynccontextmanager
    async def subscribe(self, backlog: Iterable[Model]) -> AsyncIterator[Subscription]:
        """A reader that first gets `backlog` (the present state), then everything emitted from now on."""
        reader = Subscription(backlog, self._limit)
        self._readers.add(reader)
        try:
            yield reader
        finally:
            self._readers.discard(reader)
