"""A client's ways round a network that lets no UDP through: ICE-TCP first, then TURN relays."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import Callable, Sequence
from typing import Final

import structlog

from core.clock import Clock
from core.errors import Unavailable
from core.messages import IceServer
from core.turn import TurnUrl, parse_turn_url
from transport.framing import Rfc4571Framing
from transport.relay import RelayPort
from transport.stream import StreamConnection, connect_stream

RELAY_AFTER_S: Final = 0.5
"""Head start of TCP: a relay costs the hospital bandwidth twice."""
OPEN_DEADLINE_S: Final = 8.0
MAX_TCP_TARGETS: Final = 8
MAX_RELAYS: Final = 8

DetourPort = StreamConnection | RelayPort
_log = structlog.get_logger()

Target = tuple[str, int]
Deliver = Callable[[DetourPort, Sequence[bytes], Target, int], None]


class Detours:
    """Opens ports, and forgets those that are lost. `lost(port)` tells of one that had been open.

    `tcp`: passive candidates; `peers`: UDP ones, for relays to send to.
    """

    def __init__(
        self,
        clock: Clock,
        deliver: Deliver,
        lost: Callable[[DetourPort], None],
        *,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.ports: list[DetourPort] = []
        self.tcp: Sequence[Target] = ()
        self.peers: Sequence[Target] = ()
        self.servers: Sequence[IceServer] = ()
        self._clock = clock
        self._deliver = deliver
        self._told_lost = lost
        self._tls = tls
        self._task: asyncio.Task[None] | None = None
        self._targets: dict[StreamConnection, Target] = {}

    @property
    def is_opening(self) -> bool:
        return self._task is not None and not self._task.done()

    @property
    def exist(self) -> bool:
        """False: there is no way but UDP."""
        return bool(self.tcp or self.servers)

    def pairs(self) -> list[tuple[DetourPort, Target]]:
        """Every open way with whom it reaches."""
        found: list[tuple[DetourPort, Target]] = []
        for port in self.ports:
            targets = [self._targets[port]] if isinstance(port, StreamConnection) else port.targets
            found += [(port, target) for target in targets]
        return found

    def open(self) -> None:
        """Try everything that is not open, in the background; a second call meanwhile does nothing."""
        if self.exist and not self.is_opening:
            self._task = asyncio.get_running_loop().create_task(self._open_all())

    def stop_opening(self) -> None:
        """One way is enough."""
        if self._task is not None:
            self._task.cancel()

    async def close(self, keep: DetourPort | None = None) -> None:
        """Close all ports but `keep`."""
        self.stop_opening()
        if self._task is not None:
            await asyncio.gather(self._task, return_exceptions=True)
        for port in list(self.ports):
            if port is not keep:
                self._forget(port)
                port.close()

    # inside

    async def _open_all(self) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(OPEN_DEADLINE_S), asyncio.TaskGroup() as group:
                await self._open_in(group)

    async def _open_in(self, group: asyncio.TaskGroup) -> None:
        """Relays wait until TCP had its chance, or has failed."""
        open_to = set(self._targets.values())
        tcp = [target for target in self.tcp[:MAX_TCP_TARGETS] if target not in open_to]
        attempts = [group.create_task(self._open_tcp(target)) for target in tcp]
        if attempts:
            await self._head_start(attempts)
        if not any(isinstance(port, RelayPort) for port in self.ports):
            for url, credentials in self._relays():
                group.create_task(self._open_relay(url, credentials))

    async def _head_start(self, attempts: Sequence[asyncio.Task[bool]]) -> None:
        ends = asyncio.get_running_loop().time() + RELAY_AFTER_S
        await asyncio.wait(attempts, timeout=RELAY_AFTER_S)
        if not all(attempt.done() and not attempt.result() for attempt in attempts):
            await asyncio.sleep(max(0.0, ends - asyncio.get_running_loop().time()))

    def _relays(self) -> list[tuple[TurnUrl, tuple[str, str]]]:
        found = []
        for server in self.servers:
            for url in server.urls:
                with contextlib.suppress(ValueError):
                    found.append((parse_turn_url(url), (server.username, server.credential)))
        return found[:MAX_RELAYS]

    async def _open_tcp(self, target: Target) -> bool:
        def received(port: StreamConnection, datagrams: Sequence[bytes], arrival_ns: int) -> None:
            self._deliver(port, datagrams, target, arrival_ns)

        port = StreamConnection(Rfc4571Framing(), self._clock, received, self._lost)
        try:
            await connect_stream(port, target)
        except OSError:
            return False
        except BaseException:
            port.close()
            raise
        self._targets[port] = target
        self.ports.append(port)
        return True

    async def _open_relay(self, url: TurnUrl, credentials: tuple[str, str]) -> None:
        try:
            port = await RelayPort.open(
                url, credentials, self.peers,
                clock=self._clock, deliver=self._deliver, lost=self._lost, tls=self._tls,
            )  # fmt: skip
        except Unavailable as error:
            _log.info("turn_unavailable", host=url.host, port=url.port, carrier=url.carrier, error=str(error))
            return
        self.ports.append(port)

    def _lost(self, port: DetourPort) -> None:
        if port in self.ports:
            self._forget(port)
            self._told_lost(port)

    def _forget(self, port: DetourPort) -> None:
        self.ports.remove(port)
        if isinstance(port, StreamConnection):
            self._targets.pop(port, None)
