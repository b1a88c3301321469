"""One continuous outgoing stream out of changing sources."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Final

from core.clock import NS_PER_S
from rtp.sequence import seq_delta, timestamp_delta

MAX_GAP: Final = 1000
"""A larger jump in the source is not loss that could be repaired: no numbers are kept free for it."""
MAX_LATE: Final = 1024
"""A packet later than this is dropped; well inside the SRTP windows of both ends."""
MAX_SEGMENTS: Final = 512
"""Stretches of constant offset remembered for `source_of`; older ones are forgotten."""
_MAX_TIMESTAMP_STEP: Final = 0x7FFFFFFF


class StreamRewriter:
    """Gives each forwarded packet of one consumer its sequence number and timestamp.

    Gaps of the present source stay gaps, so that a late or repaired packet finds its number free; packets the
    owner drops on purpose (`skip`) leave none. After `switch` the first packet of the new source gets the
    next number and a timestamp advanced by the time that has passed; what is still under way from before gets
    None. No number is ever given twice. Numbers and timestamps on the outside are those of the wire (16 and
    32 bits).
    """

    __slots__ = (
        "_begun",
        "_clock_rate",
        "_elapsed_ns",
        "_highest",
        "_holes",
        "_last_ns",
        "_last_timestamp",
        "_next",
        "_offset",
        "_running",
        "_segments",
        "_timestamp_next",
        "source",
        "timestamp_offset",
    )

    def __init__(self, clock_rate: int, first_sequence: int, first_timestamp: int) -> None:
        self._clock_rate = clock_rate
        self.source: int | None = None
        """The present source, as given to `switch`."""
        self.timestamp_offset = 0
        """Outgoing minus source timestamp, modulo 2³², while packets flow."""
        self._running = False
        """False until the first packet after a switch."""
        self._begun = first_sequence
        """The first outgoing number since the last switch, unwrapped."""
        self._next: int = first_sequence
        """Outgoing number, unwrapped, with which the next run begins; only read while not running."""
        self._timestamp_next: int | None = first_timestamp
        """The very first outgoing timestamp; None afterwards."""
        self._elapsed_ns: int | None = None
        self._highest = 0
        """Source number forwarded or skipped last, unwrapped."""
        self._offset = 0
        """Outgoing minus source number, unwrapped."""
        self._last_timestamp = 0
        """Newest source timestamp forwarded, and when its first packet came."""
        self._last_ns = 0
        self._holes: dict[int, int] = {}
        """Source number that has not come → the outgoing number kept for it."""
        self._segments: deque[tuple[int, int, int, int]] = deque(maxlen=MAX_SEGMENTS)
        """(first outgoing number, source, offset, timestamp offset)."""

    @property
    def last_timestamp(self) -> int | None:
        """Outgoing timestamp of the newest frame; None before the first packet."""
        if self._timestamp_next is not None:
            return None
        return (self._last_timestamp + self.timestamp_offset) & 0xFFFFFFFF

    def switch(self, source: int, *, elapsed_ns: int | None = None, unsent: int = 0) -> None:
        """From now on only packets of `source` pass; also to be called when the same source goes on after a
        pause.

        `elapsed_ns`: capture time between the last frame forwarded and the first one to come, when known;
        else the time between their arrivals counts. `unsent`: so many of the newest numbers were given, but
        nothing was sealed with them: they are given again.
        """
        if self._running:
            self._next = self._highest + self._offset + 1 - unsent
            self._running = False
        self.source = source
        self._elapsed_ns = elapsed_ns
        self._holes.clear()

    def newest_are(self, numbers: Sequence[int]) -> bool:
        """True when these outgoing numbers, in this order, are the last ones given."""
        first = self._highest + self._offset + 1 - len(numbers)
        return self._running and all(
            number == (first + index) & 0xFFFF for index, number in enumerate(numbers)
        )

    def rewrite(
        self, source: int, sequence_number: int, timestamp: int, now_ns: int
    ) -> tuple[int, int] | None:
        """Outgoing (sequence number, timestamp) for a source packet, None when it must not be forwarded.

        `now_ns`: monotonic, when the packet arrived.
        """
        if source != self.source:
            return None
        if not self._running:
            return self._begin(sequence_number, timestamp, now_ns)
        highest = self._highest + 1
        if highest & 0xFFFF == sequence_number:
            self._highest = highest
            outgoing = highest + self._offset
        else:
            placed = self._place(sequence_number)
            if placed is None:
                return None
            outgoing = placed
        if timestamp != self._last_timestamp and timestamp_delta(timestamp, self._last_timestamp) > 0:
            self._last_timestamp = timestamp
            self._last_ns = now_ns
        return outgoing & 0xFFFF, (timestamp + self.timestamp_offset) & 0xFFFFFFFF

    def rewrite_run(
        self, source: int, first_sequence: int, count: int, last_timestamp: int, now_ns: int
    ) -> tuple[int, int] | None:
        """(offset of numbers, offset of timestamps) to add to `count` packets of successive numbers.

        None when they are not simply the next ones of the present source: then `rewrite` each. The timestamps
        must not fall; `last_timestamp` is that of the last packet.
        """
        highest = self._highest
        if not self._running or source != self.source or (highest + 1) & 0xFFFF != first_sequence:
            return None
        self._highest = highest + count
        if (
            last_timestamp != self._last_timestamp
            and timestamp_delta(last_timestamp, self._last_timestamp) > 0
        ):
            self._last_timestamp = last_timestamp
            self._last_ns = now_ns
        return self._offset, self.timestamp_offset

    def _begin(self, sequence_number: int, timestamp: int, now_ns: int) -> tuple[int, int]:
        if self._timestamp_next is not None:
            outgoing_timestamp = self._timestamp_next
            self._timestamp_next = None
        else:
            outgoing_timestamp = self._last_timestamp + self.timestamp_offset + self._timestamp_step(now_ns)
        self.timestamp_offset = (outgoing_timestamp - timestamp) & 0xFFFFFFFF
        self._last_timestamp = timestamp
        self._last_ns = now_ns
        self._highest = sequence_number
        self._offset = self._next - sequence_number
        self._begun = self._next
        self._running = True
        self._add_segment()
        return self._next & 0xFFFF, outgoing_timestamp & 0xFFFFFFFF

    def _timestamp_step(self, now_ns: int) -> int:
        elapsed_ns = now_ns - self._last_ns if self._elapsed_ns is None else self._elapsed_ns
        return max(1, min(_MAX_TIMESTAMP_STEP, elapsed_ns * self._clock_rate // NS_PER_S))

    def _add_segment(self, shift: int = 0) -> None:
        """The present offset holds from the outgoing number of `_highest` + `shift` on."""
        assert self.source is not None
        first = self._highest + self._offset + shift
        if self._segments and self._segments[-1][0] == first:
            self._segments.pop()
        self._segments.append((first, self.source, self._offset, self.timestamp_offset))

    def _place(self, sequence_number: int) -> int | None:
        """Outgoing number, unwrapped, for a packet that is not the next one."""
        highest = self._highest
        number = highest + ((sequence_number - highest + 0x8000) & 0xFFFF) - 0x8000
        if number <= highest:
            outgoing = self._holes.pop(number, None)
            return outgoing if highest - number <= MAX_LATE else None
        if number - highest - 1 > MAX_GAP:
            self._offset += highest + 1 - number
            self._highest = number
            self._add_segment()
        else:
            self._keep_free(number)
            self._highest = number
        return number + self._offset

    def _keep_free(self, until: int) -> None:
        """Reserve outgoing numbers for the source's missing ones before `until`."""
        offset = self._offset
        self._holes.update({number: number + offset for number in range(self._highest + 1, until)})
        if len(self._holes) > MAX_LATE:
            oldest = until - MAX_LATE
            self._holes = {number: outgoing for number, outgoing in self._holes.items() if number >= oldest}

    def skip(self, source: int, sequence_number: int) -> None:
        """A packet of the source that is deliberately not forwarded: the outgoing numbers close over it.

        A late one cannot be closed over any more; its number stays unused.
        """
        if source != self.source or not self._running:
            return
        highest = self._highest
        number = highest + ((sequence_number - highest + 0x8000) & 0xFFFF) - 0x8000
        if number <= highest:
            self._holes.pop(number, None)
            return
        if number - highest - 1 > MAX_GAP:
            self._offset += highest + 1 - number
        else:
            self._keep_free(number)
        self._highest = number
        self._offset -= 1
        self._add_segment(shift=1)

    def is_since_switch(self, sequence_number: int) -> bool:
        """True for an outgoing number given since the last `switch` took effect."""
        return self._running and seq_delta(sequence_number, self._begun & 0xFFFF) >= 0

    def source_of(self, sequence_number: int) -> tuple[int, int] | None:
        """Outgoing number on the wire → (source, its number on the wire), as a NACK needs it.

        None for a number not given yet or forgotten (`MAX_SEGMENTS`). One kept free for a packet that never
        came is answered too: the packet may be in the source's history by now.
        """
        origin = self.origin_of(sequence_number)
        return None if origin is None else origin[:2]

    def origin_of(self, sequence_number: int) -> tuple[int, int, int] | None:
        """As `source_of`, with the offset to add to the packet's timestamp: it may differ from today's."""
        if not self._segments:
            return None
        newest = self._highest + self._offset if self._running else self._next - 1
        number = newest + ((sequence_number - newest + 0x8000) & 0xFFFF) - 0x8000
        if number > newest:
            return None
        for first, source, offset, timestamp_offset in reversed(self._segments):
            if number >= first:
                return source, (number - offset) & 0xFFFF, timestamp_offset
        return None
