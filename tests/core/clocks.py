"""A clock that moves when told."""

from __future__ import annotations

from core.clock import NS_PER_S


class FakeClock:
    """Starts at a fixed moment; `advance` moves both of its hands."""

    def __init__(self) -> None:
        self.now_ns = 1_800_000_000 * NS_PER_S

    def unix_ns(self) -> int:
        return self.now_ns

    def monotonic_ns(self) -> int:
        return self.now_ns

    def advance(self, seconds: float) -> None:
        self.now_ns += int(seconds * NS_PER_S)
