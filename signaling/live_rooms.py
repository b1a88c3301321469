"""The rooms of one process and the seats in them: who gets which message, when a room ends."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import Coroutine, Iterable, Iterator
from typing import Any, Final, TypeVar

from core import messages
from core.clock import NS_PER_US, Clock
from core.consultations import Consultation
from core.directory import Directory
from core.ids import new_id
from core.messages import Consent, ConsultationInfo, Model
from signaling.annotation_documents import DrawingsShelf
from signaling.attached import Seat
from signaling.connection import CLOSE_NORMAL
from signaling.members import PEOPLE, Member, Outgoing
from signaling.room_media import RoomMedia
from signaling.rooms import Room
from signaling.stills import StillsShelf
from signaling.worker_pool import WorkerPool

WORK_WITHIN_S: Final = 5.0

_T = TypeVar("_T")


class LiveRooms(RoomMedia):
    """What there is now; `RoomService` lets people come and go."""

    def __init__(self, pool: WorkerPool, directory: Directory, clock: Clock) -> None:
        super().__init__(pool)
        self.clock = clock
        self.drawings = DrawingsShelf(new_id)
        self.stills = StillsShelf()
        self.waiting: dict[str, Seat] = {}
        """Those in the lobbies."""
        self._directory = directory
        self._held: Counter[str] = Counter()
        self.changes = 0
        """Of what is stored about consultations: who read one before a change has to read it again."""

    async def run(self, ready: asyncio.Event) -> None:
        """Own all background work until cancelled; `ready` is set when members may join."""
        async with asyncio.TaskGroup() as self.background.group:
            self.background.group.create_task(self.pool.run())
            ready.set()

    async def finish(self, work: Coroutine[Any, Any, _T]) -> _T:
        """Do something that must not stop in the middle because a socket closes."""
        return await self.background.finish(work, WORK_WITHIN_S)

    # --- rooms ---------------------------------------------------------------------------

    def room_for(self, consultation: Consultation) -> Room:
        """The live room of an open consultation."""
        room = self.rooms.get(consultation.room)
        if room is None or room.consultation.consultation_id != consultation.consultation_id:
            if room is not None:
                self.end_room(room)
            room = self.rooms[consultation.room] = Room(
                consultation.room, _info(consultation), consultation.organisation_id
            )
        return room

    def room_of(self, consultation_id: str) -> Room | None:
        """The live room of a consultation, if anybody is there."""
        return next(
            (r for r in self.rooms.values() if r.consultation.consultation_id == consultation_id), None
        )

    def people_in(self, consultation_id: str) -> int:
        """How many people are in its room now; seats of one person count once."""
        room = self.room_of(consultation_id)
        if room is None:
            return 0
        present = (member.participant for member in room.members.values() if member.present)
        return len({person.person for person in present if person.role in PEOPLE})

    @contextlib.contextmanager
    def holding(self, room: Room) -> Iterator[None]:
        """The room stays while something is about to begin in it; only its consultation's end ends it."""
        self._held[room.name] += 1
        try:
            yield
        finally:
            self._held[room.name] -= 1
            self._held = +self._held

    def end_room(self, room: Room) -> None:
        """The consultation is over: everyone is told and let go, every transport ends."""
        self.changes += 1
        self.rooms.pop(room.name, None)
        self.drawings.forget(room.consultation.consultation_id)
        self.stills.forget(room.consultation.consultation_id)
        for seat in [seat for seat in self._seats() if seat.room is room]:
            seat.connection.send(messages.ConsultationEnded())
            seat.connection.close(CLOSE_NORMAL, "consultation ended")
            self._forget(seat)
            self.background.spawn(self._directory.leave(room.name, seat.member.id))
        ended = [name for name, use in self.uses.items() if use.room is room]
        self.background.spawn(self.delete_transports(ended))
        self.background.spawn(self._directory.release_room(room.name))

    async def drop_if_empty(self, room: Room) -> None:
        used = any(use.room is room for use in self.uses.values())
        if room.empty and not used and not self._held[room.name] and self.rooms.get(room.name) is room:
            del self.rooms[room.name]
            await self._directory.release_room(room.name)

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
        self.end_idle_views(room)

    def tell(self, member: Member, message: Model) -> None:
        """Send to one member, if it is connected."""
        seat = self.seat_of(member)
        if seat is not None and member.connected:
            seat.connection.send(message)

    def tell_latest(self, member: Member, key: str, message: Model) -> None:
        """As `tell`; what is newer under the same `key` takes its place, and a slow client goes without."""
        seat = self.seat_of(member)
        if seat is not None and member.connected:
            seat.connection.send_latest(key, message)

    def seat_of(self, member: Member) -> Seat | None:
        """In a room or in a lobby."""
        return self.attached.get(member.id) or self.waiting.get(member.id)

    # --- small things --------------------------------------------------------------------

    def now_us(self) -> int:
        """Unix microseconds."""
        return self.clock.unix_ns() // NS_PER_US

    def _seats(self) -> list[Seat]:
        return [*self.attached.values(), *self.waiting.values()]

    def _forget(self, seat: Seat) -> None:
        self.waiting.pop(seat.member.id, None)
        attached = self.attached.pop(seat.member.id, None)
        if attached is not None and attached.task is not None:
            attached.task.cancel()


def _info(consultation: Consultation) -> ConsultationInfo:
    return ConsultationInfo(
        consultation_id=consultation.consultation_id,
        header=consultation.header,
        specialty=consultation.specialty,
        question=consultation.question,
        site=consultation.site,
        opened_at_us=consultation.opened_us,
        record=consultation.record,
        consent=Consent(consult=consultation.consent_consult, record=consultation.consent_record),
        paused=consultation.paused,
    )
