"""Drives the rooms: joins what clients say, what workers report and what time does to the pure `Room`s."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable
from typing import Final

from core import messages
from core.clock import NS_PER_S, Clock
from core.directory import Directory
from core.errors import Forbidden, NotFound
from core.messages import IceServer, QualityLimits
from core.tokens import RoomClaims
from signaling.attached import Attached, outlived
from signaling.connection import (
    CLOSE_FORBIDDEN,
    CLOSE_REPLACED,
    CLOSE_UNAUTHORIZED,
    Connection,
)
from signaling.history import History
from signaling.live_rooms import LiveRooms
from signaling.members import Member, participant_of
from signaling.rate import Throttle
from signaling.relays import Relays
from signaling.rooms import Room
from signaling.subscriber import Subscriber
from signaling.worker_pool import WorkerPool

HIDE_AFTER_S: Final = 10
FORGET_AFTER_S: Final = 90
"""As long as a worker keeps a silent transport: until then resuming brings everything back."""
CHATS_PER_S: Final = 1.0
CHATS_BURST: Final = 10
REPORTS_PER_S: Final = 2.0
REPORTS_BURST: Final = 64
OPERATIONS_PER_S: Final = 60.0
OPERATIONS_BURST: Final = 240
"""Of one person drawing: 30 a second, and what waited while the network was away."""
POINTERS_PER_S: Final = 35.0
POINTERS_BURST: Final = 10
MOTIONS_PER_S: Final = 65.0
MOTIONS_BURST: Final = 20
FREEZES_PER_S: Final = 0.5
FREEZES_BURST: Final = 6
SYNCS_PER_S: Final = 0.5
SYNCS_BURST: Final = 10
CONTROL_ASKS_PER_S: Final = 0.1
CONTROL_ASKS_BURST: Final = 6
DECISIONS_PER_S: Final = 0.2
DECISIONS_BURST: Final = 10
"""Each is a leaf of the log, for ever."""


class RoomService(LiveRooms):
    """Who comes and goes. Methods that change a room deliver the resulting messages themselves."""

    def __init__(
        self,
        pool: WorkerPool,
        directory: Directory,
        clock: Clock,
        quality_limits: QualityLimits | None = None,
        relays: Relays | None = None,
    ) -> None:
        super().__init__(pool, directory, clock)
        self.chats = Throttle(CHATS_PER_S, CHATS_BURST)
        self.reports = Throttle(REPORTS_PER_S, REPORTS_BURST)
        self.operations = Throttle(OPERATIONS_PER_S, OPERATIONS_BURST)
        self.pointers = Throttle(POINTERS_PER_S, POINTERS_BURST)
        self.motions = Throttle(MOTIONS_PER_S, MOTIONS_BURST)
        self.freezes = Throttle(FREEZES_PER_S, FREEZES_BURST)
        self.syncs = Throttle(SYNCS_PER_S, SYNCS_BURST)
        self.decisions = Throttle(DECISIONS_PER_S, DECISIONS_BURST)
        self.control_asks = Throttle(CONTROL_ASKS_PER_S, CONTROL_ASKS_BURST)
        self._quality_limits = quality_limits or QualityLimits()
        self._relays = relays or Relays()

    # --- coming and going ----------------------------------------------------------------

    def new_member(self, claims: RoomClaims) -> Member:
        """Not in any room yet."""
        return Member(
            participant_of(claims),
            claims.sub,
            claims.sid,
            claims.grants,
            secrets.token_urlsafe(24),
            org=claims.org,
        )

    async def join(
        self,
        room: Room,
        member: Member,
        claims: RoomClaims,
        connection: Connection,
        history: History,
    ) -> None:
        """A new member; it is told what was written before. Raises `Conflict` when the room is full."""
        if self.rooms.get(room.name) is not room:
            raise NotFound("this consultation is over", code="consultation_closed")
        replaced = room.replaced_by(member)
        for seat in replaced:  # what a box sends is the new seat's at once
            self.deliver(room, room.hide(seat))
        out = room.join(member)
        if replaced:
            self.background.spawn(self._remove_replaced(replaced))
        member.waiting = False
        subscriber = Subscriber(self, room, member)
        attached = Attached(room, member, claims, connection, subscriber)
        self.attached[member.id] = attached
        connection.send(self._welcome(attached, history))
        self.repeat_layers_wanted(member)
        attached.task = self.background.spawn(subscriber.run())
        self.deliver(room, out)
        await self._directory.enter(room.name, member.participant)

    async def _remove_replaced(self, seats: Iterable[Member]) -> None:
        for seat in seats:
            if not seat.connected:  # or it was resumed meanwhile, after all
                await self.remove(seat, "disconnected")

    async def resume(self, member: Member, connection: Connection, history: History) -> None:
        """A member is back, on a new WebSocket."""
        attached = self.attached.get(member.id)
        if attached is None:
            raise NotFound("nothing to resume; join again", code="resume_unknown")
        room = attached.room
        if member.connected:
            attached.connection.close(CLOSE_REPLACED, "resumed elsewhere")
        attached.connection = connection
        out = room.resume(member)
        connection.send(self._welcome(attached, history))
        attached.subscriber.resumed()
        self.repeat_layers_wanted(member)
        if member.media_reset is not None:
            connection.send(member.media_reset)
            member.media_reset = None
        self.deliver(room, out)
        await self._directory.enter(room.name, member.participant)

    async def disconnected(self, member: Member, connection: Connection, *, left: bool) -> None:
        """That WebSocket is gone. `left`: the client said goodbye, so it is not waited for."""
        seat = self.seat_of(member)
        if seat is None or seat.connection is not connection:
            return
        if left:
            await self.remove(member, "left")
        else:
            seat.room.disconnect(member, self.clock.monotonic_ns())

    async def remove(self, member: Member, reason: str) -> None:
        """Out of the room with all its transports, or out of the lobby."""
        seat = self.seat_of(member)
        if seat is None:
            return
        room, waited = seat.room, member.waiting
        self._forget(seat)
        transports = [name for name, use in self.uses.items() if use.owner == member.id]
        self.deliver(room, room.knock_ended(member, "left") if waited else room.remove(member, reason))
        await self._directory.leave(room.name, member.id)
        await self.delete_transports(transports)
        await self.drop_if_empty(room)

    async def let_go(self, member: Member, code: int, reason: str, shown: str = "removed") -> None:
        """End the connection with `code` and take the member out. `shown`: the reason others are told."""
        seat = self.seat_of(member)
        if seat is not None:
            seat.connection.close(code, reason)
            await self.remove(member, shown)

    async def remove_subject(
        self, consultation_id: str, subject: str, code: int = CLOSE_FORBIDDEN, reason: str = "removed"
    ) -> None:
        """Everything of one person or device leaves a consultation: seats, feeds, players."""
        room = self.room_of(consultation_id)
        if room is None:
            return
        for seat in [seat for seat in self._seats() if seat.room is room and seat.member.subject == subject]:
            await self.let_go(seat.member, code, reason)
        own = [name for name, use in self.uses.items() if use.room is room and use.owner == subject]
        await self.end_uses(own)

    async def detach_device(self, consultation_id: str, device_subject: str) -> None:
        """The site no longer shows this box: its feeds end at once."""
        await self.remove_subject(consultation_id, device_subject, reason="detached")

    async def remove_revoked(self, is_revoked: Callable[[RoomClaims], bool]) -> None:
        """Let go of members, and end feeds, whose sign-in was revoked since they came."""
        for seat in self._seats():
            if is_revoked(seat.claims):
                await self.let_go(seat.member, CLOSE_UNAUTHORIZED, "signed out")
        revoked = [
            name for name, use in self.uses.items() if use.claims is not None and is_revoked(use.claims)
        ]
        await self.end_uses(revoked)

    async def tick(self) -> None:
        """What time does: those that lost their WebSocket are hidden, then forgotten; tokens expire."""
        now_ns, now_us = self.clock.monotonic_ns(), self.now_us()
        for seat in self._seats():
            member, away_s = seat.member, 0.0
            if not member.connected:
                away_s = (now_ns - member.left_ns) / NS_PER_S
            elif seat.outlived(now_us):
                seat.connection.close(CLOSE_UNAUTHORIZED, "token_expired")
            if away_s >= (HIDE_AFTER_S if member.waiting else FORGET_AFTER_S):
                await self.remove(member, "disconnected")
            elif away_s >= HIDE_AFTER_S and member.present:
                self.deliver(seat.room, seat.room.hide(member))
                await self._directory.leave(seat.room.name, member.id)
        await self._end_outlived_views(now_us)
        for room in list(self.rooms.values()):
            await self.drop_if_empty(room)

    async def _end_outlived_views(self, now_us: int) -> None:
        """A player cannot renew its token; it begins anew with another one."""
        over = [
            name
            for name, use in self.uses.items()
            if use.purpose == "view" and use.claims is not None and outlived(use.claims, now_us)
        ]
        await self.end_uses(over)

    # --- tokens --------------------------------------------------------------------------

    def renew(self, member: Member, claims: RoomClaims) -> None:
        """A newer token of the same person for the same room. Raises `Forbidden` for any other."""
        seat = self.seat_of(member)
        if seat is None:
            return
        before = seat.claims
        if (claims.sub, claims.room, claims.con) != (before.sub, before.room, before.con):
            raise Forbidden("this token is somebody else's, or for another room", code="wrong_token")
        seat.claims = claims
        if not member.waiting:
            member.grants = claims.grants.model_copy(update={"lobby": False})
            self.deliver(seat.room, [])

    def ice_servers(self, subject: str) -> list[IceServer]:
        """TURN servers with credentials made now for that participant or connection."""
        return self._relays.servers(subject, self.now_us())

    def _welcome(self, attached: Attached, history: History) -> messages.Welcome:
        stills = self.stills.of(attached.room.consultation.consultation_id)
        told = {
            "chat": history.chat,
            "stills": stills.open(attached.member.grants.may_view),
            "opinions": history.opinions,
            "quality_limits": self._quality_limits,
            "token_expires_at_us": attached.expires_us,
            "ice_servers": self.ice_servers(attached.member.id),
        }
        return attached.room.welcome(attached.member, self.now_us()).model_copy(update=told)
