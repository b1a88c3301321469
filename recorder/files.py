"""Fetches what was sent in the chat, one file after the other, and hands it to the archive."""

from __future__ import annotations

import asyncio
import hashlib
from collections import deque
from collections.abc import Awaitable, Callable, Iterable
from typing import Final, Protocol

import structlog

from core.errors import NotFound, TeleconsultError
from core.messages import FileInfo
from recorder.backoff import Backoff

MAX_WAITING: Final = 1_000
"""As many as a consultation may have."""
FINISH_WITHIN_S: Final = 10.0
"""What was sent just before the end is waited for so long."""

log = structlog.get_logger()


class FileSource(Protocol):
    """Where the service keeps them."""

    async def file(self, consultation: str, file_id: str, size_bytes: int) -> bytes:
        """At most `size_bytes`. Raises `NotFound` when it is gone for good, `Unavailable`."""


class FileKeeper:
    """`want` files; each is kept once. `keep` writes one and says whether it could; `missing` hears of those
    that could not be had.
    """

    def __init__(
        self,
        source: FileSource,
        consultation: str,
        keep: Callable[[str, bytes], Awaitable[bool]],
        missing: Callable[[FileInfo, str], None],
        known: Iterable[str] = (),
    ) -> None:
        """`known`: ids of files that are in the archive already."""
        self._source, self._consultation = source, consultation
        self._keep, self._missing = keep, missing
        self._known = set(known)
        self._waiting: deque[FileInfo] = deque()
        self._task: asyncio.Task[None] | None = None

    def want(self, files: Iterable[FileInfo]) -> None:
        """These were sent; again changes nothing."""
        for info in files:
            if info.file_id in self._known:
                continue
            self._known.add(info.file_id)
            if len(self._waiting) >= MAX_WAITING:
                self._missing(info, "too_many")
                continue
            self._waiting.append(info)
        if self._waiting and (self._task is None or self._task.done()):
            self._task = asyncio.get_running_loop().create_task(self._work())

    async def finish(self) -> None:
        """The consultation is over: a last effort, then what is missing is said."""
        if self._task is not None and not self._task.done():
            await asyncio.wait([self._task], timeout=FINISH_WITHIN_S)
        self.stop()
        for info in self._waiting:
            self._missing(info, "consultation_closed")
        self._waiting.clear()

    def stop(self) -> None:
        """Whoever goes on with this archive asks for them again."""
        if self._task is not None:
            self._task.cancel()

    async def _work(self) -> None:
        backoff = Backoff()
        while self._waiting:
            try:
                done = await self._fetch(self._waiting[0])
            except TeleconsultError as error:
                log.warning("recorder.file_not_fetched", file=self._waiting[0].file_id, error=error.code)
                done = False
            if done:
                self._waiting.popleft()
                backoff.reset()
            else:
                await asyncio.sleep(backoff.next_delay_s())

    async def _fetch(self, info: FileInfo) -> bool:
        """True when there is nothing more to do about it."""
        try:
            data = await self._source.file(self._consultation, info.file_id, info.size_bytes)
        except NotFound:
            self._missing(info, "gone")
            return True
        if hashlib.sha256(data).hexdigest() != info.sha256:
            log.warning("recorder.file_not_whole", file=info.file_id)
            return False
        return await self._keep(info.file_id, data)
