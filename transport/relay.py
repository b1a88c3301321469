"""A TURN server's relay as a port: what is sent through it reaches the peer as if it had come by UDP."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import socket
import ssl
from collections.abc import Callable, Sequence
from itertools import groupby
from typing import Final

from core.clock import Clock
from core.errors import Unavailable
from core.turn import TurnUrl
from transport.addresses import plain_address
from transport.framing import TurnFraming
from transport.stream import StreamConnection, connect_stream
from transport.turn import Peer, TurnClient
from transport.udp import Address, Local, UdpCounters, UdpPort

POLL_S: Final = 0.05
READY_POLL_S: Final = 1.0
MAX_SERVER_ADDRESSES: Final = 4

Deliver = Callable[["RelayPort", Sequence[bytes], tuple[str, int], int], None]
"""(port, datagrams, peer, Unix ns of arrival)."""
_WILDCARDS: Final = {socket.AF_INET: "0.0.0.0", socket.AF_INET6: "::"}  # noqa: S104  # routing shall choose


class RelayPort:
    """Made by `open`. Batches stay batches; over UDP they leave by one call as `UdpPort` sends them."""

    is_wildcard = False

    def __init__(self, client: TurnClient, clock: Clock, deliver: Deliver, lost: Callable[[RelayPort], None]):
        self.counters = UdpCounters()
        self._client = client
        self._clock = clock
        self._deliver = deliver
        self._lost = lost
        self._server: Address = ("", 0)
        self._carrier: UdpPort | StreamConnection | None = None
        self._decided = asyncio.Event()
        self._timer: asyncio.TimerHandle | None = None

    @classmethod
    async def open(
        cls,
        url: TurnUrl,
        credentials: tuple[str, str],
        peers: Sequence[Peer],
        *,
        clock: Clock,
        deliver: Deliver,
        lost: Callable[[RelayPort], None],
        tls: ssl.SSLContext | None = None,
    ) -> RelayPort:
        """Allocate a relay and channels to `peers`. Raises `Unavailable`; nothing is left behind then.

        `tls`: whom to trust for `turns:`; the machine's authorities by default.
        """
        client = TurnClient(
            *credentials,
            peers,
            reliable=url.carrier != "udp",
            new_id=lambda: secrets.token_bytes(12),
            now_ns=clock.monotonic_ns(),
        )
        port = cls(client, clock, deliver, lost)
        try:
            await port._connect(url, tls)
            await port._decided.wait()
            if client.state != "ready":
                raise Unavailable(f"the TURN server refuses: {client.failure}", code="turn_refused")
        except OSError as error:
            port.close()
            raise Unavailable(f"the TURN server cannot be reached: {type(error).__name__}") from None
        except BaseException:
            port.close()
            raise
        return port

    @property
    def address(self) -> Address:
        """Where the relay is for peers."""
        return self._client.relayed or ("", 0)

    @property
    def is_ipv6(self) -> bool:
        return ":" in self.address[0]

    @property
    def targets(self) -> list[Peer]:
        """The peers that can be reached."""
        return self._client.bound

    def send(self, datagrams: Sequence[bytes], address: Peer, local: Local = None) -> None:
        """As `UdpPort.send`."""
        if self._carrier is not None:
            wrapped = self._client.wrap(datagrams, address)
            if wrapped:
                self.counters.datagrams_out += len(wrapped)
                self._carrier.send(wrapped, self._server)

    def close(self) -> None:
        """Give the relay back. Safe to call twice."""
        carrier, self._carrier = self._carrier, None
        self._decided.set()
        if self._timer is not None:
            self._timer.cancel()
        if carrier is not None:
            if farewell := self._client.goodbye():
                carrier.send(farewell, self._server)
            carrier.close()

    # inside

    async def _connect(self, url: TurnUrl, tls: ssl.SSLContext | None) -> None:
        loop = asyncio.get_running_loop()
        found = await loop.getaddrinfo(url.host, url.port, type=socket.SOCK_STREAM)
        addresses = list(dict.fromkeys((family, place[:2]) for family, _, _, _, place in found))
        for family, (host, number) in addresses[:MAX_SERVER_ADDRESSES]:
            last = (family, (host, number)) == addresses[:MAX_SERVER_ADDRESSES][-1]
            with contextlib.nullcontext() if last else contextlib.suppress(OSError):
                await self._connect_to(url, family, (str(host), int(number)), tls)
                self._tick()
                return
        raise OSError("the TURN server's name has no address")

    async def _connect_to(
        self, url: TurnUrl, family: socket.AddressFamily, server: tuple[str, int], tls: ssl.SSLContext | None
    ) -> None:
        self._server = server
        if url.carrier == "udp":
            udp = UdpPort.bind(_WILDCARDS[family], 0, self._from_udp, self._clock)
            udp.start()
            self._carrier = udp
            return
        stream = StreamConnection(TurnFraming(), self._clock, self._from_stream, self._stream_lost)
        if url.carrier == "tls":
            context = tls or ssl.create_default_context()
            await connect_stream(stream, server, ssl=context, server_hostname=url.host)
        else:
            await connect_stream(stream, server)
        self._carrier = stream

    def _tick(self) -> None:
        if self._carrier is None:
            return
        for wire in self._client.poll(self._clock.monotonic_ns()):
            self._carrier.send((wire,), self._server)
        self._look()
        pause_s = READY_POLL_S if self._client.state == "ready" else POLL_S
        self._timer = asyncio.get_running_loop().call_later(pause_s, self._tick)

    def _look(self) -> None:
        if self._client.state == "allocating":
            return
        if self._client.state == "failed" and self._decided.is_set() and self._carrier is not None:
            self.close()
            self._lost(self)
        self._decided.set()

    def _from_udp(self, datagrams: Sequence[bytes], source: Address, local: Local, arrival_ns: int) -> None:
        if plain_address(source) == self._server[:2]:
            self._received(datagrams, arrival_ns)
        else:
            self.counters.receive_errors += 1

    def _from_stream(self, _: StreamConnection, datagrams: Sequence[bytes], arrival_ns: int) -> None:
        self._received(datagrams, arrival_ns)

    def _received(self, datagrams: Sequence[bytes], arrival_ns: int) -> None:
        now_ns = self._clock.monotonic_ns()
        found = [item for datagram in datagrams if (item := self._client.receive(datagram, now_ns))]
        if len(found) < len(datagrams):  # an answer: what it allows may be asked for at once
            self._answered()
        for peer, packets in groupby(found, key=lambda item: item[0]):
            payloads = [payload for _, payload in packets]
            self.counters.datagrams_in += len(payloads)
            self._deliver(self, payloads, peer, arrival_ns)

    def _answered(self) -> None:
        if self._client.state == "allocating" and self._carrier is not None:
            for wire in self._client.poll(self._clock.monotonic_ns()):
                self._carrier.send((wire,), self._server)
        self._look()

    def _stream_lost(self, _: StreamConnection) -> None:
        if self._carrier is None:
            return
        ready = self._decided.is_set()
        self.close()
        if ready:
            self._lost(self)
