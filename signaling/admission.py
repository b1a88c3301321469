"""The lobby: guests, and people who were sent out, knock; hosts let them in or turn them away."""

from __future__ import annotations

from core import invitations, messages, removals
from core.errors import NotFound
from core.tokens import RoomClaims
from signaling.attached import Seat
from signaling.chatting import reading_chat
from signaling.connection import CLOSE_FORBIDDEN, CLOSE_REPLACED, Connection
from signaling.context import Context
from signaling.members import Member
from signaling.rooms import Room


async def wait(context: Context, room: Room, claims: RoomClaims, connection: Connection) -> Member:
    """A guest's seat in the lobby: a new one, or the one it had a moment ago. Raises `Conflict` when full."""
    service = context.service
    if service.rooms.get(room.name) is not room:
        raise NotFound("this consultation is over", code="consultation_closed")
    member = room.lobby.of(claims.sub)
    if member is None:
        member = service.new_member(claims)
        member.waiting = True
        out = room.knock(member)
        service.waiting[member.id] = Seat(room, member, claims, connection)
        service.deliver(room, out)
    else:
        seat = service.waiting[member.id]
        seat.connection.close(CLOSE_REPLACED, "resumed elsewhere")
        seat.connection, seat.claims, member.connected = connection, claims, True
    connection.send(
        messages.Waiting(
            participant=member.participant,
            room=room.name,
            site=room.consultation.site,
            server_time_us=service.now_us(),
        )
    )
    return member


async def admit(context: Context, room: Room, host: Member, wanted: messages.Admit) -> None:
    """Let somebody in, now and whenever they come back. Raises `NotFound`; `Conflict`: it is full."""
    await context.service.finish(_admit(context, room, host, room.waiting(wanted.participant_id)))


async def _admit(context: Context, room: Room, host: Member, guest: Member) -> None:
    service = context.service
    consultation, person = room.consultation.consultation_id, guest.participant
    await invitations.admit_guest(context.database, guest.subject)
    await removals.readmit(context.database, consultation, guest.subject)
    room.sent_out.discard(guest.subject)
    await context.audit(host.subject, "admit", f"{consultation} {guest.subject}")
    detail = "guest" if person.guest else person.role
    context.log.note(kind="join", by=guest.subject, consultation=consultation, detail=detail)
    async with reading_chat(context, room, guest.grants) as history:
        seat = service.waiting.get(guest.id)
        if seat is None:
            raise NotFound("they have gone meanwhile", code="participant_not_found")
        if guest.connected:  # else they find the door open when they are back
            grants, guest.grants = guest.grants, seat.claims.grants.model_copy(update={"lobby": False})
            try:
                await service.join(room, guest, seat.claims, seat.connection, history)
            except BaseException:
                guest.grants = grants
                raise
        service.waiting.pop(guest.id, None)
        service.deliver(room, room.knock_ended(guest, "admitted", host.participant.name))


async def turn_away(context: Context, room: Room, host: Member, wanted: messages.TurnAway) -> None:
    """Somebody in the lobby does not come in. Raises `NotFound`."""
    guest = room.waiting(wanted.participant_id)
    service = context.service
    seat = service.waiting.pop(guest.id)
    service.deliver(room, room.knock_ended(guest, "turned_away", host.participant.name))
    seat.connection.close(CLOSE_FORBIDDEN, "turned_away")
    await context.audit(host.subject, "turn_away", f"{room.consultation.consultation_id} {guest.subject}")
