"""Pure: which frames of an H.264 stream a viewer could show, and when."""

from __future__ import annotations

from itertools import pairwise
from typing import Final

from core.clock import NS_PER_S
from rtp.keyframe import is_keyframe
from rtp.packet import RtpPacket
from rtp.sequence import SequenceUnwrapper

MAX_BUFFERED: Final = 4096


class FrameWatch:
    """Give it every media packet once, in any order. A frame is shown when it is whole and so is everything
    since the last keyframe; a whole keyframe is shown whatever is missing before it.
    """

    def __init__(self) -> None:
        self.shown_ns: list[int] = []
        self._unwrapper = SequenceUnwrapper()
        self._packets: dict[int, tuple[int, bool]] = {}
        """Number → (timestamp, marker)."""
        self._keyframes: set[int] = set()
        """Those of them that begin a keyframe."""
        self._next: int | None = None
        """The first packet of the frame that comes next."""
        self._keyframe_ts: int | None = None

    def received(self, packet: RtpPacket, now_ns: int) -> None:
        """One packet, after repair."""
        index = self._unwrapper.unwrap(packet.sequence_number)
        if self._next is not None and index < self._next:
            return
        if is_keyframe("H264", packet.payload) and packet.timestamp != self._keyframe_ts:
            self._keyframe_ts = packet.timestamp
            self._keyframes.add(index)
        self._packets[index] = (packet.timestamp, packet.marker)
        while self._advance(now_ns):
            pass
        if len(self._packets) > MAX_BUFFERED:
            oldest = min(self._packets)
            del self._packets[oldest]
            self._keyframes.discard(oldest)

    def _advance(self, now_ns: int) -> bool:
        if self._next is not None and (end := self._end_of_frame(self._next)) is not None:
            return self._show(end, now_ns)
        for index in sorted(self._keyframes):
            end = self._end_of_frame(index)
            if end is not None:
                return self._show(end, now_ns)
        return False

    def _end_of_frame(self, first: int) -> int | None:
        """The number of its last packet when it is all here."""
        index, begun = first, self._packets.get(first)
        while begun is not None:
            packet = self._packets.get(index)
            if packet is None or packet[0] != begun[0]:
                return None
            if packet[1]:
                return index
            index += 1
        return None

    def _show(self, end: int, now_ns: int) -> bool:
        self.shown_ns.append(now_ns)
        self._packets = {index: packet for index, packet in self._packets.items() if index > end}
        self._keyframes = {index for index in self._keyframes if index > end}
        self._next = end + 1
        return True

    def longest_gap_s(self, from_ns: int, to_ns: int) -> float:
        """The longest time without a new picture within [from, to], in seconds."""
        times_ns = [from_ns, *(at_ns for at_ns in self.shown_ns if from_ns <= at_ns <= to_ns), to_ns]
        return max(after_ns - at_ns for at_ns, after_ns in pairwise(times_ns)) / NS_PER_S
