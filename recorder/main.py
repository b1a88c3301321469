"""The recorder process: an ordinary client that archives every open consultation which asks for it."""

from __future__ import annotations

import asyncio
import contextlib
from functools import partial
from typing import Final

import aiohttp
import structlog

from archive.continuity import RECORDING_STOPPED
from archive.keys import check_custodians, ensure_signer
from archive.writer import ArchiveWriter
from core import systemd
from core.clock import NS_PER_S, Clock, SystemClock
from core.config import Settings
from core.errors import ConfigError, TeleconsultError
from core.local_service import service_trust, service_url
from core.stopping import stopped_by_signals
from recorder.api import OpenConsultation, ServiceApi
from recorder.backfill import BackfillDesk
from recorder.backfill_clerk import BackfillClerk
from recorder.consultation import CLOSED_WHILE_AWAY, ConsultationRecorder, Vault
from recorder.heads import HeadReporter
from recorder.room import CONSENT_WITHDRAWN, CONSULTATION_CLOSED
from recorder.upload import uploading
from recorder.writing import WritingThread

POLL_INTERVAL_S: Final = 1.0
LAST_POLL_S: Final = 1.0
CLOSE_AGAIN_NS: Final = 10 * NS_PER_S
STOP_WITHIN_S: Final = 6.0
"""Less than the supervisor's patience."""

log = structlog.get_logger()


async def run(settings: Settings) -> None:
    """Record until SIGTERM or SIGINT. Raises `ConfigError` when the signing key cannot be used."""
    with stopped_by_signals() as stopping:
        async with systemd.ready("recording what is to be recorded"):
            await record(settings.resolve_paths(), stopping.asked, SystemClock())


async def record(settings: Settings, stopping: asyncio.Event, clock: Clock) -> None:
    """Record until `stopping` is set; archives of consultations that go on are left open."""
    signer = ensure_signer(settings.signing_key_file)
    vault = Vault(settings.archive_dir, signer, settings.recipients, clock, settings.backfill_late_s)
    try:
        vault.publish_signer()
    except OSError as error:
        log.error("recorder.signer_not_published", reason=error.strerror)  # it is, with the next archive
    try:
        check_custodians(settings.recipients)
    except ConfigError as error:
        log.error("recorder.will_refuse", reason=str(error))  # every room is told, too
    writing = WritingThread()
    try:
        async with aiohttp.ClientSession() as session:
            url, trust = service_url(settings), partial(service_trust, settings)
            api = ServiceApi(session, url, settings.service_secret_file, clock, trust)
            async with uploading(settings, stopping, clock):
                recorder = Recorder(api, vault, writing)
                heads = HeadReporter(api, vault.root, vault.signer, clock, recorder.writers)
                async with asyncio.TaskGroup() as group:
                    telling = group.create_task(heads.run())
                    answering = group.create_task(BackfillClerk(api, recorder.desk_of).run())
                    await recorder.run(stopping)
                    telling.cancel()
                    answering.cancel()
                await heads.step()  # the ends of what was closed last
    finally:
        await asyncio.to_thread(writing.stop)


class Recorder:
    """Keeps one `ConsultationRecorder` per open consultation with `record: true`."""

    def __init__(self, api: ServiceApi, vault: Vault, writing: WritingThread) -> None:
        self._api = api
        self._vault = vault
        self._writing = writing
        self._running: dict[str, tuple[ConsultationRecorder, asyncio.Task[None]]] = {}
        self._reachable: bool | None = None
        self._forgotten_closed = False
        self._close_again_ns: int | None = None
        """When to try once more to close what the disk did not let us close."""
        self._stopped: set[str] = set()
        """Open, and not recorded now, but perhaps later."""

    def writers(self) -> list[ArchiveWriter]:
        """Of the archives that are open."""
        found = (recorder.writer for recorder, _ in self._running.values())
        return [writer for writer in found if writer is not None]

    def desk_of(self, consultation: str) -> BackfillDesk | None:
        """Where what boxes deliver later to that consultation goes; None when nothing is taken."""
        found = self._running.get(consultation)
        return None if found is None else found[0].desk

    async def run(self, stopping: asyncio.Event) -> None:
        """Poll until `stopping` is set."""
        try:
            while not stopping.is_set():
                await self._poll()
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(POLL_INTERVAL_S):
                        await stopping.wait()
        finally:
            await self._stop()

    async def _poll(self) -> None:
        try:
            rows = await self._api.open_consultations()
        except TeleconsultError as error:
            if self._reachable is not False:
                log.warning("waiting", **{"for": f"the service at {self._api.base_url}"}, error=str(error))
            self._reachable = False
            return
        if not self._reachable:
            log.info("recorder.service_reachable", consultations=len(rows))
        self._reachable = True
        await self._follow({row.consultation_id: row for row in rows})

    async def _follow(self, rows: dict[str, OpenConsultation]) -> None:
        await self._close_forgotten(rows)
        for consultation, (recorder, task) in list(self._running.items()):
            if task.done():
                self._forget(consultation, task, stopped=recorder.stopped)
            elif consultation not in rows:
                recorder.end()
            elif not rows[consultation].record and not recorder.ended:
                recorder.end(_why_not(rows[consultation]))
        for consultation, row in rows.items():
            if row.record and consultation not in self._running:
                recorder = ConsultationRecorder(self._api, row, self._vault, self._writing)
                self._running[consultation] = (recorder, asyncio.create_task(recorder.run()))

    async def _close_forgotten(self, rows: dict[str, OpenConsultation]) -> None:
        """What ended while nobody recorded it: before we came, or after recording had been stopped."""
        stopped = {name for name, row in rows.items() if not row.record and not row.withdrawn}
        over = self._stopped - {name for name, row in rows.items() if not row.withdrawn}
        now_ns = self._vault.clock.monotonic_ns()
        again = self._close_again_ns is not None and now_ns >= self._close_again_ns
        if over or again or not self._forgotten_closed:
            reason = CONSULTATION_CLOSED if self._forgotten_closed else CLOSED_WHILE_AWAY
            withdrawn = {name for name, row in rows.items() if row.withdrawn}
            going_on = set(rows) - withdrawn | set(self._running)
            work = partial(self._vault.close_forgotten, going_on, withdrawn, reason)
            closed = await self._writing.run(work)
            self._close_again_ns = None if closed else now_ns + CLOSE_AGAIN_NS
        self._forgotten_closed, self._stopped = True, stopped

    def _forget(self, consultation: str, task: asyncio.Task[None], *, stopped: bool) -> None:
        """It ended; or it failed, and the next poll begins anew."""
        del self._running[consultation]
        if stopped:
            self._stopped.add(consultation)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("recorder.consultation_failed", consultation=consultation, exc_info=error)

    async def _stop(self) -> None:
        """Consultations that have just ended are closed; the others are left open, whole."""
        with contextlib.suppress(TeleconsultError, TimeoutError):
            async with asyncio.timeout(LAST_POLL_S):
                rows = {row.consultation_id: row for row in await self._api.open_consultations()}
                for consultation, (recorder, _) in self._running.items():
                    if consultation not in rows:
                        recorder.end()
                    elif not rows[consultation].record:
                        recorder.end(_why_not(rows[consultation]))
        tasks = [task for _, task in self._running.values()]
        for recorder, _ in self._running.values():
            recorder.hurry()
        for recorder, task in self._running.values():
            if not recorder.ended:
                task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=STOP_WITHIN_S)


def _why_not(row: OpenConsultation) -> str:
    return CONSENT_WITHDRAWN if row.withdrawn else RECORDING_STOPPED
