"""What a feed's device delivers just now, and the slate that is shown while it delivers nothing."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol

from core.device_health import SignalState
from core.messages import FeedSignal, SignalTrouble
from edge_agents.sources.base import CapturedFrame

SILENCE_S: Final = 1.0
"""A device that delivers nothing for so long shows nothing, whatever its driver says."""
SLATE_EVERY_S: Final = 0.2
"""Often enough for who joins, or lost a packet, not to wait."""
FIRST_PICTURE_S: Final = 3.0
"""What a source may take to be opened before a slate is shown."""
NO_SIGNAL: Final = frozenset[SignalTrouble]({"no_signal", "unstable", "unsupported", "protected"})
"""The source works, the device's picture is missing; the rest are faults of the source."""


class SlateDrawer(Protocol):
    def draw(self, trouble: SignalTrouble) -> CapturedFrame:
        """The slate of now."""


@dataclass(frozen=True, slots=True)
class _Seen:
    state: SignalState
    trouble: SignalTrouble
    size: tuple[int, int]


class SignalWatch:
    """`changed` is called, in whatever thread notices it, when the signal comes, goes or changes its size."""

    def __init__(
        self,
        slate: SlateDrawer | None = None,
        changed: Callable[[FeedSignal], None] = lambda signal: None,
        *,
        fps: int = 30,
    ) -> None:
        self._slate, self._changed = slate, changed
        self._silence_s = max(SILENCE_S, 2.5 / fps)
        self._seen: _Seen | None = None
        self._lock = threading.Lock()

    @property
    def signal(self) -> FeedSignal | None:
        """None before anything is known."""
        seen = self._seen
        return None if seen is None else _told(seen)

    @property
    def state(self) -> SignalState | None:
        """As in `signal`."""
        return None if self._seen is None else self._seen.state

    @property
    def patience_s(self) -> float | None:
        """How long a picture may be waited for before `slate` is due; None: there are no slates."""
        if self._slate is None:
            return None
        seen = self._seen
        if seen is None:
            return FIRST_PICTURE_S
        return self._silence_s if seen.state == "ok" else SLATE_EVERY_S

    def arrived(self, frame: CapturedFrame) -> None:
        """A picture of the device."""
        self._set(_Seen("ok", "", frame.source_size or (0, 0)))

    def failed(self, trouble: SignalTrouble) -> CapturedFrame | None:
        """The source gave up → the slate to show at once."""
        self._set(_Seen("none" if trouble in NO_SIGNAL else "failing", trouble, (0, 0)))
        return None if self._slate is None else self._slate.draw(trouble)

    def silent(self) -> CapturedFrame | None:
        """Nothing came for `patience_s` → a slate. What is known to be wrong stays so."""
        seen = self._seen
        return self.failed("no_signal" if seen is None or not seen.trouble else seen.trouble)

    def _set(self, seen: _Seen) -> None:
        with self._lock:
            if seen == self._seen:
                return
            self._seen = seen
        self._changed(_told(seen))


def _told(seen: _Seen) -> FeedSignal:
    return FeedSignal(state=seen.state, trouble=seen.trouble, width=seen.size[0], height=seen.size[1])
