"""Drives one member's `Subscription`: asks the worker, passes offers and answers on, retries."""

from __future__ import annotations

import asyncio
from typing import Final, Protocol

import structlog

from core import messages
from core.errors import RemoteError, TeleconsultError, Unavailable
from core.ids import new_id
from core.messages import Model
from core.worker_api import (
    ConsumerClock,
    CreateTransport,
    LayerChanged,
    Subscriptions,
    TransportDescription,
)
from signaling.members import Member
from signaling.rooms import Room
from signaling.showing import Showing
from signaling.subscription import Accept, Ask, Discard, Step
from signaling.transports import Use
from signaling.worker_client import WorkerClient
from signaling.worker_pool import WorkerPool

log = structlog.get_logger()

RETRY_S: Final = 0.25


class SubscriberOwner(Protocol):
    """The room service, as a subscriber sees it."""

    pool: WorkerPool

    def tell(self, member: Member, message: Model) -> None:
        """Send a message to the member, if it is connected."""

    def own(self, transport_id: str, worker: WorkerClient, use: Use) -> None:
        """A transport is about to be made on that worker."""

    def abandon(self, transport_id: str) -> None:
        """Nobody needs the transport, if it came to be at all."""

    def transport_gone(self, transport_id: str, reason: str) -> None:
        """The worker does not know the transport any more."""


class Subscriber:
    """`wake()` after anything that may make `Subscription.step` return something."""

    def __init__(self, owner: SubscriberOwner, room: Room, member: Member) -> None:
        self._owner = owner
        self._room = room
        self._member = member
        self._awake = asyncio.Event()
        self._offer: messages.Offer | None = None
        self._clocks: dict[str, messages.CaptureClock] = {}
        self._ahead_us: dict[str, int] = {}
        """By mid."""
        self._showing = Showing(owner.pool, room, member)

    def wake(self) -> None:
        """Look again; also after the tracks of the room changed."""
        self._member.subscription.want(self._room.subscribable(self._member))
        self._awake.set()
        self._showing.wake()

    def resumed(self) -> None:
        """The member missed messages: repeat the outstanding offer, what was said about time, and layers."""
        subscription = self._member.subscription
        if self._offer is None or self._offer.transport_id != subscription.transport_id:
            return
        if subscription.state == "offered":
            self._owner.tell(self._member, self._offer)
        for message in (*self._clocks.values(), *self._showing.missed()):
            self._owner.tell(self._member, message)

    def clock(self, event: ConsumerClock) -> None:
        """The mapping of one consumer's RTP time changed."""
        message = messages.CaptureClock(
            mid=event.mid,
            track_id=event.track_id,
            rtp_timestamp=event.rtp_timestamp,
            clock_rate=event.clock_rate,
            capture_time_us=event.capture_time_us,
            uncertainty_us=event.uncertainty_us,
        )
        self._clocks[event.mid] = message
        self._ahead_us[event.mid] = event.publisher_ahead_us
        self._owner.tell(self._member, message)

    def ahead_us(self, track_id: str) -> int:
        """By how much the publisher's clock names frames of that track later than the member was told."""
        return next(
            (self._ahead_us.get(mid, 0) for mid, clock in self._clocks.items() if clock.track_id == track_id),
            0,
        )

    def layer(self, event: LayerChanged) -> None:
        """The member gets another layer of a picture."""
        told = self._showing.changed(event)
        if told is not None:
            self._owner.tell(self._member, told)

    async def run(self) -> None:
        """Until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._showing.run())
            group.create_task(self._follow())

    async def _follow(self) -> None:
        while True:
            await self._awake.wait()
            self._awake.clear()
            while (step := self._member.subscription.step()) is not None:
                await self._perform(step)

    async def _perform(self, step: Step) -> None:
        try:
            match step:
                case Discard():
                    self._owner.abandon(step.transport_id)
                case Accept():
                    await self._accept(step)
                case Ask():
                    await self._ask(step)
        except Unavailable:
            self._member.subscription.failed()
            await asyncio.sleep(RETRY_S)
        except RemoteError as error:
            self._refused(step, error)

    async def _accept(self, step: Accept) -> None:
        worker = self._owner.pool.of(step.transport_id)
        if worker is None:
            raise RemoteError("the transport is gone", status=404)
        await worker.answer(step.transport_id, step.sdp)
        self._member.subscription.accepted()

    async def _ask(self, ask: Ask) -> None:
        description = await (self._create(ask) if ask.transport_id is None else self._update(ask))
        if not self._member.subscription.offered(description.transport_id, description.revision):
            self._owner.abandon(description.transport_id)
            return
        self._showing.wake()
        live = set(description.mids)
        self._clocks = {mid: clock for mid, clock in self._clocks.items() if mid in live}
        self._offer = messages.Offer(
            transport_id=description.transport_id,
            revision=description.revision,
            fresh=ask.transport_id is None,
            sdp=description.sdp,
            tracks=[
                messages.OfferedTrack(mid=mid, track_id=track) for mid, track in description.mids.items()
            ],
            unsupported=description.unsupported,
        )
        self._owner.tell(self._member, self._offer)

    async def _create(self, ask: Ask) -> TransportDescription:
        self._clocks.clear()
        self._showing.fresh()
        worker = await self._owner.pool.place(self._room.name)
        transport_id = new_id("t")
        self._owner.own(transport_id, worker, Use(self._room, "subscribe", self._member.id))
        wanted = CreateTransport(
            transport_id=transport_id,
            room=self._room.name,
            participant_id=self._member.id,
            direction="subscribe",
            adaptive=not self._member.grants.record,
            track_ids=list(ask.track_ids),
            codecs=list(ask.codecs),
        )
        try:
            return await worker.create(wanted)
        except BaseException:
            self._owner.abandon(transport_id)
            raise

    async def _update(self, ask: Ask) -> TransportDescription:
        worker = None if ask.transport_id is None else self._owner.pool.of(ask.transport_id)
        if worker is None or ask.transport_id is None:
            raise RemoteError("the transport is gone", status=404)
        wanted = Subscriptions(track_ids=list(ask.track_ids), restart_ice=ask.restart_ice)
        return await worker.subscribe(ask.transport_id, wanted)

    def _refused(self, step: Step, error: TeleconsultError) -> None:
        """The worker said no: a bad answer is the client's to mend, else it takes a fresh connection."""
        log.info("subscription.refused", step=type(step).__name__, code=error.code, status=error.status)
        if isinstance(step, Accept) and error.status != 404:
            self._member.subscription.refused()
            self._owner.tell(
                self._member, messages.Error(code=error.code, message=str(error), about="answer")
            )
        elif isinstance(step, Ask) and step.transport_id is None:
            self._member.subscription.lost()
            self._owner.tell(
                self._member, messages.Error(code=error.code, message=str(error), about="subscribe")
            )
        elif not isinstance(step, Discard) and step.transport_id is not None:
            self._owner.transport_gone(step.transport_id, "unknown_to_worker")
