"""What several edge tests share: a clock that is moved by hand, a decoder."""

from __future__ import annotations

from collections.abc import Iterable

import av

from edge_agents.encoder import EncodedFrame


class StepClock:
    """Stands still until told."""

    def __init__(self, unix_ns: int = 1_795_300_000_000_000_000, monotonic_ns: int = 1_000_000_000) -> None:
        self._unix_ns, self._monotonic_ns = unix_ns, monotonic_ns

    def unix_ns(self) -> int:
        return self._unix_ns

    def monotonic_ns(self) -> int:
        return self._monotonic_ns

    def advance(self, ns: int) -> None:
        self._unix_ns += ns
        self._monotonic_ns += ns


def decode_units(units: Iterable[EncodedFrame]) -> list[av.VideoFrame]:
    """Decode access units in order with FFmpeg's H.264 decoder."""
    return decode_data(unit.data for unit in units)


def decode_data(units: Iterable[bytes]) -> list[av.VideoFrame]:
    """As `decode_units`, from Annex B bytes."""
    decoder = av.CodecContext.create("h264", "r")
    pictures: list[av.VideoFrame] = []
    for unit in units:
        pictures += decoder.decode(av.Packet(unit))
    pictures += decoder.decode(None)
    return pictures
