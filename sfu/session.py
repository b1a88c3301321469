"""One peer connection of a worker: its transport, its descriptions, and a fence around its failures."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Sequence
from typing import Any, Final, Protocol

import structlog

from core.clock import Clock
from core.errors import Conflict, ProtocolError
from core.messages import Model
from core.worker_api import CreateTransport, TransportChanged
from rtp.negotiation import LocalTransport, RemoteTransport, remote_transport
from rtp.packet import RtpPacket
from rtp.sdp import IceParameters, Session, parse_fragment
from rtp.sdp_fragment import IceFragment
from sfu.metrics import Metrics
from sfu.producer import Producer
from sfu.router import Router
from transport.api import TransportState
from transport.endpoint import MediaEndpoint

_log = structlog.get_logger()

REASON_FAILED: Final = "internal_error"
MAX_SSRC: Final = 0xFFFFFFFE


class SessionHost(Protocol):
    """What a session needs of its worker."""

    clock: Clock
    endpoint: MediaEndpoint
    router: Router
    metrics: Metrics
    limit_viewers: bool

    def emit(self, event: Model) -> None: ...
    def track(self, track_id: str, room: str) -> Producer | None: ...
    def track_added(self, producer: Producer) -> None: ...
    def track_removed(self, producer: Producer) -> None: ...
    def session_closed(self, session: PeerSession) -> None: ...
    def hurry(self, session: PeerSession) -> None: ...


class PeerSession:
    """Common to publishers and subscribers. Implements `TransportSink`.

    Whatever goes wrong with one peer's bytes ends at most its own session.
    """

    def __init__(self, host: SessionHost, request: CreateTransport) -> None:
        self.id = request.transport_id
        self.room = request.room
        self.participant_id = request.participant_id
        self.direction = request.direction
        self.host = host
        self.log = _log.bind(transport=request.transport_id)
        self.transport = host.endpoint.create_transport(request.transport_id, self)
        self.announced: TransportState = "connecting"
        self.tick_due_ns = 0
        """Ticks before this are left out."""
        self._remote: RemoteTransport | None = None
        self._session_id = secrets.randbits(62)

    # what subclasses do

    def on_rtp(self, packet: RtpPacket) -> None:
        """A packet from the peer. `ProtocolError`: it is dropped and counted."""

    def on_rtp_run(self, packets: Sequence[RtpPacket]) -> None:
        """Packets of one stream with successive numbers, that came at once."""
        for packet in packets:
            self.rtp_received(packet)

    def on_rtcp(self, compound: bytes, arrival_ns: int) -> None:
        """A compound from the peer. `ProtocolError`: it is dropped and counted."""

    def on_connected(self) -> None:
        """The transport can send; called once."""

    def on_closed(self) -> None:
        """Let go of producers or consumers."""

    def on_tick(self, now_ns: int) -> None:
        """Not before `tick_due_ns`, and soon afterwards; sets the next one."""

    def hurried(self, now_ns: int) -> bool:
        """Every 5 ms from `SessionHost.hurry` on, until it returns False."""
        return False

    def present_events(self) -> Iterator[Model]:
        """What a new reader of events must know of this session."""
        return iter(())

    def stats(self) -> dict[str, Any]:
        """JSON-ready numbers."""
        return {
            "transport_id": self.id,
            "room": self.room,
            "direction": self.direction,
            "state": self.transport.state,
            "srtp_profile": self.transport.srtp_profile,
            "rtt_ms": None if self.transport.rtt_ns is None else self.transport.rtt_ns / 1e6,
        }

    # TransportSink

    def rtp_received(self, packet: RtpPacket) -> None:
        try:
            self.on_rtp(packet)
        except ProtocolError:
            self.host.metrics.counters.malformed += 1
        except Exception as error:  # the fence: a bug met by one peer's bytes is that peer's trouble
            self.fail(error)

    def rtp_run_received(self, packets: Sequence[RtpPacket]) -> None:
        try:
            self.on_rtp_run(packets)
        except Exception as error:  # the fence
            self.fail(error)

    def rtcp_received(self, compound: bytes, arrival_ns: int) -> None:
        try:
            self.on_rtcp(compound, arrival_ns)
        except ProtocolError:
            self.host.metrics.counters.malformed += 1
        except Exception as error:  # the fence
            self.fail(error)

    def state_changed(self, state: TransportState) -> None:
        first = self.announced == "connecting" and state == "connected"
        self.announced = state
        if first:
            self.on_connected()
        if state == "closed":
            self.on_closed()
            self.host.session_closed(self)
        if state != "connecting":
            reason = self.transport.close_reason if state == "closed" else ""
            self.host.emit(TransportChanged(transport_id=self.id, state=state, reason=reason))

    def tick(self, now_ns: int) -> None:
        """`on_tick` behind the fence."""
        try:
            self.on_tick(now_ns)
        except Exception as error:  # the fence
            self.fail(error)

    def hurry(self, now_ns: int) -> bool:
        """`hurried` behind the fence."""
        try:
            return self.hurried(now_ns)
        except Exception as error:  # the fence
            self.fail(error)
            return False

    def fail(self, error: Exception) -> None:
        """An unexpected error: log it and close this session only."""
        self.host.metrics.counters.session_errors += 1
        self.log.error("session.failed", exc_info=error)
        self.close(REASON_FAILED)

    def close(self, reason: str) -> None:
        """End the connection; safe to call twice."""
        self.transport.close(reason)

    # descriptions

    def local(self) -> LocalTransport:
        """Our end, for the next description."""
        transport = self.transport
        return LocalTransport(
            ice=transport.local,
            fingerprint=(transport.fingerprint.algorithm, transport.fingerprint.value),
            candidates=tuple(self.host.endpoint.candidates),
            session_id=self._session_id,
        )

    def renew_ice(self, offer: Session) -> bool:
        """Fresh ICE credentials in an offer mean that ours must be fresh too (RFC 8839 §4.4.3).

        True when ours have changed. Raises `Conflict` for an offer by somebody else.
        """
        before, remote = self._remote, remote_transport(offer)
        if before is None or remote.ice == before.ice:
            return False
        if set(remote.fingerprints) != set(before.fingerprints):
            raise Conflict("another certificate needs a new transport", code="certificate_changed")
        self.transport.restart_ice()
        return True

    def start(self, remote: RemoteTransport) -> None:
        """Use the peer's parameters (again). Raises `Conflict` when certificate or role changed."""
        if self._remote is not None and remote.ice == self._remote.ice:
            return
        self.transport.start(remote.ice, remote.fingerprints, remote.dtls_role)
        self._remote = remote

    def patch(self, text: str) -> str | None:
        """Trickle ICE or ICE restart (RFC 8840, RFC 9725 §4.3); our fresh credentials in the latter case.

        A lite agent has no use for candidates. Raises `ProtocolError`, `Conflict` before the first answer.
        """
        fragment = parse_fragment(text)
        if self._remote is None:
            raise Conflict("the transport has no remote description yet")
        if fragment.ice is None or _same(fragment.ice, self._remote.ice):
            return None
        ours = self.transport.restart_ice()
        before = self._remote
        self.transport.start(fragment.ice, before.fingerprints, before.dtls_role)
        self._remote = RemoteTransport(
            fragment.ice, before.fingerprints, before.setup, (), True, before.dtls_role
        )
        candidates = list(self.host.endpoint.candidates)
        answer = IceFragment(ice=ours, candidates=candidates, end_of_candidates=True, mid=fragment.mid)
        return answer.serialize()


def _same(a: IceParameters, b: IceParameters) -> bool:
    return (a.ufrag, a.pwd) == (b.ufrag, b.pwd)


def random_ssrc() -> int:
    """An SSRC for a stream of ours; never 0, which some peers treat as none."""
    return 1 + secrets.randbelow(MAX_SSRC)


def reduced_size(description: Session) -> bool:
    """True when every live m-line allows RTCP feedback without a report in front (RFC 5506)."""
    return all(media.rtcp_rsize for media in description.media if not media.rejected)
