"""All SFU workers, and where each transport lives."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, Final, Protocol

import structlog

from core.directory import Directory
from core.errors import TeleconsultError, Unavailable
from signaling.worker_client import WorkerClient

log = structlog.get_logger()

PLACE_WAIT_S: Final = 2.0
"""A worker that restarts is back sooner; waiting spares clients a retry."""


RECONCILE_AGAIN_S: Final = 0.5
FIGURES_WITHIN_S: Final = 1.0


class PoolListener(Protocol):
    """Whoever knows what the transports are for."""

    def transport_event(self, event: Any) -> None:
        """A `WorkerEvent` of a worker that is in the pool."""

    def transport_gone(self, transport_id: str, reason: str) -> None:
        """One of them ended by itself."""

    def transports_lost(self, transport_ids: frozenset[str]) -> None:
        """These are gone, because their worker is."""

    async def move(self, transport_ids: frozenset[str]) -> None:
        """End these, so that their owners come back on another worker: theirs ends soon."""


class WorkerPool:
    """Places rooms on connected workers and remembers the worker of every transport."""

    def __init__(
        self,
        addresses: Sequence[str],
        directory: Directory,
        token: str | None,
        *,
        wait_s: float = PLACE_WAIT_S,
    ) -> None:
        self.workers = {address: WorkerClient(address, self, token) for address in addresses}
        self._directory = directory
        self._wait_s = wait_s
        self._changed = asyncio.Event()
        self._transports: dict[str, WorkerClient] = {}
        self._group: asyncio.TaskGroup | None = None
        self.listener: PoolListener | None = None

    async def run(self) -> None:
        """Keep all connections up until cancelled."""
        async with asyncio.TaskGroup() as self._group:
            for worker in self.workers.values():
                self._group.create_task(worker.run())

    @property
    def connected(self) -> list[str]:
        """Addresses of the workers that can be reached."""
        return [address for address, worker in self.workers.items() if worker.connected]

    @property
    def placeable(self) -> list[str]:
        """Addresses of the workers that take new transports: connected, and not about to end."""
        return [address for address in self.connected if not self.workers[address].draining]

    async def place(self, room: str) -> WorkerClient:
        """The room's worker. Waits a moment while none is connected, then raises `Unavailable`."""
        try:
            async with asyncio.timeout(self._wait_s):
                while not self.placeable:
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            raise Unavailable(
                "no media server is connected; try again in a moment", code="no_worker"
            ) from None
        return self.workers[await self._directory.place_room(room, self.placeable)]

    async def figures(self) -> dict[str, dict[str, Any]]:
        """What each worker that answers in time counts, by its id."""
        workers = [worker for worker in self.workers.values() if worker.connected]
        found = await asyncio.gather(*(_figures(worker) for worker in workers))
        return {worker.worker_id: one for worker, one in zip(workers, found, strict=True) if one is not None}

    def of(self, transport_id: str) -> WorkerClient | None:
        """The worker that has the transport."""
        return self._transports.get(transport_id)

    def add(self, transport_id: str, worker: WorkerClient) -> None:
        """Remember where the transport is."""
        self._transports[transport_id] = worker

    async def delete(self, transport_id: str) -> None:
        """Forget the transport and end it."""
        worker = self._transports.pop(transport_id, None)
        if worker is not None:
            await worker.delete(transport_id)

    def forget(self, transport_id: str) -> None:
        """The worker ended it by itself."""
        self._transports.pop(transport_id, None)

    def worker_connected(self, worker: WorkerClient) -> None:
        self._changed.set()
        if self._group is not None:
            self._group.create_task(self._reconcile(worker))
            self._empty_draining()

    async def _reconcile(self, worker: WorkerClient) -> None:
        """Worker and pool may disagree after any time without an event connection.

        A worker belongs to one signaling process. What it holds that we do not know was made by a predecessor
        of ours, or was given up while the worker was out of reach: it ends now, so that its peers notice and
        come back, and nothing is sent twice, nor anything that is to be paused by now. What we know and it
        does not hold ended unreported. Tried until both agree.
        """
        boot_id = worker.boot_id
        while worker.connected and worker.boot_id == boot_id:
            try:
                if await self._agree(worker):
                    return
            except (TeleconsultError, ValueError, KeyError, TypeError):
                log.warning("worker.reconcile_failed", worker=worker.worker_id)
            await asyncio.sleep(RECONCILE_AGAIN_S)

    async def _agree(self, worker: WorkerClient) -> bool:
        """False when strangers were found: they have to be gone at the next look."""
        known = self._held_by(worker)
        held = await worker.transport_ids()
        strangers = [name for name in held if self._transports.get(name) is not worker]
        await self._end_strangers(worker, strangers)
        missing = known - held
        if missing:  # asked twice: one that is just being made is not listed yet
            await asyncio.sleep(RECONCILE_AGAIN_S)
            missing -= await worker.transport_ids()
        for transport_id in missing:
            if self.listener is not None and self._transports.get(transport_id) is worker:
                self.listener.transport_gone(transport_id, "gone_unnoticed")
        return not strangers

    async def _end_strangers(self, worker: WorkerClient, strangers: Sequence[str]) -> None:
        """Ours are remembered before they are made, so none of them can be taken for a stranger."""
        if strangers:
            log.info("worker.strangers_ended", worker=worker.worker_id, count=len(strangers))
        for transport_id in strangers:
            await worker.delete(transport_id)

    def _held_by(self, worker: WorkerClient) -> frozenset[str]:
        return frozenset(name for name, holder in self._transports.items() if holder is worker)

    def worker_event(self, worker: WorkerClient, event: Any) -> None:
        if self.listener is not None:
            self.listener.transport_event(event)

    def worker_draining(self, worker: WorkerClient) -> None:
        log.info("worker.draining", worker=worker.worker_id)
        self._empty_draining()

    def _empty_draining(self) -> None:
        """As soon as there is somewhere to go: without it, calls go on until the worker ends."""
        if self._group is None or self.listener is None or not self.placeable:
            return
        draining = {worker for worker in self.workers.values() if worker.draining}
        leaving = frozenset(name for name, holder in self._transports.items() if holder in draining)
        if leaving:
            self._group.create_task(self.listener.move(leaving))

    def worker_lost(self, worker: WorkerClient) -> None:
        lost = self._held_by(worker)
        for transport_id in lost:
            del self._transports[transport_id]
        if self.listener is not None:
            self.listener.transports_lost(lost)


async def _figures(worker: WorkerClient) -> dict[str, Any] | None:
    try:
        async with asyncio.timeout(FIGURES_WITHIN_S):
            return await worker.stats()
    except (TeleconsultError, TimeoutError, ValueError):
        return None
