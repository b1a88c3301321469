"""WHIP (RFC 9725) and WHEP (draft-ietf-wish-whep): publishing and watching one feed with nothing but HTTP."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any, Final, Literal, TypeVar

from aiohttp import web

from core.errors import Forbidden, RemoteError, TeleconsultError
from core.ids import is_id, is_name
from core.messages import SDP_MAX_CHARS
from core.tokens import RoomClaims
from core.turn import link_headers
from core.worker_api import TransportDescription
from signaling.access import is_waiting
from signaling.api import Grant, Method, Operation, Raw
from signaling.bodies import read_text
from signaling.context import CONTEXT, Context, room_claims
from signaling.problems import Handler
from signaling.transports import Purpose
from signaling.wish_sessions import SessionUrl, WishSessions

_T = TypeVar("_T")

SDP: Final = "application/sdp"
FRAGMENT: Final = "application/trickle-ice-sdpfrag"
SESSIONS: Final = web.AppKey("wish_sessions", WishSessions)
_CORS: Final = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Expose-Headers": "Location, ETag, Link, Accept-Post, Accept-Patch, Retry-After",
    "Cross-Origin-Resource-Policy": "cross-origin",
}
"""Any page may call: what counts is the bearer token, which no browser adds by itself."""
_PREFLIGHT: Final = {
    "Access-Control-Allow-Methods": "POST, PATCH, DELETE, OPTIONS",
    "Access-Control-Allow-Headers": "Authorization, Content-Type, If-Match",
    "Access-Control-Max-Age": "86400",
}


@web.middleware
async def cors(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Outermost: errors need the headers too, or a browser hides them."""
    response = await handler(request)
    if request.path.startswith(("/whip/", "/whep/")):
        response.headers.update(_CORS)
    return response


async def _whip(request: web.Request) -> web.Response:
    """Publish a feed: offer in, 201 and answer out (RFC 9725 §4.2)."""
    context, claims = request.app[CONTEXT], room_claims(request)
    room_name, feed = _names(request)
    if claims.role != "device" or not claims.grants.may_publish_feed(feed):
        await context.note_refusal(claims.sub, "whip", f"{claims.con} {feed}", "forbidden")
        raise Forbidden("this token does not publish this feed", code="not_granted")
    return await _begin(request, context, claims, room_name, feed)


async def _whep(request: web.Request) -> web.Response:
    """Watch a feed."""
    context, claims = request.app[CONTEXT], room_claims(request)
    room_name, feed = _names(request)
    if not claims.grants.may_view(feed):
        await context.note_refusal(claims.sub, "whep", f"{claims.con} {feed}", "forbidden")
        raise Forbidden("this token does not watch this feed", code="not_granted")
    return await _begin(request, context, claims, room_name, feed)


async def _begin(
    request: web.Request, context: Context, claims: RoomClaims, room_name: str, feed: str
) -> web.Response:
    kind = _kind(request)
    target = f"{claims.con} {feed}"
    try:
        description = await _negotiate(request, context, claims, room_name, feed)
    except TeleconsultError as error:
        await context.note_refusal(claims.sub, kind, target, error.code)
        raise
    await context.audit(claims.sub, kind, target)
    context.log.note(kind="join", by=claims.sub, consultation=claims.con, detail=kind)
    headers = {
        "Location": f"/{kind}/{room_name}/{feed}/{description.transport_id}",
        "ETag": request.app[SESSIONS].etag(description.transport_id),
        "Accept-Patch": FRAGMENT,
    }
    response = web.Response(text=description.sdp, status=201, content_type=SDP, headers=headers)
    for link in link_headers(context.service.ice_servers(description.transport_id)):  # RFC 9725 §4.6
        response.headers.add("Link", link)
    return response


async def _negotiate(
    request: web.Request, context: Context, claims: RoomClaims, room_name: str, feed: str
) -> TransportDescription:
    _check_accept(request, SDP)
    offer = await read_text(request, SDP)
    if not offer.startswith("v=0") or len(offer) > SDP_MAX_CHARS:
        raise RemoteError("the body is not an SDP offer", code="bad_sdp", status=422)
    await context.consultation_of(claims, room_name)
    if await is_waiting(context.database, claims):
        raise Forbidden("wait until a host lets you in", code="not_admitted")
    room = await context.live_room(claims, room_name)

    async def still_allowed() -> None:
        await context.consultation_of(claims, room_name)
        context.check_not_revoked(claims)

    sessions = request.app[SESSIONS]
    begin = sessions.publish if _kind(request) == "whip" else sessions.view
    try:
        with context.service.holding(room):
            return await begin(room, feed, claims, offer, still_allowed)
    except RemoteError as error:
        if error.status == 400:  # the HTTP request was fine: it is the offer that cannot be used
            raise RemoteError(str(error), code=error.code, status=422) from None
        raise


async def _patch(request: web.Request) -> web.Response:
    """Trickled candidates: 204. ICE restart: 200 with our credentials and a new ETag (RFC 9725 §4.3)."""
    claims = room_claims(request)
    fragment = await read_text(request, FRAGMENT)
    if_match = request.headers.get("If-Match")
    if if_match is None:
        raise RemoteError(
            "say with If-Match which ICE session is meant", code="if_match_required", status=428
        )
    sessions = request.app[SESSIONS]
    patching = sessions.patch(_session(request), claims, if_match, fragment)
    answer, etag = await _noting_denials(request, claims, patching)
    if answer is None:
        return web.Response(status=204, headers={"ETag": etag})
    return web.Response(text=answer, content_type=FRAGMENT, headers={"ETag": etag})


async def _delete(request: web.Request) -> web.Response:
    """The session ends."""
    claims = room_claims(request)
    await _noting_denials(request, claims, request.app[SESSIONS].end(_session(request), claims))
    await request.app[CONTEXT].audit(
        claims.sub, f"{_kind(request)}_end", f"{claims.con} {request.match_info['feed']}"
    )
    return web.Response(status=200)


async def _noting_denials(request: web.Request, claims: RoomClaims, work: Awaitable[_T]) -> _T:
    """Whoever tries somebody else's session is written down."""
    try:
        return await work
    except Forbidden as error:
        target = f"{claims.con} {request.match_info['session'][:64]}"
        await request.app[CONTEXT].note_refusal(claims.sub, f"{_kind(request)}_session", target, error.code)
        raise


async def _endpoint_options(_request: web.Request) -> web.Response:
    """RFC 9725 §4.2: what may be posted; and the CORS preflight."""
    return web.Response(status=204, headers={"Accept-Post": SDP, "Allow": "POST, OPTIONS", **_PREFLIGHT})


async def _session_options(_request: web.Request) -> web.Response:
    return web.Response(
        status=204, headers={"Accept-Patch": FRAGMENT, "Allow": "PATCH, DELETE, OPTIONS", **_PREFLIGHT}
    )


def _kind(request: web.Request) -> str:
    return request.path[1:5]


def _names(request: web.Request) -> tuple[str, str]:
    room, feed = request.match_info["room"], request.match_info["feed"]
    if not is_name(room) or not (is_name(feed) or (_kind(request) == "whep" and is_id(feed))):
        raise RemoteError("room and feed names have 1–64 of a–z, 0–9 and '-'", code="bad_name")
    return room, feed


def _session(request: web.Request) -> SessionUrl:
    match = request.match_info
    purpose: Purpose = "feed" if _kind(request) == "whip" else "view"
    return SessionUrl(purpose, match["room"], match["feed"], match["session"])


def _check_accept(request: web.Request, wanted: str) -> None:
    """406 when the client says that it takes something else only (RFC 9110 §12.5.1)."""
    accept = request.headers.get("Accept")
    if accept is None:
        return
    offered = {part.split(";")[0].strip().lower() for part in accept.split(",")}
    if not offered & {wanted, "application/*", "*/*", ""}:
        raise RemoteError(f"the answer is {wanted}", code="not_acceptable", status=406)


_OFFER: Final = Raw(SDP, "an SDP offer")
_PUBLISH_CODES: Final = (
    (400, "bad_name"),
    (403, "not_granted"),
    (403, "wrong_room"),
    (403, "device_not_attached"),
    (403, "not_admitted"),
    (404, "consultation_closed"),
    (404, "feed_not_live"),
    (406, "not_acceptable"),
    (409, "feed_taken"),
    (429, "too_many_sessions"),
    (422, "bad_sdp"),
    (503, "unavailable"),
)
_SESSION_CODES: Final = (
    (404, "session_not_found"),
    (403, "not_yours"),
    (412, "etag_mismatch"),
    (428, "if_match_required"),
)


def _operations(kind: Literal["whip", "whep"]) -> tuple[Operation, ...]:
    endpoint, session = f"/{kind}/{{room}}/{{feed}}", f"/{kind}/{{room}}/{{feed}}/{{session}}"
    publishes = kind == "whip"
    what = "Publish a feed: WHIP (RFC 9725)" if publishes else "Watch a feed: WHEP (draft-ietf-wish-whep)"
    grants: tuple[Grant, ...] = ("publish",) if publishes else ("subscribe",)

    def one(method: Method, path: str, handler: Handler, name: str, **more: Any) -> Operation:
        who: Literal["anyone", "room"] = "anyone" if method == "OPTIONS" else "room"
        return Operation(method, path, handler, name=name, who=who, own=True, tag="media", **more)

    return (
        one("POST", endpoint, _whip if publishes else _whep, kind, summary=what, grants=grants,
            request=_OFFER, response=Raw(SDP, "the SDP answer"), status=201, codes=_PUBLISH_CODES),
        one("OPTIONS", endpoint, _endpoint_options, f"{kind}_options", status=204,
            summary="What may be posted; CORS preflight"),
        one("PATCH", session, _patch, f"{kind}_patch", request=Raw(FRAGMENT, "candidates or credentials"),
            response=Raw(FRAGMENT, "our credentials, after an ICE restart; 204 otherwise"),
            summary="Trickled candidates, or an ICE restart", codes=_SESSION_CODES),
        one("DELETE", session, _delete, f"{kind}_end", summary="The session ends",
            codes=((403, "not_yours"), (404, "session_not_found"))),
        one("OPTIONS", session, _session_options, f"{kind}_session_options", status=204,
            summary="What may be patched; CORS preflight"),
    )  # fmt: skip


OPERATIONS: Final = (*_operations("whip"), *_operations("whep"))
