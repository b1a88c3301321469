"""ICE-TCP, passive (RFC 6544): every connection to the port is a path, beside UDP's addresses."""

from __future__ import annotations

import asyncio
import ipaddress
import itertools
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from core.clock import NS_PER_S, Clock
from transport.framing import Rfc4571Framing
from transport.stream import RECEIVE_BYTES, StreamConnection, prepare
from transport.udp import Address

MAX_CONNECTIONS: Final = 2_048
"""Beside them a worker needs descriptors for its API and UDP; more are cut off at once."""
MAX_HALF_OPEN: Final = 256
"""Connections nobody has proven a right to; beyond it the oldest gives way: floods shut nobody out."""
HALF_OPEN_NS: Final = 10 * NS_PER_S
"""A connection that is no path of a transport for so long is cut off, whatever it sends, however slowly."""
BACKLOG: Final = 256

TCP: Final = "tcp"


@dataclass(slots=True)
class TcpCounters:
    """`cut_off`: by a cap. `expired`: proved nothing in time. `not_ice`: said something else than a check."""

    accepted: int = 0
    cut_off: int = 0
    expired: int = 0
    not_ice: int = 0


def is_tcp(address: Address) -> bool:
    """True for the address of a connection, as `TcpListener` makes them: (host, port, "tcp", number)."""
    return len(address) == 4 and address[2] == TCP


class TcpListener:
    """A listening socket and its connections. The owner says by `settled` which of them are somebody's."""

    def __init__(self, sock: socket.socket, clock: Clock) -> None:
        self.counters = TcpCounters()
        self.on_batch_end: Callable[[], None] = _nothing
        self._socket = sock
        self._clock = clock
        self._server: asyncio.Server | None = None
        self._numbers = itertools.count()
        self._connections: dict[Address, StreamConnection] = {}
        self._addresses: dict[StreamConnection, Address] = {}
        self._half_open: dict[Address, int] = {}
        self._buffer = bytearray(RECEIVE_BYTES)
        self._receiver: Callable[[Sequence[bytes], Address, int], None] = _nothing_received
        self._lost: Callable[[Address], None] = _nothing_lost

    @classmethod
    def bind(cls, host: str, port: int, clock: Clock) -> TcpListener:
        """Bind as `UdpPort.bind` does. Raises `OSError` when the port is taken."""
        sock = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
        try:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if sock.family == socket.AF_INET6:
                wildcard = ipaddress.ip_address(host).is_unspecified
                sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, not wildcard)
            prepare(sock)
            sock.bind((host, port))
            sock.listen(BACKLOG)
        except BaseException:
            sock.close()
            raise
        return cls(sock, clock)

    @property
    def connections(self) -> int:
        return len(self._connections)

    @property
    def half_open(self) -> int:
        return len(self._half_open)

    async def start(
        self, receiver: Callable[[Sequence[bytes], Address, int], None], lost: Callable[[Address], None]
    ) -> None:
        """Accept from now on. `receiver(datagrams, address, arrival_ns)`; `lost(address)`: it is gone."""
        self._receiver, self._lost = receiver, lost
        self._server = await asyncio.get_running_loop().create_server(
            self._make, sock=self._socket, backlog=BACKLOG
        )

    def close(self) -> None:
        """Stop listening and cut every connection."""
        if self._server is not None:
            self._server.close()
        self._socket.close()
        for connection in list(self._connections.values()):
            connection.close()

    def connection(self, address: Address) -> StreamConnection | None:
        return self._connections.get(address)

    def cut(self, address: Address) -> None:
        """It said something no ICE agent says."""
        self.counters.not_ice += 1
        self._close(address)

    def settled(self, address: Address) -> None:
        """A check with a transport's password came over it."""
        self._half_open.pop(address, None)

    def unsettled(self, address: Address) -> None:
        """It is no path of any transport any more: the deadline counts again."""
        if address in self._connections:
            self._half_open[address] = self._clock.monotonic_ns()

    def expire(self, now_ns: int) -> None:
        """Cut off what has proven nothing in time."""
        for address, since_ns in list(self._half_open.items()):
            if now_ns - since_ns >= HALF_OPEN_NS:
                self.counters.expired += 1
                self._close(address)

    def _make(self) -> StreamConnection:
        return _Accepted(self, self._clock, self._buffer)

    def accepted(self, connection: StreamConnection) -> None:
        """For a new connection to call: it is known from now on, or cut off."""
        self.counters.accepted += 1
        if len(self._connections) >= MAX_CONNECTIONS:
            self.counters.cut_off += 1
            connection.close()
            return
        host, port = connection.peer[:2]
        address = (host, port, TCP, next(self._numbers))
        self._connections[address], self._addresses[connection] = connection, address
        self._half_open[address] = self._clock.monotonic_ns()
        if len(self._half_open) > MAX_HALF_OPEN:
            self.counters.cut_off += 1
            self._close(next(iter(self._half_open)))

    def received(self, connection: StreamConnection, datagrams: Sequence[bytes], arrival_ns: int) -> None:
        address = self._addresses.get(connection)
        if address is not None:
            self._receiver(datagrams, address, arrival_ns)
            self.on_batch_end()

    def closed(self, connection: StreamConnection) -> None:
        address = self._addresses.pop(connection, None)
        if address is not None:
            del self._connections[address]
            self._half_open.pop(address, None)
            self._lost(address)

    def _close(self, address: Address) -> None:
        connection = self._connections.get(address)
        if connection is not None:
            connection.close()


class _Accepted(StreamConnection):
    def __init__(self, listener: TcpListener, clock: Clock, buffer: bytearray) -> None:
        super().__init__(Rfc4571Framing(), clock, listener.received, listener.closed, buffer)
        self._listener = listener

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._listener.accepted(self)


def _nothing() -> None:
    """Default of `on_batch_end`."""


def _nothing_received(datagrams: Sequence[bytes], address: Address, arrival_ns: int) -> None:
    """Before `start`."""


def _nothing_lost(address: Address) -> None:
    """Before `start`."""
