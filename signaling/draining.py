"""The end of a signaling process, so that nobody is surprised: nothing new begins, what runs may finish,
everyone is told to come back elsewhere, a few at a time.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Awaitable, Callable
from typing import Final

import structlog
from aiohttp import web

from core.errors import Unavailable
from signaling.connection import CLOSE_GOING_AWAY
from signaling.log_ends import ends_are_logged
from signaling.room_socket import SOCKETS

log = structlog.get_logger()

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

SPREAD_PER_SOCKET_S: Final = 0.02
"""Fifty sockets a second come back: as many as one process welcomes without effort."""
BEGINNINGS: Final = (
    ("GET", "/ws"),
    ("POST", "/whip/{room}/{feed}"),
    ("POST", "/whep/{room}/{feed}"),
    ("POST", "/api/v1/consultations"),
    ("POST", "/api/v1/invitations/redeem"),
    ("POST", "/api/v1/rooms/{room}/join"),
)
"""What begins something that would have to be moved at once. Everything else is answered to the end."""


class Running:
    """Counts what is under way."""

    def __init__(self) -> None:
        self.count = 0
        self._none = asyncio.Event()
        self._none.set()

    def __enter__(self) -> None:
        self.count += 1
        self._none.clear()

    def __exit__(self, *_: object) -> None:
        self.count -= 1
        if not self.count:
            self._none.set()

    async def none_left(self) -> None:
        await self._none.wait()


class Drain:
    """Whether the process is ending, and what still runs."""

    def __init__(self) -> None:
        self.begun = False
        self.answers = Running()
        self.sockets = Running()


DRAIN: Final = web.AppKey("drain", Drain)


@web.middleware
async def refuse_while_draining(request: web.Request, handler: Handler) -> web.StreamResponse:
    """503 `draining` for what begins something. It stands inside what makes problem documents of errors."""
    drain = request.app[DRAIN]
    resource = request.match_info.route.resource
    template = "" if resource is None else resource.canonical
    if drain.begun and (request.method, template) in BEGINNINGS:
        raise Unavailable("this server is restarting; try again in a moment", code="draining")
    with drain.sockets if template == "/ws" else drain.answers:
        return await handler(request)


async def drain(app: web.Application, within_s: float) -> None:
    """Refuse what is new, tell every room WebSocket to come back elsewhere (close 1001, spread over time).

    Returns when all are gone, nothing is being answered, and the log has the end of what has ended; after
    `within_s` and `log_ends.WITHIN_S` at the latest.
    """
    await _let_go(app, within_s)
    await ends_are_logged(app)


async def _let_go(app: web.Application, within_s: float) -> None:
    state = app[DRAIN]
    state.begun = True
    connections = list(app[SOCKETS].connections)
    log.info("draining", sockets=len(connections), within_s=within_s)
    random.shuffle(connections)  # not all of one room first
    pause_s = min(SPREAD_PER_SOCKET_S, within_s / 2 / max(len(connections), 1))
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(within_s):
            for connection in connections:
                connection.close(CLOSE_GOING_AWAY, "server restarts")
                await asyncio.sleep(pause_s * random.uniform(0.5, 1.5))  # noqa: S311 - spreads load, hides nothing
            await state.sockets.none_left()
            await state.answers.none_left()
            return
    log.warning("draining.incomplete", sockets=state.sockets.count, answers=state.answers.count)
