"""A transport as the server has it: ICE-lite, DTLS-SRTP, one path in use, and what happens when that path
moves.
"""

from __future__ import annotations

import secrets
from collections.abc import Coroutine, Hashable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

import structlog
from aiortc import RTCCertificate

from core.clock import NS_PER_S, Clock
from core.errors import Conflict
from rtp.rtcp import ReceiverReport, build_compound
from rtp.sdp import Fingerprint, IceParameters
from rtp.srtp import SrtpKeys, SrtpProfile, SrtpSender
from rtp.srtp_keys import derive_rtp_keys
from transport.api import DtlsRole, TransportSink, TransportState
from transport.dtls import DtlsSession, fingerprint_of
from transport.ice_lite import CheckResult, IceLiteAgent
from transport.lane import FanOut
from transport.liveness import Liveness, LivenessLimits
from transport.media import MediaSession
from transport.path_challenge import PathChallenge
from transport.token_bucket import TokenBucket
from transport.udp import Address, Local, UdpPort

AMPLIFICATION: Final = 3
"""Bytes we send to an address per byte received from it, until it has passed a check (as RFC 9000 §8.1)."""
STRANGER_CHECKS_PER_S: Final = 50.0
"""Checks from new addresses that are looked at per transport; validated ones are never limited."""

MIN_RUN: Final = 3
"""Datagrams from which on it pays to open them together."""
PROVISIONAL_NS: Final = 10 * NS_PER_S
"""An address that is followed for its media alone is given up when it stays silent so long."""
QUIET_PATH_NS: Final = 1 * NS_PER_S
USED_PATH_NS: Final = 3 * NS_PER_S
"""No other transport may take an address heard so lately. Browsers check every 2.65 s at least."""
KEEPALIVE: Final = build_compound([ReceiverReport(0, ())])
"""What is said when there is nothing to say (RFC 6263 §4.6): a client that hears nothing for 0.7 s then knows
that it is the network.
"""

_log = structlog.get_logger()


@dataclass(slots=True, eq=False)
class Path:
    """A remote address of one transport. Not `validated`: its media is authentic, but no check came from it
    yet.
    """

    transport: ServerTransport
    address: Address
    local: Local
    validated: bool
    heard_ns: int
    port: Port
    """What leads there: the UDP port, or the connection itself."""
    received_bytes: int = 0
    sent_bytes: int = 0
    heard: bool = False
    """Since the last tick: one clock reading per tick instead of one per packet."""
    challenge: PathChallenge | None = None
    """Out while the path is not validated."""


class Port(Protocol):
    """What both `UdpPort` and `StreamConnection` offer."""

    def send(self, datagrams: Sequence[bytes], address: Address, local: Local = None) -> None: ...


class TransportHost(Protocol):
    """What a transport needs of its endpoint."""

    clock: Clock
    certificate: RTCCertificate
    profiles: Sequence[SrtpProfile]
    fan_out: FanOut | None

    def spawn(self, work: Coroutine[Any, Any, None]) -> None: ...
    def register_ssrc(self, ssrc: int, transport: ServerTransport) -> None: ...
    def register_ufrags(self, transport: ServerTransport) -> None: ...
    def port_to(self, address: Address) -> Port: ...
    def path_of(self, address: Address) -> Path | None: ...
    def add_path(self, path: Path) -> None: ...
    def remove_path(self, address: Address) -> None: ...
    def forget(self, transport: ServerTransport) -> None: ...
    def stun_received(self, datagram: bytes, address: Address, local: Local, path: Path | None) -> None: ...


@dataclass(slots=True)
class TransportCounters:
    """`unsendable`: no path yet, or the peer has been silent too long. `limited`: amplification limit."""

    unsendable: int = 0
    limited: int = 0
    path_changes: int = 0


def new_credentials() -> IceParameters:
    """Fresh ICE-lite credentials: 48 and 128 bits of randomness (RFC 8839 §5.4 asks for 24 and 128)."""
    return IceParameters(secrets.token_hex(6), secrets.token_hex(16), lite=True)


class ServerTransport:
    """Made by `MediaEndpoint.create_transport`. `rtt_ns` is for the owner to set: a lite agent has none."""

    def __init__(
        self, transport_id: str, sink: TransportSink, host: TransportHost, limits: LivenessLimits
    ) -> None:
        self.id = transport_id
        self.rtt_ns: int | None = None
        self.counters = TransportCounters()
        self.fingerprint = fingerprint_of(host.certificate)
        now_ns = host.clock.monotonic_ns()
        self.agent = IceLiteAgent(new_credentials())
        self.media = MediaSession(sink, self._new_ssrc)
        self.check_budget = TokenBucket(STRANGER_CHECKS_PER_S, STRANGER_CHECKS_PER_S, now_ns)
        self._host = host
        self._sink = sink
        self._liveness = Liveness(limits, now_ns)
        self._dtls: DtlsSession | None = None
        self._fingerprints: list[Fingerprint] = []
        self._dtls_role: DtlsRole = "server"
        self._path: Path | None = None
        self.lane = None if host.fan_out is None else host.fan_out.lane()
        """The engine's way to the peer; None without an engine."""
        self._paths: dict[Address, Path] = {}
        self._muted = False
        self._spoke = False
        """Since the last tick."""

    # what owners see

    @property
    def local(self) -> IceParameters:
        """Our ICE credentials of the current generation."""
        return self.agent.local

    @property
    def state(self) -> TransportState:
        return self._liveness.state

    @property
    def close_reason(self) -> str:
        """Why it is closed; empty before."""
        return self._liveness.close_reason

    @property
    def sealer(self) -> SrtpSender | None:
        return self.media.sealer

    @property
    def srtp_profile(self) -> str | None:
        return self.media.profile

    @property
    def remote_address(self) -> Address | None:
        """Where media goes at the moment."""
        return None if self._path is None else self._path.address

    @property
    def is_validated(self) -> bool:
        """True when the peer has proven by a check that it is where media goes."""
        return self._path is not None and self._path.validated

    def start(
        self, remote: IceParameters, remote_fingerprints: Sequence[Fingerprint], dtls_role: DtlsRole
    ) -> None:
        """Take the peer's parameters; the handshake begins with its first check. A second call is an ICE
        restart.

        Raises `Conflict` when the certificate or the role would change: that takes a new transport.
        """
        fingerprints = list(remote_fingerprints)
        if not fingerprints:
            raise Conflict("the peer gave no certificate fingerprint")
        if self._fingerprints and (fingerprints, dtls_role) != (self._fingerprints, self._dtls_role):
            raise Conflict("certificate or DTLS role cannot change on a running transport")
        self._fingerprints, self._dtls_role = fingerprints, dtls_role
        self.agent.set_remote(remote)
        self._start_dtls()

    def wait_longer(self) -> None:
        """The owner has nothing to connect for yet: the handshake's deadline counts from now."""
        self._liveness.wait_longer(self._host.clock.monotonic_ns())

    def restart_ice(self) -> IceParameters:
        """New local credentials for the next description; the path in use works until they are validated."""
        self.agent.restart(new_credentials())
        self._host.register_ufrags(self)
        return self.agent.local

    def send(self, datagrams: Sequence[bytes]) -> None:
        """Send sealed packets in order to where the peer is now."""
        path = self._path
        self._spoke = True
        if path is None or self._muted:
            self.counters.unsendable += len(datagrams)
        elif path.validated:
            path.port.send(datagrams, path.address, path.local)
        else:
            self._send_limited(path, datagrams)

    def send_rtcp(self, compound: bytes) -> None:
        """Seal and send one compound RTCP packet."""
        sealed = self.media.seal_rtcp(compound)
        if sealed is not None:
            self.send((sealed,))

    def close(self, reason: str) -> None:
        """Say goodbye to the peer and forget it. The sink hears `closed` once."""
        if self.state == "closed":
            return
        self._liveness.close(reason)
        self._host.forget(self)
        if self._dtls is not None:
            self._host.spawn(self._dtls.close())
        self.media.drop_keys()
        if self.lane is not None:
            self.lane.drop_key()
        self._report()

    # what the endpoint calls

    def received(self, path: Path, datagrams: Sequence[bytes], local: Local, arrival_ns: int) -> None:
        """Datagrams from one of our addresses."""
        returning = self._is_return(path)
        if not returning and len(datagrams) >= MIN_RUN and path.validated:
            opened = self.media.receive_run(datagrams, arrival_ns)
            if opened:
                path.heard = True
                datagrams = datagrams[opened:]
        receive = self.media.receive_newer if returning else self.media.receive
        authentic = False
        for datagram in datagrams:
            first = datagram[0] if datagram else 255
            if 128 <= first <= 191:
                authentic = receive(datagram, arrival_ns) or authentic
            elif 20 <= first <= 63:
                if path.validated and self._dtls is not None:
                    self._dtls.feed(datagram)
            elif first <= 3 and not self._proves(path, datagram):
                self._host.stun_received(datagram, path.address, local, path)
        if authentic:
            path.heard = True
            if returning:
                self._select(path)
        if not path.validated:
            path.received_bytes += sum(map(len, datagrams))

    def _is_return(self, path: Path) -> bool:
        """Media from a validated path while a provisional one has the flow: when newer, it takes it back."""
        current = self._path
        return current is not None and not current.validated and path.validated

    def roam(self, datagram: bytes, address: Address, local: Local, arrival_ns: int) -> bool:
        """A datagram from an unknown address claims to be ours: follow it when it is authentic and newer."""
        if not self.media.receive_newer(datagram, arrival_ns):
            return False
        now_ns = self._host.clock.monotonic_ns()
        port = self._host.port_to(address)
        path = Path(self, address, local, False, now_ns, port, received_bytes=len(datagram), heard=True)
        self._add_path(path)
        self._select(path)
        self._challenge(path)
        return True

    def _challenge(self, path: Path) -> None:
        """Ask whether the peer is there; some times, as one datagram may get lost."""
        remote = self.agent.remote
        if path.challenge is None and remote is not None:
            number, tie_breaker = secrets.token_bytes(12), secrets.randbits(64)
            path.challenge = PathChallenge(self.agent.local, remote, number, tie_breaker)
        if path.challenge is not None and (request := path.challenge.ask()) is not None:
            path.port.send((request,), path.address, path.local)

    def _proves(self, path: Path, datagram: bytes) -> bool:
        """True when it is the answer to our challenge: the peer is there, and gets everything from now on."""
        if path.challenge is None or not path.challenge.is_answered_by(datagram):
            return False
        path.validated, path.heard, path.challenge = True, True, None
        self._settle_lane()
        return True

    def checked(self, address: Address, local: Local, result: CheckResult) -> None:
        """A signed check came from `address`."""
        path = self._host.path_of(address)
        if path is None or path.transport is not self:
            port = self._host.port_to(address)
            path = Path(self, address, local, True, self._host.clock.monotonic_ns(), port)
            self._add_path(path)
        path.validated, path.local, path.heard, path.challenge = True, local, True, None
        if result.dropped is not None:
            self._forget_source(result.dropped)
        if result.selected or self._path is None:
            self._select(path)
        self._settle_lane()
        self._start_dtls()

    def uses(self, path: Path, now_ns: int) -> bool:
        """True while the peer is there: connected, and heard from this address of late."""
        heard = path.heard or now_ns - path.heard_ns < USED_PATH_NS
        return heard and path.validated and self.state == "connected"

    def path_lost(self, path: Path) -> None:
        """Another transport has proven that the address is its, nobody has proven anything in time, or the
        connection is gone.
        """
        self._paths.pop(path.address, None)
        self.agent.forget(path.address)
        if path is self._path:
            selected = self.agent.selected
            known = [other for other in self._paths.values() if selected and other.address == selected.source]
            self._path = known[0] if known else self._last_heard()
            self._settle_lane()

    def _last_heard(self) -> Path | None:
        validated = [path for path in self._paths.values() if path.validated]
        return max(validated, key=lambda path: (path.heard, path.heard_ns), default=None)

    def tick(self, now_ns: int) -> None:
        """A few times per second: liveness, and paths that have gone quiet."""
        before = self.state
        self._note_heard(now_ns)
        reason = self._liveness.tick(now_ns)
        self._muted = not self._liveness.may_send(now_ns)
        self._settle_lane()
        if reason is not None:
            self.close(reason)
        elif self.state != before:
            self._report()
        self._keep_alive()

    def _settle_lane(self) -> None:
        """The lane is open while `send` would send without a second thought."""
        if self.lane is not None:
            path = self._path
            usable = (
                path is not None and path.validated and not self._muted and isinstance(path.port, UdpPort)
            )
            self.lane.lead_to((path.address, path.local) if path is not None and usable else None)

    def _keep_alive(self) -> None:
        if self.lane is not None and self.lane.spoke:
            self._spoke, self.lane.spoke = True, False
        if not self._spoke and not self._muted and self.state in ("connected", "silent"):
            self.send_rtcp(KEEPALIVE)
        self._spoke = False

    # inside

    def _note_heard(self, now_ns: int) -> None:
        for path in list(self._paths.values()):
            if path.heard:
                path.heard, path.heard_ns = False, now_ns
                self._liveness.heard(now_ns)
                self._follow(path, now_ns)
            elif not path.validated and now_ns - path.heard_ns > PROVISIONAL_NS:
                self._host.remove_path(path.address)
            if path.challenge is not None and path is self._path:
                self._challenge(path)

    def _follow(self, path: Path, now_ns: int) -> None:
        """Send where the peer is heard when the path in use has fallen quiet and no nomination came."""
        current = self._path
        if current is not path and path.validated and current and now_ns - current.heard_ns > QUIET_PATH_NS:
            self._select(path)

    # inside

    def _add_path(self, path: Path) -> None:
        self._host.add_path(path)
        self._paths[path.address] = path

    def _forget_source(self, source: Hashable) -> None:
        for path in list(self._paths.values()):
            if path.address == source:
                self._host.remove_path(path.address)

    def _select(self, path: Path) -> None:
        if path is self._path:
            return
        self._path = path
        self._settle_lane()
        self.counters.path_changes += 1
        _log.info("path_selected", transport=self.id, validated=path.validated)

    def _send_limited(self, path: Path, datagrams: Sequence[bytes]) -> None:
        for datagram in datagrams:
            if path.sent_bytes + len(datagram) > AMPLIFICATION * path.received_bytes:
                self.counters.limited += 1
                continue
            path.sent_bytes += len(datagram)
            path.port.send((datagram,), path.address, path.local)

    def _start_dtls(self) -> None:
        if self._dtls is not None or self._path is None or not self._fingerprints:
            return
        self._dtls = DtlsSession(
            self._host.certificate,
            self._dtls_role,
            self._fingerprints,
            send=self._send_dtls,
            on_keys=self._keys,
            on_closed=self.close,
            profiles=self._host.profiles,
        )
        self._dtls.start()

    def _send_dtls(self, datagram: bytes) -> None:
        path = self._path
        if path is not None and path.validated:
            path.port.send((datagram,), path.address, path.local)

    def _keys(self, send: SrtpKeys, receive: SrtpKeys) -> None:
        if self.state == "closed":
            return
        engine = None if self._host.fan_out is None else self._host.fan_out.engine
        self.media.set_keys(send, receive, engine)
        if self.lane is not None and send.profile.is_gcm:
            session = derive_rtp_keys(send)
            self.lane.set_key(session.encryption, session.salt)
        self._liveness.connected(self._host.clock.monotonic_ns())
        _log.info("transport_connected", transport=self.id, srtp=self.srtp_profile)
        self._report()

    def _new_ssrc(self, ssrc: int) -> None:
        self._host.register_ssrc(ssrc, self)

    def _report(self) -> None:
        try:
            self._sink.state_changed(self.state)
        except Exception:
            _log.exception("transport_sink_failed", transport=self.id)
