"""The box's seat in the room: presence over the WebSocket, and word from the server that media was lost."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from typing import Final, Protocol

import aiohttp
import structlog
from pydantic import ValidationError
from yarl import URL

from core.errors import TeleconsultError, Unavailable
from core.messages import (
    ConsultationEnded,
    Error,
    Hello,
    MediaReset,
    Model,
    Ping,
    Welcome,
    parse_server_message,
)
from edge_agents.backoff import Backoff

log = structlog.get_logger()

PING_INTERVAL_S: Final = 5.0
SILENCE_LIMIT_S: Final = 12.0
"""Two pings unanswered: the connection is dead, whatever TCP believes."""
CONNECT_TIMEOUT_S: Final = 5.0
MAX_MESSAGE_BYTES: Final = 1 << 20


class FeedsOwner(Protocol):
    """Whoever publishes the box's feeds."""

    def media_reset(self) -> None:
        """The server lost our media."""

    def greeting(self) -> None:
        """We are about to say hello: what is published by now must be among the welcome's feeds."""

    def welcomed(self, feeds: frozenset[str]) -> None:
        """The feeds of ours that the room shows."""


class RoomPresence:
    """Keeps the box in the room until cancelled, and tells `owner` what the server says of its media."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        base_url: str,
        room: str,
        token: Callable[[], str],
        owner: FeedsOwner,
    ) -> None:
        self._session, self._token, self._owner = session, token, owner
        self._url = (URL(base_url) / "ws").with_query(room=room)
        self._resume_token: str | None = None
        self._log = log.bind(room=room)
        self.joined = asyncio.Event()

    async def run(self) -> None:
        """Join, stay, rejoin with back-off. Ends only by cancellation."""
        backoff = Backoff()
        while True:
            try:
                await self._attend(backoff)
            except (aiohttp.ClientError, TimeoutError, OSError, TeleconsultError) as error:
                reason = str(error) if isinstance(error, TeleconsultError) else type(error).__name__
                self._log.warning("room_left", reason=reason)
            except Exception:  # pictures must go on, whatever is wrong with the seat in the room
                self._log.exception("room_failed")
            finally:
                self.joined.clear()
            await asyncio.sleep(backoff.next_delay_s(random.random()))  # noqa: S311 - spreads load, hides nothing

    async def _attend(self, backoff: Backoff) -> None:
        async with asyncio.timeout(CONNECT_TIMEOUT_S):
            socket = await self._session.ws_connect(self._url, max_msg_size=MAX_MESSAGE_BYTES)
        async with socket:
            self._owner.greeting()
            await _say(socket, Hello(token=self._token(), resume_token=self._resume_token))
            pings = asyncio.create_task(_keep_pinging(socket))
            try:
                await self._listen(socket, backoff)
            finally:
                pings.cancel()
                await asyncio.gather(pings, return_exceptions=True)

    async def _listen(self, socket: aiohttp.ClientWebSocketResponse, backoff: Backoff) -> None:
        while True:
            message = await socket.receive(SILENCE_LIMIT_S)
            if message.type is not aiohttp.WSMsgType.TEXT:
                raise Unavailable(f"the server closed the room connection ({socket.close_code})")
            try:
                received = parse_server_message(message.data)
            except ValidationError:
                self._log.warning("room_message_unreadable")
                continue
            self._handle(received, backoff)

    def _handle(self, message: Model, backoff: Backoff) -> None:
        match message:
            case Welcome():
                self._resume_token = message.resume_token
                backoff.reset()
                self.joined.set()
                self._log.info("room_joined", participant=message.participant.participant_id)
                self._owner.welcomed(frozenset(track.feed for track in message.tracks))
            case MediaReset():
                self._log.warning("media_reset", reason=message.reason)
                self._owner.media_reset()
            case ConsultationEnded():
                self._log.info("consultation_ended")
            case Error():
                self._refused(message)

    def _refused(self, message: Error) -> None:
        """A seat that cannot be resumed is taken anew at the next try."""
        self._log.warning("room_refused", code=message.code, about=message.about)
        if message.about == "hello":
            self._resume_token = None


async def _keep_pinging(socket: aiohttp.ClientWebSocketResponse) -> None:
    number = 0
    while True:
        await asyncio.sleep(PING_INTERVAL_S)
        number += 1
        await _say(socket, Ping(id=number))


async def _say(socket: aiohttp.ClientWebSocketResponse, message: Model) -> None:
    await socket.send_str(message.model_dump_json(exclude_none=True))
