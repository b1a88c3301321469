"""WHIP and WHEP sessions behind HTTP: feeds that are published, and players that watch one."""

from __future__ import annotations

import asyncio
import secrets
from collections import defaultdict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from core.errors import Forbidden, NotFound, RemoteError, TeleconsultError
from core.ids import new_id
from core.messages import Participant
from core.tokens import RoomClaims
from core.worker_api import CreateTransport, TransportDescription
from signaling.pausing import settled
from signaling.room_service import RoomService
from signaling.rooms import Room
from signaling.stage import Feed
from signaling.transports import Purpose, Use

MAX_VIEWERS_PER_SUBJECT = 16

Check = Callable[[], Awaitable[None]]
"""Raises when the token is no longer good. Asked once the session is known: whoever ends it then finds it."""


@dataclass(frozen=True, slots=True)
class SessionUrl:
    """What a session URL says."""

    purpose: Purpose
    room: str
    feed: str
    transport_id: str


@dataclass(slots=True)
class IceSession:
    """The entity behind a session URL's ETag: it changes with every ICE restart (RFC 9725 §4.3.1)."""

    etag: str = field(default_factory=lambda: f'"{secrets.token_hex(8)}"')
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)


class WishSessions:
    """Every session is one transport; its id is the last part of the session URL."""

    def __init__(self, service: RoomService) -> None:
        self._service = service
        self._ice: dict[str, IceSession] = {}
        self._publishing: defaultdict[tuple[str, str], asyncio.Lock] = defaultdict(asyncio.Lock)

    async def publish(
        self, room: Room, feed: str, claims: RoomClaims, offer: str, still_allowed: Check
    ) -> TransportDescription:
        """Begin a feed; the same subject's feed of that name is taken over once the new one stands.

        Raises `Conflict` when another subject holds it, the worker's `RemoteError`, `Unavailable`.
        """
        async with self._publishing[(room.name, feed)]:
            room.check_feed(feed, claims.sub)
            held = room.feeds.get(feed)
            use = Use(room, "feed", claims.sub, feed, claims=claims)
            participant_id = held.stand_in.participant_id if held else new_id("p")
            description = await self._create(use, "publish", participant_id, offer)
            stand_in = Participant(
                participant_id=participant_id,
                name=feed,
                role="device",
                organisation=claims.org_name,
                person=claims.sub,
                sends_only=True,
            )
            transport_id = description.transport_id
            try:
                await still_allowed()
                tracks = await settled(self._service, room, transport_id, claims.org, description.tracks)
                self._check_kept(use, transport_id)
                replaced = room.feeds.get(feed)
                held_now = Feed(feed, claims.sub, transport_id, stand_in, claims.org)
                out = room.hold_feed(held_now, tracks)
            except TeleconsultError:  # such as: other feeds came meanwhile
                self._service.abandon(transport_id)
                raise
            self._service.deliver(room, out)
            if replaced is not None:
                await self._end(replaced.transport_id)
            return description

    async def view(
        self, room: Room, feed: str, claims: RoomClaims, offer: str, still_allowed: Check
    ) -> TransportDescription:
        """Begin watching a feed. Raises `NotFound` while nobody publishes it."""
        tracks = [track.track_id for track in room.feed_tracks(feed)]
        if not tracks:
            raise NotFound(f"nobody publishes {feed} at the moment", code="feed_not_live")
        use = Use(room, "view", claims.sub, feed, frozenset(tracks), claims)
        viewers = [other for other in self._service.uses.values() if other.purpose == "view"]
        if sum(other.owner == claims.sub for other in viewers) >= MAX_VIEWERS_PER_SUBJECT:
            raise RemoteError("too many players with this token", code="too_many_sessions", status=429)
        description = await self._create(use, "view", new_id("p"), offer, tracks)
        try:
            await still_allowed()
            self._check_kept(use, description.transport_id)
        except TeleconsultError:
            self._service.abandon(description.transport_id)
            raise
        return description

    def etag(self, transport_id: str) -> str:
        """Raises `NotFound` when the session is over already."""
        ice = self._ice.get(transport_id)
        if ice is None:
            raise NotFound("this session is over", code="session_not_found")
        return ice.etag

    async def patch(
        self, session: SessionUrl, claims: RoomClaims, if_match: str, fragment: str
    ) -> tuple[str | None, str]:
        """Trickled candidates (None) or an ICE restart (our fragment); and the ETag from now on.

        RFC 9725 §4.3: 428 without If-Match, 412 for an ETag of before a restart.
        """
        transport_id = self._own(session, claims)
        ice = self._ice[transport_id]
        async with ice.lock:
            if if_match not in ("*", ice.etag):
                raise RemoteError("ICE was restarted meanwhile", code="etag_mismatch", status=412)
            worker = self._service.pool.of(transport_id)
            if worker is None:
                raise NotFound("this session is over", code="session_not_found")
            answer = await worker.patch(transport_id, fragment)
            if answer is not None:
                ice.etag = IceSession().etag
            return answer, self.etag(transport_id)

    async def end(self, session: SessionUrl, claims: RoomClaims) -> None:
        """Raises `NotFound` when it is over already."""
        await self._end(self._own(session, claims))

    def _own(self, session: SessionUrl, claims: RoomClaims) -> str:
        """The session's transport. Raises `NotFound`; `Forbidden` for somebody else's session."""
        self._forget_dead()
        transport_id = session.transport_id
        use = self._service.uses.get(transport_id)
        if transport_id not in self._ice or use is None or _url(use, transport_id) != session:
            raise NotFound("this session is over", code="session_not_found")
        consultation = use.room.consultation.consultation_id
        if (use.owner, use.room.name, consultation) != (claims.sub, claims.room, claims.con):
            raise Forbidden("this is somebody else's session", code="not_yours")
        return transport_id

    async def _create(
        self, use: Use, direction: str, participant_id: str, offer: str, tracks: list[str] | None = None
    ) -> TransportDescription:
        self._forget_dead()
        worker = await self._service.pool.place(use.room.name)
        if self._service.rooms.get(use.room.name) is not use.room:
            raise NotFound("this consultation is over", code="consultation_closed")
        transport_id = new_id("t")
        wanted = CreateTransport.model_validate(
            {
                "transport_id": transport_id,
                "room": use.room.name,
                "participant_id": participant_id,
                "direction": direction,
                "offer": offer,
                "feed": use.feed,
                "track_ids": tracks or [],
                "paused": bool(use.claims and use.room.pauses(use.claims.org)),
            }
        )
        self._service.own(transport_id, worker, use)
        try:
            description = await worker.create(wanted)
            self._check_kept(use, transport_id)
        except BaseException:
            self._service.abandon(transport_id)
            raise
        self._ice[transport_id] = IceSession()
        return description

    def _check_kept(self, use: Use, transport_id: str) -> None:
        """Whoever ended it while we waited has ended it. Raises `NotFound`."""
        if self._service.uses.get(transport_id) is not use:
            raise NotFound("this consultation is over", code="consultation_closed")

    async def _end(self, transport_id: str) -> None:
        use = self._service.uses.get(transport_id)
        if use is not None:
            self._service.deliver(use.room, use.room.drop_transport(transport_id))
        self._ice.pop(transport_id, None)
        await self._service.delete_transports([transport_id])

    def _forget_dead(self) -> None:
        """Transports end by themselves too; their ETags and unused locks are swept here."""
        for transport_id in self._ice.keys() - self._service.uses.keys():
            del self._ice[transport_id]
        if len(self._publishing) > 1000:
            for key in [key for key, lock in self._publishing.items() if not lock.locked()]:
                del self._publishing[key]


def _url(use: Use, transport_id: str) -> SessionUrl:
    return SessionUrl(use.purpose, use.room.name, use.feed, transport_id)
