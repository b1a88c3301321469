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


class PoolListener(Protocol):
    """Whoever knows what the transports are for."""

    def transport_event(self, event: Any) -> None:
        """A `WorkerEvent` of a worker that is in the pool."""

    def transport_gone(self, transport_id: str, reason: str) -> None:
        """One of them ended by itself."""

    def transports_lost(self, transport_ids: frozenset[str]) -> None:
        """These are gone, because their worker is."""


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
        self._orphans: dict[str, tuple[str | None, frozenset[str]]] = {}
        self._group: asyncio.TaskGroup | None = None
        self.listener: PoolListener | None = None

    async def run(self) -> None:
        """Keep all connections up until cancelled."""
        async with asyncio.TaskGroup() as self._group:
            for worker in self.workers.values():
                self._group.create_task(worker.run())

    @property
    def connected(self) -> list[str]:
        """Addresses of the workers that can take transports."""
        return [address for address, worker in self.workers.items() if worker.connected]

    async def place(self, room: str) -> WorkerClient:
        """The room's worker. Waits a moment while none is connected, then raises `Unavailable`."""
        try:
            async with asyncio.timeout(self._wait_s):
                while not self.connected:
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            raise Unavailable(
                "no media server is connected; try again in a moment", code="no_worker"
            ) from None
        return self.workers[await self._directory.place_room(room, self.connected)]

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
        boot_id, orphans = self._orphans.pop(worker.address, (None, frozenset()))
        if self._group is None:
            return
        if boot_id == worker.boot_id:
            self._group.create_task(_delete_all(worker, orphans))
        known = frozenset(name for name, holder in self._transports.items() if holder is worker)
        if known:
            self._group.create_task(self._reconcile(worker, known))

    async def _reconcile(self, worker: WorkerClient, known: frozenset[str]) -> None:
        """After a broken event connection: transports that ended meanwhile were never reported.

        Asked twice, because one that is just being made is not listed yet.
        """
        try:
            missing = known - await worker.transport_ids()
            if missing:
                await asyncio.sleep(RECONCILE_AGAIN_S)
                missing -= await worker.transport_ids()
        except (TeleconsultError, ValueError, KeyError, TypeError):
            log.warning("worker.reconcile_failed", worker=worker.worker_id)
            return
        for transport_id in missing:
            if self.listener is not None and self._transports.get(transport_id) is worker:
                self.listener.transport_gone(transport_id, "gone_unnoticed")

    def worker_event(self, worker: WorkerClient, event: Any) -> None:
        if self.listener is not None:
            self.listener.transport_event(event)

    def worker_lost(self, worker: WorkerClient) -> None:
        lost = frozenset(name for name, holder in self._transports.items() if holder is worker)
        for transport_id in lost:
            del self._transports[transport_id]
        self._orphans[worker.address] = (worker.boot_id, lost)
        if self.listener is not None:
            self.listener.transports_lost(lost)


async def _delete_all(worker: WorkerClient, transport_ids: frozenset[str]) -> None:
    """A worker that was only out of reach still holds what its clients were told is gone."""
    for transport_id in transport_ids:
        await worker.delete(transport_id)
