"""What an archived consultation's events say was drawn, painted into its pictures, for films.

A change is seen from the moment on at which the recorder heard of it, as it was in the room, and so is a
pointer. What belongs to a frame is painted on that frame, though it was drawn a moment later; what moves with
the tissue is where the box said it was in that very frame. The web client's `replay/drawings` does the same
from the same lines; both are run on `tests/vectors/annotation/replay.json`.
"""

from __future__ import annotations

import bisect
from collections.abc import Iterable, Iterator
from typing import Any, Final

from pydantic import ValidationError

from annotation.render import Image, burn_in
from annotation.replica import Replica
from annotation.shapes import Pointer, Shown, shown_marks, word_about
from core.annotations import Mark, MarkMotion
from core.messages import AnnotationDocument, AnnotationsChanged, AnnotationsSynced, MarksMoved, Pointed

ADDED_BY_THE_ARCHIVE: Final = frozenset({"at_us", "said_at_us"})
POINTER_LIVES_US: Final = 2_500_000
"""A pointer that says nothing for so long is gone, as it was in the room."""

Drawn = AnnotationsChanged | AnnotationDocument | AnnotationsSynced
Heard = Drawn | MarksMoved | Pointed
KINDS: Final[dict[str, type[Heard]]] = {
    "annotations_changed": AnnotationsChanged,
    "annotation_document": AnnotationDocument,
    "annotations_synced": AnnotationsSynced,
    "marks_moved": MarksMoved,
    "pointed": Pointed,
}
Told = tuple[int, MarkMotion]


class Overlay:
    """`events`: the archive's lines. Ask for moments in ascending order; frames may be earlier ones."""

    def __init__(self, epoch_us: int, events: Iterable[dict[str, Any]]) -> None:
        self._epoch_us = epoch_us
        heard = sorted(heard_in(events), key=lambda pair: pair[0])
        self._waiting: list[tuple[int, Drawn]] = []
        self._pointed: list[tuple[int, Pointed]] = []
        moved = []
        for at_us, message in heard:
            if isinstance(message, MarksMoved):
                moved.append(message)
            elif isinstance(message, Pointed):
                self._pointed.append((at_us, message))
            else:
                self._waiting.append((at_us, message))
        self._motions = _by_mark(moved)
        self._of_frames = _frame_marks(message for _, message in self._waiting)
        self._next = 0
        self._documents = Documents()

    def __call__(self, feed: str, at_us: int, image: Image, shown_us: int | None = None) -> Image:
        """The picture of `feed` captured at `shown_us` (None: just then) with what is to be seen on it then;
        both are µs of the consultation.
        """
        shown, pointers = self.shown(feed, at_us, shown_us), self.pointers(feed, at_us)
        return burn_in(image, shown, pointers) if shown or pointers else image

    def shown(self, feed: str, at_us: int, shown_us: int | None = None) -> list[Shown]:
        """What is to be seen on that frame at that moment."""
        while self._next < len(self._waiting) and self._waiting[self._next][0] <= at_us:
            self._documents.take_in(self._waiting[self._next][1])
            self._next += 1
        captured_us = self._epoch_us + (at_us if shown_us is None else shown_us)
        replica = self._documents.replicas.get(feed)
        marks = [] if replica is None else [one for one in replica.marks.values() if one.anchor != "frame"]
        marks += [one for one in self._of_frames.values() if one.feed == feed]
        motions = {mark.mark_id: told for mark in marks if (told := self._motion(mark.mark_id, captured_us))}
        return shown_marks(marks, captured_us=captured_us, now_us=self._epoch_us + at_us, motions=motions)

    def pointers(self, feed: str, at_us: int) -> list[Pointer]:
        """Who points at that moment, and where: of each seat the newest word, while it means something."""
        found: dict[str, Pointed] = {}
        last = bisect.bisect_right(self._pointed, at_us, key=lambda pair: pair[0])
        for place in range(last - 1, -1, -1):
            said_us, pointed = self._pointed[place]
            if at_us - said_us > POINTER_LIVES_US:
                break
            if pointed.feed == feed:
                found.setdefault(pointed.participant_id, pointed)
        return [
            Pointer(one.person, one.name, one.at.x, one.at.y) for one in found.values() if one.at is not None
        ]

    def _motion(self, mark_id: str, captured_us: int) -> Told | None:
        return word_about(self._motions.get(mark_id, []), captured_us)


class Documents:
    """All feeds' drawings, message by message."""

    def __init__(self) -> None:
        self.replicas: dict[str, Replica] = {}
        self._arriving: dict[str, list[Mark]] = {}

    def take_in(self, message: Drawn) -> None:
        match message:
            case AnnotationsSynced():
                for feed in self.replicas.keys() - set(message.feeds):
                    self.replicas[feed].load("", 0, [], None)
            case AnnotationsChanged():
                replica = self.replicas.setdefault(message.feed, Replica(message.document_id))
                if replica.document_id != message.document_id:
                    replica.load(message.document_id, 0, [], None)
                for change in message.changes:
                    replica.apply(message.document_id, change)
            case AnnotationDocument():
                if message.first:
                    self._arriving[message.feed] = []
                marks = self._arriving.setdefault(message.feed, [])
                marks.extend(message.marks)
                if message.last:
                    replica = self.replicas.setdefault(message.feed, Replica())
                    replica.load(message.document_id, message.seq, list(marks), message.calibration)


def heard_in(events: Iterable[dict[str, Any]]) -> Iterator[tuple[int, Heard]]:
    """Lines that are about drawings, with their time; those that say something else are passed over."""
    for line in events:
        kind = KINDS.get(str(line.get("type")))
        at_us = line.get("at_us")
        if kind is None or not isinstance(at_us, int):
            continue
        fields = {key: value for key, value in line.items() if key not in ADDED_BY_THE_ARCHIVE}
        try:
            yield at_us, kind.model_validate(fields)
        except ValidationError:
            continue


def _by_mark(messages: Iterable[MarksMoved]) -> dict[str, list[Told]]:
    motions: dict[str, list[Told]] = {}
    for message in messages:
        for motion in message.marks:
            motions.setdefault(motion.mark_id, []).append((message.captured_us, motion))
    for told in motions.values():
        told.sort(key=lambda pair: pair[0])
    return motions


def _frame_marks(messages: Iterable[Drawn]) -> dict[str, Mark]:
    """Those that belong to a frame, as they were last, by id."""
    found: dict[str, Mark] = {}
    documents = Documents()
    for message in messages:
        documents.take_in(message)
        if isinstance(message, AnnotationsSynced):
            continue
        marks = documents.replicas[message.feed].marks if message.feed in documents.replicas else {}
        for mark_id in _changed_by(message) or list(marks):
            mark = marks.get(mark_id)
            if mark is not None and mark.anchor == "frame":
                found[mark_id] = mark
    return found


def _changed_by(message: AnnotationsChanged | AnnotationDocument) -> list[str]:
    """Empty: anything may be."""
    if isinstance(message, AnnotationDocument):
        return []
    changes = message.changes
    put = [mark.mark_id for change in changes for mark in change.put]
    return put + [change.extended.mark_id for change in changes if change.extended is not None]
