"""Errors over HTTP: RFC 9457 problem documents with a stable `code`; and the headers every answer carries."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Final

import structlog
from aiohttp import web
from pydantic import ValidationError

from core.errors import TeleconsultError, Unauthorized
from core.ids import new_id
from signaling.context import CONTEXT

log = structlog.get_logger()

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

CONTENT_SECURITY_POLICY: Final = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' blob: data:",
        "media-src 'self' blob:",
        "font-src 'self'",
        "connect-src 'self'",
        "worker-src 'self'",
        "manifest-src 'self'",
        "frame-ancestors 'none'",
        "base-uri 'none'",
        "form-action 'self'",
    )
)
_HEADERS: Final = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Permissions-Policy": "camera=(self), microphone=(self), display-capture=(self), fullscreen=(self), "
    "geolocation=(), payment=(), usb=()",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
HSTS: Final = "Strict-Transport-Security"
HSTS_VALUE: Final = "max-age=31536000"
RETRY_AFTER_S: Final = 1
CLIENT_GONE: Final = 499
"""Only in our own figures: nobody is there to read it."""


class TooManyAttempts(TeleconsultError):
    """Try again after `retry_after_s`."""

    code = "too_many_attempts"
    status = 429

    def __init__(self, retry_after_s: int) -> None:
        super().__init__(f"too many attempts; try again in {retry_after_s} s")
        self.retry_after_s = retry_after_s


def problem(status: int, code: str, detail: str, headers: dict[str, str] | None = None) -> web.Response:
    """A problem document."""
    body = {"type": "about:blank", "title": _title(status), "status": status, "code": code, "detail": detail}
    return web.Response(
        text=json.dumps(body, ensure_ascii=False),
        status=status,
        content_type="application/problem+json",
        headers=headers,
    )


@web.middleware
async def problems(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turns exceptions into problem documents. What is unexpected is logged and only named by a number."""
    try:
        return await handler(request)
    except TeleconsultError as error:
        return problem(error.status, error.code, str(error), _extra_headers(error))
    except ValidationError as error:
        return problem(422, "invalid_body", _first_mistake(error))
    except web.HTTPException as error:
        if error.status < 400:
            raise
        allow = {"Allow": error.headers["Allow"]} if "Allow" in error.headers else None
        code = _title(error.status).lower().replace(" ", "_")
        return problem(error.status, code, error.reason, allow)
    except Exception as error:
        if isinstance(error, ConnectionResetError) and _is_gone(request):
            return web.Response(status=CLIENT_GONE)
        incident = new_id("e")
        log.exception("http.failed", route=route_of(request), incident=incident)
        return problem(500, "internal", f"something went wrong here; tell the administrator: {incident}")


@web.middleware
async def measure(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Counts and times answers by route; a WebSocket's lifetime is no answering time."""
    context = request.app[CONTEXT]
    started_ns = context.clock.monotonic_ns()
    response = await handler(request)
    route = route_of(request)
    context.metrics.requests.labels(route, request.method, str(response.status)).inc()
    if not isinstance(response, web.WebSocketResponse):
        seconds = (context.clock.monotonic_ns() - started_ns) / 1e9
        context.metrics.seconds.labels(route).observe(seconds)
        log.debug("http.answered", route=route, method=request.method, status=response.status)
    return response


async def secure_headers(request: web.Request, response: web.StreamResponse) -> None:
    """`on_response_prepare`: what a browser is told to allow."""
    for name, value in _HEADERS.items():
        response.headers.setdefault(name, value)
    if request.secure:
        response.headers.setdefault(HSTS, HSTS_VALUE)
    if request.path.startswith("/api/"):
        response.headers.setdefault("Cache-Control", "no-store")


def _is_gone(request: web.Request) -> bool:
    """Whoever asked hung up: nothing went wrong here, and nobody reads an answer."""
    return request.transport is None or request.transport.is_closing()


def route_of(request: web.Request) -> str:
    """The route's template: paths hold names and session URLs, which are nobody's business in logs."""
    resource = request.match_info.route.resource
    return "unknown" if resource is None else resource.canonical


def _extra_headers(error: TeleconsultError) -> dict[str, str] | None:
    if isinstance(error, TooManyAttempts):
        return {"Retry-After": str(error.retry_after_s)}
    if error.status == 503:
        return {"Retry-After": str(RETRY_AFTER_S)}
    if isinstance(error, Unauthorized):
        return {"WWW-Authenticate": f'Bearer realm="teleconsult", error="{error.code}"'}
    return None


def _first_mistake(error: ValidationError) -> str:
    first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    return f"{'.'.join(map(str, first['loc']))[:100] or 'body'}: {first['msg'][:200]}"


def _title(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Error"
