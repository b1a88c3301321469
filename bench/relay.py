"""A way to the media server that can be cut, and can come out of another port, as after a NAT's rebinding."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Final, Self, cast

Address = tuple[str, int]
HOST: Final = "127.0.0.1"


class _End(asyncio.DatagramProtocol):
    """One socket; what it gets goes to `received`."""

    def __init__(self, received: Callable[[bytes, Address], None]) -> None:
        self._received = received

    def datagram_received(self, data: bytes, addr: Any) -> None:
        self._received(data, addr[:2])


class Relay:
    """Between one client and the server. While `cut`, nothing passes."""

    def __init__(self, server: Address) -> None:
        self.cut = False
        self._server = server
        self._client: Address | None = None
        self._near: asyncio.DatagramTransport | None = None
        self._far: asyncio.DatagramTransport | None = None

    @classmethod
    async def open(cls, server: Address) -> Self:
        """Open both sockets."""
        relay = cls(server)
        relay._near = await relay._socket(relay._from_client)
        relay._far = await relay._socket(relay._from_server)
        return relay

    @property
    def address(self) -> Address:
        """Where the client sends to."""
        assert self._near is not None
        return cast(Address, self._near.get_extra_info("sockname")[:2])

    async def rebind(self) -> None:
        """From now on the server sees another address."""
        old, self._far = self._far, await self._socket(self._from_server)
        if old is not None:
            old.close()

    def close(self) -> None:
        """Close both."""
        for end in (self._near, self._far):
            if end is not None:
                end.close()

    async def _socket(self, received: Callable[[bytes, Address], None]) -> asyncio.DatagramTransport:
        loop = asyncio.get_running_loop()
        transport, _ = await loop.create_datagram_endpoint(lambda: _End(received), local_addr=(HOST, 0))
        return transport

    def _from_client(self, data: bytes, source: Address) -> None:
        self._client = source
        if not self.cut and self._far is not None:
            self._far.sendto(data, self._server)

    def _from_server(self, data: bytes, source: Address) -> None:
        if not self.cut and self._near is not None and self._client is not None:
            self._near.sendto(data, self._client)
