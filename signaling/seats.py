"""Seats of people: coming in, coming back, taking over, and the tokens they depend on."""

from __future__ import annotations

from core import messages
from core.errors import Forbidden, NotFound, RemoteError, TeleconsultError, Unauthorized
from core.tokens import RoomClaims
from signaling import admission
from signaling.access import is_waiting
from signaling.attached import token_expires_us
from signaling.chatting import reading_chat
from signaling.connection import CLOSE_TAKEN_OVER, Connection
from signaling.context import Context
from signaling.members import Member
from signaling.rooms import Room


async def enter(
    context: Context, room_name: str, hello: messages.Hello, token: str | None, connection: Connection
) -> tuple[Room, Member]:
    """Resume, join, or wait in the lobby. `token`: of the request, if `hello` has none.

    Raises what the client is told before its connection ends.
    """
    token = hello.token or token
    if hello.resume_token is not None:
        resumed = await _resume(context, room_name, hello.resume_token, token, connection)
        if resumed is not None:
            return resumed
    if token is None:
        raise Unauthorized("hello needs a room token")
    return await _join(context, room_name, context.tokens.verify_room(token), connection)


async def _join(
    context: Context, room_name: str, claims: RoomClaims, connection: Connection
) -> tuple[Room, Member]:
    try:
        consultation = await context.consultation_of(claims, room_name)
    except RemoteError as error:
        await context.note_refusal(claims.sub, "join", claims.con, error.code)
        raise
    waits = await is_waiting(context.database, claims)
    await context.audit(claims.sub, "knock" if waits else "join", consultation.consultation_id)
    room, waits = await context.at_door(claims, room_name)
    if waits:
        return room, await admission.wait(context, room, claims, connection)
    context.log.note(kind="join", by=claims.sub, consultation=claims.con, detail=claims.role)
    inside = claims.model_copy(update={"grants": claims.grants.model_copy(update={"lobby": False})})
    member = context.service.new_member(inside)
    with context.service.holding(room):  # nobody is in it yet
        async with reading_chat(context, room, member.grants) as history:
            context.check_not_revoked(claims)
            _check_not_sent_out(room, claims)
            await context.service.join(room, member, inside, connection, history)
    return room, member


def _check_not_sent_out(room: Room, claims: RoomClaims) -> None:
    """Somebody who was sent out while they were coming in has to come again. Raises `Forbidden`."""
    if claims.sub in room.sent_out:
        raise Forbidden("a host has sent you out", code="removed")


async def _resume(
    context: Context, room_name: str, resume_token: str, token: str | None, connection: Connection
) -> tuple[Room, Member] | None:
    """The seat whose resume token this is. None when there is none: then the client may join."""
    room = context.service.rooms.get(room_name)
    member = None if room is None else room.by_resume_token(resume_token)
    if room is None or member is None:
        return None
    _check_token(context, member, token)
    try:
        async with reading_chat(context, room, member.grants) as history:
            await context.service.resume(member, connection, history)
    except NotFound:
        return None
    return room, member


def _check_token(context: Context, member: Member, token: str | None) -> None:
    """A resume token alone is enough until the room token it came with expires. Raises `Unauthorized`."""
    seat = context.service.seat_of(member)
    if seat is None:
        return
    expired = seat.outlived(context.service.now_us(), grace_s=0)
    if token is None:
        if expired:
            raise Unauthorized("your room token has expired; fetch a new one", code="token_expired")
        return
    try:
        context.service.renew(member, context.tokens.verify_room(token))
    except TeleconsultError:
        if expired:
            raise


def renew(context: Context, member: Member, wanted: messages.Renew) -> None:
    """Go on with a newer token. Raises `Unauthorized`, `Forbidden`."""
    claims = context.tokens.verify_room(wanted.token)
    context.service.renew(member, claims)
    expires_us = token_expires_us(claims)
    if expires_us is None:
        raise Forbidden("only people's tokens are renewed", code="not_renewable")
    fresh = context.service.ice_servers(member.id)
    renewed = messages.Renewed(token_expires_at_us=expires_us, ice_servers=fresh)
    context.service.tell(member, renewed)


async def take_over(context: Context, room: Room, member: Member) -> None:
    """The same person's other seats end."""
    for seat in room.seats_of(member.subject):
        if seat is not member:
            await context.service.let_go(seat, CLOSE_TAKEN_OVER, "taken_over", "left")
