"""Pure: the numbers that VP8 puts into its payloads, for one consumer that is taken from layer to layer."""

from __future__ import annotations

from rtp.payload.vp8 import Vp8Numbers, read_numbers
from rtp.payload.vp8_continuity import AS_IT_IS, NO_NUMBERS, Vp8Continuity, Vp8Offsets
from sfu.headers import PreparedBatch


class PictureNumbers:
    """`moved` for whatever is sent for the first time, `resent` for what is sent again."""

    __slots__ = ("_continuity",)

    def __init__(self) -> None:
        self._continuity = Vp8Continuity()

    def switch(self, unsent: bytes | None) -> None:
        """What comes next is of another layer, or follows a pause. `unsent`: the payload, as `moved` gave it,
        of the first of the newest packets that were numbered but not sent, where there are such.
        """
        self._continuity.switch(None if unsent is None else self._source_numbers(unsent))

    def _source_numbers(self, payload: bytes) -> Vp8Numbers:
        numbers, offsets = _numbers(payload), self._continuity.offsets
        return numbers._replace(
            picture_id=_less(numbers.picture_id, offsets.picture_id, 0x7FFF if numbers.is_wide else 0x7F),
            tl0_index=_less(numbers.tl0_index, offsets.tl0_index, 0xFF),
            key_index=_less(numbers.key_index, offsets.key_index, 0x1F),
        )

    def moved(self, batch: PreparedBatch, sequence_move: int, is_run: bool) -> PreparedBatch:
        """The batch with its numbers moved; itself while nothing is to be moved. `is_run`: it has successive
        sequence numbers.
        """
        items = batch.items
        if not items:
            return batch
        numbers = [_numbers(item.payload) for item in items]
        firsts = [(item.sequence_number + sequence_move) & 0xFFFF for item in items]
        continuity = self._continuity
        if is_run:
            offsets = [continuity.place_run(numbers, firsts[0])] * len(items)
        else:
            offsets = [continuity.place(*placed) for placed in zip(numbers, firsts, strict=True)]
        if all(each == AS_IT_IS for each in offsets):
            return batch
        changed = [
            item.with_payload(_apply(item.payload, number, each))
            for item, number, each in zip(items, numbers, offsets, strict=True)
        ]
        return PreparedBatch(changed, batch.numbered)

    def resent(self, payload: bytes, sequence_number: int) -> bytes:
        """The source's payload as it was sent under this outgoing number."""
        offsets = self._continuity.offsets_at(sequence_number)
        return payload if offsets is None else _apply(payload, _numbers(payload), offsets)


def _less(number: int | None, offset: int, mask: int) -> int | None:
    return None if number is None else number - offset & mask


def _numbers(payload: bytes) -> Vp8Numbers:
    return read_numbers(payload) or NO_NUMBERS


def _apply(payload: bytes, numbers: Vp8Numbers, offsets: Vp8Offsets) -> bytes:
    if offsets == AS_IT_IS or numbers is NO_NUMBERS:
        return payload
    return offsets.apply(payload, numbers)
