"""One client of the room WebSocket, from `hello` to goodbye: reads with limits, works in order, answers."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import Any, Final, Protocol

import structlog
from aiohttp import WSMessage, WSMsgType, web
from pydantic import ValidationError

from core import messages
from core.errors import Forbidden, NotFound, TeleconsultError, Unauthorized, Unavailable
from signaling import handlers, permissions, seats
from signaling.connection import (
    CLOSE_FLOOD,
    CLOSE_FORBIDDEN,
    CLOSE_NORMAL,
    CLOSE_NOT_FOUND,
    CLOSE_TIMEOUT,
    CLOSE_UNAUTHORIZED,
    CLOSE_UNAVAILABLE,
    Connection,
)
from signaling.context import Context
from signaling.members import Member
from signaling.rate import FloodGuard, TokenBucket
from signaling.rooms import Room

log = structlog.get_logger()

HELLO_WITHIN_S: Final = 10.0
WORK_OFF_WITHIN_S: Final = 2.0
INBOX_MESSAGES: Final = 256
INBOX_BYTES: Final = 1_000_000
"""Several of the largest messages; a browser has one or two small ones on the way."""

REFUSALS_PER_S: Final = 0.2
REFUSALS_BURST: Final = 50


class Socket(Connection, Protocol):
    """A connection that is read from, too."""

    socket: web.WebSocketResponse

    @property
    def closing(self) -> bool:
        """True once the server ended it."""


class Conversation:
    """One client from `hello` to goodbye."""

    def __init__(
        self,
        context: Context,
        connection: Socket,
        room: str,
        token: str | None,
        greeted: Callable[[], None],
    ) -> None:
        """`greeted` is called at hello."""
        self._context = context
        self._service = context.service
        self._connection = connection
        self._socket = connection.socket
        self._room_name = room
        self._token = token
        self._greeted = greeted
        self._refusals = TokenBucket(REFUSALS_PER_S, REFUSALS_BURST, context.clock.monotonic_ns())
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
            await self._work_off()
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
        self._greeted()
        return await seats.enter(self._context, self._room_name, hello, self._token, self._connection)

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
                self._check_open()
                message = self._parse(raw)
                if message is not None:
                    self._keep(message, len(raw.data))

    async def _work_off(self) -> None:
        """What somebody said just before leaving still counts."""
        if not self._connection.closing:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(WORK_OFF_WITHIN_S):
                    await self._inbox.join()

    def _check_open(self) -> None:
        """Who was cut off says nothing more, even while the goodbye waits for a client that does not read."""
        if self._connection.closing:
            raise _Closed("cut off")

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
                self._check_open()
                permissions.check(message, member.grants, waiting=member.waiting)
                await handlers.handle(self._context, room, member, message)
            except TeleconsultError as error:
                if isinstance(error, Forbidden):
                    await self._note_refusal(room, member, message.type, error.code)
                self._error(error.code, str(error), message.type, _ref_of(message))
            except _Closed:
                pass
            except Exception:
                log.exception("socket.message_failed", type=message.type)
                text = "something went wrong here; try again"
                self._error("internal", text, message.type, _ref_of(message))
            finally:
                self._inbox.task_done()

    async def _note_refusal(self, room: Room, member: Member, what: str, code: str) -> None:
        """Into the audit trail, which is kept for ever: nobody fills it."""
        if self._refusals.take(1, self._context.clock.monotonic_ns()):
            await self._context.note_refusal(member.subject, what, room.consultation.consultation_id, code)

    def _error(self, code: str, text: str, about: str | None, ref: str | None = None) -> None:
        self._context.metrics.refused.labels(code).inc()
        self._connection.send(messages.Error(code=code, message=text, about=about, ref=ref))


class _Closed(Exception):
    """The WebSocket ended."""


def _ref_of(message: Any) -> str | None:
    """Which of several on their way it was."""
    if isinstance(message, messages.Freeze):
        return message.ref
    return message.op_id if isinstance(message, messages.Annotate) else None


def _first_mistake(error: ValidationError) -> str:
    """What is wrong, without repeating what was sent: it may be a token."""
    first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    return f"{'.'.join(map(str, first['loc']))[:100] or 'message'}: {first['msg'][:200]}"


def _type_of(error: ValidationError) -> str | None:
    """The discriminator that was recognised, if any."""
    location = error.errors(include_url=False, include_context=False, include_input=False)[0]["loc"]
    return str(location[0])[:64] if location else None
