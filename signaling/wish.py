"""WHIP (RFC 9725) and WHEP (draft-ietf-wish-whep): publishing and watching one feed with nothing but HTTP."""

from __future__ import annotations

from typing import Final

from aiohttp import web

from core.errors import Forbidden, RemoteError, TeleconsultError
from core.ids import is_id, is_name
from core.messages import SDP_MAX_CHARS
from core.tokens import RoomClaims
from core.worker_api import TransportDescription
from signaling.bodies import read_text
from signaling.context import CONTEXT, Context, room_claims
from signaling.problems import Handler
from signaling.transports import Purpose
from signaling.wish_sessions import SessionUrl, WishSessions

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


def add_routes(router: web.UrlDispatcher) -> None:
    for kind in ("whip", "whep"):
        endpoint = router.add_resource(f"/{kind}/{{room}}/{{feed}}")
        endpoint.add_route("POST", _whip if kind == "whip" else _whep)
        endpoint.add_route("OPTIONS", _endpoint_options)
        session = router.add_resource(f"/{kind}/{{room}}/{{feed}}/{{session}}")
        session.add_route("PATCH", _patch)
        session.add_route("DELETE", _delete)
        session.add_route("OPTIONS", _session_options)


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
        await context.audit(claims.sub, "whip", f"{claims.con} {feed}", "forbidden")
        raise Forbidden("this token does not publish this feed", code="not_granted")
    return await _begin(request, context, claims, room_name, feed)


async def _whep(request: web.Request) -> web.Response:
    """Watch a feed."""
    context, claims = request.app[CONTEXT], room_claims(request)
    room_name, feed = _names(request)
    if not claims.grants.may_view(feed):
        await context.audit(claims.sub, "whep", f"{claims.con} {feed}", "forbidden")
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
        await context.audit(claims.sub, kind, target, error.code)
        raise
    await context.audit(claims.sub, kind, target)
    headers = {
        "Location": f"/{kind}/{room_name}/{feed}/{description.transport_id}",
        "ETag": request.app[SESSIONS].etag(description.transport_id),
        "Accept-Patch": FRAGMENT,
    }
    return web.Response(text=description.sdp, status=201, content_type=SDP, headers=headers)


async def _negotiate(
    request: web.Request, context: Context, claims: RoomClaims, room_name: str, feed: str
) -> TransportDescription:
    _check_accept(request, SDP)
    offer = await read_text(request, SDP)
    if not offer.startswith("v=0") or len(offer) > SDP_MAX_CHARS:
        raise RemoteError("the body is not an SDP offer", code="bad_sdp", status=422)
    consultation = await context.consultation_of(claims, room_name)
    room = context.service.room_for(consultation)
    sessions = request.app[SESSIONS]
    begin = sessions.publish if _kind(request) == "whip" else sessions.view
    try:
        with context.service.holding(room):
            return await begin(room, feed, claims, offer)
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
    answer, etag = await sessions.patch(_session(request), claims, if_match, fragment)
    if answer is None:
        return web.Response(status=204, headers={"ETag": etag})
    return web.Response(text=answer, content_type=FRAGMENT, headers={"ETag": etag})


async def _delete(request: web.Request) -> web.Response:
    """The session ends."""
    claims = room_claims(request)
    await request.app[SESSIONS].end(_session(request), claims)
    await request.app[CONTEXT].audit(
        claims.sub, f"{_kind(request)}_end", f"{claims.con} {request.match_info['feed']}"
    )
    return web.Response(status=200)


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
