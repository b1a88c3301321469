"""Pure: the drawings on one feed, as the server orders them.

An operation is planned (`annotation/planning.py`: what it would change, or why not), then done at once: it
gets the next number, and the `Change` that says what it did goes to everybody. Replicas apply changes in
order and know nothing of histories, permissions or time.

An operation sent twice is done once. Everything has a bound. What fades is taken out with the next operation.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from annotation.history import History, weight_of
from annotation.planning import Actor, Plan, check_may, plan
from core.annotations import Calibration, Change, Mark, Operation
from core.errors import Conflict

MARKS_MAX: Final = 500
DOCUMENT_MAX_BYTES: Final = 1_500_000
"""About: of its marks as JSON."""
LOG_MAX_CHANGES: Final = 1_000
LOG_MAX_BYTES: Final = 512_000
"""What a client that was away gets instead of everything, if it was not away for longer."""
AUTHORS_MAX: Final = 64
OPERATIONS_REMEMBERED: Final = 1_024
"""Of each author: those it may send again."""
CHANGE_BYTES: Final = 200

__all__ = ["Actor", "Document", "Done"]


@dataclass(frozen=True, slots=True)
class Done:
    """`change` is None when it was done so long ago that only its being done is remembered."""

    change: Change | None
    new: bool


class Document:
    """One feed's drawings. `submit` is the only thing that changes them."""

    def __init__(self, feed: str, document_id: str) -> None:
        self.feed = feed
        self.document_id = document_id
        self.seq = 0
        self.marks: dict[str, Mark] = {}
        """By id, in the order in which they are drawn."""
        self.calibration: Calibration | None = None
        self.weight_bytes = 0
        """About the size of its marks as JSON."""
        self.histories: OrderedDict[str, History] = OrderedDict()
        """Of each author; those who did something last come last."""
        self.known: OrderedDict[str, OrderedDict[str, int]] = OrderedDict()
        """Of each author: the operations that were done, and their numbers."""
        self.now_us = 0
        """When it was changed last."""
        self._log: deque[Change] = deque()
        self._log_bytes = 0

    def submit(self, op_id: str, operation: Operation, actor: Actor, now_us: int) -> Done:
        """Do it, unless it was done before. Raises `RemoteError`s, having changed nothing.

        `now_us`: the server's clock, Unix; it never goes back in here.
        """
        check_may(operation, actor)
        known = self.known.get(actor.person)
        if known is not None and (done := known.get(op_id)) is not None:
            return Done(self._logged(done), new=False)
        now_us = max(now_us, self.now_us)
        faded = self._faded(now_us)
        planned = plan(self, operation, op_id, actor, now_us, faded)
        self._check_room(planned, faded)
        self.now_us = now_us
        return Done(self._do(planned, faded, op_id, actor, now_us), new=True)

    def load(
        self,
        *,
        seq: int,
        now_us: int,
        marks: Iterable[Mark],
        calibration: Calibration | None,
        histories: Mapping[str, History],
        known: Mapping[str, OrderedDict[str, int]],
    ) -> None:
        """As it was kept (`annotation/keeping.py`); for a new one."""
        self.seq, self.now_us, self.calibration = seq, now_us, calibration
        self.marks = {mark.mark_id: mark for mark in marks}
        self.weight_bytes = sum(map(weight_of, self.marks.values()))
        self.histories, self.known = OrderedDict(histories), OrderedDict(known)

    def since(self, seq: int) -> list[Change] | None:
        """What was done after number `seq`. None when that is no number of ours, or too long ago."""
        oldest = self._log[0].seq if self._log else self.seq + 1
        if seq > self.seq or seq < oldest - 1:
            return None
        return [change for change in self._log if change.seq > seq]

    def steps(self, person: str) -> tuple[int, int]:
        """How many steps that person may take back, and do again."""
        history = self.histories.get(person)
        return (0, 0) if history is None else (len(history.done), len(history.undone))

    def history_of(self, person: str) -> History | None:
        """For planning."""
        return self.histories.get(person)

    def is_taken(self, mark_id: str) -> bool:
        """True while a mark of that id is there, or may come back."""
        return mark_id in self.marks or any(history.knows(mark_id) for history in self.histories.values())

    # --- inside --------------------------------------------------------------------------

    def _logged(self, seq: int) -> Change | None:
        oldest = self._log[0].seq if self._log else self.seq + 1
        return self._log[seq - oldest] if seq >= oldest else None

    def _faded(self, now_us: int) -> frozenset[str]:
        return frozenset(
            mark.mark_id
            for mark in self.marks.values()
            if mark.fade_after_ms is not None and mark.changed_us + 1_000 * mark.fade_after_ms <= now_us
        )

    def _check_room(self, planned: Plan, faded: frozenset[str]) -> None:
        """Nothing is refused that makes it smaller."""
        gone = faded | set(planned.removed)
        put = {mark.mark_id: mark for mark in planned.put}
        fewer = sum(weight_of(self.marks[mark_id]) for mark_id in gone)
        before = sum(weight_of(self.marks.get(mark_id)) for mark_id in put)
        growth = sum(map(weight_of, put.values())) - before
        if growth > 0 and self.weight_bytes - fewer + growth > DOCUMENT_MAX_BYTES:
            raise Conflict("too much is drawn on this picture; clear some of it", code="document_full")
        new = sum(mark_id not in self.marks for mark_id in put)
        if new and len(self.marks) - len(gone) + new > MARKS_MAX:
            raise Conflict("too many marks on this picture; clear some of them", code="document_full")

    def _do(self, planned: Plan, faded: frozenset[str], op_id: str, actor: Actor, now_us: int) -> Change:
        self._remember(planned, faded, actor)
        removed = [*sorted(faded), *planned.removed]
        for mark_id in removed:
            self.weight_bytes -= weight_of(self.marks.pop(mark_id))
        for mark in planned.put:
            self.weight_bytes += weight_of(mark) - weight_of(self.marks.get(mark.mark_id))
            self.marks[mark.mark_id] = mark
        if planned.op == "calibrate":
            self.calibration = planned.calibration
        self.seq += 1
        undo, redo = self.steps(actor.person)
        change = Change(
            seq=self.seq,
            op=planned.op,
            op_id=op_id,
            author=actor.person,
            at_us=now_us,
            removed=removed,
            put=[] if planned.extended is not None else planned.put,
            extended=planned.extended,
            calibration=planned.calibration,
            undo=undo,
            redo=redo,
        )
        self._keep(change)
        return change

    def _remember(self, planned: Plan, faded: frozenset[str], actor: Actor) -> None:
        """Histories, before the marks change. Nobody's history brings back what is gone for good."""
        theirs = {
            mark_id for mark_id in planned.removed if self.marks[mark_id].author != actor.person
        } | faded
        if theirs:
            for history in self.histories.values():
                history.forget(theirs)
        history = self.histories.setdefault(actor.person, History())
        self.histories.move_to_end(actor.person)
        if len(self.histories) > AUTHORS_MAX:
            self.histories.popitem(last=False)
        if planned.op == "undo" or planned.op == "redo":
            history.take(planned.op, self.marks)
        elif planned.step is not None:
            own = {name: mark for name, mark in planned.before.items() if name not in theirs}
            history.record(planned.step, own)

    def _keep(self, change: Change) -> None:
        """For who comes back, and for what is sent twice."""
        known = self.known.setdefault(change.author, OrderedDict())
        self.known.move_to_end(change.author)
        known[change.op_id] = change.seq
        if len(known) > OPERATIONS_REMEMBERED:
            known.popitem(last=False)
        if len(self.known) > AUTHORS_MAX:
            self.known.popitem(last=False)
        self._log.append(change)
        self._log_bytes += _weight(change)
        while len(self._log) > LOG_MAX_CHANGES or self._log_bytes > LOG_MAX_BYTES:
            self._log_bytes -= _weight(self._log.popleft())


def _weight(change: Change) -> int:
    extended = 0 if change.extended is None else 9 * len(change.extended.points + change.extended.pressures)
    return CHANGE_BYTES + 70 * len(change.removed) + sum(map(weight_of, change.put)) + extended
