"""VP8's own numbers across changing sources (RFC 7741 §4.2): PictureID, TL0PICIDX and KEYIDX go on.

Each encoding of a simulcast publisher counts by itself. A subscriber who is taken from one to another would
see its numbers jump, while receivers find by them which frame refers to which. A payload stays shared by all
subscribers: only up to four bytes, all in one place, differ for those that were switched.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Final, NamedTuple

from rtp.payload.vp8 import PICTURE_ID_AT, Vp8Numbers
from rtp.sequence import seq_delta

MAX_SEGMENTS: Final = 512
"""Stretches of constant offsets remembered for resends; older ones are forgotten."""


class Vp8Offsets(NamedTuple):
    """What is added to the source's numbers; each wraps within its own width. 0: as it is."""

    picture_id: int = 0
    tl0_index: int = 0
    key_index: int = 0

    def patch(self, numbers: Vp8Numbers) -> bytes:
        """What stands from byte `PICTURE_ID_AT` of the payload on instead, of the length that was there."""
        patched = b""
        if numbers.picture_id is not None:
            picture_id = self.picture_id + numbers.picture_id
            if numbers.is_wide:
                patched = (0x8000 | picture_id & 0x7FFF).to_bytes(2, "big")
            else:
                patched = bytes((picture_id & 0x7F,))
        if numbers.tl0_index is not None:
            patched += bytes(((self.tl0_index + numbers.tl0_index) & 0xFF,))
        if numbers.layer_bits is not None:
            key_index = 0 if numbers.key_index is None else self.key_index + numbers.key_index
            patched += bytes((numbers.layer_bits | key_index & 0x1F,))
        return patched

    def apply(self, payload: bytes, numbers: Vp8Numbers) -> bytes:
        """The whole payload with its numbers moved; `numbers` are those of this payload."""
        patched = self.patch(numbers)
        return payload[:PICTURE_ID_AT] + patched + payload[PICTURE_ID_AT + len(patched) :]


AS_IT_IS: Final = Vp8Offsets()
_NAMES: Final = Vp8Offsets._fields
_WIDTHS: Final = (0x7FFF, 0xFF, 0x1F)
_ALL: Final = 0b111
NO_NUMBERS: Final = Vp8Numbers(None, False, None, None, None, 0, False, False, False)


class Vp8Continuity:
    """Gives each forwarded packet of one consumer the offsets of its numbers.

    Sequence numbers are outgoing ones, of the wire. Within one source the offsets never change, so that lost,
    late and reordered packets fit, and `offsets_at` gives a resend what its first sending got. After `switch`
    each number goes on with the one after the newest sent, from the first packet that has it. The first
    source's numbers stay as they are.
    """

    __slots__ = ("_highest", "_last", "_offsets", "_running", "_segments", "_sent", "_undecided")

    def __init__(self) -> None:
        self._offsets = AS_IT_IS
        self._undecided = 0
        """As `Vp8Numbers.present`: what the first packet of the present source that has it decides."""
        self._running = False
        """False until the first packet after a switch."""
        self._last = NO_NUMBERS
        """The newest numbers of the present source."""
        self._sent: dict[str, int] = {}
        """The newest outgoing numbers before the last switch, as far as any were sent."""
        self._highest = 0
        """The newest outgoing sequence number, unwrapped."""
        self._segments: deque[tuple[int, Vp8Offsets]] = deque(maxlen=MAX_SEGMENTS)
        """(first outgoing sequence number, unwrapped; offsets from there on)."""

    @property
    def offsets(self) -> Vp8Offsets:
        """Those of the present source."""
        return self._offsets

    def switch(self, unsent: Vp8Numbers | None = None) -> None:
        """The next packet begins another source, or the same one after a pause or after frames that were
        left out.

        `unsent`: the first of the newest packets that were placed but never sent, if there are such: they do
        not count, and their sequence numbers may be given again.
        """
        self._sent |= _moved(self._last if unsent is None else unsent, self._offsets, unsent is not None)
        self._last = NO_NUMBERS
        self._running = False
        self._undecided = _ALL

    def place(self, numbers: Vp8Numbers, sequence_number: int) -> Vp8Offsets:
        """Offsets of a packet that is sent for the first time, in any order."""
        return self.place_run([numbers], sequence_number)

    def place_run(self, run: Sequence[Vp8Numbers], first_sequence: int) -> Vp8Offsets:
        """Offsets of packets with successive sequence numbers, at least one, the same for all of them."""
        if undecided := self._undecided:
            for numbers in run:
                if numbers.present & undecided:
                    self._decide(numbers)
        first = self._unwrapped(first_sequence)
        if not self._running:
            self._begin(first)
        highest = first + len(run) - 1
        if highest >= self._highest:
            self._highest = highest
            self._last = run[-1] if run[-1].present == self._last.present else _newest([self._last, *run])
        return self._offsets

    def _begin(self, first: int) -> None:
        """The first packet since a switch has the next sequence number."""
        self._running = True
        self._highest = first
        while self._segments and self._segments[-1][0] >= first:
            self._segments.pop()  # of what was placed but not sent
        self._segments.append((first, self._offsets))

    def _unwrapped(self, sequence_number: int) -> int:
        return self._highest + seq_delta(sequence_number, self._highest & 0xFFFF)

    def _decide(self, numbers: Vp8Numbers) -> None:
        """What the packet has first since the switch goes on behind what was sent before it."""
        moves = list(self._offsets)
        for index, (name, value) in enumerate(zip(_NAMES, _values(numbers), strict=True)):
            if value is not None and self._undecided & 1 << index:
                moves[index] = (self._sent[name] + 1 - value & _WIDTHS[index]) if name in self._sent else 0
        self._undecided &= ~numbers.present
        self._offsets = Vp8Offsets(*moves)
        if self._running:
            self._segments[-1] = self._segments[-1][0], self._offsets  # those before had no such number

    def offsets_at(self, sequence_number: int) -> Vp8Offsets | None:
        """Offsets that the packet of this outgoing sequence number got, for its resend; None for one that is
        not sent yet, or forgotten (`MAX_SEGMENTS`).
        """
        number = self._unwrapped(sequence_number)
        if number > self._highest:
            return None
        for first, offsets in reversed(self._segments):
            if number >= first:
                return offsets
        return None


def _values(numbers: Vp8Numbers) -> tuple[int | None, int | None, int | None]:
    return numbers.picture_id, numbers.tl0_index, numbers.key_index


def _newest(run: Sequence[Vp8Numbers]) -> Vp8Numbers:
    """The last of each number, as some packets may have them and others not."""
    columns = zip(*map(_values, run), strict=True)
    picture_id, tl0_index, key_index = (_last_of(column) for column in columns)
    return run[-1]._replace(picture_id=picture_id, tl0_index=tl0_index, key_index=key_index)


def _last_of(values: Sequence[int | None]) -> int | None:
    return next((value for value in reversed(values) if value is not None), None)


def _moved(numbers: Vp8Numbers, offsets: Vp8Offsets, unsent: bool) -> dict[str, int]:
    """Outgoing numbers of a packet; of what came before it when it was not sent.

    The frame before one of a higher temporal layer has the same TL0PICIDX, the one before any but a keyframe
    the same KEYIDX; the packet before one inside a frame has all of them.
    """
    back = unsent and numbers.starts_frame
    steps = (back, back and numbers.is_base_layer, back and numbers.is_keyframe)
    named = zip(_NAMES, _values(numbers), offsets, steps, strict=True)
    return {name: value + offset - step for name, value, offset, step in named if value is not None}
