"""What the room service needs of a client's WebSocket."""

from __future__ import annotations

from typing import Final, Protocol

from core.messages import Model

CLOSE_NORMAL: Final = 1000
CLOSE_GOING_AWAY: Final = 1001
CLOSE_UNAUTHORIZED: Final = 4401
CLOSE_FORBIDDEN: Final = 4403
CLOSE_NOT_FOUND: Final = 4404
CLOSE_TIMEOUT: Final = 4408
CLOSE_REPLACED: Final = 4409
CLOSE_TAKEN_OVER: Final = 4410
CLOSE_FLOOD: Final = 4429
CLOSE_UNAVAILABLE: Final = 4503


class Connection(Protocol):
    """A live WebSocket. No call blocks."""

    def send(self, message: Model) -> None:
        """Queue a message; a client too slow to take its messages is cut off (it may resume)."""

    def send_latest(self, key: str, message: Model) -> None:
        """Queue a message that may be dropped: what comes later under the same `key` takes its place."""

    def close(self, code: int, reason: str) -> None:
        """End it after what is queued."""
