"""Pure: the packets since the last keyframe, so that a late joiner has a picture at once.

Where the publisher can be asked, a keyframe on demand is better than seconds of old frames, so only a young
group is served; where it cannot (FFmpeg's WHIP takes no PLI), the whole group is, within bounds.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from core.clock import NS_PER_MS, NS_PER_S
from rtp.packet import RtpPacket

ASKABLE_SERVE_NS: Final = 700 * NS_PER_MS
"""Longer than the pause between two keyframe requests, so one of the two always gives a picture."""
UNASKABLE_SERVE_NS: Final = 15 * NS_PER_S
"""FFmpeg's x264 makes a keyframe every 250 frames: 10 s at 25/s."""
KEEP_LONGER_NS: Final = 1 * NS_PER_S
"""A reader that began just in time must be able to reach the end."""
MAX_BYTES: Final = 8 << 20


class GroupOfPictures:
    """Packets of one layer in order of arrival, beginning with the first packet of a keyframe.

    `packets` is a new list for each group, so a reader that kept the old one notices.
    """

    __slots__ = ("_bytes", "_max_bytes", "_serve_ns", "_started_ns", "packets")

    def __init__(self, serve_ns: int, max_bytes: int = MAX_BYTES) -> None:
        self.packets: list[RtpPacket] = []
        self._serve_ns = serve_ns
        self._max_bytes = max_bytes
        self._bytes = 0
        self._started_ns = 0

    def add(self, packet: RtpPacket, keyframe: bool, now_ns: int) -> None:
        """`keyframe`: this packet begins one. Packets before the first keyframe are not kept."""
        if keyframe and not (self.packets and self.packets[0].timestamp == packet.timestamp):
            self.packets, self._bytes, self._started_ns = [], 0, now_ns
        elif not self.packets:
            return
        self.packets.append(packet)
        self._bytes += len(packet.payload)
        too_old = now_ns - self._started_ns > self._serve_ns + KEEP_LONGER_NS
        if too_old or self._bytes > self._max_bytes:
            self.clear()

    def extend(self, packets: Sequence[RtpPacket], octets: int, now_ns: int) -> None:
        """As `add` for packets of which none begins a keyframe; `octets`: their payloads' bytes."""
        if not self.packets:
            return
        self.packets += packets
        self._bytes += octets
        if now_ns - self._started_ns > self._serve_ns + KEEP_LONGER_NS or self._bytes > self._max_bytes:
            self.clear()

    def serve(self, now_ns: int) -> list[RtpPacket] | None:
        """The group when a joiner may begin with it; it goes on growing."""
        if not self.packets or now_ns - self._started_ns > self._serve_ns:
            return None
        return self.packets

    def clear(self) -> None:
        """Forget the group: it grew too old or large, or the source changed."""
        self.packets = []
        self._bytes = 0
