"""What one member shows and what it gets: the worker is told, and its answers are kept for a resume."""

from __future__ import annotations

import asyncio
from typing import Final

import structlog

from core import messages
from core.errors import RemoteError, Unavailable
from core.messages import Model
from core.worker_api import LayerChanged, TrackView, TransportView
from signaling.members import Member
from signaling.rooms import Room
from signaling.worker_pool import WorkerPool

log = structlog.get_logger()

PACE_S: Final = 0.2
"""Between two calls for one member: of what comes faster only the newest counts."""


class Showing:
    """`wake()` after the member shows something else, may see something else, or has another transport."""

    def __init__(self, pool: WorkerPool, room: Room, member: Member) -> None:
        self._pool = pool
        self._room = room
        self._member = member
        self._awake = asyncio.Event()
        self._told: tuple[str, TransportView] | None = None
        """What the worker knows, and of which transport."""
        self._layers: dict[str, messages.LayerChanged] = {}

    def wake(self) -> None:
        """Look again."""
        self._awake.set()

    def fresh(self) -> None:
        """The member has a transport of which nothing is known yet."""
        self._layers.clear()

    def changed(self, event: LayerChanged) -> messages.LayerChanged | None:
        """What the member is to be told; None when it knows, or when that transport is no longer its own."""
        if event.transport_id != self._member.subscription.transport_id:
            return None
        told = messages.LayerChanged(track_id=event.track_id, layer=event.layer, lowered=event.lowered)
        if self._layers.get(event.track_id) == told:
            return None
        self._layers[event.track_id] = told
        return told

    def missed(self) -> list[Model]:
        """What a member that was away has to be told again."""
        mine = set(self._room.subscribable(self._member))
        self._layers = {track: told for track, told in self._layers.items() if track in mine}
        return list(self._layers.values())

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await self._awake.wait()
            self._awake.clear()
            due = self._due()
            if due is None or due == self._told:
                continue
            await self._tell(*due)
            await asyncio.sleep(PACE_S)

    def _due(self) -> tuple[str, TransportView] | None:
        """What the member shows of what it may see. None before it has said so, or without a transport."""
        transport_id, shown = self._member.subscription.transport_id, self._member.shown
        if transport_id is None or shown is None:
            return None
        mine = set(self._room.subscribable(self._member))
        views = [TrackView.model_validate(view.model_dump()) for view in shown if view.track_id in mine]
        return transport_id, TransportView(views=views)

    async def _tell(self, transport_id: str, view: TransportView) -> None:
        worker = self._pool.of(transport_id)
        if worker is None:
            return  # gone with its worker: the next transport is told
        try:
            await worker.set_view(transport_id, view)
        except Unavailable:
            self._awake.set()
        except RemoteError as error:
            # What is not there any more was reported gone, or will be; nothing else is wrong with a view.
            log.info("view.refused", code=error.code, status=error.status)
        else:
            self._told = transport_id, view
