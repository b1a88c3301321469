"""The server's media endpoint: one UDP port and the same one for TCP, many transports, and everybody else's
datagrams.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

import structlog

from core.clock import Clock
from core.errors import Conflict, ProtocolError, Unavailable
from rtp.sdp import Candidate
from rtp.srtp import SrtpProfile
from transport.addresses import host_addresses, plain_address, usable_host
from transport.api import TransportSink, host_candidate, tcp_candidate
from transport.beat import at_next_beat
from transport.dtls import ALL_PROFILES, new_certificate
from transport.ice_lite import Check
from transport.lane import FanOut
from transport.liveness import LivenessLimits
from transport.media import media_ssrc
from transport.native.engine import Engine
from transport.server import Path, Port, ServerTransport
from transport.stun import (
    BAD_REQUEST,
    UNAUTHENTICATED,
    error_response,
    is_stun,
    parse_stun,
    peek_request,
)
from transport.tcp import TcpListener, is_tcp
from transport.token_bucket import TokenBucket
from transport.udp import Address, Local, UdpPort

MAX_HALF_OPEN: Final = 1_000
ERROR_REPLIES_PER_S: Final = 50.0
"""STUN error replies to addresses that have not passed a check, per endpoint."""
ROAMING_ATTEMPTS_PER_S: Final = 200.0
"""Packets from unknown addresses that may cost a decryption, per endpoint."""
MAX_TRANSPORTS_PER_SSRC: Final = 4
MIN_STRANGER_BYTES: Final = 20
"""A STUN header; everything authentic is longer."""
BIND_ATTEMPTS: Final = 8
"""For a free port number that TCP has free, too."""

_log = structlog.get_logger()


@dataclass(slots=True)
class EndpointCounters:
    """`strangers`: datagrams dropped before any cryptography. `refused`: STUN errors sent. `roamed`: flows
    moved. `contested`: checks for one transport from an address that another is using: by a forged source,
    whoever is let in somewhere could take anybody's flow away.
    """

    strangers: int = 0
    refused: int = 0
    roamed: int = 0
    malformed_stun: int = 0
    contested: int = 0


class MediaEndpoint:
    """Open it with `MediaEndpoint.open`; all calls belong to the event loop it was opened on.

    `on_batch_end` runs after every drained socket batch: routers flush there.
    """

    def __init__(self, clock: Clock, profiles: Sequence[SrtpProfile], limits: LivenessLimits) -> None:
        self.clock = clock
        self.profiles = profiles
        self.certificate = new_certificate()
        self.counters = EndpointCounters()
        self.candidates: list[Candidate] = []
        self.port: UdpPort
        self.fan_out: FanOut | None = None
        """The engine's way out; None where there is no engine."""
        self.tcp: TcpListener | None = None
        self._limits = limits
        self._transports: dict[str, ServerTransport] = {}
        self._by_ufrag: dict[str, ServerTransport] = {}
        self._by_ssrc: dict[int, tuple[ServerTransport, ...]] = {}
        self._paths: dict[Address, Path] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._timer: asyncio.TimerHandle | None = None
        now_ns = clock.monotonic_ns()
        self._error_budget = TokenBucket(ERROR_REPLIES_PER_S, ERROR_REPLIES_PER_S, now_ns)
        self._roaming_budget = TokenBucket(ROAMING_ATTEMPTS_PER_S, ROAMING_ATTEMPTS_PER_S, now_ns)

    @classmethod
    async def open(
        cls,
        host: str,
        port: int,
        *,
        announce: Sequence[tuple[str, int]] = (),
        clock: Clock,
        profiles: Sequence[SrtpProfile] = ALL_PROFILES,
        limits: LivenessLimits | None = None,
        engine: Engine | None = None,
    ) -> MediaEndpoint:
        """Bind `host`:`port` (0: any) and start reading, UDP and TCP alike.

        `announce`: the (address, port) pairs peers shall be told, where they differ from the machine's own
        (NAT, port mapping); port 0: the same number as here. `profiles`: what is acceptable, best first.
        `engine`: seals and sends what many are sent at once. `::` serves IPv4 too, and IPv4 alone on a
        machine without IPv6. Raises `OSError` when the UDP port is taken; when only the TCP port is, it goes
        on without, and says so in the log.
        """
        endpoint = cls(clock, profiles, limits or LivenessLimits())
        host = usable_host(host)
        endpoint._bind(host, port)
        endpoint.fan_out = None if engine is None else FanOut(engine, endpoint.port)
        bound = endpoint.port.address[1]
        pairs = [(address, number or bound) for address, number in announce]
        endpoint._announce(pairs or [(address, bound) for address in host_addresses(host)])
        endpoint.port.calm()
        if engine is not None:
            endpoint.port.receive_with(engine)
        endpoint.port.start()
        if endpoint.tcp is not None:
            await endpoint.tcp.start(endpoint._tcp_received, endpoint.remove_path)
        endpoint._tick()
        return endpoint

    def _bind(self, host: str, port: int) -> None:
        for attempts_left in range(BIND_ATTEMPTS if port == 0 else 1, 0, -1):
            self.port = UdpPort.bind(host, port, self._received, self.clock)
            try:
                self.tcp = TcpListener.bind(host, self.port.address[1], self.clock)
                return
            except OSError as error:
                if attempts_left == 1:
                    _log.warning("tcp_port_taken", port=self.port.address[1], error=error.strerror)
                    return
                self.port.close()

    def _announce(self, pairs: Sequence[tuple[str, int]]) -> None:
        """UDP first: some clients read no further than the first candidate."""
        self.candidates = [
            host_candidate(address, number, preference=65535 - index)
            for index, (address, number) in enumerate(pairs)
        ]
        if self.tcp is not None:
            self.candidates += [
                tcp_candidate(address, number, preference=8191 - index)
                for index, (address, number) in enumerate(pairs)
            ]

    @property
    def on_batch_end(self) -> Callable[[], None]:
        return self.port.on_batch_end

    @on_batch_end.setter
    def on_batch_end(self, flush: Callable[[], None]) -> None:
        self.port.on_batch_end = flush
        if self.tcp is not None:
            self.tcp.on_batch_end = flush

    @property
    def transports(self) -> Sequence[ServerTransport]:
        """Those that are not closed."""
        return tuple(self._transports.values())

    @property
    def known_addresses(self) -> int:
        """Addresses of all peers, the provisional ones included."""
        return len(self._paths)

    def create_transport(self, transport_id: str, sink: TransportSink) -> ServerTransport:
        """A transport that waits for its peer's checks.

        Raises `Conflict` for an id in use, `Unavailable` when too many peers are half-way in.
        """
        if transport_id in self._transports:
            raise Conflict(f"transport {transport_id} exists")
        half_open = sum(transport.state == "connecting" for transport in self._transports.values())
        if half_open >= MAX_HALF_OPEN:
            raise Unavailable("too many connections are being set up; try again in some seconds")
        transport = ServerTransport(transport_id, sink, self, self._limits)
        self._transports[transport_id] = transport
        self.register_ufrags(transport)
        return transport

    async def close(self) -> None:
        """Say goodbye to every peer, then give the port back."""
        if self._timer is not None:
            self._timer.cancel()
        for transport in self.transports:
            transport.close("shutdown")
        while self._tasks:
            await asyncio.gather(*self._tasks, return_exceptions=True)
        self.port.close()
        if self.tcp is not None:
            self.tcp.close()

    # receiving

    def _received(self, datagrams: Sequence[bytes], address: Address, local: Local, arrival_ns: int) -> None:
        path = self._paths.get(address)
        if path is not None:
            path.transport.received(path, datagrams, local, arrival_ns)
            return
        for datagram in datagrams:
            self._stranger(datagram, address, local, arrival_ns)

    def _tcp_received(self, datagrams: Sequence[bytes], address: Address, arrival_ns: int) -> None:
        """From a connection. One that is nobody's yet may only say checks: media cannot roam to it."""
        for number, datagram in enumerate(datagrams):
            path = self._paths.get(address)
            if path is not None:
                path.transport.received(path, datagrams[number:], None, arrival_ns)
                return
            if not is_stun(datagram):
                self._cut(address)
                return
            self.stun_received(datagram, address, None, None)

    def _cut(self, address: Address) -> None:
        self.counters.strangers += 1
        if self.tcp is not None:
            self.tcp.cut(address)

    def _stranger(self, datagram: bytes, address: Address, local: Local, arrival_ns: int) -> None:
        """A datagram from an unknown address: a check, media that moved here, or nothing we look at."""
        path = self._paths.get(address)  # one of the same batch may have made it known
        if path is not None:
            path.transport.received(path, (datagram,), local, arrival_ns)
            return
        if len(datagram) >= MIN_STRANGER_BYTES:
            first = datagram[0]
            if 128 <= first <= 191 and self._roam(datagram, address, local, arrival_ns):
                return
            if first <= 3:
                self.stun_received(datagram, address, local, None)
                return
        self.counters.strangers += 1

    def _roam(self, datagram: bytes, address: Address, local: Local, arrival_ns: int) -> bool:
        candidates = self._by_ssrc.get(media_ssrc(datagram))
        if candidates is None or not self._roaming_budget.take(self.clock.monotonic_ns()):
            return False
        for transport in candidates:
            if transport.roam(datagram, address, local, arrival_ns):
                self.counters.roamed += 1
                return True
        return False

    def stun_received(self, datagram: bytes, address: Address, local: Local, path: Path | None) -> None:
        """A STUN datagram from anywhere; `path`: when the address is known."""
        names = peek_request(datagram)
        if names is None:
            return
        validated = path is not None and path.validated
        transport = self._by_ufrag.get(names[0])
        now_ns = self.clock.monotonic_ns()
        if transport is None:
            code = UNAUTHENTICATED if names[0] else BAD_REQUEST
            if validated or self._error_budget.take(now_ns):
                self._refuse(error_response(datagram[8:20], code), address, local)
        elif validated or transport.check_budget.take(now_ns):
            self._check(transport, datagram, names, address, local, validated)

    def _check(
        self,
        transport: ServerTransport,
        datagram: bytes,
        names: tuple[str, str],
        address: Address,
        local: Local,
        validated: bool,
    ) -> None:
        try:
            message = parse_stun(datagram)
        except ProtocolError:
            self.counters.malformed_stun += 1
            return
        now_ns = self.clock.monotonic_ns()
        owner = self._paths.get(address)
        if owner is not None and owner.transport is not transport and owner.transport.uses(owner, now_ns):
            self.counters.contested += 1
            return
        protocol: Literal["udp", "tcp"] = "tcp" if is_tcp(address) else "udp"
        check = Check(message, *names, address, plain_address(address), protocol)
        result = transport.agent.check(check, now_ns)
        if result.accepted:
            self.port_to(address).send((result.reply,), address, local)
            transport.checked(address, local, result)
        elif validated or self._error_budget.take(now_ns):
            self._refuse(result.reply, address, local)

    def _refuse(self, reply: bytes, address: Address, local: Local) -> None:
        self.counters.refused += 1
        self.port_to(address).send((reply,), address, local)

    # for transports (server.TransportHost)

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Run `work` to its end; `close` waits for it."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def register_ufrags(self, transport: ServerTransport) -> None:
        """Answer checks for the transport's ufrags, and for no others of it."""
        self._forget_ufrags(transport)
        for ufrag in transport.agent.ufrags:
            self._by_ufrag[ufrag] = transport

    def register_ssrc(self, ssrc: int, transport: ServerTransport) -> None:
        """`transport` sends authentic packets of `ssrc`."""
        known = self._by_ssrc.get(ssrc, ())
        if transport not in known and len(known) < MAX_TRANSPORTS_PER_SSRC:
            self._by_ssrc[ssrc] = (*known, transport)

    def port_to(self, address: Address) -> Port:
        """What leads to `address`: its connection, or the UDP port."""
        connection = self.tcp.connection(address) if self.tcp is not None and is_tcp(address) else None
        return connection or self.port

    def path_of(self, address: Address) -> Path | None:
        return self._paths.get(address)

    def add_path(self, path: Path) -> None:
        """The address is this transport's from now on."""
        self.remove_path(path.address)
        self._paths[path.address] = path
        if self.tcp is not None and is_tcp(path.address):
            self.tcp.settled(path.address)

    def remove_path(self, address: Address) -> None:
        """The address is nobody's any more."""
        path = self._paths.pop(address, None)
        if path is not None:
            self._unsettle(address)
            path.transport.path_lost(path)

    def _unsettle(self, address: Address) -> None:
        if self.tcp is not None and is_tcp(address):
            self.tcp.unsettled(address)

    def forget(self, transport: ServerTransport) -> None:
        """Nothing that arrives reaches a closed transport."""
        self._transports.pop(transport.id, None)
        self._forget_ufrags(transport)
        for address in [address for address, path in self._paths.items() if path.transport is transport]:
            del self._paths[address]
            self._unsettle(address)
        for ssrc, known in list(self._by_ssrc.items()):
            if transport in known:
                self._forget_ssrc(ssrc, transport)

    def _forget_ssrc(self, ssrc: int, transport: ServerTransport) -> None:
        left = tuple(other for other in self._by_ssrc[ssrc] if other is not transport)
        if left:
            self._by_ssrc[ssrc] = left
        else:
            del self._by_ssrc[ssrc]

    def _forget_ufrags(self, transport: ServerTransport) -> None:
        for ufrag in [ufrag for ufrag, owner in self._by_ufrag.items() if owner is transport]:
            del self._by_ufrag[ufrag]

    # time

    def _tick(self) -> None:
        self._timer = at_next_beat(self._tick)
        self.expire()

    def expire(self) -> None:
        """Apply the clock to every transport: deadlines, silence, paths that were never validated."""
        now_ns = self.clock.monotonic_ns()
        for transport in self.transports:
            transport.tick(now_ns)
        if self.tcp is not None:
            self.tcp.expire(now_ns)
