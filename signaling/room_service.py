"""Drives the rooms: joins what clients say, what workers report and what time does to the pure `Room`s."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections import Counter
from collections.abc import Coroutine, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final

import structlog

from core import messages
from core.clock import NS_PER_S, NS_PER_US, Clock
from core.consultations import Consultation
from core.directory import Directory
from core.errors import NotFound
from core.ids import new_id
from core.messages import ConsultationInfo, Model, Participant
from core.tokens import RoomClaims
from core.worker_api import ConsumerClock, TrackLive, TransportChanged
from signaling.connection import CLOSE_NORMAL, CLOSE_REPLACED, CLOSE_UNAUTHORIZED, Connection
from signaling.rooms import Member, Outgoing, Room
from signaling.subscriber import Subscriber
from signaling.transports import Use
from signaling.worker_client import WorkerClient
from signaling.worker_pool import WorkerPool

log = structlog.get_logger()

HIDE_AFTER_S: Final = 10
FORGET_AFTER_S: Final = 90
"""As long as a worker keeps a silent transport: until then resuming brings everything back."""
CLOSED_BY_PEER: Final = "peer_closed"
"""The client ended the transport itself, so it need not be told."""


@dataclass(slots=True)
class Attached:
    """A member's driver-side half."""

    room: Room
    member: Member
    claims: RoomClaims
    connection: Connection
    subscriber: Subscriber
    task: asyncio.Task[None] | None = None


class RoomService:
    """All rooms of this process. Methods that change a room deliver the resulting messages themselves."""

    def __init__(self, pool: WorkerPool, directory: Directory, clock: Clock) -> None:
        self.pool = pool
        self.clock = clock
        self.rooms: dict[str, Room] = {}
        self.uses: dict[str, Use] = {}
        self.attached: dict[str, Attached] = {}
        self._directory = directory
        self._held: Counter[str] = Counter()
        self._group: asyncio.TaskGroup | None = None
        pool.listener = self

    async def run(self, ready: asyncio.Event) -> None:
        """Own all background work until cancelled; `ready` is set when members may join."""
        async with asyncio.TaskGroup() as self._group:
            self._group.create_task(self.pool.run())
            ready.set()

    # --- coming and going ----------------------------------------------------------------

    def room_for(self, consultation: Consultation) -> Room:
        """The live room of an open consultation."""
        room = self.rooms.get(consultation.room)
        if room is None or room.consultation.consultation_id != consultation.consultation_id:
            if room is not None:
                self.end_room(room)
            room = self.rooms[consultation.room] = Room(
                consultation.room,
                ConsultationInfo(
                    consultation_id=consultation.consultation_id,
                    header=consultation.header,
                    opened_at_us=consultation.opened_us,
                ),
            )
        return room

    @contextlib.contextmanager
    def holding(self, room: Room) -> Iterator[None]:
        """The room stays while something is about to begin in it; only its consultation's end ends it."""
        self._held[room.name] += 1
        try:
            yield
        finally:
            self._held[room.name] -= 1
            self._held = +self._held

    async def join(self, room: Room, claims: RoomClaims, connection: Connection) -> Member:
        """A new member; it is welcomed. Raises `Conflict` when the room is full."""
        participant = Participant(
            participant_id=new_id("p"), name=claims.name, role=claims.role, organisation=claims.org_name
        )
        member = Member(participant, claims.sub, claims.sid, claims.grants, secrets.token_urlsafe(24))
        out = room.join(member)
        subscriber = Subscriber(self, room, member)
        attached = Attached(room, member, claims, connection, subscriber)
        self.attached[member.id] = attached
        connection.send(room.welcome(member, self._now_us()))
        attached.task = self._spawn(subscriber.run())
        self.deliver(room, out)
        await self._directory.enter(room.name, participant)
        return member

    async def resume(self, room: Room, token: str, connection: Connection) -> Member:
        """The member whose resume token this is, on a new WebSocket. Raises `NotFound`."""
        member = room.by_resume_token(token)
        if member is None:
            raise NotFound("nothing to resume; join again", code="resume_unknown")
        attached = self.attached[member.id]
        if member.connected:
            attached.connection.close(CLOSE_REPLACED, "resumed elsewhere")
        attached.connection = connection
        out = room.resume(member)
        connection.send(room.welcome(member, self._now_us()))
        attached.subscriber.resumed()
        if member.media_reset is not None:
            connection.send(member.media_reset)
            member.media_reset = None
        self.deliver(room, out)
        await self._directory.enter(room.name, member.participant)
        return member

    async def disconnected(self, member: Member, connection: Connection, *, left: bool) -> None:
        """That WebSocket is gone. `left`: the client said goodbye, so it is not waited for."""
        attached = self.attached.get(member.id)
        if attached is None or attached.connection is not connection:
            return
        if left:
            await self.remove(member, "left")
        else:
            attached.room.disconnect(member, self.clock.monotonic_ns())

    async def remove(self, member: Member, reason: str) -> None:
        """Out of the room, with all its transports."""
        attached = self.attached.pop(member.id, None)
        if attached is None:
            return
        room = attached.room
        if attached.task is not None:
            attached.task.cancel()
        transports = [name for name, use in self.uses.items() if use.owner == member.id]
        self.deliver(room, room.remove(member, reason))
        await self._directory.leave(room.name, member.id)
        await self.delete_transports(transports)
        await self._drop_if_empty(room)

    def end_room(self, room: Room) -> None:
        """The consultation is over: everyone is told and let go, every transport ends."""
        self.rooms.pop(room.name, None)
        for attached in [found for found in self.attached.values() if found.room is room]:
            attached.connection.send(messages.ConsultationEnded())
            attached.connection.close(CLOSE_NORMAL, "consultation ended")
            if attached.task is not None:
                attached.task.cancel()
            del self.attached[attached.member.id]
            self._spawn(self._directory.leave(room.name, attached.member.id))
        ended = [name for name, use in self.uses.items() if use.room is room]
        self._spawn(self.delete_transports(ended))
        self._spawn(self._directory.release_room(room.name))

    async def tick(self) -> None:
        """What time does: members that lost their WebSocket are hidden, then forgotten."""
        now_ns = self.clock.monotonic_ns()
        for attached in list(self.attached.values()):
            member, away_s = attached.member, 0.0
            if not member.connected:
                away_s = (now_ns - member.left_ns) / NS_PER_S
            if away_s >= FORGET_AFTER_S:
                await self.remove(member, "disconnected")
            elif away_s >= HIDE_AFTER_S and member.present:
                self.deliver(attached.room, attached.room.hide(member))
                await self._directory.leave(attached.room.name, member.id)
        for room in list(self.rooms.values()):
            await self._drop_if_empty(room)

    async def remove_revoked(self, is_revoked: Any) -> None:
        """Let go of members, and end feeds, whose sign-in was revoked since they came."""
        for attached in list(self.attached.values()):
            if is_revoked(attached.claims):
                attached.connection.close(CLOSE_UNAUTHORIZED, "signed out")
                await self.remove(attached.member, "removed")
        for transport_id, use in list(self.uses.items()):
            if use.claims is not None and is_revoked(use.claims):
                self._lost([transport_id], None)
                await self.pool.delete(transport_id)

    # --- messages ------------------------------------------------------------------------

    def deliver(self, room: Room, out: Iterable[Outgoing]) -> None:
        """Send what a change of the room caused, and let subscriptions follow it."""
        for participant_id, message in out:
            attached = self.attached.get(participant_id)
            if attached is not None:
                attached.connection.send(message)
        for attached in self.attached.values():
            if attached.room is room:
                attached.subscriber.wake()
        self._end_idle_views(room)

    def _end_idle_views(self, room: Room) -> None:
        """A player whose tracks are all gone is let go, so that it comes back for the feed's new ones."""
        for transport_id, use in list(self.uses.items()):
            if use.room is room and use.track_ids and use.track_ids.isdisjoint(room.tracks):
                del self.uses[transport_id]
                self._spawn(self.pool.delete(transport_id))

    def tell(self, member: Member, message: Model) -> None:
        """Send to one member, if it is connected."""
        attached = self.attached.get(member.id)
        if attached is not None and member.connected:
            attached.connection.send(message)

    # --- transports ----------------------------------------------------------------------

    def own(self, transport_id: str, worker: WorkerClient, use: Use) -> None:
        """A transport is about to be made on `worker`."""
        self.pool.add(transport_id, worker)
        self.uses[transport_id] = use

    def abandon(self, transport_id: str) -> None:
        """Nobody needs the transport, if it came to be at all."""
        self._spawn(self.delete_transports([transport_id]))

    async def delete_transports(self, transport_ids: Iterable[str]) -> None:
        """End transports on our own decision."""
        for transport_id in transport_ids:
            self.uses.pop(transport_id, None)
            await self.pool.delete(transport_id)

    def transport_event(self, event: Any) -> None:
        match event:
            case TransportChanged(state="closed"):
                self.transport_gone(event.transport_id, event.reason)
            case TrackLive():
                for room in self.rooms.values():
                    if event.track_id in room.tracks:
                        self.deliver(room, room.set_live(event.track_id, event.live))
            case ConsumerClock():
                use = self.uses.get(event.transport_id)
                attached = None if use is None else self.attached.get(use.owner)
                if attached is not None:
                    attached.subscriber.clock(event)

    def transport_gone(self, transport_id: str, reason: str) -> None:
        """One transport ended by itself."""
        self.pool.forget(transport_id)
        told = None if reason == CLOSED_BY_PEER else messages.MediaReset(reason="transport_lost")
        self._lost([transport_id], told)

    def transports_lost(self, transport_ids: frozenset[str]) -> None:
        """A worker is gone: everyone who had a transport there begins anew."""
        self._lost(transport_ids, messages.MediaReset(reason="worker_lost"))

    def _lost(self, transport_ids: Iterable[str], told: messages.MediaReset | None) -> None:
        affected: dict[str, Member] = {}
        rooms: dict[str, Room] = {}
        for transport_id in transport_ids:
            use = self.uses.pop(transport_id, None)
            if use is None:
                continue
            rooms[use.room.name] = use.room
            affected |= {member.id: member for member in self._owners(use)}
            self._end_use(use, transport_id)
        if told is not None:
            for member in affected.values():
                self._reset(member, told)
        for room in rooms.values():
            self.deliver(room, [])
            self._spawn(self._drop_if_empty(room))

    def _owners(self, use: Use) -> list[Member]:
        """The members that have to act when the transport is gone. A WHEP player finds out by itself."""
        if use.purpose == "feed":
            return [m for m in use.room.members.values() if m.subject == use.owner]
        member = use.room.members.get(use.owner)
        return [] if member is None else [member]

    def _end_use(self, use: Use, transport_id: str) -> None:
        if use.purpose in ("publish", "feed"):
            self.deliver(use.room, use.room.drop_transport(transport_id))
        elif use.purpose == "subscribe":
            member = use.room.members.get(use.owner)
            if member is not None and member.subscription.transport_id in (transport_id, None):
                member.subscription.lost()

    def _reset(self, member: Member, told: messages.MediaReset) -> None:
        if member.connected:
            self.tell(member, told)
        else:
            member.media_reset = told

    # --- small things --------------------------------------------------------------------

    async def _drop_if_empty(self, room: Room) -> None:
        used = any(use.room is room for use in self.uses.values())
        if room.empty and not used and not self._held[room.name] and self.rooms.get(room.name) is room:
            del self.rooms[room.name]
            await self._directory.release_room(room.name)

    def _now_us(self) -> int:
        return self.clock.unix_ns() // NS_PER_US

    def _spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        assert self._group is not None, "RoomService.run is not running"
        return self._group.create_task(_guarded(work))


async def _guarded(work: Coroutine[Any, Any, None]) -> None:
    """One member's failure must not end everyone's service."""
    try:
        await work
    except Exception:
        log.exception("room.task_failed")
