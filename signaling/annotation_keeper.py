"""Keeps the drawings of open consultations in the database, so that they outlast this process.

Nothing waits for it but the author's confirmation (`annotation_holding`): what is done is collected on the
event loop, made into text in a thread, and stored in one transaction after the other.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

import structlog
from pydantic import ValidationError

from annotation.document import Document
from annotation.keeping import KeptDocument, KeptOperation, kept, restored, written
from core import drawings
from core.database import Database
from core.drawings import WHOLE, Batch
from core.errors import RemoteError
from core.ids import new_id
from signaling.annotation_documents import DrawingsShelf

log = structlog.get_logger()

PAUSE_S: Final = 0.03
"""Between two transactions, so that a stroke is not one for each of its pieces."""
AGAIN_S: Final = 1.0
"""After one that failed."""
PATIENCE_S: Final = 1.0
"""Authors wait so long for a database that hangs; then drawing goes on, and only a crash would lose it."""
WHOLE_EVERY: Final = 2_000
"""Operations on a feed; then all of it is kept at once, so that coming back is quick."""

Feed = tuple[str, str]
"""Consultation and feed."""


@dataclass(slots=True)
class _Waiting:
    """What is to be stored of one feed."""

    document: Document
    operations: list[KeptOperation] = field(default_factory=list)
    since_whole: int = 0

    def take(self) -> _Taken:
        document, operations, whole = self.document, self.operations, None
        self.since_whole += len(operations)
        if self.since_whole >= WHOLE_EVERY:
            whole, self.since_whole = kept(document), 0
        self.operations = []
        return _Taken(document, document.seq, operations, whole)

    def put_back(self, taken: _Taken) -> None:
        """It was not stored. Too much of it is better stored whole."""
        self.operations = taken.operations + self.operations
        self.since_whole = WHOLE_EVERY if taken.whole is not None else self.since_whole
        if len(self.operations) > WHOLE_EVERY:
            self.operations, self.since_whole = self.operations[-1:], WHOLE_EVERY


@dataclass(frozen=True, slots=True)
class _Taken:
    document: Document
    seq: int
    operations: list[KeptOperation]
    whole: KeptDocument | None


class DrawingsKeeper:
    """`stored`: told that a document is stored up to a number, or that nobody shall wait for it."""

    def __init__(self, database: Database, shelf: DrawingsShelf, stored: Callable[[str, int], None]) -> None:
        self._database = database
        self._shelf = shelf
        self._stored = stored
        self._waiting: dict[Feed, _Waiting] = {}
        self._over: set[str] = set()
        self._news = asyncio.Event()
        self._loading = asyncio.Lock()
        self._ending = False
        self.works = True
        """The last transaction did: authors may wait for the next one."""
        shelf.left = self._left

    async def load(self, consultation_id: str) -> None:
        """The consultation's drawings are on the shelf after this. Raises the database's errors."""
        if self._shelf.has(consultation_id):
            return
        async with self._loading:
            if self._shelf.has(consultation_id):
                return
            batches = await drawings.stored(self._database, consultation_id)
            found, unreadable = await asyncio.to_thread(_restored, batches)
            for feed in unreadable:  # nobody is kept out of a room by it
                log.error("drawings.unreadable", consultation=consultation_id, feed=feed)
                await drawings.discard(self._database, consultation_id, feed)
            self._shelf.put(consultation_id, [waiting.document for waiting in found])
            for waiting in found:
                self._waiting[consultation_id, waiting.document.feed] = waiting

    def keep(self, consultation_id: str, document: Document, operation: KeptOperation) -> None:
        """It was done just now."""
        key = (consultation_id, document.feed)
        waiting = self._waiting.get(key)
        if waiting is None:
            waiting = self._waiting[key] = _Waiting(document)
        waiting.operations.append(operation)
        self._news.set()

    def has_unstored(self, consultation_id: str) -> bool:
        """True while something of it is in memory alone."""
        return any(key[0] == consultation_id and one.operations for key, one in self._waiting.items())

    async def run(self) -> None:
        """Until `finish`; then what is left is stored."""
        while not self._ending:
            await self._news.wait()
            self._news.clear()
            storing = asyncio.ensure_future(self._attempt())
            _, slow = await asyncio.wait([storing], timeout=PATIENCE_S)
            if slow:
                self._let_go()
            await storing
            if not self._ending:
                await asyncio.sleep(PAUSE_S if self.works else AGAIN_S)
        await self._attempt()

    def finish(self) -> None:
        """Let `run` end."""
        self._ending = True
        self._news.set()

    async def _attempt(self) -> None:
        try:
            await self._store()
        except Exception as error:  # whatever it is: authors must not wait for ever, and it is tried again
            if self.works:
                log.error("drawings.not_stored", error=type(error).__name__)
            self.works = False
            self._let_go()
            self._news.set()
        else:
            self.works = True

    async def _store(self) -> None:
        taken = {key: waiting.take() for key, waiting in self._waiting.items() if waiting.operations}
        over, self._over = self._over, set()
        if not taken and not over:
            return
        try:
            batches = await asyncio.to_thread(_batches, taken)
            await drawings.store(self._database, batches, over)
        except BaseException:
            self._over |= over
            for key in taken.keys() & self._waiting.keys():
                self._waiting[key].put_back(taken[key])
            raise
        for one in taken.values():
            self._stored(one.document.document_id, one.seq)

    def _let_go(self) -> None:
        """Nobody waits for what cannot be stored now."""
        for waiting in self._waiting.values():
            self._stored(waiting.document.document_id, waiting.document.seq)

    def _left(self, consultation_id: str, over: bool) -> None:
        for key in [key for key in self._waiting if key[0] == consultation_id]:
            document = self._waiting.pop(key).document
            self._stored(document.document_id, document.seq)
        if over:
            self._over.add(consultation_id)
            self._news.set()


def _batches(taken: dict[Feed, _Taken]) -> list[Batch]:
    return [_batch(key, one) for key, one in taken.items()]


def _batch(key: Feed, one: _Taken) -> Batch:
    consultation_id, feed = key
    if one.whole is not None:
        return Batch(consultation_id, feed, WHOLE, one.seq, written(one.whole))
    content = "\n".join(operation.model_dump_json() for operation in one.operations)
    return Batch(consultation_id, feed, one.seq - len(one.operations) + 1, one.seq, content)


def _restored(batches: Sequence[Batch]) -> tuple[list[_Waiting], list[str]]:
    """Documents, and feeds whose drawings cannot be read."""
    by_feed: dict[str, list[Batch]] = {}
    for batch in batches:
        by_feed.setdefault(batch.feed, []).append(batch)
    found, unreadable = [], []
    for feed, some in by_feed.items():
        try:
            found.append(_document(feed, some))
        except (ValidationError, RemoteError):
            unreadable.append(feed)
    return found, unreadable


def _document(feed: str, batches: list[Batch]) -> _Waiting:
    """In order; what is whole comes first."""
    whole = None
    if batches[0].first_seq == WHOLE:
        whole = KeptDocument.model_validate_json(batches[0].content)
        batches = batches[1:]
    lines = [line for batch in batches for line in batch.content.split("\n")]
    document = restored(feed, new_id("d"), whole, map(KeptOperation.model_validate_json, lines))
    return _Waiting(document, since_whole=len(lines))
