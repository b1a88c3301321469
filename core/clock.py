"""Time, read at one place so that everything else can take it as an argument."""

from __future__ import annotations

import time
from typing import Final, Protocol

NS_PER_S: Final = 1_000_000_000
NS_PER_MS: Final = 1_000_000
NS_PER_US: Final = 1_000
NTP_UNIX_OFFSET_S: Final = 2_208_988_800
"""Seconds between the NTP era (1900) and the Unix epoch (RFC 5905, figure 4)."""


class Clock(Protocol):
    """What drivers ask for time; tests pass a fake."""

    def unix_ns(self) -> int:
        """Nanoseconds since 1970 UTC; comparable across machines, may step."""

    def monotonic_ns(self) -> int:
        """Nanoseconds that never step; comparable only inside one process."""


class SystemClock:
    """The machine's clocks."""

    def unix_ns(self) -> int:
        return time.time_ns()

    def monotonic_ns(self) -> int:
        return time.monotonic_ns()


def unix_ns_to_ntp(unix_ns: int) -> int:
    """Unix nanoseconds → 64-bit NTP timestamp, 32.32 fixed point (RFC 5905 §6)."""
    seconds, rest_ns = divmod(unix_ns, NS_PER_S)
    return ((seconds + NTP_UNIX_OFFSET_S) << 32) | ((rest_ns << 32) // NS_PER_S)


def ntp_to_unix_ns(ntp: int) -> int:
    """64-bit NTP timestamp → Unix nanoseconds."""
    return ((ntp >> 32) - NTP_UNIX_OFFSET_S) * NS_PER_S + (((ntp & 0xFFFFFFFF) * NS_PER_S) >> 32)
