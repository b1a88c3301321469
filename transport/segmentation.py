"""Pure: which datagrams may leave in one UDP_SEGMENT call."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

MAX_SEGMENTS: Final = 60
"""Older kernels allow 64 (UDP_MAX_SEGMENTS)."""
MAX_RUN_BYTES: Final = 65_000
"""One call makes one (huge) IP datagram before it is cut: 65,535 bytes less headers."""


def runs(datagrams: Sequence[bytes], max_segment_bytes: int = MAX_RUN_BYTES) -> Iterator[tuple[int, int]]:
    """Cut `datagrams` into (start, end) slices of one size each, in order; the last of a slice may be
    shorter.

    Sizes above `max_segment_bytes` and empty datagrams make slices of one.
    """
    start, count = 0, len(datagrams)
    while start < count:
        end = _run_end(datagrams, start, max_segment_bytes)
        yield start, end
        start = end


def _run_end(datagrams: Sequence[bytes], start: int, max_segment_bytes: int) -> int:
    size = len(datagrams[start])
    end = start + 1
    if not 0 < size <= max_segment_bytes:
        return end
    limit = min(len(datagrams), start + MAX_SEGMENTS, start + MAX_RUN_BYTES // size)
    while end < limit and len(datagrams[end]) == size:
        end += 1
    if end < limit and 0 < len(datagrams[end]) < size:
        end += 1
    return end
