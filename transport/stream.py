"""Datagrams over one TCP or TLS connection, as `UdpPort.send` promises: it never blocks and never grows."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, Final, cast

import structlog

from core.clock import NS_PER_MS, Clock
from core.errors import ProtocolError
from transport.framing import Framing
from transport.udp import Address, Local, UdpCounters

MAX_QUEUED_BYTES: Final = 256 << 10
"""Waiting for a slow peer; the oldest batches that have not begun to leave give way to newer ones."""
MAX_QUEUED_NS: Final = 500 * NS_PER_MS
"""What waited longer is of no use to a call: it is repaired by what comes after it."""
UNSENT_BYTES: Final = 64 << 10
"""Beyond it the kernel takes no more: bytes in its buffer can no longer be dropped."""
RECEIVE_BYTES: Final = 64 << 10
KEEPALIVE_IDLE_S: Final = 15
KEEPALIVE_INTERVAL_S: Final = 5
KEEPALIVE_PROBES: Final = 3
USER_TIMEOUT_MS: Final = 20_000
"""A peer that acknowledges nothing for so long is gone."""

TCP_USER_TIMEOUT: Final = 18
TCP_NOTSENT_LOWAT: Final = 25

StreamReceiver = Callable[["StreamConnection", Sequence[bytes], int], None]
"""(connection, datagrams, Unix ns of arrival)."""

_log = structlog.get_logger()


class StreamConnection(asyncio.BufferedProtocol):
    """One connection; for a listener's `create_server` or a client's `create_connection`.

    `receiver` gets what arrives; `on_closed` is told once. A peer that frames wrongly is cut off. `buffer`
    may be shared by all connections of one event loop: it is read before the next one fills it.
    """

    is_ipv6 = False
    is_wildcard = False

    def __init__(
        self,
        framing: Framing,
        clock: Clock,
        receiver: StreamReceiver,
        on_closed: Callable[[StreamConnection], None],
        buffer: bytearray | None = None,
    ) -> None:
        self.counters = UdpCounters()
        self.address: Address = ("", 0)
        """Our own end."""
        self.peer: Address = ("", 0)
        self._framing = framing
        self._clock = clock
        self._receiver = receiver
        self._on_closed = on_closed
        self._view = memoryview(buffer if buffer is not None else bytearray(RECEIVE_BYTES))
        self._transport: asyncio.Transport | None = None
        self._full = False
        self._queue: deque[tuple[int, bytes, int]] = deque()
        self._queued_bytes = 0

    @property
    def is_open(self) -> bool:
        return self._transport is not None

    @property
    def queued_bytes(self) -> int:
        """Waiting here; what the event loop and the kernel hold comes on top."""
        return self._queued_bytes

    def send(self, datagrams: Sequence[bytes], address: Address | None = None, local: Local = None) -> None:
        """Send one batch, or drop it whole when the peer does not keep up. Where to is given already."""
        if self._transport is None:
            return
        frame = self._framing.frame(datagrams)
        if self._full:
            self._wait(frame, len(datagrams))
        else:
            self._write(self._transport, frame, len(datagrams))

    def close(self) -> None:
        """Cut the connection; what the kernel has already taken is still sent. Safe to call twice."""
        if self._transport is not None:
            self._transport.abort()
            self._lost()

    # asyncio.BufferedProtocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._transport.set_write_buffer_limits(high=1)  # `pause_writing` as soon as anything has to wait
        self.address = transport.get_extra_info("sockname") or self.address
        self.peer = transport.get_extra_info("peername") or self.peer

    def get_buffer(self, sizehint: int) -> memoryview:
        """A view: TLS reads record after record into slices of it, and a slice of a bytearray is a copy."""
        return self._view

    def buffer_updated(self, nbytes: int) -> None:
        if self._transport is None:
            return
        try:
            datagrams = self._framing.feed(bytes(self._view[:nbytes]))
        except ProtocolError:
            self.counters.receive_errors += 1
            self.close()
            return
        if datagrams:
            self.counters.calls_in += 1
            self.counters.datagrams_in += len(datagrams)
            self._deliver(datagrams)

    def eof_received(self) -> bool:
        return False

    def pause_writing(self) -> None:
        self._full = True

    def resume_writing(self) -> None:
        self._full = False
        oldest_ns = self._clock.monotonic_ns() - MAX_QUEUED_NS
        while self._queue and not self._full and self._transport is not None:
            queued_ns, frame, datagrams = self._queue.popleft()
            self._queued_bytes -= len(frame)
            if queued_ns < oldest_ns:
                self.counters.dropped_full += datagrams
            else:
                self._write(self._transport, frame, datagrams)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._transport is not None:
            self._lost()

    # inside

    def _deliver(self, datagrams: list[bytes]) -> None:
        try:
            self._receiver(self, datagrams, self._clock.unix_ns())
        except Exception:
            _log.exception("datagram_handler_failed", port=self.address[1])

    def _write(self, transport: asyncio.Transport, frame: bytes, datagrams: int) -> None:
        self.counters.calls_out += 1
        self.counters.datagrams_out += datagrams
        transport.write(frame)

    def _wait(self, frame: bytes, datagrams: int) -> None:
        while self._queue and self._queued_bytes + len(frame) > MAX_QUEUED_BYTES:
            _, dropped, count = self._queue.popleft()
            self._queued_bytes -= len(dropped)
            self.counters.dropped_full += count
        if len(frame) > MAX_QUEUED_BYTES:
            self.counters.dropped_full += datagrams
            return
        self._queue.append((self._clock.monotonic_ns(), frame, datagrams))
        self._queued_bytes += len(frame)

    def _lost(self) -> None:
        self._transport = None
        self._queue.clear()
        self._queued_bytes = 0
        self._on_closed(self)


def prepare(sock: socket.socket) -> None:
    """Non-blocking, no delay, keepalive, a deadline for acknowledgements. Accepted sockets inherit it."""
    sock.setblocking(False)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in (
        (socket.TCP_NODELAY, 1),
        (socket.TCP_KEEPIDLE, KEEPALIVE_IDLE_S),
        (socket.TCP_KEEPINTVL, KEEPALIVE_INTERVAL_S),
        (socket.TCP_KEEPCNT, KEEPALIVE_PROBES),
        (TCP_USER_TIMEOUT, USER_TIMEOUT_MS),
        (TCP_NOTSENT_LOWAT, UNSENT_BYTES),
    ):
        with contextlib.suppress(OSError):  # a kernel without it serves as well, only less tidily
            sock.setsockopt(socket.IPPROTO_TCP, option, value)


async def connect_stream(
    connection: StreamConnection, target: tuple[str, int], **tls: Any
) -> StreamConnection:
    """Connect to an IP address; `tls`: `ssl` and `server_hostname` as asyncio has them. Raises `OSError`."""
    loop = asyncio.get_running_loop()
    sock = socket.socket(socket.AF_INET6 if ":" in target[0] else socket.AF_INET, socket.SOCK_STREAM)
    try:
        prepare(sock)
        await loop.sock_connect(sock, target)
    except BaseException:
        sock.close()
        raise
    await loop.create_connection(lambda: connection, sock=sock, **tls)
    return connection
