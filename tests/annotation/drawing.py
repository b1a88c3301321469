"""What people do to drawings, made from a few numbers; and clients that lose their connection."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from annotation.document import Document
from annotation.planning import Actor
from annotation.replica import Replica
from core.annotations import (
    Add,
    Calibrate,
    Change,
    Clear,
    Extend,
    NewMark,
    Operation,
    Redo,
    RemoveMark,
    Scale,
    Undo,
    Update,
)
from core.errors import RemoteError

LI: Final = Actor("u_li", "Li", "site", moderates=True)
WANG: Final = Actor("u_wang", "Wang", "specialist")
BAI: Final = Actor("u_bai", "Bai", "specialist")
ACTORS: Final = (LI, WANG, BAI)
START_US: Final = 1_700_000_000_000_000
RED: Final = "#e5484d"


def stroke(mark_id: str, *points: float, **more: Any) -> Add:
    """The beginning of a pen stroke."""
    step = more.pop("step", None)
    fields: dict[str, Any] = {
        "tool": "pen",
        "colour": RED,
        "width": 0.004,
        "points": list(points) or [0.5, 0.5],
    }
    return Add(mark=NewMark(mark_id=mark_id, **(fields | more)), step=step)


def extend(mark_id: str, start: int, *points: float, **more: Any) -> Extend:
    return Extend(mark_id=mark_id, start=start, points=list(points), **more)


class Desk:
    """A document and people who draw on it; each operation gets its own id and a later moment."""

    def __init__(self) -> None:
        self.document = Document("ultrasound", "d_1")
        self.now_us = START_US
        self._count = 0

    def do(self, actor: Actor, operation: Operation, op_id: str | None = None, after_ms: int = 10) -> Change:
        self._count += 1
        self.now_us += after_ms * 1_000
        done = self.document.submit(op_id or f"o{self._count}", operation, actor, self.now_us)
        assert done.change is not None
        return done.change

    def refused(self, actor: Actor, operation: Operation, after_ms: int = 10) -> str:
        """The code of the refusal."""
        before = state_of(self.document)
        try:
            self.do(actor, operation, after_ms=after_ms)
        except RemoteError as error:
            assert state_of(self.document) == before
            return error.code
        raise AssertionError("it was done")

    @property
    def ids(self) -> list[str]:
        return list(self.document.marks)


def state_of(drawings: Document | Replica) -> tuple[Any, ...]:
    """What is drawn, in order."""
    return drawings.seq, list(drawings.marks.values()), drawings.calibration


@dataclass(frozen=True, slots=True)
class Numbers:
    """Three numbers that say what somebody does; any will do."""

    what: int
    which: int
    how: int


def some_operation(document: Document, actor: Actor, said: Numbers, new_id: str) -> Operation:
    """Not always one that is allowed."""
    marks = list(document.marks.values())
    own = [mark for mark in marks if mark.author == actor.person]
    anybodys = marks if said.how % 5 == 0 else own
    mark = anybodys[said.which % len(anybodys)] if anybodys else None
    step = f"g{said.which % 3}" if said.how % 2 else None
    x = (said.how % 1000) / 1000
    made: dict[int, Callable[[], Operation]] = {
        0: lambda: stroke(new_id, x, 0.25, step=step),
        1: lambda: stroke(new_id, x, 0.5, step=step, fade_after_ms=500 + 400 * (said.how % 4)),
        2: lambda: stroke(new_id, x, 0.1, 0.9, x, tool="ruler", step=step),
        8: lambda: Clear(whose="all" if said.which % 3 == 0 else "mine", step=step),
        9: lambda: Undo(),
        10: lambda: Undo(),
        11: lambda: Redo(),
        12: lambda: Calibrate(scale=Scale(mm_per_height=100 + x, aspect=1.5) if said.which % 2 else None),
    }
    if mark is not None:
        length = len(mark.points) // 2
        made |= {
            3: lambda: extend(mark.mark_id, length - said.which % 7 // 6, x, 0.5, 0.5, x, step=step),
            4: lambda: extend(mark.mark_id, length, x, x, step=step),
            5: lambda: Update(mark_id=mark.mark_id, colour=f"#{said.how % 4096:06x}", step=step),
            6: lambda: Update(mark_id=mark.mark_id, fade_after_ms=600, width=0.01, step=step),
            7: lambda: RemoveMark(mark_id=mark.mark_id, step=step),
        }
    return made.get(said.what % 13, made[0])()


@dataclass
class Client:
    """One person's page: a replica, what is on its way to it, and whether it is connected."""

    actor: Actor
    replica: Replica = field(default_factory=Replica)
    coming: list[Change] = field(default_factory=list)
    connected: bool = True
    sent: list[tuple[str, Operation]] = field(default_factory=list)

    def hear(self, document: Document) -> None:
        """The next change arrives."""
        if self.coming and not self.replica.apply(document.document_id, self.coming.pop(0)):
            self.sync(document)

    def lose(self) -> None:
        """The connection, and what was on its way."""
        self.connected = False
        self.coming.clear()

    def sync(self, document: Document) -> None:
        """Come back, with the number there is; what is on its way after that still comes."""
        self.connected = True
        known = self.replica.document_id == document.document_id
        changes = document.since(self.replica.seq) if known else None
        if changes is None:
            marks = list(document.marks.values())
            self.replica.load(document.document_id, document.seq, marks, document.calibration)
        else:
            for change in changes:
                assert self.replica.apply(document.document_id, change)


def applied(replica: Replica, document_id: str, changes: list[Change]) -> Iterator[bool]:
    for change in changes:
        yield replica.apply(document_id, change)
