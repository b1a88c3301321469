"""Pure: what an operation would change, or why it may not. Nothing is changed here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from annotation.history import History, Marks
from core.annotations import (
    POINTS_NEEDED,
    POINTS_PER_MARK,
    Add,
    Calibrate,
    Calibration,
    Clear,
    Extend,
    Extension,
    Mark,
    Operation,
    OperationKind,
    Redo,
    RemoveMark,
    Undo,
    Update,
)
from core.errors import Conflict, Forbidden, NotFound, RemoteError
from core.vocabulary import Role

_LOOKS: Final = ("colour", "width", "text", "fade_after_ms", "points", "pressures")


@dataclass(frozen=True, slots=True)
class Actor:
    """Who does something. `draws`: may at all; `moderates`: may remove anybody's marks."""

    person: str
    name: str
    role: Role
    draws: bool = True
    moderates: bool = False


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be done. `before`: how the marks it changes were, for the history; `step`: its name there.

    With `extended`, `put` is the mark as it is after that.
    """

    op: OperationKind
    step: str | None = None
    removed: list[str] = field(default_factory=list)
    put: list[Mark] = field(default_factory=list)
    before: Marks = field(default_factory=dict)
    extended: Extension | None = None
    calibration: Calibration | None = None


class Drawings(Protocol):
    """What planning looks at."""

    feed: str

    @property
    def marks(self) -> Mapping[str, Mark]: ...

    def is_taken(self, mark_id: str) -> bool: ...

    def history_of(self, person: str) -> History | None: ...


@dataclass(frozen=True, slots=True)
class Moment:
    """The drawings when `actor` does something; what has `faded` is not there for them."""

    drawings: Drawings
    op_id: str
    actor: Actor
    now_us: int
    faded: frozenset[str]

    def mark(self, mark_id: str) -> Mark:
        """Raises `NotFound`."""
        found = self.drawings.marks.get(mark_id)
        if found is None or mark_id in self.faded:
            raise NotFound("there is no such mark; it was removed, or it faded", code="mark_not_found")
        return found

    def own(self, mark_id: str) -> Mark:
        """Raises `NotFound`; `Forbidden` when it is somebody else's."""
        found = self.mark(mark_id)
        if found.author != self.actor.person:
            raise Forbidden("this mark is somebody else's", code="not_yours")
        return found


def check_may(operation: Operation, actor: Actor) -> None:
    """Raises `Forbidden`."""
    if not actor.draws:
        raise Forbidden("you may not draw here", code="not_granted")
    if isinstance(operation, Clear) and operation.whose == "all" and not actor.moderates:
        raise Forbidden("only the site clears what others drew", code="not_host")


def plan(
    drawings: Drawings, operation: Operation, op_id: str, actor: Actor, now_us: int, faded: frozenset[str]
) -> Plan:
    """Raises `RemoteError`s."""
    moment = Moment(drawings, op_id, actor, now_us, faded)
    match operation:
        case Add():
            return _add(moment, operation)
        case Extend():
            return _extend(moment, operation)
        case Update():
            return _update(moment, operation)
        case RemoveMark():
            return _remove(moment, operation)
        case Clear():
            return _clear(moment, operation)
        case Undo() | Redo():
            return _back_or_again(moment, operation)
        case Calibrate():
            return _calibrate(moment, operation)


def _add(moment: Moment, operation: Add) -> Plan:
    new, actor = operation.mark, moment.actor
    if moment.drawings.is_taken(new.mark_id):
        raise Conflict("there is a mark of that id", code="mark_exists")
    if new.tool == "text" and not new.text.strip():
        raise RemoteError("text: there is none", code="bad_text")
    mark = Mark(
        **{name: getattr(new, name) for name in type(new).model_fields},
        feed=moment.drawings.feed,
        author=actor.person,
        author_name=actor.name,
        role=actor.role,
        changed_us=moment.now_us,
    )
    return Plan("add", _step(operation, moment), put=[mark], before={mark.mark_id: None})


def _extend(moment: Moment, operation: Extend) -> Plan:
    mark = moment.own(operation.mark_id)
    if mark.tool != "pen":
        raise RemoteError("only strokes of the pen are extended", code="wrong_tool")
    if len(mark.points) != 2 * operation.start:
        raise Conflict("the stroke does not end there", code="out_of_order")
    if len(mark.points) + len(operation.points) > 2 * POINTS_PER_MARK:
        raise Conflict("this stroke is long enough; begin another one", code="mark_full")
    if bool(mark.pressures) != bool(operation.pressures) and operation.points:
        raise RemoteError("pressures: for all points of a stroke, or for none", code="bad_points")
    extension = Extension(
        mark_id=mark.mark_id,
        start=operation.start,
        points=operation.points,
        pressures=operation.pressures,
        changed_us=moment.now_us,
    )
    grown = _changed(
        mark,
        moment,
        points=mark.points + operation.points,
        pressures=mark.pressures + operation.pressures,
    )
    return Plan(
        "extend", _step(operation, moment), put=[grown], before={mark.mark_id: mark}, extended=extension
    )


def _update(moment: Moment, operation: Update) -> Plan:
    mark = moment.own(operation.mark_id)
    changes: dict[str, Any] = {
        name: value for name in _LOOKS if (value := getattr(operation, name)) is not None
    }
    if operation.keep:
        changes["fade_after_ms"] = None
    if "points" in changes:
        changes.setdefault("pressures", [])
        _check_points(mark, changes["points"], changes["pressures"])
    elif "pressures" in changes:
        raise RemoteError("pressures: only with points", code="bad_points")
    if mark.tool == "text" and not changes.get("text", mark.text).strip():
        raise RemoteError("text: there is none", code="bad_text")
    changed = _changed(mark, moment, **changes)
    return Plan("update", _step(operation, moment), put=[changed], before={mark.mark_id: mark})


def _check_points(mark: Mark, points: list[float], pressures: list[float]) -> None:
    wanted = POINTS_NEEDED.get(mark.tool)
    whole = len(points) >= 2 and len(points) % 2 == 0 and (wanted is None or len(points) == 2 * wanted)
    if not whole or (pressures and 2 * len(pressures) != len(points)):
        raise RemoteError(f"points: these are none of a {mark.tool}", code="bad_points")


def _remove(moment: Moment, operation: RemoveMark) -> Plan:
    moderates = moment.actor.moderates
    mark = moment.mark(operation.mark_id) if moderates else moment.own(operation.mark_id)
    return _without(moment, "remove", operation, [mark])


def _clear(moment: Moment, operation: Clear) -> Plan:
    """Perhaps there is nothing to clear; then nothing changes."""
    everybody = operation.whose == "all"
    marks = [
        mark
        for mark in moment.drawings.marks.values()
        if mark.mark_id not in moment.faded and (everybody or mark.author == moment.actor.person)
    ]
    return _without(moment, "clear", operation, marks)


def _without(moment: Moment, op: OperationKind, operation: RemoveMark | Clear, marks: list[Mark]) -> Plan:
    own: Marks = {mark.mark_id: mark for mark in marks if mark.author == moment.actor.person}
    removed = [mark.mark_id for mark in marks]
    return Plan(op, _step(operation, moment), removed=removed, before=own)


def _back_or_again(moment: Moment, operation: Undo | Redo) -> Plan:
    """What faded meanwhile stays gone."""
    history = moment.drawings.history_of(moment.actor.person)
    marks: Mapping[str, Mark] = moment.drawings.marks
    step = None if history is None else history.peek(operation.op, moment.faded)
    if step is None:
        raise Conflict(f"there is nothing to {operation.op}", code=f"nothing_to_{operation.op}")
    wanted = {mark_id: mark for mark_id, mark in step.before.items() if mark_id not in moment.faded}
    put = [_changed(mark, moment) for mark in wanted.values() if mark is not None]
    removed = [mark_id for mark_id, mark in wanted.items() if mark is None and mark_id in marks]
    return Plan(operation.op, put=put, removed=removed)


def _calibrate(moment: Moment, operation: Calibrate) -> Plan:
    if operation.scale is None:
        return Plan("calibrate")
    actor = moment.actor
    calibration = Calibration(
        scale=operation.scale, author=actor.person, author_name=actor.name, at_us=moment.now_us
    )
    return Plan("calibrate", calibration=calibration)


def _changed(mark: Mark, moment: Moment, **changes: Any) -> Mark:
    """It fades from now on, if it does."""
    return mark.model_copy(update={**changes, "changed_us": moment.now_us})


def _step(operation: Add | Extend | Update | RemoveMark | Clear, moment: Moment) -> str:
    return operation.step or moment.op_id
