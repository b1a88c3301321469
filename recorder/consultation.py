"""One consultation from its opening to its closing entry: the archive is opened, the room recorded, the
archive closed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

import structlog

from archive import layout
from archive.keys import ArchiveSigner, RecipientLike, make_session_key
from archive.verify import consultations_in
from archive.writer import ArchiveWriter
from core.clock import Clock
from core.errors import Conflict, TeleconsultError
from recorder.api import OpenConsultation, ServiceApi
from recorder.consultation_archive import ConsultationArchive
from recorder.room import RoomRecorder
from recorder.writing import WritingThread

OPEN_RETRY_S: Final = 2.0
CLOSE_RETRY_S: Final = 2.0
CLOSE_REASON: Final = "consultation_closed"
CLOSED_WHILE_AWAY: Final = "closed_while_away"

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Vault:
    """Where archives go and with which keys."""

    root: Path
    signer: ArchiveSigner
    recipients: Sequence[RecipientLike]
    clock: Clock

    def open(self, consultation: str, opened_at_us: int) -> ArchiveWriter:
        """Begin or continue an archive. Raises `TeleconsultError`, `OSError`."""
        return ArchiveWriter.create_or_resume(
            self.root,
            consultation,
            epoch_us=opened_at_us,
            recipients=self.recipients,
            make_key=make_session_key,
            signer=self.signer,
            clock=self.clock,
        )

    def close_forgotten(self, still_open: set[str]) -> None:
        """Close archives whose consultation ended while no recorder was there. Failures are logged."""
        for folder in consultations_in(self.root):
            if folder.name in still_open or (folder / layout.CLOSED).exists():
                continue
            try:
                writer = ArchiveWriter.resume(self.root, folder.name, signer=self.signer, clock=self.clock)
                writer.close(CLOSED_WHILE_AWAY)
            except Conflict:
                continue  # closed already, as it should be
            except (TeleconsultError, OSError) as error:
                log.error("recorder.archive_not_closed", consultation=folder.name, error=str(error))


class ConsultationRecorder:
    """Run it as a task; `end` when the consultation is over, cancel when the recorder stops."""

    def __init__(self, api: ServiceApi, row: OpenConsultation, vault: Vault, writing: WritingThread) -> None:
        self._row = row
        self._vault = vault
        self._writing = writing
        self._archive: ConsultationArchive | None = None
        self._room = RoomRecorder(api, row.room, row.consultation_id, writing, vault.clock)
        self._log = log.bind(consultation=row.consultation_id, room=row.room)

    @property
    def ended(self) -> bool:
        """True once the consultation is known to be over."""
        return self._room.ended.is_set()

    def end(self) -> None:
        """The consultation is over: finish and close the archive."""
        self._room.ended.set()

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
        await self._close_until_it_works()

    async def _open_until_it_works(self) -> None:
        while self._archive is None:
            await asyncio.sleep(OPEN_RETRY_S)
            await self._try_to_open()

    async def _try_to_open(self) -> None:
        try:
            await self._open()
        except (TeleconsultError, OSError) as error:
            self._room.refuse(_reason(error))
            self._log.error("recorder.archive_not_open", error=str(error))

    async def _open(self) -> None:
        row, loop = self._row, asyncio.get_running_loop()

        def report(failure: str | None) -> None:
            loop.call_soon_threadsafe(self._room.storage, failure)

        writer = await self._writing.run(partial(self._vault.open, row.consultation_id, row.opened_at_us))
        self._archive = ConsultationArchive(writer, self._vault.clock, report)
        self._log.info("recorder.archive_open", resumed=writer.resumed)
        self._room.begin(self._archive)

    async def _close_until_it_works(self) -> None:
        while self._archive is not None:
            if await self._writing.run(partial(self._archive.close, CLOSE_REASON)):
                self._log.info("recorder.archive_closed")
                return
            await asyncio.sleep(CLOSE_RETRY_S)


def _reason(error: Exception) -> str:
    """For the room: what is wrong, without paths."""
    if isinstance(error, OSError):
        return error.strerror or "the archive cannot be written"
    return str(error)
