"""Pure: a feed's drawings as they are kept outside of memory, and from there again.

Operations are kept as they were submitted: doing them again in the same order gives the same document, with
everybody's histories and with what was done already. Now and then all of it is kept at once instead, so that
coming back is quick however long people have drawn.
"""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Iterable, Mapping

from pydantic import Field

from annotation.document import Document
from annotation.history import History, Step
from annotation.planning import Actor
from core.annotations import Calibration, CaptureTime, Mark, Operation, Part
from core.vocabulary import Identifier, Role


class KeptOperation(Part):
    """An operation that was done, with all that `Document.submit` was given."""

    op_id: Identifier
    person: str
    name: str
    role: Role
    draws: bool
    moderates: bool
    now_us: CaptureTime
    operation: Operation

    @classmethod
    def of(cls, op_id: str, operation: Operation, actor: Actor, now_us: int) -> KeptOperation:
        """Of checked parts: they are not checked again."""
        return cls.model_construct(
            op_id=op_id,
            person=actor.person,
            name=actor.name,
            role=actor.role,
            draws=actor.draws,
            moderates=actor.moderates,
            now_us=now_us,
            operation=operation,
        )

    @property
    def actor(self) -> Actor:
        """Who did it."""
        return Actor(self.person, self.name, self.role, self.draws, self.moderates)


class KeptStep(Part):
    """A step of somebody's history."""

    name: str
    before: dict[str, Mark | None]


class KeptHistory(Part):
    """What one author did, and took back."""

    done: list[KeptStep]
    undone: list[KeptStep]


class KeptDocument(Part):
    """All of one document but its log, which only spares who was away for a moment the whole of it."""

    seq: int = Field(ge=0)
    now_us: CaptureTime
    marks: list[Mark]
    calibration: Calibration | None
    histories: dict[str, KeptHistory]
    known: dict[str, dict[str, int]]
    """Of each author: what was done already."""


def kept(document: Document) -> KeptDocument:
    """The document as it is now. Quick: what it refers to is never changed, so nothing is copied deep."""
    return KeptDocument.model_construct(
        seq=document.seq,
        now_us=document.now_us,
        marks=list(document.marks.values()),
        calibration=document.calibration,
        histories={person: _history(history) for person, history in document.histories.items()},
        known={person: dict(done) for person, done in document.known.items()},
    )


def written(whole: KeptDocument) -> str:
    """As JSON, in small steps: other threads go on meanwhile."""
    histories = {person: history.model_dump_json() for person, history in whole.histories.items()}
    parts = {
        "seq": str(whole.seq),
        "now_us": str(whole.now_us),
        "marks": f"[{','.join(mark.model_dump_json() for mark in whole.marks)}]",
        "calibration": "null" if whole.calibration is None else whole.calibration.model_dump_json(),
        "histories": _object(histories),
        "known": json.dumps(whole.known),
    }
    return _object(parts)


def restored(
    feed: str, document_id: str, whole: KeptDocument | None, later: Iterable[KeptOperation]
) -> Document:
    """The document after what was kept `whole`, and each `later` operation.

    `document_id`: a new one. Somebody may have been told a change that was never kept; its number is given
    again now, and under the old id that client would believe that it has the new one already.
    """
    document = Document(feed, document_id)
    if whole is not None:
        document.load(
            seq=whole.seq,
            now_us=whole.now_us,
            marks=whole.marks,
            calibration=whole.calibration,
            histories={person: _history_from(history) for person, history in whole.histories.items()},
            known={person: OrderedDict(done) for person, done in whole.known.items()},
        )
    for one in later:
        document.submit(one.op_id, one.operation, one.actor, one.now_us)
    return document


def _object(parts: Mapping[str, str]) -> str:
    """Of values that are JSON already."""
    return "{" + ",".join(f"{json.dumps(key)}:{value}" for key, value in parts.items()) + "}"


def _history(history: History) -> KeptHistory:
    done, undone = (
        [KeptStep.model_construct(name=step.name, before=step.before) for step in steps]
        for steps in (history.done, history.undone)
    )
    return KeptHistory.model_construct(done=done, undone=undone)


def _history_from(history: KeptHistory) -> History:
    done, undone = (
        [Step(step.name, dict(step.before)) for step in steps] for steps in (history.done, history.undone)
    )
    return History(done, undone)
