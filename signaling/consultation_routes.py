"""REST: which consultations there are, and the room token that opens one."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from core.consultations import (
    Consultation,
    close_consultation,
    consultation_in_room,
    list_consultations,
    takes_part,
)
from core.errors import Forbidden, NotFound, RemoteError, TeleconsultError, Unauthorized
from core.ids import is_name
from core.people import find_user
from core.tokens import ROOM_LIFETIME_S, AccessClaims, Grants
from signaling.context import CONTEXT, Context, access_claims
from signaling.grants import room_grants


def add_routes(router: web.UrlDispatcher) -> None:
    router.add_get("/api/v1/consultations", consultations)
    router.add_post("/api/v1/consultations/{consultation_id}/close", close)
    router.add_post("/api/v1/rooms/{room}/join", join)


async def consultations(request: web.Request) -> web.Response:
    """Those the caller's organisation takes part in; the recorder sees all."""
    claims = access_claims(request)
    state = request.query.get("state")
    if state not in (None, "open", "closed"):
        raise RemoteError("state is open or closed", code="bad_state")
    found = await list_consultations(
        request.app[CONTEXT].database,
        state="open" if state == "open" else "closed" if state == "closed" else None,
        organisation_id=None if claims.role == "recorder" else claims.org,
    )
    return web.json_response([_describe(consultation) for consultation in found])


async def close(request: web.Request) -> web.Response:
    """The site that opened it ends it: everyone is told, all media stops."""
    context = request.app[CONTEXT]
    claims = access_claims(request)
    wanted = request.match_info["consultation_id"]
    own = await list_consultations(context.database, organisation_id=claims.org)
    consultation = next((found for found in own if found.consultation_id == wanted), None)
    try:
        if consultation is None:
            raise NotFound("no such consultation")
        if claims.role != "site" or consultation.organisation_id != claims.org:
            raise Forbidden("only the site that opened it ends a consultation", code="not_yours")
    except TeleconsultError as error:
        await context.audit(claims.sub, "close", wanted[:64], error.code)
        raise
    closed = await close_consultation(context.database, wanted)
    await context.audit(claims.sub, "close", wanted)
    room = context.service.rooms.get(closed.room)
    if room is not None and room.consultation.consultation_id == wanted:
        context.service.end_room(room)
    return web.json_response(_describe(closed))


async def join(request: web.Request) -> web.Response:
    """A room token: what this person may do in this room, for ten minutes."""
    context = request.app[CONTEXT]
    claims = access_claims(request)
    room = request.match_info["room"]
    try:
        consultation = await _joinable(context, claims, room)
        grants = _grants(claims, consultation)
        user = await find_user(context.database, user_id=claims.sub)
        if user is not None and user.disabled:
            raise Unauthorized("this account is closed", code="account_closed")
    except TeleconsultError as error:
        await context.audit(claims.sub, "room_token", room[:64], error.code)
        raise
    token = context.tokens.issue_room(
        sub=claims.sub,
        role=claims.role,
        org=claims.org,
        name=claims.name,
        org_name="" if user is None else user.organisation_name,
        room=room,
        con=consultation.consultation_id,
        grants=grants,
        sid=claims.sid,
    )
    await context.audit(claims.sub, "room_token", consultation.consultation_id)
    scheme = "wss" if request.secure else "ws"
    return web.json_response(
        {
            "token": token,
            "expires_in": ROOM_LIFETIME_S,
            "room": room,
            "consultation_id": consultation.consultation_id,
            "ws_url": f"{scheme}://{request.host}/ws?room={room}",
        }
    )


async def _joinable(context: Context, claims: AccessClaims, room: str) -> Consultation:
    """Raises `NotFound` for rooms that do not exist and for those the caller may not know of."""
    consultation = await consultation_in_room(context.database, room) if is_name(room) else None
    if consultation is None or not (
        claims.role == "recorder" or await takes_part(context.database, consultation, claims.org)
    ):
        raise NotFound("there is no such open consultation", code="room_not_found")
    return consultation


def _grants(claims: AccessClaims, consultation: Consultation) -> Grants:
    if claims.role == "recorder" and not consultation.record:
        raise Forbidden("this consultation is not to be recorded", code="not_recorded")
    return room_grants(claims.role)


def _describe(consultation: Consultation) -> dict[str, Any]:
    return {
        "consultation_id": consultation.consultation_id,
        "room": consultation.room,
        "header": consultation.header,
        "state": consultation.state,
        "record": consultation.record,
        "opened_at_us": consultation.opened_us,
        "closed_at_us": consultation.closed_us,
    }
