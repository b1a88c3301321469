"""The room WebSocket: what is sent waits in an outbox with a bound."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass, field
from functools import partial
from typing import Final

import structlog
from aiohttp import web

from core.messages import Model
from signaling.connection import CLOSE_GOING_AWAY, CLOSE_NORMAL, CLOSE_TIMEOUT, CLOSE_UNAVAILABLE
from signaling.context import CONTEXT
from signaling.conversation import Conversation
from signaling.doorway import Doorway
from signaling.proxies import network_of

log = structlog.get_logger()

PROTOCOL: Final = "teleconsult.v1"
TOKEN_PROTOCOL: Final = "token."  # noqa: S105 - a prefix, not a token
MESSAGE_MAX_BYTES: Final = 256 * 1024
HEARTBEAT_S: Final = 6.0
"""aiohttp waits half of it for the pong: a dead socket is noticed after 9 s."""
SEND_WITHIN_S: Final = 10.0
CLOSE_WITHIN_S: Final = 2.0
OUTBOX_MESSAGES: Final = 512
DROP_FROM_MESSAGES: Final = 128
"""With so many in its outbox, a client is sent nothing more that may be dropped."""


class SocketConnection:
    """A `Connection` over aiohttp: a bounded outbox and one task that empties it."""

    def __init__(self, socket: web.WebSocketResponse) -> None:
        self.socket = socket
        self._outbox: asyncio.Queue[Model | str | tuple[int, str]] = asyncio.Queue(OUTBOX_MESSAGES)
        self._latest: dict[str, Model] = {}
        """What a key in the outbox stands for."""
        self._closing = False
        self._end_by_s: float | None = None

    @property
    def closing(self) -> bool:
        """True once the server ended the connection, whatever the client answers."""
        return self._closing

    def send(self, message: Model) -> None:
        """Dropped once closing; a full outbox means the client does not read: it is cut off."""
        if self._closing:
            return
        try:
            self._outbox.put_nowait(message)
        except asyncio.QueueFull:
            log.warning("socket.too_slow")
            while not self._outbox.empty():
                self._outbox.get_nowait()
            self.close(CLOSE_TIMEOUT, "too slow")

    def send_latest(self, key: str, message: Model) -> None:
        """A client that is behind goes without; it has enough to read."""
        if self._closing:
            return
        if key not in self._latest:
            if self._outbox.qsize() >= DROP_FROM_MESSAGES:
                return
            self._outbox.put_nowait(key)
        self._latest[key] = message

    def close(self, code: int, reason: str) -> None:
        if not self._closing:
            self._closing = True
            self._end_by_s = asyncio.get_running_loop().time() + SEND_WITHIN_S
            with contextlib.suppress(asyncio.QueueFull):
                self._outbox.put_nowait((code, reason))

    async def write(self) -> None:
        """Send what is queued until the connection ends. A client that takes nothing for long is cut off.

        Once it is to end, what is queued has `SEND_WITHIN_S` together, however fast each message is taken.
        """
        loop = asyncio.get_running_loop()
        with contextlib.suppress(ConnectionError, TimeoutError):
            while True:
                item = await self._outbox.get()
                by_s = loop.time() + SEND_WITHIN_S
                async with asyncio.timeout_at(by_s if self._end_by_s is None else min(by_s, self._end_by_s)):
                    if isinstance(item, tuple):
                        await self.socket.close(code=item[0], message=item[1].encode())
                        return
                    message = self._latest.pop(item) if isinstance(item, str) else item
                    await self.socket.send_str(message.model_dump_json())
        self._closing = True
        await self.socket.close(code=CLOSE_TIMEOUT, drain=False)


async def room_socket(request: web.Request) -> web.StreamResponse:
    """`GET /ws?room=…`: see `core/messages.py` for the conversation."""
    room = request.query.get("room", "")
    socket = web.WebSocketResponse(
        protocols=(PROTOCOL,),
        heartbeat=HEARTBEAT_S,
        max_msg_size=MESSAGE_MAX_BYTES,
        compress=False,
        timeout=CLOSE_WITHIN_S,
    )
    await socket.prepare(request)
    connection = SocketConnection(socket)
    context = request.app[CONTEXT]
    open_sockets, doorway = request.app[SOCKETS].connections, request.app[SOCKETS].doorway
    open_sockets.add(connection)
    if doorway.enter(connection, network_of(request.remote)) is not None:
        context.metrics.refused.labels("no_hello").inc()
    context.metrics.sockets.inc()
    writer = asyncio.create_task(connection.write())
    try:
        greeted = partial(doorway.leave, connection)
        await Conversation(context, connection, room, _protocol_token(request), greeted).run()
    except Exception:
        log.exception("socket.failed")
        connection.close(CLOSE_UNAVAILABLE, "internal")
    finally:
        connection.close(CLOSE_NORMAL, "")
        doorway.leave(connection)
        open_sockets.discard(connection)
        context.metrics.sockets.dec()
        await writer
    return socket


@dataclass
class OpenSockets:
    """All of an application's."""

    connections: set[SocketConnection] = field(default_factory=set)
    doorway: Doorway = field(default_factory=Doorway)


SOCKETS: Final = web.AppKey("sockets", OpenSockets)


async def close_sockets(app: web.Application) -> None:
    """On shutdown: clients resume with the next process."""
    for connection in list(app[SOCKETS].connections):
        connection.close(CLOSE_GOING_AWAY, "server restarts")


def _protocol_token(request: web.Request) -> str | None:
    """`Sec-WebSocket-Protocol: teleconsult.v1, token.<JWT>`; the answer never repeats the token."""
    for header in request.headers.getall("Sec-WebSocket-Protocol", []):
        for offered in header.split(","):
            if offered.strip().startswith(TOKEN_PROTOCOL):
                return offered.strip().removeprefix(TOKEN_PROTOCOL)
    return None
