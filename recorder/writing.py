"""The writing thread: fsync and all else that waits for a disk happens here, never on the event loop that
takes media. What can be done ahead is, each step by a thread of its own while the others wait for a disk or
compute without the interpreter: a piece is prepared (muxed, sealed), then staged (written beside the archive,
fsynced), then entered.

One set of threads for all consultations, fed by one queue bounded in bytes. When the bound is hit a piece is
dropped, not waited for: the media loop must go on. The drop is declared in the archive as a gap with the
reason `overload`.
"""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final, TypeVar

import structlog

MAX_QUEUED_BYTES: Final = 64 * 1024 * 1024
MAX_QUEUED_JOBS: Final = 4_000
MAX_PREPARED: Final = 4
"""Pieces that are sealed and wait to be entered: their memory is not counted."""

log = structlog.get_logger()

Result = TypeVar("Result")
Prepared = TypeVar("Prepared")
StagedPiece = TypeVar("StagedPiece")


@dataclass(frozen=True, slots=True, eq=False)
class _Item:
    """`staged`: what the job is given."""

    cost_bytes: int
    job: Callable[[Any], object]
    prepare: Callable[[], Any]
    stage: Callable[[Any], object]
    prepared: Future[Any] = field(default_factory=Future)
    staged: Future[object] = field(default_factory=Future)


class WritingThread:
    """`submit` media, `post` what is small and must not be lost, `run` what has an answer."""

    def __init__(self, max_bytes: int = MAX_QUEUED_BYTES, max_jobs: int = MAX_QUEUED_JOBS) -> None:
        self._max_bytes, self._max_jobs = max_bytes, max_jobs
        self._queue: queue.SimpleQueue[_Item | Callable[[], object] | None] = queue.SimpleQueue()
        self._to_prepare: queue.SimpleQueue[_Item | None] = queue.SimpleQueue()
        self._to_stage: queue.SimpleQueue[_Item | None] = queue.SimpleQueue()
        self._may_prepare = threading.Semaphore(MAX_PREPARED)
        self._lock = threading.Lock()
        self._queued_bytes = self._queued_jobs = 0
        self._threads = [
            threading.Thread(target=work, name=f"archive-{name}", daemon=True)
            for name, work in (("sealer", self._prepare), ("stager", self._stage), ("writer", self._work))
        ]
        for thread in self._threads:
            thread.start()

    @property
    def queued_bytes(self) -> int:
        return self._queued_bytes

    @property
    def relaxed(self) -> bool:
        """True while the queue is less than half full."""
        return self._queued_bytes * 2 < self._max_bytes and self._queued_jobs * 2 < self._max_jobs

    def submit(
        self,
        cost_bytes: int,
        job: Callable[[StagedPiece], object],
        prepare: Callable[[], Prepared],
        stage: Callable[[Prepared], StagedPiece],
    ) -> bool:
        """Queue a job that may be dropped; False when the queue is full and it was. `prepare` and then
        `stage` are done before, each in its turn; `job` gets the result, or is left out when one raised.
        """
        with self._lock:
            full = self._queued_bytes + cost_bytes > self._max_bytes or self._queued_jobs >= self._max_jobs
            if full and self._queued_jobs:
                return False
            self._queued_bytes += cost_bytes
            self._queued_jobs += 1
        item = _Item(cost_bytes, job, prepare, stage)
        self._to_prepare.put(item)
        self._queue.put(item)
        return True

    def post(self, job: Callable[[], Any]) -> None:
        """Queue a small job whatever the bound: gaps, events and ends come at most some times a second."""
        with self._lock:
            self._queued_jobs += 1
        self._queue.put(job)

    async def run(self, job: Callable[[], Result]) -> Result:
        """Do `job` in its turn and give its result, or raise what it raised."""
        future: Future[Result] = Future()

        def perform() -> None:
            try:
                future.set_result(job())
            except BaseException as error:
                future.set_exception(error)

        self.post(perform)
        return await asyncio.shield(asyncio.wrap_future(future))

    def stop(self) -> None:
        """Finish what is queued, then end. Blocks."""
        self._to_prepare.put(None)
        self._queue.put(None)
        for thread in self._threads:
            thread.join()

    def _prepare(self) -> None:
        """In the order of the jobs, which take the results in the same order: nobody waits for ever."""
        while (item := self._to_prepare.get()) is not None:
            self._may_prepare.acquire()
            _settle(item.prepared, item.prepare)
            self._to_stage.put(item)
        self._to_stage.put(None)

    def _stage(self) -> None:
        while (item := self._to_stage.get()) is not None:
            _settle(item.staged, partial(_stage, item))

    def _work(self) -> None:
        while (item := self._queue.get()) is not None:
            try:
                if isinstance(item, _Item):
                    self._enter(item)
                else:
                    item()
            except Exception:
                log.exception("recorder.writing_job_failed")
            with self._lock:
                self._queued_bytes -= item.cost_bytes if isinstance(item, _Item) else 0
                self._queued_jobs -= 1

    def _enter(self, item: _Item) -> None:
        try:
            item.job(item.staged.result())
        finally:
            self._may_prepare.release()


def _settle(future: Future[Result], work: Callable[[], Result]) -> None:
    try:
        future.set_result(work())
    except BaseException as error:
        future.set_exception(error)


def _stage(item: _Item) -> object:
    return item.stage(item.prepared.result())
