"""The recorder process: an ordinary client that archives every open consultation which asks for it."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from functools import partial
from typing import Final

import aiohttp
import structlog

from archive.keys import check_custodians, ensure_signer, publish_signer
from core.clock import Clock, SystemClock
from core.config import Settings
from core.errors import ConfigError, TeleconsultError
from recorder.api import OpenConsultation, ServiceApi, server_url, tls_context
from recorder.consultation import ConsultationRecorder, Vault
from recorder.writing import WritingThread

POLL_INTERVAL_S: Final = 1.0
LAST_POLL_S: Final = 1.0
STOP_WITHIN_S: Final = 6.0
"""Less than the supervisor's patience."""

log = structlog.get_logger()


async def run(settings: Settings) -> None:
    """Record until SIGTERM or SIGINT. Raises `ConfigError` when the signing key cannot be used."""
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    await record(settings.resolve_paths(), stopping, SystemClock())


async def record(settings: Settings, stopping: asyncio.Event, clock: Clock) -> None:
    """Record until `stopping` is set; archives of consultations that go on are left open."""
    vault = Vault(settings.archive_dir, ensure_signer(settings.signing_key_file), settings.recipients, clock)
    publish_signer(settings.archive_dir, vault.signer.public)
    try:
        check_custodians(settings.recipients)
    except ConfigError as error:
        log.error("recorder.will_refuse", reason=str(error))  # every room is told, too
    writing = WritingThread()
    try:
        async with aiohttp.ClientSession() as session:
            api = ServiceApi(
                session, server_url(settings), settings.service_secret_file, clock, tls_context(settings)
            )
            await Recorder(api, vault, writing).run(stopping)
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
                log.warning("recorder.service_unreachable", error=str(error))
            self._reachable = False
            return
        if not self._reachable:
            log.info("recorder.service_reachable", consultations=len(rows))
        self._reachable = True
        await self._follow({row.consultation_id: row for row in rows})

    async def _follow(self, rows: dict[str, OpenConsultation]) -> None:
        if not self._forgotten_closed:
            await self._writing.run(partial(self._vault.close_forgotten, set(rows)))
            self._forgotten_closed = True
        for consultation, (recorder, task) in list(self._running.items()):
            if task.done():
                self._forget(consultation, task)
            elif consultation not in rows:
                recorder.end()
        for consultation, row in rows.items():
            if row.record and consultation not in self._running:
                recorder = ConsultationRecorder(self._api, row, self._vault, self._writing)
                self._running[consultation] = (recorder, asyncio.create_task(recorder.run()))

    def _forget(self, consultation: str, task: asyncio.Task[None]) -> None:
        """It ended; or it failed, and the next poll begins anew."""
        del self._running[consultation]
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("recorder.consultation_failed", consultation=consultation, exc_info=error)

    async def _stop(self) -> None:
        """Consultations that have just ended are closed; the others are left open, whole."""
        with contextlib.suppress(TeleconsultError, TimeoutError):
            async with asyncio.timeout(LAST_POLL_S):
                still_open = {row.consultation_id for row in await self._api.open_consultations()}
                for consultation, (recorder, _) in self._running.items():
                    if consultation not in still_open:
                        recorder.end()
        tasks = [task for _, task in self._running.values()]
        for recorder, task in self._running.values():
            if not recorder.ended:
                task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=STOP_WITHIN_S)
