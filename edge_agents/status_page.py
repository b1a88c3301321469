"""The box's own page, at http://127.0.0.1:8790/: how it is, for whoever stands beside it.

It only shows, except that remote control of a device is confirmed, refused and stopped here
(`edge_agents.control_page`).
"""

from __future__ import annotations

import html
import secrets
import string
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, Final

import structlog
from aiohttp import web

from core.device_health import DeviceHealth, FeedHealth
from edge_agents.control_page import CONTROL_STYLE, Acting, add_acting, has_badge_field, panels, wrapped
from edge_agents.status import BoxStatus
from edge_agents.status_words import WORDS, Language, Words, language_of

log = structlog.get_logger()

HOST: Final = "127.0.0.1"
REFRESH_S: Final = 3
CSP: Final = (
    "default-src 'none'; style-src 'self'; frame-src 'self'; frame-ancestors 'self'; base-uri 'none';"
    " form-action 'self'"
)
_HEADERS: Final = {
    "Content-Security-Policy": CSP,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
_NAMES: Final = frozenset({"127.0.0.1", "localhost", "[::1]"})
STYLE: Final = """\
:root { color-scheme: dark; }
body { margin: 0 auto; max-width: 46rem; padding: 1.5rem; background: #16181b; color: #e8e8e8;
  font: 1.05rem/1.5 system-ui, "PingFang SC", "Microsoft YaHei", "Noto Sans CJK SC", sans-serif; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.1rem; margin-top: 1.8rem; }
a { color: #7cc4ff; } .state { font-size: 1.2rem; } .bad { color: #ff9b93; font-weight: 600; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: start; padding: .35rem .8rem .35rem 0; border-bottom: 1px solid #34383e; }
th { font-weight: 400; color: #b4b9c0; width: 14rem; }
"""
MAX_FORM_BYTES: Final = 4096
_PAGE: Final = string.Template("""\
<!doctype html>
<html lang="$lang"><head><meta charset="utf-8"><title>$title</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="refresh" content="$refresh">
<link rel="stylesheet" href="/status.css"></head>
<body><h1>$title</h1>$controls<p class="state">$state</p>$troubles
$feeds
<h2>$box</h2><table>$rows</table>
<p><a href="/?lang=$other" target="_top" hreflang="$other" lang="$other">$other_name</a></p></body></html>
""")


@asynccontextmanager
async def serving_status(
    port: int, look: Callable[[], BoxStatus], act: Acting | None = None
) -> AsyncIterator[int]:
    """Serve the page on loopback while the context lasts; yields the port. 0: there is none.

    A port that is taken costs the page, not the pictures.
    """
    if port == 0:
        yield 0
        return
    async with AsyncExitStack() as stack:
        found = 0
        try:
            found = await stack.enter_async_context(serving_on(port, look, act))
        except OSError as error:
            log.warning("status_page_unavailable", port=port, reason=error.strerror)
        yield found


@asynccontextmanager
async def serving_on(
    port: int, look: Callable[[], BoxStatus], act: Acting | None = None
) -> AsyncIterator[int]:
    """As `serving_status`; 0 takes any free port. Raises `OSError` when it is taken."""
    runner = web.AppRunner(status_app(look, act), access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, HOST, port).start()
        yield int(runner.addresses[0][1])
    finally:
        await runner.cleanup()


def status_app(look: Callable[[], BoxStatus], act: Acting | None = None) -> web.Application:
    """The page, its style, and the same as JSON; and, with `act`, what is done on it."""
    form_token = secrets.token_urlsafe(16)

    async def now(request: web.Request) -> web.Response:
        text = render(look(), language_of(request), form_token)
        return web.Response(text=text, content_type="text/html")

    async def page(request: web.Request) -> web.Response:
        """A field that a badge is read into stands still; what goes on is in a frame beneath it then."""
        status, language = look(), language_of(request)
        if not has_badge_field(status.controls):
            return await now(request)
        return web.Response(text=wrapped(status.controls, language, form_token), content_type="text/html")

    async def data(_request: web.Request) -> web.Response:
        return web.Response(text=look().model_dump_json(), content_type="application/json")

    async def style(_request: web.Request) -> web.Response:
        return web.Response(text=STYLE + CONTROL_STYLE, content_type="text/css")

    app = web.Application(middlewares=[_only_by_its_own_name], client_max_size=MAX_FORM_BYTES)
    app.router.add_get("/", page)
    app.router.add_get("/now", now)
    app.router.add_get("/status.json", data)
    app.router.add_get("/status.css", style)
    if act is not None:
        add_acting(app, act, form_token)
    app.on_response_prepare.append(_secure)
    return app


@web.middleware
async def _only_by_its_own_name(request: web.Request, handler: Any) -> web.StreamResponse:
    """A page elsewhere whose name was made to point here (DNS rebinding) reads nothing."""
    host = request.host.rpartition(":")[0] or request.host
    if host not in _NAMES:
        return web.Response(status=421, text="this page is for 127.0.0.1 only\n")
    response: web.StreamResponse = await handler(request)
    return response


async def _secure(_request: web.Request, response: web.StreamResponse) -> None:
    response.headers.update(_HEADERS)


def render(status: BoxStatus, language: Language, form_token: str = "") -> str:
    """The whole page."""
    words = WORDS[language]
    other: Language = "en" if language == "zh" else "zh"
    return _PAGE.substitute(
        lang=words.tag,
        title=html.escape(f"{words.title}{f': {status.name}' if status.name else ''}"),
        refresh=REFRESH_S,
        controls=panels(status.controls, language, form_token),
        state=html.escape(words.states[status.state]),
        troubles="".join(f'<p class="bad">{html.escape(words.troubles[one])}</p>' for one in status.troubles),
        feeds="".join(_feed(feed, words) for feed in status.health.feeds),
        box=html.escape(words.box),
        rows=_rows(_box_facts(status, words)),
        other=other,
        other_name=html.escape(WORDS[other].name),
    )


def _feed(feed: FeedHealth, words: Words) -> str:
    facts = [
        (words.signal, words.signals[feed.signal]),
        (words.pictures, f"{feed.frames_per_s:g} /s" if feed.flowing else words.none_flow),
        (words.sent, words.yes if feed.sent else words.no),
        (words.encoder, f"{feed.encoder or '–'} · {feed.width} × {feed.height}"),
        (words.uplink, "–" if feed.uplink_bps is None else f"{feed.uplink_bps / 1e6:.1f} Mbit/s"),
    ]
    return f"<h2>{html.escape(feed.feed)}</h2><table>{_rows(facts)}</table>"


def _box_facts(status: BoxStatus, words: Words) -> list[tuple[str, str]]:
    health: DeviceHealth = status.health
    return [
        (words.server, status.server),
        (words.device, status.device_id or words.not_enrolled),
        (
            words.room,
            (status.room or "–") + ("" if status.in_room or not status.room else f" ({words.away})"),
        ),
        (words.clock, "–" if health.clock_off_ms is None else f"{health.clock_off_ms:+d} ms"),
        (words.temperature, "–" if health.temperature_c is None else f"{health.temperature_c:.0f} °C"),
        (words.kept, _kept(status)),
        (words.buffer, _size(health.buffer_bytes)),
        (words.memory, _size(health.memory_bytes)),
        (words.disk, _size(health.disk_free_bytes)),
        (words.version, health.version or "–"),
        (words.log, status.log_level),
    ]


def _kept(status: BoxStatus) -> str:
    ring = status.ring
    if ring is None:
        return "–"
    age = "" if ring.oldest_s is None else f" · {ring.oldest_s // 60} min"
    return f"{_size(ring.held_bytes)}{age}"


def _rows(facts: list[tuple[str, str]]) -> str:
    return "".join(
        f"<tr><th scope='row'>{html.escape(name)}</th><td>{html.escape(value)}</td></tr>"
        for name, value in facts
    )


def _size(size_bytes: int | None) -> str:
    return "–" if size_bytes is None else f"{size_bytes / (1 << 20):.0f} MiB"
