"""Pure: the drawings on the box's own feeds, as the room tells them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from annotation.replica import Replica
from core.annotations import DocumentSeen, Mark
from core.messages import AnnotationDocument, AnnotationsChanged, AnnotationsSynced, Model, SyncAnnotations

MAX_FEEDS: Final = 64


class Drawings:
    """`changed(feed, marks)` is called with all marks of a feed whenever they are others."""

    def __init__(self, changed: Callable[[str, Sequence[Mark]], None]) -> None:
        self._changed = changed
        self._replicas: dict[str, Replica] = {}
        self._arriving: dict[str, list[Mark]] = {}

    def sync(self) -> SyncAnnotations:
        """What to ask after joining: everything that is not known yet."""
        self._arriving.clear()
        return SyncAnnotations(
            seen=[
                DocumentSeen(feed=feed, document_id=replica.document_id, seq=replica.seq)
                for feed, replica in self._replicas.items()
            ]
        )

    def told(self, message: Model) -> SyncAnnotations | None:
        """Take in what the server says of drawings; what to ask when something was missed."""
        match message:
            case AnnotationsChanged():
                return self._changes(message)
            case AnnotationDocument():
                self._document(message)
            case AnnotationsSynced():
                for feed in set(self._replicas) - set(message.feeds):
                    del self._replicas[feed]
                    self._changed(feed, [])
        return None

    def _changes(self, message: AnnotationsChanged) -> SyncAnnotations | None:
        replica = self._replicas.get(message.feed)
        if replica is None:
            if len(self._replicas) >= MAX_FEEDS:
                return None
            replica = self._replicas[message.feed] = Replica(message.document_id, 0)
        whole = all(replica.apply(message.document_id, change) for change in message.changes)
        self._changed(message.feed, list(replica.marks.values()))
        return None if whole else self.sync()

    def _document(self, message: AnnotationDocument) -> None:
        if message.first:
            self._arriving[message.feed] = []
        marks = self._arriving.setdefault(message.feed, [])
        marks.extend(message.marks)
        if message.last and (message.feed in self._replicas or len(self._replicas) < MAX_FEEDS):
            replica = self._replicas.setdefault(message.feed, Replica())
            replica.load(
                message.document_id, message.seq, self._arriving.pop(message.feed), message.calibration
            )
            self._changed(message.feed, list(replica.marks.values()))
