"""The writing thread: muxing, sealing and fsync happen here, never on the event loop that takes media.

One thread for all consultations, fed by one queue bounded in bytes. When the bound is hit a piece is
dropped, not waited for: the media loop must go on. The drop is declared in the archive as a gap with the
reason `overload`.
"""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, Final, TypeVar

import structlog

MAX_QUEUED_BYTES: Final = 64 * 1024 * 1024
MAX_QUEUED_JOBS: Final = 4_000

log = structlog.get_logger()

Result = TypeVar("Result")


class WritingThread:
    """`submit` media, `post` what is small and must not be lost, `run` what has an answer."""

    def __init__(self, max_bytes: int = MAX_QUEUED_BYTES, max_jobs: int = MAX_QUEUED_JOBS) -> None:
        self._max_bytes, self._max_jobs = max_bytes, max_jobs
        self._queue: queue.SimpleQueue[tuple[int, Callable[[], Any]] | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._queued_bytes = self._queued_jobs = 0
        self._thread = threading.Thread(target=self._work, name="archive-writer", daemon=True)
        self._thread.start()

    @property
    def queued_bytes(self) -> int:
        return self._queued_bytes

    @property
    def relaxed(self) -> bool:
        """True while the queue is less than half full."""
        return self._queued_bytes * 2 < self._max_bytes and self._queued_jobs * 2 < self._max_jobs

    def submit(self, cost_bytes: int, job: Callable[[], None]) -> bool:
        """Queue a job that may be dropped; False when the queue is full and it was."""
        with self._lock:
            full = self._queued_bytes + cost_bytes > self._max_bytes or self._queued_jobs >= self._max_jobs
            if full and self._queued_jobs:
                return False
            self._queued_bytes += cost_bytes
            self._queued_jobs += 1
        self._queue.put((cost_bytes, job))
        return True

    def post(self, job: Callable[[], Any]) -> None:
        """Queue a small job whatever the bound: gaps, events and ends come at most some times a second."""
        with self._lock:
            self._queued_jobs += 1
        self._queue.put((0, job))

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
        self._queue.put(None)
        self._thread.join()

    def _work(self) -> None:
        while (item := self._queue.get()) is not None:
            cost_bytes, job = item
            try:
                job()
            except Exception:
                log.exception("recorder.writing_job_failed")
            with self._lock:
                self._queued_bytes -= cost_bytes
                self._queued_jobs -= 1
