"""A place for one thing between two threads: the newest wins; what nobody fetched in time is counted."""

from __future__ import annotations

import threading
from typing import Generic, TypeVar

T = TypeVar("T")


class Mailbox(Generic[T]):
    """Single slot. Putting never blocks; a value that was not taken before the next one came is dropped."""

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._value: T | None = None
        self._closed = False
        self.dropped = 0

    def put(self, value: T) -> None:
        """Leave `value`, replacing (and counting) one still there. Ignored once closed."""
        with self._condition:
            if self._closed:
                return
            if self._value is not None:
                self.dropped += 1
            self._value = value
            self._condition.notify()

    def take(self, timeout_s: float | None = None) -> T | None:
        """Wait for a value and fetch it. None after `timeout_s`, or when closed."""
        with self._condition:
            self._condition.wait_for(lambda: self._value is not None or self._closed, timeout_s)
            value, self._value = self._value, None
            return value

    def close(self) -> None:
        """Wake whoever waits; nothing goes in or out any more."""
        with self._condition:
            self._closed = True
            self._value = None
            self._condition.notify_all()

    @property
    def closed(self) -> bool:
        return self._closed
