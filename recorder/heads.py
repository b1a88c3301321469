"""Tells signaling, signed, where every archive stands: about every 10 s, and at once when one begins or is
closed.

Signaling gives the heads to everybody in the room and writes them into the log, so that nobody can shorten
an archive, or make one disappear, without somebody holding the proof. What could not be told is told later:
signaling names the archives whose end it does not know (`GET /api/v1/log/awaited`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Final

import structlog

from archive import layout
from archive.chain import Head, SigningKey, read_line
from archive.log_heads import sign_head
from archive.store import read_optional
from archive.writer import ArchiveWriter
from core.clock import NS_PER_S, NS_PER_US, Clock
from core.errors import Conflict, NotFound, ProtocolError, TeleconsultError
from core.ids import is_id
from core.messages import SignedHead
from recorder.api import ServiceApi

LOOK_S: Final = 1.0
REPORT_S: Final = 10
AWAITED_S: Final = 10
MAX_LATE: Final = 20
"""Late ends told in one go."""

log = structlog.get_logger()


class HeadReporter:
    """Run `run` as a task. `writers`: the archives that are being written now."""

    def __init__(
        self,
        api: ServiceApi,
        root: Path,
        signer: SigningKey,
        clock: Clock,
        writers: Callable[[], Iterable[ArchiveWriter]],
    ) -> None:
        self._api, self._root, self._signer, self._clock = api, root, signer, clock
        self._running = writers
        self._writers: dict[str, ArchiveWriter] = {}
        """Until their end is told."""
        self._told_ns: dict[str, int] = {}
        self._asked_ns: int | None = None
        self._problem = ""

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await self.step()
            await asyncio.sleep(LOOK_S)

    async def step(self) -> None:
        """Tell what is due. What fails is tried again."""
        for writer in self._running():
            self._writers[writer.consultation] = writer
        try:
            for writer in list(self._writers.values()):
                await self._tell_if_due(writer)
            await self._tell_late_ends()
        except TeleconsultError as error:
            if str(error) != self._problem:
                log.warning("recorder.head_not_told", reason=str(error))
            self._problem = str(error)
        else:
            self._problem = ""

    async def _tell_if_due(self, writer: ArchiveWriter) -> None:
        consultation, now_ns = writer.consultation, self._clock.monotonic_ns()
        told_ns, final = self._told_ns.get(consultation), writer.closed
        if not final and told_ns is not None and now_ns - told_ns < REPORT_S * NS_PER_S:
            return
        await self._tell(consultation, writer.head, final)
        if final:
            del self._writers[consultation]
            self._told_ns.pop(consultation, None)
        else:
            self._told_ns[consultation] = now_ns

    async def _tell_late_ends(self) -> None:
        now_ns = self._clock.monotonic_ns()
        if self._asked_ns is not None and now_ns - self._asked_ns < AWAITED_S * NS_PER_S:
            return
        waiting = [one for one in await self._api.awaited_heads() if one not in self._writers and is_id(one)]
        self._asked_ns = now_ns
        told = 0
        for consultation in waiting:
            head = await asyncio.to_thread(partial(closed_head, self._root / consultation))
            if head is not None and told < MAX_LATE:
                await self._tell(consultation, head, final=True)
                told += 1

    async def _tell(self, consultation: str, head: Head, final: bool) -> None:
        """Raises `Unavailable`. What the service does not take, it will not take later either."""
        try:
            await self._api.report_head(self._signed(consultation, head, final))
        except (Conflict, NotFound) as error:
            log.error("recorder.head_refused", consultation=consultation, reason=str(error))

    def _signed(self, consultation: str, head: Head, final: bool) -> SignedHead:
        at_us = self._clock.unix_ns() // NS_PER_US
        return sign_head(consultation, head, at_us, final, self._signer)


def closed_head(folder: Path) -> Head | None:
    """Where a closed archive ends; None while it is open, or is not here."""
    line = read_optional(folder / layout.CLOSED)
    if line is None:
        return None
    try:
        entry, _ = read_line(line)
    except ProtocolError:
        return None
    return Head(entry.entry).after(line)
