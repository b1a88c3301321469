"""One consultation from its opening to its closing entry: the archive is opened, the room recorded, the
archive closed.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

import structlog

from archive import layout
from archive.continuity import RECORDING_STOPPED
from archive.keys import ArchiveSigner, RecipientLike, make_session_key, publish_signer
from archive.verify import consultations_in
from archive.writer import ArchiveWriter
from core.clock import NS_PER_S, NS_PER_US, Clock
from core.errors import Conflict, TeleconsultError
from recorder.api import OpenConsultation, ServiceApi
from recorder.backfill import BackfillDesk
from recorder.consultation_archive import ConsultationArchive
from recorder.failure import Failure, failure_of
from recorder.room import CONSENT_WITHDRAWN, CONSULTATION_CLOSED, RoomRecorder
from recorder.writing import WritingThread

OPEN_RETRY_S: Final = 2.0
CLOSE_RETRY_S: Final = 2.0
LOOK_FOR_LATE_S: Final = 0.5
CLOSED_WHILE_AWAY: Final = "closed_while_away"

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Vault:
    """Where archives go and with which keys."""

    root: Path
    signer: ArchiveSigner
    recipients: Sequence[RecipientLike]
    clock: Clock
    late_s: int = 0
    """How long an archive waits for what boxes kept, after its consultation."""

    def publish_signer(self) -> None:
        """Name the signer beside the archives, for who has no other way to know. Raises `OSError`."""
        publish_signer(self.root, self.signer.public)

    def open(self, consultation: str, opened_at_us: int) -> ArchiveWriter:
        """Begin or continue an archive. Raises `TeleconsultError`, `OSError`."""
        self.publish_signer()
        return ArchiveWriter.create_or_resume(
            self.root,
            consultation,
            epoch_us=opened_at_us,
            recipients=self.recipients,
            make_key=make_session_key,
            signer=self.signer,
            clock=self.clock,
        )

    def close_forgotten(
        self, recorded: set[str], withdrawn: set[str], reason: str = CLOSED_WHILE_AWAY
    ) -> bool:
        """Close archives whose consultation ended, or may not be recorded any more (`withdrawn`), while
        nobody recorded it. `recorded`: is, or may be again. Failures are logged. False: the disk refused,
        try again later.
        """
        refused = False
        for folder in consultations_in(self.root):
            if folder.name in recorded or (folder / layout.CLOSED).exists():
                continue
            try:
                self._close(folder.name, CONSENT_WITHDRAWN if folder.name in withdrawn else reason)
            except Conflict:
                continue  # closed already, as it should be
            except (TeleconsultError, OSError) as error:
                refused = refused or isinstance(error, OSError)
                log.error("recorder.archive_not_closed", consultation=folder.name, error=str(error))
        return not refused

    def _close(self, consultation: str, reason: str) -> None:
        writer = ArchiveWriter.resume(self.root, consultation, signer=self.signer, clock=self.clock)
        try:
            writer.close(reason)
        finally:
            writer.release()


class ConsultationRecorder:
    """Run it as a task; `end` when the consultation is over, cancel when the recorder stops."""

    def __init__(self, api: ServiceApi, row: OpenConsultation, vault: Vault, writing: WritingThread) -> None:
        self._row = row
        self._vault = vault
        self._writing = writing
        self._archive: ConsultationArchive | None = None
        self.desk: BackfillDesk | None = None
        """What boxes deliver later goes there, while the archive is open."""
        self._hurry = asyncio.Event()
        self._room = RoomRecorder(api, row.room, row.consultation_id, writing, vault.clock)
        self._log = log.bind(consultation=row.consultation_id, room=row.room)

    @property
    def writer(self) -> ArchiveWriter | None:
        """Its archive, once it is open."""
        return None if self._archive is None else self._archive.writer

    @property
    def ended(self) -> bool:
        """True once the consultation is known to be over."""
        return self._room.ended.is_set()

    @property
    def stopped(self) -> bool:
        """True when its archive was left open, though the recorder goes on."""
        return self.ended and self._room.close_reason == RECORDING_STOPPED

    def end(self, reason: str = CONSULTATION_CLOSED) -> None:
        """The consultation, or the consent to record it, is over: finish and close the archive."""
        self._room.end(reason)

    def hurry(self) -> None:
        """The recorder stops: what boxes may still have is not waited for."""
        self._hurry.set()

    async def run(self) -> None:
        """Returns when the archive is closed."""
        await self._try_to_open()
        opening = asyncio.create_task(self._open_until_it_works())
        try:
            await self._room.run()
        finally:
            opening.cancel()
            await asyncio.gather(opening, return_exceptions=True)
            if not self._room.ended.is_set() and self._archive is not None:
                await self._writing.run(self._archive.release)
        await self._wait_for_boxes()
        await self._close_until_it_works()

    async def _open_until_it_works(self) -> None:
        while self._archive is None:
            await asyncio.sleep(OPEN_RETRY_S)
            await self._try_to_open()

    async def _try_to_open(self) -> None:
        try:
            await self._open()
        except (TeleconsultError, OSError) as error:
            self._room.refuse(failure_of(error))
            self._log.error("recorder.archive_not_open", error=str(error))

    async def _open(self) -> None:
        row, loop = self._row, asyncio.get_running_loop()

        def report(failure: Failure | None) -> None:
            loop.call_soon_threadsafe(self._room.storage, failure)

        writer = await self._writing.run(partial(self._vault.open, row.consultation_id, row.opened_at_us))
        self._archive = ConsultationArchive(writer, self._vault.clock, report)
        self._log.info("recorder.archive_open", resumed=writer.resumed)
        self.desk = desk = BackfillDesk(
            self._archive, self._writing, self._vault.signer, self._vault.clock, self._room.note
        )
        self._room.pause_heard = lambda paused: desk.pauses.told(paused, writer.now_us())
        self._room.begin(self._archive)

    async def _wait_for_boxes(self) -> None:
        """A box that was cut off when the consultation ended still has what is missing."""
        desk, clock = self.desk, self._vault.clock
        if desk is None or self._room.close_reason != CONSULTATION_CLOSED:
            self.desk = None
            return
        desk.ended()
        until_ns = clock.monotonic_ns() + self._vault.late_s * NS_PER_S
        waited = False
        while not self._hurry.is_set() and clock.monotonic_ns() < until_ns and await desk.outstanding():
            if not waited:
                self._log.info("recorder.waits_for_boxes", at_most_s=self._vault.late_s)
            waited = True
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LOOK_FOR_LATE_S):
                    await self._hurry.wait()
        self.desk = None

    async def _close_until_it_works(self) -> None:
        archive, reason = self._archive, self._room.close_reason
        if archive is None:
            return
        leave, left = partial(archive.close, reason), "recorder.archive_closed"
        if reason == RECORDING_STOPPED:
            left = "recorder.archive_stopped"  # it may go on
            stopped_us = self._vault.clock.unix_ns() // NS_PER_US - archive.writer.epoch_us
            leave = partial(archive.stop, max(0, stopped_us))
        while True:
            if await self._writing.run(leave):
                self._log.info(left, reason=reason)
                return
            await asyncio.sleep(CLOSE_RETRY_S)
