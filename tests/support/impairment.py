"""A UDP proxy that impairs both directions, in user space: this kernel has no such queueing discipline."""

from __future__ import annotations

import asyncio
import random
import time
from collections import deque
from collections.abc import Callable
from typing import Self, cast

from tests.support.link import Impairment, Link

Address = tuple[str, int]
UnderWay = deque[tuple[int, Callable[[], None]]]
"""When what is sent."""


class _Upstream(asyncio.DatagramProtocol):
    """The socket that stands for one client towards the server."""

    def __init__(self, proxy: ImpairmentProxy, client: Address) -> None:
        self._proxy = proxy
        self._client = client

    def datagram_received(self, data: bytes, addr: Address) -> None:
        self._proxy.from_server(data, self._client)


class ImpairmentProxy(asyncio.DatagramProtocol):
    """Listens on a port of its own; give clients that port as the server's candidate."""

    def __init__(self, server: Address, seed: int, up: Impairment, down: Impairment) -> None:
        self._server = server
        self.up = Link(up, random.Random(seed))
        self.down = Link(down, random.Random(seed + 1))
        self._upstreams: dict[Address, asyncio.DatagramTransport] = {}
        self._opening: dict[Address, asyncio.Task[None]] = {}
        self._loop = asyncio.get_running_loop()
        self._going_up: UnderWay = deque()
        self._going_down: UnderWay = deque()
        self._listener: asyncio.DatagramTransport | None = None
        self._host = "127.0.0.1"

    @classmethod
    async def open(
        cls,
        server: Address,
        *,
        seed: int = 1,
        up: Impairment | None = None,
        down: Impairment | None = None,
        host: str = "127.0.0.1",
    ) -> Self:
        proxy = cls(server, seed, up or Impairment(), down or Impairment())
        proxy._host = host
        await proxy._loop.create_datagram_endpoint(lambda: proxy, local_addr=(host, 0))
        return proxy

    @property
    def address(self) -> Address:
        assert self._listener is not None
        host, port = self._listener.get_extra_info("sockname")[:2]
        return host, port

    def set(self, impairment: Impairment, up: Impairment | None = None) -> None:
        """From now on; both directions, unless the way to the server is given, too."""
        self.down.impairment = impairment
        self.up.impairment = impairment if up is None else up

    def rebind(self) -> None:
        """As a NAT that forgot its mapping: every client shows up from a new port."""
        for transport in self._upstreams.values():
            transport.close()
        self._upstreams.clear()

    def close(self) -> None:
        self.rebind()
        for task in self._opening.values():
            task.cancel()
        if self._listener is not None:
            self._listener.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._listener = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: Address) -> None:
        self._deliver(self.up, self._going_up, data, lambda: self._to_server(data, addr))

    def from_server(self, data: bytes, client: Address) -> None:
        self._deliver(self.down, self._going_down, data, lambda: self._to_client(data, client))

    def _deliver(self, link: Link, under_way: UnderWay, data: bytes, send: Callable[[], None]) -> None:
        now_ns = time.monotonic_ns()
        out_ns = link.arrival_ns(len(data), now_ns)
        if out_ns is None:
            return
        under_way.append((out_ns, send))
        if len(under_way) == 1:
            self._release(under_way)

    def _release(self, under_way: UnderWay) -> None:
        """What is due, in its order: timers of the same time come in any."""
        while under_way:
            wait_ns = under_way[0][0] - time.monotonic_ns()
            if wait_ns > 0:
                self._loop.call_later(wait_ns / 1e9, self._release, under_way)
                return
            under_way.popleft()[1]()

    def _to_client(self, data: bytes, client: Address) -> None:
        if self._listener is not None and not self._listener.is_closing():
            self._listener.sendto(data, client)

    def _to_server(self, data: bytes, client: Address) -> None:
        upstream = self._upstreams.get(client)
        if upstream is not None:
            upstream.sendto(data, self._server)
        elif client not in self._opening:
            self._opening[client] = self._loop.create_task(self._open_upstream(client, data))

    async def _open_upstream(self, client: Address, first: bytes) -> None:
        transport, _ = await self._loop.create_datagram_endpoint(
            lambda: _Upstream(self, client), local_addr=(self._host, 0)
        )
        self._upstreams[client] = transport
        transport.sendto(first, self._server)
        del self._opening[client]
