"""One SFU worker: every session, track and timer of its process."""

from __future__ import annotations

import asyncio
import resource
from collections.abc import Iterator
from typing import Any, Final

import structlog

from core.clock import NS_PER_MS, NS_PER_S, Clock
from core.errors import Conflict, NotFound, ProtocolError, Unavailable
from core.ids import new_id
from core.messages import Model, Source
from core.worker_api import (
    CreateTransport,
    PausedTracks,
    Subscriptions,
    TrackLive,
    TransportChanged,
    TransportDescription,
    TransportView,
    WorkerDraining,
    WorkerReady,
)
from sfu.events import EventHub
from sfu.metrics import Metrics
from sfu.producer import Producer
from sfu.publisher import PublishSession, require_publisher
from sfu.router import Router
from sfu.session import PeerSession
from sfu.subscriber import SubscribeSession, require_subscriber
from transport.beat import at_next_beat
from transport.endpoint import MediaEndpoint

TICK_S: Final = 0.02
"""Between two ticks at least."""
MAX_TICK_S: Final = 0.15
PATIENCE_S: Final = 0.035
"""What is due may wait so long for media (a frame's time at 30/s) to wake us anyway: a wake-up of its own
costs more than the work.
"""
FLOWING_NS: Final = 50 * NS_PER_MS
"""While batches come at least so often, they bring the ticks with them, and every beat it is looked whether
they still do.
"""
HURRY_S: Final = 0.005
"""Between steps of what is paced: all sessions together, so that the process wakes no more often."""
MAX_SESSIONS: Final = 2_000
_log = structlog.get_logger()


class Worker:
    """Implements the calls of the internal API. All methods belong to the endpoint's event loop."""

    def __init__(
        self, endpoint: MediaEndpoint, worker_id: str, clock: Clock, *, limit_viewers: bool = True
    ) -> None:
        self.clock = clock
        self.endpoint = endpoint
        self.worker_id = worker_id
        self.limit_viewers = limit_viewers
        """Whether adaptive subscribers get less where their network seems too narrow for all they show."""
        self.boot_id = new_id("b")
        self.metrics = Metrics()
        self.router = Router(self.metrics, endpoint.fan_out)
        self.events = EventHub()
        self.draining = False
        self._sessions: dict[str, PeerSession] = {}
        self._publishers: dict[str, PublishSession] = {}
        self._tracks: dict[str, Producer] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._batch_ns = 0
        """When the latest batch ended."""
        self._hurrying: dict[PeerSession, None] = {}
        self._hurry_timer: asyncio.TimerHandle | None = None
        endpoint.on_batch_end = self.batch_ended

    # the internal API

    def create(self, request: CreateTransport) -> TransportDescription:
        """A new transport. Raises `RemoteError`s, `Unavailable`; then no transport is left behind."""
        if self.draining:
            raise Unavailable("this worker is about to end", code="draining")
        if request.transport_id in self._sessions:
            raise Conflict(f"transport {request.transport_id} exists")
        if len(self._sessions) >= MAX_SESSIONS:
            raise Conflict("this worker is full", code="worker_full", status=503)
        if request.direction != "subscribe" and request.offer is None:
            raise ProtocolError(f"a {request.direction} transport needs an offer")
        session: PeerSession
        if request.direction == "publish":
            session = self._publishers[request.transport_id] = PublishSession(self, request)
        else:
            session = SubscribeSession(self, request)
        self._sessions[request.transport_id] = session
        try:
            return self._describe(session, request)
        except BaseException:
            session.close("not_established")
            raise

    def _describe(self, session: PeerSession, request: CreateTransport) -> TransportDescription:
        if isinstance(session, PublishSession):
            return session.offer(request.offer or "")
        subscriber = require_subscriber(session)
        if request.direction == "view":
            return subscriber.view(request.offer or "", request.track_ids)
        return subscriber.subscribe(Subscriptions(track_ids=request.track_ids))

    def offer(
        self, transport_id: str, sdp: str, sources: dict[str, Source] | None = None
    ) -> TransportDescription:
        """A publisher's changed offer."""
        return require_publisher(self._session(transport_id)).offer(sdp, sources)

    def answer(self, transport_id: str, sdp: str) -> None:
        """A subscriber's answer to our latest offer."""
        require_subscriber(self._session(transport_id)).answer(sdp)

    def subscribe(self, transport_id: str, wanted: Subscriptions) -> TransportDescription:
        """Change a subscriber's tracks."""
        return require_subscriber(self._session(transport_id)).subscribe(wanted)

    def set_view(self, transport_id: str, view: TransportView) -> None:
        """What a subscriber shows from now on."""
        require_subscriber(self._session(transport_id)).set_view(view)

    def patch(self, transport_id: str, fragment: str) -> str | None:
        """Trickle ICE, ICE restart."""
        return self._session(transport_id).patch(fragment)

    def set_paused(self, wanted: PausedTracks) -> None:
        """Forward nothing of these tracks, or go on; ids of tracks there are not are passed over."""
        track_ids = frozenset(wanted.track_ids)
        for session in self._publishers.values():
            session.set_paused(track_ids, wanted.paused)

    def delete(self, transport_id: str, reason: str) -> None:
        """Close a transport. Raises `NotFound`."""
        self._session(transport_id).close(reason)

    def _session(self, transport_id: str) -> PeerSession:
        session = self._sessions.get(transport_id)
        if session is None:
            raise NotFound(f"there is no transport {transport_id}")
        return session

    def present_state(self) -> Iterator[Model]:
        """What a new reader of events must know."""
        yield WorkerReady(worker_id=self.worker_id, boot_id=self.boot_id)
        if self.draining:
            yield WorkerDraining()
        for session in self._sessions.values():
            if session.announced in ("connected", "silent"):
                yield TransportChanged(transport_id=session.id, state=session.announced)
        for producer in self._tracks.values():
            if producer.live:
                identity = producer.identity
                yield TrackLive(track_id=identity.track_id, kind=identity.kind, live=True)
        for session in self._sessions.values():
            yield from session.present_events()

    def stats(self) -> dict[str, Any]:
        """JSON-ready: totals, histogram, process, each session."""
        usage = resource.getrusage(resource.RUSAGE_SELF)
        return {
            "worker_id": self.worker_id,
            "boot_id": self.boot_id,
            **self.metrics.snapshot(),
            "process": {
                "cpu_user_s": usage.ru_utime,
                "cpu_system_s": usage.ru_stime,
                "max_rss_bytes": usage.ru_maxrss * 1024,
                "tasks": len(asyncio.all_tasks()),
            },
            "sessions": [session.stats() for session in self._sessions.values()],
        }

    # SessionHost

    def emit(self, event: Model) -> None:
        """Tell whoever watches."""
        self.events.emit(event)
        self.metrics.counters.events_dropped = self.events.dropped

    def track(self, track_id: str, room: str) -> Producer | None:
        """A track of that room; others do not exist for it."""
        producer = self._tracks.get(track_id)
        return producer if producer is not None and producer.identity.room == room else None

    def track_added(self, producer: Producer) -> None:
        self._tracks[producer.identity.track_id] = producer

    def track_removed(self, producer: Producer) -> None:
        self._tracks.pop(producer.identity.track_id, None)

    def session_closed(self, session: PeerSession) -> None:
        self._sessions.pop(session.id, None)
        self._publishers.pop(session.id, None)
        self._hurrying.pop(session, None)

    def hurry(self, session: PeerSession) -> None:
        """Something of the session is due within milliseconds."""
        self._hurrying[session] = None
        if self._hurry_timer is None:
            self._hurry_timer = asyncio.get_running_loop().call_later(HURRY_S, self._hurry)

    def _hurry(self) -> None:
        self._hurry_timer = None
        now_ns = self.clock.monotonic_ns()
        sessions, self._hurrying = list(self._hurrying), {}
        self.router.begin_collecting()
        try:
            for session in sessions:
                if session.hurry(now_ns):
                    self.hurry(session)
        finally:
            self.router.end_collecting()

    # time

    def batch_ended(self) -> None:
        """The socket is drained: fan out, ask for what is missing."""
        now_ns = self._batch_ns = self.clock.monotonic_ns()
        self.router.flush(now_ns, self.clock.unix_ns)
        for session in list(self._publishers.values()):
            session.batch_ended(now_ns)
        self.tick(now_ns)

    async def run(self, stopping: asyncio.Event) -> None:
        """Tick until `stopping` is set."""
        self._schedule()
        try:
            await stopping.wait()
        finally:
            for timer in (self._timer, self._hurry_timer):
                if timer is not None:
                    timer.cancel()

    def _schedule(self) -> None:
        now_ns = self.clock.monotonic_ns()
        if now_ns - self._batch_ns < FLOWING_NS:
            self._timer = at_next_beat(self._schedule)
            return
        self.tick(now_ns)
        due_ns = min((session.tick_due_ns for session in self._sessions.values()), default=0) or now_ns
        delay_s = min(max((due_ns - now_ns) / NS_PER_S + PATIENCE_S, TICK_S), MAX_TICK_S)
        self._timer = asyncio.get_running_loop().call_later(delay_s, self._schedule)

    def tick(self, now_ns: int) -> None:
        """After each batch, and by the clock where none comes: what is due by time."""
        for session in list(self._sessions.values()):
            if session.tick_due_ns <= now_ns:
                session.tick(now_ns)

    async def drain(self, within_s: float, at_once: asyncio.Event) -> None:
        """Take nothing new, ask whoever watches to move what is here, and return when it has moved.

        After `within_s` at the latest; immediately when nobody watches who could move it.
        """
        self.draining = True
        self.emit(WorkerDraining())
        deadline_ns = self.clock.monotonic_ns() + int(within_s * NS_PER_S)
        while self._sessions and self.events.readers and not at_once.is_set():
            if self.clock.monotonic_ns() >= deadline_ns:
                _log.warning("draining.incomplete", transports=len(self._sessions))
                return
            await asyncio.sleep(TICK_S)

    def close_all(self, reason: str) -> None:
        """Say goodbye to every peer."""
        for session in list(self._sessions.values()):
            session.close(reason)
