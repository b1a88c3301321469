"""Pure: the packets since the last keyframe, so that a late joiner has a picture at once.

Where the publisher can be asked, a keyframe on demand is better than seconds of old frames, so only a young group is
kept; where it cannot (FFmpeg's WHIP takes no PLI), the whole group is, within bounds.
"""

from __future__ import annotations

from typing import Final

from core.clock import NS_PER_MS, NS_PER_S
from rtp.packet import RtpPacket

ASKABLE_MAX_AGE_NS: Final = 700 * NS_PER_MS
"""Longer than the pause between two keyframe requests, so one of the two always gives a picture."""
UNASKABLE_MAX_AGE_NS: Final = 16 * NS_PER_S
"""FFmpeg's x264 makes a keyframe every 250 frames: 10 s at 25/s."""
MAX_BYTES: Final = 8 << 20


class GroupOfPictures:
    """Packets of one layer in order of arrival, beginning with the first packet of a keyframe.

    `packets` is a new list for each group, so a reader that kept the old one notices.
    """

    def __init__(self, max_age_ns: int, max_bytes: int = MAX_BYTES) -> None:
        self.packets: list[RtpPacket] = []
        self._max_age_ns = max_age_ns
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
        if self._bytes > self._max_bytes or now_ns - self._started_ns > self._max_age_ns:
            self.clear()

    def clear(self) -> None:
        """Forget the group: it grew too old or large, or the source changed."""
        self.packets = []
        self._bytes = 0
