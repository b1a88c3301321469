"""A transport as a client has it (edge, recorder, load generator): full ICE, DTLS-SRTP, quick liveness."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import secrets
import ssl
from collections.abc import Callable, Sequence
from typing import Any, Final

import structlog

from core.clock import NS_PER_S, Clock
from core.errors import ProtocolError, Unavailable
from core.messages import IceServer
from rtp.sdp import Candidate, Fingerprint, IceParameters
from rtp.srtp import SrtpKeys, SrtpProfile, SrtpSender
from transport.addresses import plain_address
from transport.aiortc_private import PortConnection
from transport.api import DtlsRole, TransportSink, TransportState, host_candidate, is_loopback
from transport.detour import DetourPort, Detours
from transport.dtls import ALL_PROFILES, DtlsSession, fingerprint_of, new_certificate
from transport.media import MediaSession
from transport.path_check import CHECKS_UNTIL_SILENT, INTERVAL_NS, PathChecker
from transport.stream import StreamConnection
from transport.stun import is_stun, parse_stun, peek_request
from transport.token_bucket import TokenBucket
from transport.udp import Address, Local, UdpPort

ICE_DEADLINE_S: Final = 10.0
DETOUR_AFTER_S: Final = 0.4
"""Head start of UDP before TCP and TURN are tried, when there are UDP candidates."""
DETOUR_CHECK_S: Final = 0.1
PERSISTENT_AFTER_S: Final = 1.0
PERSISTENT_CHECK_S: Final = 0.25
"""aioice doubles the time between its checks, up to seconds; a network that comes back is to be noticed."""
UDP_PROBE_NS: Final = 5 * NS_PER_S
"""While media goes by TCP or a relay, UDP is tried so often: networks change."""
REOPEN_NS: Final = 2 * NS_PER_S
UDP_RANK: Final = 2
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
ClientPort = UdpPort | DetourPort
ClientPath = tuple[ClientPort, tuple[str, int]]


class ClientTransport:
    """One connection to a media endpoint. `gather`, then `connect`; states are reported to `sink`.

    silent: the server has not answered four checks (a second, by default); they go on, over every interface,
    and `connected` comes back by itself. closed with reason `refused`: the server does not know this
    connection any more. Where UDP does not get through, it goes by the server's TCP candidates, or through
    `ice_servers`, and back to UDP when that works; `relay_only`: through those alone. `tls`: whom to trust
    for `turns:`.
    """

    def __init__(
        self,
        sink: TransportSink,
        *,
        controlling: bool = True,
        clock: Clock,
        profiles: Sequence[SrtpProfile] = ALL_PROFILES,
        check_interval_ns: int = INTERVAL_NS,
        tls: ssl.SSLContext | None = None,
        relay_only: bool = False,
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
        self._relay_only = relay_only
        self._detours = Detours(clock, self._detour_received, self._detour_lost, tls=tls)
        self._first_answer: asyncio.Future[ClientPath] | None = None
        self._probed_ns = self._reopened_ns = clock.monotonic_ns()
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
    def port(self) -> ClientPort | None:
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
        ice_servers: Sequence[IceServer] = (),
    ) -> None:
        """Reach the server and shake hands. Raises `Unavailable`, after which the transport is closed."""
        self._detours.servers = ice_servers
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
        usable = [found for found in candidates if found.is_ip][:MAX_REMOTE_CANDIDATES]
        udp = [found for found in usable if found.transport == "udp"]
        if any(is_loopback(found) for found in udp):
            await self._connection.gather_also(_LOOPBACK)
        self._targets = frozenset(_place(found) for found in udp)
        self._detours.peers = [_place(found) for found in udp]
        if not self._relay_only:
            self._detours.tcp = [_place(found) for found in usable if found.tcp_type == "passive"]
        self._checker = self._new_checker(remote)
        try:
            async with asyncio.timeout(ICE_DEADLINE_S):
                self._path = await self._first_path(remote, [] if self._relay_only else udp)
        except (ConnectionError, TimeoutError):
            raise Unavailable("the media server cannot be reached", code="ice_failed") from None
        await self._detours.close(keep=None if isinstance(self._path[0], UdpPort) else self._path[0])
        self._tick()

    def _new_checker(self, remote: IceParameters) -> PathChecker:
        return PathChecker(
            self.local,
            remote,
            tie_breaker=secrets.randbits(64),
            controlling=self._controlling,
            now_ns=self._clock.monotonic_ns(),
            silent_ns=CHECKS_UNTIL_SILENT * self._check_interval_ns,
        )

    async def _first_path(self, remote: IceParameters, udp: Sequence[Candidate]) -> ClientPath:
        """Raises `ConnectionError` when nothing gets through."""
        attempts: set[asyncio.Task[ClientPath]] = set()
        self._first_answer = asyncio.get_running_loop().create_future()
        if udp:
            direct = asyncio.create_task(self._direct_path(remote, udp))
            persistent = self._persistent_path(self._first_answer, direct)
            attempts |= {direct, asyncio.create_task(persistent)}
        if self._detours.exist:
            delay_s = DETOUR_AFTER_S if udp else 0.0
            attempts.add(asyncio.create_task(self._detour_path(self._first_answer, delay_s)))
        waiting = attempts
        try:
            while waiting:
                done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
                for attempt in done:
                    if attempt.exception() is None:
                        return attempt.result()
        finally:
            for attempt in attempts:
                attempt.cancel()
            await asyncio.gather(*attempts, return_exceptions=True)
        raise ConnectionError("nothing gets through")

    async def _direct_path(self, remote: IceParameters, udp: Sequence[Candidate]) -> ClientPath:
        return await self._connection.connect_to(remote, udp)

    async def _persistent_path(
        self, answer: asyncio.Future[ClientPath], direct: asyncio.Task[ClientPath]
    ) -> ClientPath:
        """The first UDP path that answers late. Raises `ConnectionError` when `direct` has given up."""
        await asyncio.wait({direct}, timeout=PERSISTENT_AFTER_S)
        while not (answer.done() or direct.done()):
            for path in self._udp_paths()[:MAX_CHECKED_PATHS]:
                self._check(path)
            await asyncio.wait(
                {answer, direct}, timeout=PERSISTENT_CHECK_S, return_when=asyncio.FIRST_COMPLETED
            )
        if not answer.done():
            raise ConnectionError("aioice knows")
        return answer.result()

    async def _detour_path(self, answer: asyncio.Future[ClientPath], delay_s: float) -> ClientPath:
        """The first way round that answers a check. Raises `ConnectionError`."""
        await asyncio.sleep(delay_s)
        self._detours.open()
        while self._detours.is_opening or self._detours.ports:
            for path in self._detours.pairs():
                self._check(path)
            await asyncio.wait({answer}, timeout=DETOUR_CHECK_S)
            if answer.done():
                return answer.result()
        raise ConnectionError("no way round")

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

    def _detour_received(
        self, port: DetourPort, datagrams: Sequence[bytes], source: tuple[str, int], arrival_ns: int
    ) -> None:
        self._received(port, _ignore, datagrams, source, arrival_ns, known=True)

    def _detour_lost(self, port: DetourPort) -> None:
        """The connection that carried everything is gone: no need to wait for silence."""
        if self._path is not None and self._path[0] is port and self.state == "connected":
            self._go_silent()

    def _received(
        self,
        port: ClientPort,
        deliver: Deliver,
        datagrams: Sequence[bytes],
        source: tuple[str, int],
        arrival_ns: int,
        *,
        known: bool = False,
    ) -> None:
        known = known or source in self._targets
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
        self, port: ClientPort, deliver: Deliver, datagram: bytes, source: tuple[str, int], known: bool
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
        """A check got through. Another path is taken while the one in use is silent, or when it is better."""
        if self._path is None:
            if self._first_answer is not None and not self._first_answer.done():
                self._first_answer.set_result(path)
            return
        if path != self._path:
            if self.state != "silent" and _rank(path) <= _rank(self._path):
                return
            _log.info("path_changed", rtt_ns=self.rtt_ns)
            self._path = path
            self._check(path)
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
            self._go_silent()
        for path in self._paths_to_check():
            self._check(path)
        self._look_for_better(now_ns)

    def _go_silent(self) -> None:
        self._open_wildcards()
        self._reopened_ns = self._clock.monotonic_ns()
        self._detours.open()
        self._enter("silent")

    def _check(self, path: ClientPath, *, nominate: bool = True) -> None:
        if self._checker is not None:
            number, now_ns = secrets.token_bytes(12), self._clock.monotonic_ns()
            path[0].send((self._checker.request(path, number, now_ns, nominate=nominate),), path[1])

    def _look_for_better(self, now_ns: int) -> None:
        """Silent: other ways round. Connected by one of them: does UDP work now?

        That is asked without USE-CANDIDATE: the server would send there at once, and it may be a one-way
        street.
        """
        if self.state == "silent" and now_ns - self._reopened_ns >= REOPEN_NS:
            self._reopened_ns = now_ns
            self._detours.open()
        if self.state == "connected" and self._path is not None and _rank(self._path) < UDP_RANK:
            if now_ns - self._probed_ns < UDP_PROBE_NS:
                return
            self._probed_ns = now_ns
            for path in self._udp_paths():
                self._check(path, nominate=False)

    def _paths_to_check(self) -> list[ClientPath]:
        if self.state != "silent":
            return [] if self._path is None else [self._path]
        return [*self._detours.pairs(), *self._udp_paths()][:MAX_CHECKED_PATHS]

    def _udp_paths(self) -> list[ClientPath]:
        if self._relay_only:
            return []
        pairs = [(port, target) for port in reversed(self._ports) for target in self._targets]
        return [pair for pair in pairs if pair[0].is_ipv6 == (":" in pair[1][0])]

    def _open_wildcards(self) -> None:
        """Ports bound to no interface: they follow the routing table to whichever network there is now."""
        versions = {ipaddress.ip_address(host).version for host, _ in self._targets}
        if self._relay_only or any(port.is_wildcard for port in self._ports):
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
        await self._detours.close()
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


def _place(candidate: Candidate) -> tuple[str, int]:
    return str(ipaddress.ip_address(candidate.address)), candidate.port


def _rank(path: ClientPath) -> int:
    """UDP, then a connection to the server, then a relay."""
    return UDP_RANK if isinstance(path[0], UdpPort) else 1 if isinstance(path[0], StreamConnection) else 0


def _ignore(datagram: bytes, source: tuple[Any, ...]) -> None:
    """aioice does not know the ports opened after it was done."""
