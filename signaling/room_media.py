"""The media transports of all rooms: who uses them, and what follows when they end."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import Any, Final

from core import messages
from core.messages import Model, ShownView
from core.worker_api import ConsumerClock, LayerChanged, LayersWanted, TrackLive, TransportChanged
from signaling.attached import Attached, Background
from signaling.members import Member, Outgoing
from signaling.rooms import Room
from signaling.transports import Use
from signaling.worker_client import WorkerClient
from signaling.worker_pool import WorkerPool

CLOSED_BY_PEER: Final = "peer_closed"
"""The client ended the transport itself, so it need not be told."""
MOVE_PAUSE_S: Final = 0.05
"""Between two rooms, so that the worker they move to is not overrun."""


class RoomMedia(ABC):
    """The half of the room service that workers report to (`PoolListener`)."""

    def __init__(self, pool: WorkerPool) -> None:
        self.pool = pool
        self.rooms: dict[str, Room] = {}
        self.uses: dict[str, Use] = {}
        self.attached: dict[str, Attached] = {}
        self.background = Background()
        pool.listener = self

    @abstractmethod
    def deliver(self, room: Room, out: Iterable[Outgoing]) -> None:
        """Send what a change of the room caused, and let subscriptions follow it."""

    @abstractmethod
    def tell(self, member: Member, message: Model) -> None:
        """Send to one member, if it is connected."""

    @abstractmethod
    async def drop_if_empty(self, room: Room) -> None:
        """Forget a room that nobody uses."""

    # --- ours ----------------------------------------------------------------------------

    def own(self, transport_id: str, worker: WorkerClient, use: Use) -> None:
        """A transport is about to be made on `worker`."""
        self.pool.add(transport_id, worker)
        self.uses[transport_id] = use

    def abandon(self, transport_id: str) -> None:
        """Nobody needs the transport, if it came to be at all."""
        self.background.spawn(self.delete_transports([transport_id]))

    async def delete_transports(self, transport_ids: Iterable[str]) -> None:
        """End transports on our own decision."""
        for transport_id in transport_ids:
            self.uses.pop(transport_id, None)
            await self.pool.delete(transport_id)

    async def end_uses(self, transport_ids: Iterable[str]) -> None:
        """End transports whose owners may not go on, and show that they are gone."""
        ended = list(transport_ids)
        self._lost(ended, None)
        for transport_id in ended:
            await self.pool.delete(transport_id)

    def end_idle_views(self, room: Room) -> None:
        """A player whose tracks are all gone is let go, so that it comes back for the feed's new ones."""
        for transport_id, use in list(self.uses.items()):
            if use.room is room and use.track_ids and use.track_ids.isdisjoint(room.tracks):
                del self.uses[transport_id]
                self.background.spawn(self.pool.delete(transport_id))

    def set_view(self, member: Member, views: Iterable[ShownView]) -> None:
        """What the member shows from now on; the newest counts."""
        member.shown = tuple(views)
        attached = self.attached.get(member.id)
        if attached is not None:
            attached.subscriber.wake()

    # --- what workers report -------------------------------------------------------------

    def transport_event(self, event: Any) -> None:
        match event:
            case TransportChanged(state="closed"):
                self.transport_gone(event.transport_id, event.reason)
            case TrackLive():
                for room in self.rooms.values():
                    if event.track_id in room.tracks:
                        self.deliver(room, room.set_live(event.track_id, event.live))
            case ConsumerClock() | LayerChanged():
                self._subscriber_event(event)
            case LayersWanted():
                self._layers_wanted(event)

    def _subscriber_event(self, event: ConsumerClock | LayerChanged) -> None:
        use = self.uses.get(event.transport_id)
        attached = None if use is None else self.attached.get(use.owner)
        if attached is None:
            return
        if isinstance(event, ConsumerClock):
            attached.subscriber.clock(event)
        else:
            attached.subscriber.layer(event)

    def _layers_wanted(self, event: LayersWanted) -> None:
        """The publisher rests what nobody watches. What it is told is kept: it may be away, or come later."""
        use = self.uses.get(event.transport_id)
        if use is None:
            return
        told = messages.LayersWanted(track_id=event.track_id, rids=event.rids)
        if use.layers_wanted.get(event.track_id) == told:
            return
        use.layers_wanted[event.track_id] = told
        for member in _owners(use):
            self.tell(member, told)

    def repeat_layers_wanted(self, member: Member) -> None:
        """Somebody came, or came back: what is wanted of what it publishes already."""
        for use in self.uses.values():
            if use.layers_wanted and member in _owners(use):
                for told in use.layers_wanted.values():
                    self.tell(member, told)

    def transport_gone(self, transport_id: str, reason: str) -> None:
        """One transport ended by itself."""
        self.pool.forget(transport_id)
        told = None if reason == CLOSED_BY_PEER else messages.MediaReset(reason="transport_lost")
        self._lost([transport_id], told)

    def transports_lost(self, transport_ids: frozenset[str]) -> None:
        """A worker is gone: everyone who had a transport there begins anew."""
        self._lost(transport_ids, messages.MediaReset(reason="worker_lost"))

    async def move(self, transport_ids: frozenset[str]) -> None:
        """A worker is about to end: room by room, everyone begins anew on another one."""
        by_room: dict[str, list[str]] = {}
        for transport_id in transport_ids:
            if (use := self.uses.get(transport_id)) is not None:
                by_room.setdefault(use.room.name, []).append(transport_id)
        for leaving in by_room.values():
            self._lost(leaving, messages.MediaReset(reason="worker_draining"))
            for transport_id in leaving:
                await self.pool.delete(transport_id)
            await asyncio.sleep(MOVE_PAUSE_S)

    def _lost(self, transport_ids: Iterable[str], told: messages.MediaReset | None) -> None:
        affected: dict[str, Member] = {}
        rooms: dict[str, Room] = {}
        for transport_id in transport_ids:
            use = self.uses.pop(transport_id, None)
            if use is None:
                continue
            rooms[use.room.name] = use.room
            affected |= {member.id: member for member in _owners(use)}
            self._end_use(use, transport_id)
        if told is not None:
            for member in affected.values():
                self._reset(member, told)
        for room in rooms.values():
            self.deliver(room, [])
            self.background.spawn(self.drop_if_empty(room))

    def _end_use(self, use: Use, transport_id: str) -> None:
        if use.purpose in ("publish", "feed"):
            self.deliver(use.room, use.room.drop_transport(transport_id))
        elif use.purpose == "subscribe":
            member = use.room.members.get(use.owner)
            if member is not None and member.subscription.transport_id in (transport_id, None):
                member.subscription.lost()

    def _reset(self, member: Member, told: messages.MediaReset) -> None:
        attached = self.attached.get(member.id)
        if member.connected and attached is not None:
            attached.connection.send(told)
        else:
            member.media_reset = told


def _owners(use: Use) -> list[Member]:
    """The members that have to act when the transport is gone. A WHEP player finds out by itself."""
    if use.purpose == "feed":
        return use.room.seats_of(use.owner)
    member = use.room.members.get(use.owner)
    return [] if member is None else [member]
