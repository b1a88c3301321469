"""The room WebSocket: authenticates, reads with limits, writes with a bound."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass, field
from typing import Any, Final

import structlog
from aiohttp import WSMessage, WSMsgType, web
from pydantic import ValidationError

from core import messages
from core.clock import NS_PER_US
from core.errors import Forbidden, NotFound, RemoteError, TeleconsultError, Unauthorized, Unavailable
from core.messages import Model
from core.tokens import RoomClaims
from signaling.connection import (
    CLOSE_FLOOD,
    CLOSE_FORBIDDEN,
    CLOSE_GOING_AWAY,
    CLOSE_NORMAL,
    CLOSE_NOT_FOUND,
    CLOSE_TIMEOUT,
    CLOSE_UNAUTHORIZED,
    CLOSE_UNAVAILABLE,
)
from signaling.context import CONTEXT, Context
from signaling.publishing import publish, unpublish
from signaling.rate import FloodGuard
from signaling.rooms import Member, Room

log = structlog.get_logger()

PROTOCOL: Final = "teleconsult.v1"
TOKEN_PROTOCOL: Final = "token."  # noqa: S105 - a prefix, not a token
MESSAGE_MAX_BYTES: Final = 256 * 1024
HELLO_WITHIN_S: Final = 10.0
HEARTBEAT_S: Final = 6.0
"""aiohttp waits half of it for the pong: a dead socket is noticed after 9 s."""
SEND_WITHIN_S: Final = 10.0
CLOSE_WITHIN_S: Final = 2.0
OUTBOX_MESSAGES: Final = 512
INBOX_MESSAGES: Final = 256
INBOX_BYTES: Final = 1_000_000
"""Several of the largest messages; a browser has one or two small ones on the way."""


class SocketConnection:
    """A `Connection` over aiohttp: a bounded outbox and one task that empties it."""

    def __init__(self, socket: web.WebSocketResponse) -> None:
        self.socket = socket
        self._outbox: asyncio.Queue[Model | tuple[int, str]] = asyncio.Queue(OUTBOX_MESSAGES)
        self._closing = False

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

    def close(self, code: int, reason: str) -> None:
        if not self._closing:
            self._closing = True
            with contextlib.suppress(asyncio.QueueFull):
                self._outbox.put_nowait((code, reason))

    async def write(self) -> None:
        """Send what is queued until the connection ends. A client that takes nothing for long is cut off."""
        with contextlib.suppress(ConnectionError, TimeoutError):
            while True:
                item = await self._outbox.get()
                async with asyncio.timeout(SEND_WITHIN_S):
                    if isinstance(item, tuple):
                        await self.socket.close(code=item[0], message=item[1].encode())
                        return
                    await self.socket.send_str(item.model_dump_json())
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
    open_sockets = request.app[SOCKETS].connections
    open_sockets.add(connection)
    context.metrics.sockets.inc()
    writer = asyncio.create_task(connection.write())
    try:
        await Conversation(context, connection, room, _protocol_token(request)).run()
    except Exception:
        log.exception("socket.failed")
        connection.close(CLOSE_UNAVAILABLE, "internal")
    finally:
        connection.close(CLOSE_NORMAL, "")
        open_sockets.discard(connection)
        context.metrics.sockets.dec()
        await writer
    return socket


@dataclass
class OpenSockets:
    """All of an application's."""

    connections: set[SocketConnection] = field(default_factory=set)


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


class Conversation:
    """One client from `hello` to goodbye."""

    def __init__(self, context: Context, connection: SocketConnection, room: str, token: str | None) -> None:
        self._context = context
        self._service = context.service
        self._connection = connection
        self._socket = connection.socket
        self._room_name = room
        self._token = token
        self._guard = FloodGuard(context.clock.monotonic_ns())
        self._inbox: asyncio.Queue[tuple[Any, int]] = asyncio.Queue(INBOX_MESSAGES)
        self._inbox_bytes = 0

    async def run(self) -> None:
        """Returns when the WebSocket is over."""
        try:
            room, member = await self._enter()
        except (TeleconsultError, TimeoutError) as error:
            self._turn_away(error)
            return
        except _Closed:
            return
        worker = asyncio.create_task(self._work(room, member))
        try:
            await self._read()
        finally:
            worker.cancel()
            await asyncio.wait([worker])
            # When we close, aiohttp tells our reader 1000, as if the client had left.
            left = self._socket.close_code == CLOSE_NORMAL and not self._connection.closing
            await self._service.disconnected(member, self._connection, left=left)
            action = "leave" if left else "disconnect"
            await self._context.audit(member.subject, action, room.consultation.consultation_id)

    # --- entering ------------------------------------------------------------------------

    async def _enter(self) -> tuple[Room, Member]:
        async with asyncio.timeout(HELLO_WITHIN_S):
            hello = await self._hello()
        if hello.resume_token is not None and (room := self._service.rooms.get(self._room_name)) is not None:
            with contextlib.suppress(NotFound):
                return room, await self._service.resume(room, hello.resume_token, self._connection)
        token = hello.token or self._token
        if token is None:
            raise Unauthorized("hello needs a room token")
        return await self._join(self._context.tokens.verify_room(token))

    async def _join(self, claims: RoomClaims) -> tuple[Room, Member]:
        try:
            consultation = await self._context.consultation_of(claims, self._room_name)
        except RemoteError as error:
            await self._context.audit(claims.sub, "join", claims.con, error.code)
            raise
        await self._context.audit(claims.sub, "join", consultation.consultation_id)
        room = self._service.room_for(consultation)
        return room, await self._service.join(room, claims, self._connection)

    async def _hello(self) -> messages.Hello:
        """Anything before it is answered with an error."""
        while True:
            message = self._parse(await self._socket.receive())
            if isinstance(message, messages.Hello):
                return message
            if message is not None:
                self._error("hello_first", "say hello first", message.type)

    def _turn_away(self, error: Exception) -> None:
        codes: dict[type[Exception], int] = {
            Unauthorized: CLOSE_UNAUTHORIZED,
            NotFound: CLOSE_NOT_FOUND,
            Unavailable: CLOSE_UNAVAILABLE,
        }
        if isinstance(error, TimeoutError):
            self._connection.close(CLOSE_TIMEOUT, "no hello")
        elif isinstance(error, TeleconsultError):
            self._error(error.code, str(error), "hello")
            self._connection.close(codes.get(type(error), CLOSE_FORBIDDEN), error.code)

    # --- reading and working -------------------------------------------------------------

    async def _read(self) -> None:
        """Reads on while a message is worked on, so that pings are answered."""
        with contextlib.suppress(_Closed):
            while True:
                raw = await self._socket.receive()
                message = self._parse(raw)
                if message is not None:
                    self._keep(message, len(raw.data))

    def _keep(self, message: Any, size_bytes: int) -> None:
        """Until it can be worked on. Raises `_Closed` when that is too much."""
        if self._inbox.full() or self._inbox_bytes + size_bytes > INBOX_BYTES:
            self._flood()
        self._inbox_bytes += size_bytes
        self._inbox.put_nowait((message, size_bytes))

    def _parse(self, raw: WSMessage) -> Any:
        """The message; None when it was refused. Raises `_Closed` at the end of the connection."""
        if raw.type not in (WSMsgType.TEXT, WSMsgType.BINARY):
            raise _Closed("the connection closed")
        if not self._guard.allows(len(raw.data), self._context.clock.monotonic_ns()):
            self._flood()
        if raw.type == WSMsgType.BINARY:
            self._error("binary", "messages are text", None)
            return None
        try:
            return messages.parse_client_message(raw.data)
        except ValidationError as error:
            self._error("malformed", _first_mistake(error), _type_of(error))
            return None

    def _flood(self) -> None:
        self._error("flood", "too many messages; the connection ends", None)
        self._connection.close(CLOSE_FLOOD, "flood")
        raise _Closed("flood")

    async def _work(self, room: Room, member: Member) -> None:
        while True:
            message, size_bytes = await self._inbox.get()
            self._inbox_bytes -= size_bytes
            self._context.metrics.messages.labels(message.type).inc()
            try:
                await self._handle(room, member, message)
            except TeleconsultError as error:
                if isinstance(error, Forbidden):
                    target = room.consultation.consultation_id
                    await self._context.audit(member.subject, message.type, target, error.code)
                self._error(error.code, str(error), message.type)
            except Exception:
                log.exception("socket.message_failed", type=message.type)
                self._error("internal", "something went wrong here; try again", message.type)

    async def _handle(self, room: Room, member: Member, message: Any) -> None:
        service = self._service
        match message:
            case messages.Publish():
                await publish(service, room, member, message)
            case messages.Unpublish():
                await unpublish(service, room, member)
            case messages.Subscribe():
                if not member.grants.subscribe:
                    raise Forbidden("you may not subscribe here", code="not_granted")
                member.subscription.subscribe(message.codecs)
                service.deliver(room, [])
            case messages.RestartIce():
                if not member.subscription.restart_ice():
                    raise NotFound("there is no subscribe connection", code="not_subscribed")
                service.deliver(room, [])
            case messages.Answer():
                if member.subscription.answered(message.revision, message.sdp):
                    service.deliver(room, [])
            case messages.SetMuted():
                service.deliver(room, room.set_muted(member, message.track_id, message.muted))
            case messages.SetRecording():
                service.deliver(room, room.set_recording(member, message.state, message.reason))
            case messages.Ping():
                now_us = self._context.clock.unix_ns() // NS_PER_US
                self._connection.send(messages.Pong(id=message.id, server_time_us=now_us))
            case messages.Hello():
                raise RemoteError("you have said hello already", code="hello_again")

    def _error(self, code: str, text: str, about: str | None) -> None:
        self._context.metrics.refused.labels(code).inc()
        self._connection.send(messages.Error(code=code, message=text, about=about))


class _Closed(Exception):
    """The WebSocket ended."""


def _first_mistake(error: ValidationError) -> str:
    """What is wrong, without repeating what was sent: it may be a token."""
    first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    return f"{'.'.join(map(str, first['loc']))[:100] or 'message'}: {first['msg'][:200]}"


def _type_of(error: ValidationError) -> str | None:
    """The discriminator that was recognised, if any."""
    location = error.errors(include_url=False, include_context=False, include_input=False)[0]["loc"]
    return str(location[0])[:64] if location else None
