"""Pure: the drawings of one feed as everybody but the server has them: what changed, applied in order.

The web client's `annotation/replica.ts` is the same; both are run on `tests/vectors/annotation`.
"""

from __future__ import annotations

from collections.abc import Sequence

from core.annotations import Calibration, Change, Mark


class Replica:
    """One feed's drawings after change number `seq` of the document `document_id`."""

    def __init__(self, document_id: str = "", seq: int = 0) -> None:
        self.document_id = document_id
        self.seq = seq
        self.marks: dict[str, Mark] = {}
        """By id, in the order in which they are drawn."""
        self.calibration: Calibration | None = None

    def load(
        self, document_id: str, seq: int, marks: Sequence[Mark], calibration: Calibration | None
    ) -> None:
        """Everything anew, as the server has it."""
        self.document_id, self.seq, self.calibration = document_id, seq, calibration
        self.marks = {mark.mark_id: mark for mark in marks}

    def apply(self, document_id: str, change: Change) -> bool:
        """False: something was missed before it, so that the drawings have to be asked for.

        What is known already changes nothing.
        """
        if document_id != self.document_id:
            return False
        if change.seq <= self.seq:
            return True
        if change.seq != self.seq + 1 or not self._fits(change):
            return False
        self.seq = change.seq
        for mark_id in change.removed:
            self.marks.pop(mark_id, None)
        for mark in change.put:
            self.marks[mark.mark_id] = mark
        if change.extended is not None:
            self._extend(change)
        if change.op == "calibrate":
            self.calibration = change.calibration
        return True

    def _fits(self, change: Change) -> bool:
        """A stroke grows from where it ended here."""
        if change.extended is None:
            return True
        mark = self.marks.get(change.extended.mark_id)
        return mark is not None and len(mark.points) == 2 * change.extended.start

    def _extend(self, change: Change) -> None:
        assert change.extended is not None
        extended = change.extended
        mark = self.marks[extended.mark_id]
        grown = {
            "points": mark.points + extended.points,
            "pressures": mark.pressures + extended.pressures,
            "changed_us": extended.changed_us,
        }
        self.marks[mark.mark_id] = mark.model_copy(update=grown)
