"""A transport as a client has it (edge, recorder, load generator): full ICE, DTLS-SRTP, quick liveness."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import secrets
from collections.abc import Callable, Sequence
from typing import Any, Final

import structlog

from core.clock import NS_PER_S, Clock
from core.errors import ProtocolError, Unavailable
from rtp.sdp import Candidate, Fingerprint, IceParameters
from rtp.srtp import SrtpKeys, SrtpProfile, SrtpSender
from transport.addresses import plain_address
from transport.aiortc_private import PortConnection
from transport.api import DtlsRole, TransportSink, TransportState, host_candidate, is_loopback
from transport.dtls import ALL_PROFILES, DtlsSession, fingerprint_of, new_certificate
from transport.media import MediaSession
from transport.path_check import CHECKS_UNTIL_SILENT, INTERVAL_NS, PathChecker
from transport.stun import is_stun, parse_stun, peek_request
from transport.token_bucket import TokenBucket
from transport.udp import Address, Local, UdpPort

ICE_DEADLINE_S: Final = 10.0
DTLS_DEADLINE_S: Final = 10.0
GONE_NS: Final = 120 * NS_PER_S
"""Longer than the server keeps a silent transport: nobody can be there any more."""
STRANGER_CHECKS_PER_S: Final = 50.0
MAX_REMOTE_CANDIDATES: Final = 32
MAX_CHECKED_PATHS: Final = 32
"""Paths probed at once while the one in use is silent."""

_LOOPBACK: Final = ("127.0.0.1", "::1")
_WILDCARDS: Final = {4: "0.0.0.0", 6: "::"}  # noqa: S104  # routing shall choose the interface
_log = structlog.get_logger()

Deliver = Callable[[bytes, tuple[Any, ...]], None]
ClientPath = tuple[UdpPort, tuple[str, int]]


class ClientTransport:
    """One connection to a media endpoint. `gather`, then `connect`; states are reported to `sink`.

    silent: the server has not answered four checks (a second, by default); they go on, over every interface,
    and `connected` comes back by itself. closed with reason `refused`: the server does not know this
    connection any more.
    """

    def __init__(
        self,
        sink: TransportSink,
        *,
        controlling: bool = True,
        clock: Clock,
        profiles: Sequence[SrtpProfile] = ALL_PROFILES,
        check_interval_ns: int = INTERVAL_NS,
    ) -> None:
        self.state: TransportState = "connecting"
        self.close_reason = ""
        self.strangers = 0
        self.media = MediaSession(sink, lambda ssrc: None)
        self._sink = sink
        self._clock = clock
        self._profiles = profiles
        self._check_interval_ns = check_interval_ns
        self._controlling = controlling
        self._certificate = new_certificate()
        self.fingerprint = fingerprint_of(self._certificate)
        self._connection = PortConnection(controlling=controlling, open_port=self._open_port)
        self._ports: list[UdpPort] = []
        self._targets: frozenset[tuple[str, int]] = frozenset()
        self._path: ClientPath | None = None
        self._checker: PathChecker | None = None
        self._dtls: DtlsSession | None = None
        self._keys_ready: asyncio.Event = asyncio.Event()
        self._timer: asyncio.TimerHandle | None = None
        self._stranger_budget = TokenBucket(
            STRANGER_CHECKS_PER_S, STRANGER_CHECKS_PER_S, clock.monotonic_ns()
        )

    @property
    def local(self) -> IceParameters:
        """Our ICE credentials."""
        return IceParameters(self._connection.local_username, self._connection.local_password)

    @property
    def candidates(self) -> list[Candidate]:
        """Our host candidates; a lite server does not need them."""
        return [
            host_candidate(found.host, found.port, preference=(found.priority >> 8) & 0xFFFF)
            for found in self._connection.local_candidates
        ]

    @property
    def sealer(self) -> SrtpSender | None:
        return self.media.sealer

    @property
    def srtp_profile(self) -> str | None:
        return self.media.profile

    @property
    def rtt_ns(self) -> int | None:
        """Smoothed round trip of connectivity checks."""
        return None if self._checker is None else self._checker.rtt_ns

    @property
    def port(self) -> UdpPort | None:
        """The port in use; its counters are ours."""
        return None if self._path is None else self._path[0]

    @property
    def ports(self) -> Sequence[UdpPort]:
        """All ports, one per interface address, and those opened since."""
        return tuple(self._ports)

    async def gather(self) -> None:
        """Open one port per interface address."""
        await self._connection.gather_candidates()

    async def connect(
        self,
        remote: IceParameters,
        remote_fingerprints: Sequence[Fingerprint],
        candidates: Sequence[Candidate],
        dtls_role: DtlsRole,
    ) -> None:
        """Reach the server and shake hands. Raises `Unavailable`, after which the transport is closed."""
        try:
            await self._connect_ice(remote, candidates)
            await self._connect_dtls(remote_fingerprints, dtls_role)
        except BaseException as error:
            await self._close(error.code if isinstance(error, Unavailable) else "cancelled")
            raise

    def send(self, datagrams: Sequence[bytes]) -> None:
        """Send sealed packets in order; dropped while there is no path."""
        if self._path is not None:
            self._path[0].send(datagrams, self._path[1])

    def send_rtcp(self, compound: bytes) -> None:
        """Seal and send one compound RTCP packet."""
        sealed = self.media.seal_rtcp(compound)
        if sealed is not None:
            self.send((sealed,))

    async def close(self) -> None:
        """Say goodbye to the server and free the ports. Safe to call twice."""
        await self._close("closed")

    # connecting

    async def _connect_ice(self, remote: IceParameters, candidates: Sequence[Candidate]) -> None:
        usable = [found for found in candidates if found.transport == "udp" and found.is_ip]
        usable = usable[:MAX_REMOTE_CANDIDATES]
        if any(is_loopback(found) for found in usable):
            await self._connection.gather_also(_LOOPBACK)
        self._targets = frozenset((str(ipaddress.ip_address(found.address)), found.port) for found in usable)
        try:
            async with asyncio.timeout(ICE_DEADLINE_S):
                self._path = await self._connection.connect_to(remote, usable)
        except (ConnectionError, TimeoutError):
            raise Unavailable("the media server cannot be reached over UDP", code="ice_failed") from None
        self._checker = PathChecker(
            self.local,
            remote,
            tie_breaker=secrets.randbits(64),
            controlling=self._controlling,
            now_ns=self._clock.monotonic_ns(),
            silent_ns=CHECKS_UNTIL_SILENT * self._check_interval_ns,
        )
        self._tick()

    async def _connect_dtls(self, fingerprints: Sequence[Fingerprint], role: DtlsRole) -> None:
        self._dtls = DtlsSession(
            self._certificate,
            role,
            fingerprints,
            send=self._send_one,
            on_keys=self._keys,
            on_closed=self._dtls_closed,
            profiles=self._profiles,
        )
        self._dtls.start()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(DTLS_DEADLINE_S):
                await self._keys_ready.wait()
        if self.media.sealer is None:
            raise Unavailable("the media server's handshake failed", code=self.close_reason or "dtls_timeout")

    def _keys(self, send: SrtpKeys, receive: SrtpKeys) -> None:
        if self.state == "connecting":
            self.media.set_keys(send, receive)
            self._enter("connected")
        self._keys_ready.set()

    def _dtls_closed(self, reason: str) -> None:
        self._keys_ready.set()
        self._shut(reason)

    # receiving

    def _open_port(self, address: str, deliver: Deliver) -> UdpPort:
        def received(datagrams: Sequence[bytes], source: Address, local: Local, arrival_ns: int) -> None:
            self._received(port, deliver, datagrams, plain_address(source), arrival_ns)

        port = UdpPort.bind(address, 0, received, self._clock)
        port.start()
        self._ports.append(port)
        return port

    def _received(
        self,
        port: UdpPort,
        deliver: Deliver,
        datagrams: Sequence[bytes],
        source: tuple[str, int],
        arrival_ns: int,
    ) -> None:
        known = source in self._targets
        for datagram in datagrams:
            first = datagram[0] if datagram else 255
            if first <= 3:
                self._stun_received(port, deliver, datagram, source, known)
            elif not known:
                self.strangers += 1
            elif 128 <= first <= 191:
                self.media.receive(datagram, arrival_ns)
            elif 20 <= first <= 63 and self._dtls is not None:
                self._dtls.feed(datagram)

    def _stun_received(
        self, port: UdpPort, deliver: Deliver, datagram: bytes, source: tuple[str, int], known: bool
    ) -> None:
        checker, now_ns = self._checker, self._clock.monotonic_ns()
        ours = checker is not None and checker.expects(datagram[8:20])
        if not (known or ours or self._is_check(datagram, now_ns)):
            self.strangers += 1
            return
        try:
            message = parse_stun(datagram)
        except ProtocolError:
            self.strangers += 1
            return
        if not ours or checker is None:
            deliver(datagram, source)
        elif checker.response(message, (port, source), now_ns):
            self._answered((port, source), now_ns)

    def _is_check(self, datagram: bytes, now_ns: int) -> bool:
        """A full agent may check us from an address nobody told us of (RFC 8445 §7.3.1.3)."""
        names = peek_request(datagram) if is_stun(datagram) else None
        return names is not None and names[0] == self.local.ufrag and self._stranger_budget.take(now_ns)

    def _answered(self, path: ClientPath, now_ns: int) -> None:
        """A check got through; over another path it counts only while the one in use is silent."""
        if path != self._path:
            if self.state != "silent":
                return
            _log.info("path_changed", rtt_ns=self.rtt_ns)
            self._path = path
        if self.state == "silent":
            self._enter("connected")

    # time

    def _tick(self) -> None:
        checker, now_ns = self._checker, self._clock.monotonic_ns()
        if checker is None or self.state == "closed":
            return
        self._timer = asyncio.get_running_loop().call_later(self._check_interval_ns / NS_PER_S, self._tick)
        if checker.is_refused(now_ns):
            self._shut("refused")
        elif checker.quiet_ns(now_ns) >= GONE_NS:
            self._shut("silent_too_long")
        elif checker.is_silent(now_ns) and self.state == "connected":
            self._open_wildcards()
            self._enter("silent")
        for port, target in self._paths_to_check():
            request = checker.request((port, target), secrets.token_bytes(12), now_ns)
            port.send((request,), target)

    def _paths_to_check(self) -> list[ClientPath]:
        if self.state != "silent":
            return [] if self._path is None else [self._path]
        pairs = [(port, target) for port in reversed(self._ports) for target in self._targets]
        return [pair for pair in pairs if pair[0].is_ipv6 == (":" in pair[1][0])][:MAX_CHECKED_PATHS]

    def _open_wildcards(self) -> None:
        """Ports bound to no interface: they follow the routing table to whichever network there is now."""
        versions = {ipaddress.ip_address(host).version for host, _ in self._targets}
        if any(port.is_wildcard for port in self._ports):
            return
        for version in versions:
            with contextlib.suppress(OSError):
                self._open_port(_WILDCARDS[version], _ignore)

    # ending

    def _send_one(self, datagram: bytes) -> None:
        self.send((datagram,))

    def _shut(self, reason: str) -> None:
        """Closed for the owner at once; `close` frees what is left."""
        if self.state == "closed":
            return
        self.close_reason = reason
        if self._timer is not None:
            self._timer.cancel()
        self.media.drop_keys()
        self._enter("closed")

    async def _close(self, reason: str) -> None:
        self._shut(reason)
        if self._dtls is not None:
            await self._dtls.close()
        self._path = None
        await self._connection.close()
        for port in self._ports:
            port.close()
        self._ports.clear()

    def _enter(self, state: TransportState) -> None:
        self.state = state
        try:
            self._sink.state_changed(state)
        except Exception:
            _log.exception("transport_sink_failed")


def _ignore(datagram: bytes, source: tuple[Any, ...]) -> None:
    """aioice does not know the ports opened after it was done."""
