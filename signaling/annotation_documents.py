"""Pure: the drawings of consultations: a document for each feed that was drawn on, and bounds on all."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final

from annotation.document import Document, Done
from annotation.history import weight_of
from annotation.planning import Actor
from core.annotations import Add, Change, DocumentSeen, Extend, Mark, Operation
from core.errors import Conflict
from core.messages import AnnotationDocument, AnnotationsChanged, Model

FEEDS_MAX: Final = 64
DRAWINGS_MAX_BYTES: Final = 6_000_000
"""Of one consultation, about: of all marks as JSON. Whoever comes late is sent as much."""
PART_BYTES: Final = 48 * 1024
"""A document travels in parts of about this size."""
CHANGES_PER_MESSAGE: Final = 100
CONSULTATIONS_MAX: Final = 256

NewId = Callable[[str], str]


class Drawings:
    """One consultation's. `new_id`: makes an id that was never there."""

    def __init__(self, new_id: NewId) -> None:
        self._new_id = new_id
        self.documents: dict[str, Document] = {}
        """By feed."""

    def submit(
        self, feed: str, op_id: str, operation: Operation, actor: Actor, now_us: int
    ) -> tuple[Document, Done]:
        """As `Document.submit`; the first operation on a feed makes its document."""
        document = self.documents.get(feed)
        if document is None:
            if len(self.documents) >= FEEDS_MAX:
                raise Conflict("too many pictures have been drawn on", code="document_full")
            document = Document(feed, self._new_id("d"))
        if isinstance(operation, Add | Extend) and self.weight_bytes > DRAWINGS_MAX_BYTES:
            raise Conflict("too much is drawn in this room; clear some of it", code="document_full")
        done = document.submit(op_id, operation, actor, now_us)
        self.documents[feed] = document
        return document, done

    @property
    def weight_bytes(self) -> int:
        """About, of all marks as JSON."""
        return sum(document.weight_bytes for document in self.documents.values())

    def told(self, feeds: Sequence[str], seen: Sequence[DocumentSeen], person: str) -> Iterator[Model]:
        """What somebody who has `seen` those documents lacks. `feeds`: what they may see."""
        known = {entry.feed: entry for entry in seen}
        for feed in feeds:
            document, entry = self.documents[feed], known.get(feed)
            changes = None
            if entry is not None and entry.document_id == document.document_id:
                changes = document.since(entry.seq)
            if changes is None:
                yield from _whole(document, person)
            else:
                yield from _missed(document, changes)


class DrawingsShelf:
    """The drawings of consultations in this process; of those nobody needs now, the oldest touched go first.

    They outlast the room, which ends when everybody happens to be away.
    """

    def __init__(self, new_id: NewId) -> None:
        self._new_id = new_id
        self._drawings: OrderedDict[str, Drawings] = OrderedDict()
        self.needed: Callable[[str], bool] = lambda _: False
        """A consultation that must stay."""
        self.left: Callable[[str, bool], None] = lambda _consultation_id, _over: None
        """Told what is not here any more, and whether because the consultation is over."""

    def has(self, consultation_id: str) -> bool:
        """True when its drawings are here, if there are any."""
        return consultation_id in self._drawings

    def put(self, consultation_id: str, documents: Iterable[Document]) -> None:
        """As they were kept."""
        self.of(consultation_id).documents = {document.feed: document for document in documents}

    def of(self, consultation_id: str) -> Drawings:
        """Made when there are none."""
        drawings = self._drawings.setdefault(consultation_id, Drawings(self._new_id))
        self._drawings.move_to_end(consultation_id)
        if len(self._drawings) > CONSULTATIONS_MAX:
            self._make_room(consultation_id)
        return drawings

    def forget(self, consultation_id: str) -> None:
        """The consultation is over."""
        self._drawings.pop(consultation_id, None)
        self.left(consultation_id, True)

    def _make_room(self, wanted: str) -> None:
        spare = (one for one in self._drawings if one != wanted and not self.needed(one))
        oldest = next(spare, None)
        if oldest is not None:
            del self._drawings[oldest]
            self.left(oldest, False)


def changed(document: Document, changes: list[Change]) -> AnnotationsChanged:
    """As clients are told."""
    return AnnotationsChanged(feed=document.feed, document_id=document.document_id, changes=changes)


def _missed(document: Document, changes: list[Change]) -> Iterator[Model]:
    for start in range(0, len(changes), CHANGES_PER_MESSAGE):
        yield changed(document, changes[start : start + CHANGES_PER_MESSAGE])


def _whole(document: Document, person: str) -> Iterator[Model]:
    parts = list(_parts(list(document.marks.values())))
    undo, redo = document.steps(person)
    for index, marks in enumerate(parts):
        yield AnnotationDocument(
            feed=document.feed,
            document_id=document.document_id,
            seq=document.seq,
            marks=marks,
            calibration=document.calibration,
            undo=undo,
            redo=redo,
            first=index == 0,
            last=index == len(parts) - 1,
        )


def _parts(marks: list[Mark]) -> Iterator[list[Mark]]:
    part: list[Mark] = []
    size = 0
    for mark in marks:
        if part and size + weight_of(mark) > PART_BYTES:
            yield part
            part, size = [], 0
        part.append(mark)
        size += weight_of(mark)
    yield part
