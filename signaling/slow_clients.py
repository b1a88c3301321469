"""Closes connections whose first request does not come in time.

aiohttp times out idle connections after their first request, and bodies are read with a timeout; what is left
are strangers that connect and send nothing, or one header a minute.
"""

from __future__ import annotations

import asyncio
from typing import Any, Final

from aiohttp import web

from signaling.problems import Handler


class SlowClients:
    """Connections that have not made a request yet."""

    def __init__(self) -> None:
        self._silent: dict[Any, asyncio.TimerHandle] = {}

    def watch(self, protocol: web.RequestHandler, within_s: float) -> web.RequestHandler:
        """A new connection: it is closed unless it makes a request within `within_s`."""
        loop = asyncio.get_running_loop()
        self._silent[protocol] = loop.call_later(within_s, self._give_up, protocol)
        return protocol

    def heard(self, request: web.Request) -> None:
        """It made one."""
        timer = self._silent.pop(request.protocol, None)
        if timer is not None:
            timer.cancel()

    def close(self) -> None:
        """Forget everyone."""
        for timer in self._silent.values():
            timer.cancel()
        self._silent.clear()

    def _give_up(self, protocol: web.RequestHandler) -> None:
        del self._silent[protocol]
        protocol.force_close()


GUARD: Final = web.AppKey("slow_clients", SlowClients)


@web.middleware
async def note_request(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Outermost middleware."""
    request.app[GUARD].heard(request)
    return await handler(request)
