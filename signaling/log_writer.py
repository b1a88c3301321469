"""A queue in front of the log's files: leaves are written in order, several with one fsync, in a thread of
its own.

Who waits hears when its leaf is durable, or that it cannot be. What nobody waits for is kept, bounded, and
written when the disk allows; how much was lost beyond the bound is a leaf, too.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar

import structlog

from archive.chain import SigningKey
from archive.checkpoint import Note, VerifierKey
from archive.log_book import LogBook
from archive.log_entries import AccessLeaf, Leaf
from archive.log_keys import publish_log
from archive.log_store import LogStore
from core.clock import NS_PER_US, Clock
from core.errors import Conflict, ProtocolError, TeleconsultError, Unavailable

log = structlog.get_logger()

RETRY_S: Final = 2.0
APPEND_WITHIN_S: Final = 5.0
OPENED_WITHIN_S: Final = 2.0
"""A request that comes while a long log is being opened waits for so long."""
BATCH: Final = 256
MAX_POSTED: Final = 10_000
MAX_WAITING: Final = 1_000
OWN_SUBJECT: Final = "service:signaling"

_T = TypeVar("_T")


@dataclass(slots=True, eq=False)
class _Item:
    leaf: Leaf
    done: asyncio.Future[int] | None


class LogWriter:
    """Run `run` as a task. `book`: what the leaves say of consultations that are not finished."""

    def __init__(self, folder: Path, verifier: VerifierKey, key: SigningKey, clock: Clock) -> None:
        self.verifier = verifier
        self.book = LogBook(keep_finished=False)
        self.failure: str | None = "the log is being opened"
        """Why nothing can be written at the moment."""
        self.published: Note | None = None
        """The newest checkpoint."""
        self.opened = asyncio.Event()
        self._folder, self._key, self._clock = folder, key, clock
        self._store: LogStore | None = None
        self._opening: asyncio.Future[LogStore] | None = None
        self._queue: deque[_Item] = deque()
        self._news = asyncio.Event()
        self._waiting = self._posted = self._lost = 0
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="archive-log")

    async def append(self, leaf: Leaf) -> int:
        """Write it; its index, once it is durable. Raises `Unavailable` (503 `log_unavailable`)."""
        if self._waiting >= MAX_WAITING:
            raise unavailable("too much waits for it")
        item = _Item(leaf, asyncio.get_running_loop().create_future())
        assert item.done is not None
        self._put(item)
        self._waiting += 1
        try:
            async with asyncio.timeout(APPEND_WITHIN_S):
                return await item.done
        except TimeoutError:
            raise unavailable(self.failure or "the disk is too slow") from None
        finally:
            self._waiting -= 1
            with contextlib.suppress(ValueError):
                self._queue.remove(item)

    def post(self, leaf: Leaf) -> None:
        """Write it as soon as that is possible."""
        if self._posted >= MAX_POSTED:
            self._lost += 1
            return
        self._posted += 1
        self._put(_Item(leaf, None))

    async def ask(self, question: Callable[[LogStore], _T]) -> _T:
        """Ask the store, in its thread. Raises `Unavailable`, and what `question` raises."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(OPENED_WITHIN_S):
                await self.opened.wait()
        if self._store is None:
            raise unavailable(self.failure or "it is closed")
        try:
            return await self._do(question, self._store)
        except OSError as error:
            raise unavailable(error.strerror or "the disk fails") from None

    async def run(self) -> None:
        """Until cancelled; then what is queued is written, and the files are let go."""
        try:
            while True:
                await self._step()
        finally:
            await asyncio.shield(self._finish())

    # --- inside --------------------------------------------------------------------------

    async def _step(self) -> None:
        if self._store is None:
            await self._open()
        elif self._queue or self._lost:
            await self._write(self._store)
        else:
            self._news.clear()
            await self._news.wait()

    async def _open(self) -> None:
        book = LogBook(keep_finished=False)
        loop = asyncio.get_running_loop()
        self._opening = loop.run_in_executor(self._thread, self._open_store, book)
        try:
            self._store = await asyncio.shield(self._opening)
            self._opening = None
        except (TeleconsultError, OSError) as error:
            self._opening, reason = None, str(error)
            if isinstance(error, Conflict):
                reason = "another process writes it"
            await self._fail(reason)
            return
        self.book, self.published = book, self._store.checkpoint
        self._works()
        self.opened.set()

    def _open_store(self, book: LogBook) -> LogStore:
        """In the thread."""
        store = LogStore.open(self._folder, self.verifier.name, self._key, book.add)
        publish_log(self._folder.parent, self.verifier)
        return store

    async def _write(self, store: LogStore) -> None:
        batch = [self._queue.popleft() for _ in range(min(BATCH, len(self._queue)))]
        lost = self._lost
        leaves = [*self._lost_leaves(lost), *(item.leaf for item in batch)]
        try:
            first = await self._do(store.append, leaves) + len(leaves) - len(batch)
        except (OSError, ProtocolError) as error:
            self._queue.extendleft(item for item in reversed(batch) if item.done is None)
            await self._fail(str(error), [item for item in batch if item.done is not None])
            return
        self._lost -= lost
        for leaf in leaves:
            self.book.add(leaf)
        for index, item in enumerate(batch, first):
            if item.done is None:
                self._posted -= 1
            elif not item.done.done():
                item.done.set_result(index)
        await self._publish(store)

    async def _publish(self, store: LogStore) -> None:
        try:
            self.published = await self._do(store.publish)
        except OSError as error:  # the leaves are safe; the next ones bring a checkpoint, or the next start
            log.error("log.checkpoint_not_written", error=error.strerror)
        else:
            self._works()

    def _lost_leaves(self, lost: int) -> list[Leaf]:
        if not lost:
            return []
        at_us = self._clock.unix_ns() // NS_PER_US
        return [
            AccessLeaf(
                kind="access",
                at_us=at_us,
                access="lost",
                by=OWN_SUBJECT,
                second=None,
                consultation=None,
                detail=str(lost),
            )
        ]

    async def _fail(self, reason: str, failed: list[_Item] | None = None) -> None:
        """Who waits is told; then a pause."""
        if self.failure != reason:
            log.error("log.unavailable", reason=reason, folder=str(self._folder))
        self.failure = reason
        waiting = [item for item in self._queue if item.done is not None]
        for item in waiting:
            self._queue.remove(item)
        for item in (failed or []) + waiting:
            if item.done is not None and not item.done.done():
                item.done.set_exception(unavailable(reason))
        await asyncio.sleep(RETRY_S)

    def _works(self) -> None:
        if self.failure is not None:
            self.failure = None
            log.info("log.ready", origin=self.verifier.name, leaves=self.book.size)

    def _put(self, item: _Item) -> None:
        self._queue.append(item)
        self._news.set()

    async def _do(self, work: Callable[..., _T], *args: object) -> _T:
        """What was begun is done, even when nobody waits any more."""
        return await asyncio.shield(asyncio.get_running_loop().run_in_executor(self._thread, work, *args))

    async def _finish(self) -> None:
        """Everything that was said is written before the process ends, if the disk takes it."""
        store, self._store = self._store, None
        if store is None and self._opening is not None:
            with contextlib.suppress(TeleconsultError, OSError):
                store = await self._opening
        if store is not None:
            leaves = [item.leaf for item in self._queue if item.done is None]
            with contextlib.suppress(OSError, ProtocolError):
                if leaves:
                    await self._do(store.append, leaves)
                await self._do(store.publish)
            await self._do(store.close)
        self.failure = "the service ends"
        self._thread.shutdown(wait=False)


def unavailable(reason: str) -> Unavailable:
    """What callers are told: the reason is for the operator, the fix is theirs."""
    return Unavailable(
        f"the archive's log cannot be written ({reason}); tell the administrator", code="log_unavailable"
    )
