"""What the log needs from time: consultations that opened or ended beside it, heads, what clients are given
to keep.
"""

from __future__ import annotations

import asyncio
from typing import Final

import structlog
from aiohttp import web

from core import messages
from core.clock import NS_PER_S
from core.consultations import Consultation, find_consultation, list_consultations, open_among
from core.errors import Unavailable
from signaling.context import Context
from signaling.log_service import NOBODY, RecordReason

log = structlog.get_logger()

TICK_S: Final = 1.0
RECONCILE_S: Final = 5.0
HEADS_S: Final = 10.0
"""How often everybody in a room gets the newest head and checkpoint."""
FINAL_WITHIN_S: Final = 30.0
"""How long a closing archive is waited for; then the close is provisional, and the rest an addendum."""


class LogKeeper:
    """Run `run` as a task."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._log = context.log
        self._ended_ns: dict[str, int] = {}
        """Consultations found to be over, and when that was."""
        self._compared = False
        self._reconciled_ns = self._told_ns = -NS_PER_S * 3600

    async def run(self) -> None:
        """Until cancelled."""
        await self._log.writer.opened.wait()
        while True:
            try:
                await self.tick()
            except Unavailable as error:
                log.warning("log.keeper_waits", reason=str(error))
            except Exception:
                log.exception("log.keeper_failed")
            await asyncio.sleep(TICK_S)

    async def tick(self) -> None:
        """Everything that is due now. Raises `Unavailable`."""
        now_ns = self._context.clock.monotonic_ns()
        if now_ns - self._told_ns >= HEADS_S * NS_PER_S:
            self._told_ns = now_ns
            self.tell_heads()
        if now_ns - self._reconciled_ns >= RECONCILE_S * NS_PER_S:
            self._reconciled_ns = now_ns
            await self._open_what_is_open()
            await self._find_ended(now_ns)
        await self._close_ended(now_ns)
        await self._log.log_heads()

    def ended(self, consultation: str, ago_s: float = 0) -> None:
        """A consultation was closed."""
        since_ns = self._context.clock.monotonic_ns() - int(ago_s * NS_PER_S)
        self._ended_ns[consultation] = min(since_ns, self._ended_ns.get(consultation, since_ns))

    def tell_heads(self) -> None:
        """To everybody in every room: what they keep, so that nothing can quietly not exist."""
        service, note = self._context.service, self._log.writer.published
        if note is None:
            return
        checkpoint = note.spell()
        for room in list(service.rooms.values()):
            head = self._log.heads.get(room.consultation.consultation_id)
            told = messages.ArchiveHead(head=head, checkpoint=checkpoint, at_us=service.now_us())
            for member in room.members.values():
                service.tell(member, told)

    async def _open_what_is_open(self) -> None:
        """Consultations made before there was a log, or beside the service."""
        changes = self._context.service.changes
        for found in await list_consultations(self._context.database, state="open", limit=None):
            if not self._log.knows(found.consultation_id):
                await self._log.open_late(found)
            elif changes == self._context.service.changes:  # else it may have been read before one of them
                self._compare(found)
        self._compared = True

    def _compare(self, found: Consultation) -> None:
        """Whether it is recorded: the log has to say what is stored. At first, what differs is what this
        service had announced when it died; later, somebody changed it beside the service.
        """
        wanted = found.consultation_id
        record = self._log.writer.book.records.get(wanted)
        if record is None or record.recording in (None, found.record):
            return
        if wanted in self._context.deciding or self._log.failure is not None:
            return
        reason: RecordReason = "unknown" if self._compared or not record.decisions else "corrected"
        self._log.note_recording(wanted, record=found.record, by=NOBODY, reason=reason)

    async def _find_ended(self, now_ns: int) -> None:
        """Closed by another process, or while no signaling ran."""
        records = self._log.writer.book.records.values()
        unclosed = [one.consultation for one in records if one.closed is None]
        unclosed = [one for one in unclosed if one not in self._context.opening]
        still_open = await open_among(self._context.database, unclosed)
        for consultation in unclosed:
            if consultation not in still_open and consultation not in self._context.opening:
                self._ended_ns.setdefault(consultation, now_ns)

    async def _close_ended(self, now_ns: int) -> None:
        for consultation, since_ns in list(self._ended_ns.items()):
            record = self._log.writer.book.records.get(consultation)
            if record is None or record.closed is not None:
                del self._ended_ns[consultation]
            elif not record.record:
                await self._log.close(consultation, "unrecorded")
            elif record.final:
                await self._log.close(consultation, "final")
            elif await find_consultation(self._context.database, consultation) is None:
                await self._log.close(consultation, "not_opened")
            elif now_ns - since_ns >= FINAL_WITHIN_S * NS_PER_S:
                await self._log.close(consultation, "provisional")


LOG_KEEPER: Final = web.AppKey("log_keeper", LogKeeper)
