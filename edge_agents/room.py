"""The box's seat in the room: presence over the WebSocket, and word from the server that media was lost."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Sequence
from typing import Final, Protocol

import aiohttp
import structlog
from pydantic import ValidationError
from yarl import URL

from core.annotations import Mark
from core.clock import NS_PER_US
from core.device_health import LogLevel
from core.errors import TeleconsultError, Unavailable
from core.messages import (
    AnnotationDocument,
    AnnotationsChanged,
    AnnotationsSynced,
    ArchiveHead,
    CheckCode,
    ConsultationEnded,
    ControlAnswer,
    ControlChanged,
    ControlPressed,
    Error,
    Hello,
    LayersWanted,
    MediaReset,
    Model,
    PausedChanged,
    Ping,
    Pong,
    SetLogLevel,
    TakeStill,
    TrackAdded,
    TrackChanged,
    TrackRemoved,
    Welcome,
    parse_server_message,
)
from edge_agents.backoff import Backoff
from edge_agents.drawings import Drawings
from edge_agents.own_tracks import OwnTracks, WantedLayers

log = structlog.get_logger()

PING_INTERVAL_S: Final = 5.0
SILENCE_LIMIT_S: Final = 12.0
"""Two pings unanswered: the connection is dead, whatever TCP believes."""
CONNECT_TIMEOUT_S: Final = 5.0
MAX_WAITING: Final = 32
"""Messages of ours that wait for the socket; where marks have moved is stale soon, so more are dropped."""
MAX_MESSAGE_BYTES: Final = 1 << 20


class FeedsOwner(Protocol):
    """Whoever publishes the box's feeds."""

    def media_reset(self) -> None:
        """The server lost our media."""

    def greeting(self) -> None:
        """We are about to say hello: what is published by now must be among the welcome's feeds."""

    def welcomed(self, feeds: frozenset[str]) -> None:
        """The feeds of ours that the room shows."""

    def shown(self, feed: str) -> None:
        """The room shows that feed of ours from now on: at every welcome, and when its track is new, or new
        to be ours.
        """

    def control_told(self, told: ControlChanged | CheckCode | ControlPressed) -> None:
        """Somebody's remote control of a device here goes on."""

    def left(self) -> None:
        """The connection to the room is gone."""

    def layers_wanted(self, wanted: WantedLayers) -> None:
        """Which encodings of a feed are watched from now on."""

    def head_told(self, told: ArchiveHead) -> None:
        """Where the archive stands, to keep."""

    def paused(self, paused: bool) -> None:
        """The site paused picture and sound, or goes on; again at every welcome."""

    def still_wanted(self, wanted: TakeStill) -> None:
        """Send that frame."""

    def log_wanted(self, level: LogLevel, for_s: int) -> None:
        """An administrator wants to see that in the log for so long."""

    def over(self) -> None:
        """The consultation ended, or the room does not want us any more."""

    def server_time(self, sent_us: int, server_us: int, received_us: int) -> None:
        """What the server's clock said between those moments of ours; Unix microseconds."""

    def drawn(self, feed: str, marks: Sequence[Mark]) -> None:
        """All that is drawn on that feed now."""


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
        self._tracks = OwnTracks()
        self._drawings = Drawings(owner.drawn)
        self._outgoing: asyncio.Queue[Model] = asyncio.Queue(MAX_WAITING)
        self._log = log.bind(room=room)
        self._pings: dict[int, int] = {}
        """Unix microseconds at which those that are under way were sent."""
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
            helpers = [
                asyncio.create_task(self._keep_pinging(socket)),
                asyncio.create_task(self._keep_saying(socket)),
            ]
            try:
                await self._listen(socket, backoff)
            finally:
                self._owner.left()  # keys go up before anything else
                for helper in helpers:
                    helper.cancel()
                await asyncio.gather(*helpers, return_exceptions=True)

    def say(self, message: Model) -> None:
        """Send it soon; dropped when we are not in the room, or when too much waits.

        How a remote control goes on is never dropped for what else waits: that goes instead.
        """
        if not self.joined.is_set():
            return
        if self._outgoing.full() and isinstance(message, ControlAnswer):
            self._outgoing.get_nowait()
        if not self._outgoing.full():
            self._outgoing.put_nowait(message)

    async def _keep_saying(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        while not self._outgoing.empty():
            self._outgoing.get_nowait()  # meant for an earlier connection
        while True:
            await _say(socket, await self._outgoing.get())

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
                self._owner.paused(message.consultation.paused)
                self._owner.welcomed(frozenset(track.feed for track in message.tracks))
                self._begun(self._tracks.welcomed(message.participant.participant_id, message.tracks))
                self.say(self._drawings.sync())
            case TrackAdded():
                self._begun(self._tracks.added(message.track))
            case TrackChanged():
                self._begun(self._tracks.changed(message.track))
            case TrackRemoved():
                self._tracks.removed(message.track_id)
            case LayersWanted():
                self._tell(self._tracks.wanted(message.track_id, message.rids))
            case AnnotationsChanged() | AnnotationDocument() | AnnotationsSynced():
                if (missed := self._drawings.told(message)) is not None:
                    self.say(missed)
            case PausedChanged():
                self._owner.paused(message.paused)
            case ControlChanged() | CheckCode() | ControlPressed():
                self._owner.control_told(message)
            case TakeStill():
                self._owner.still_wanted(message)
            case ArchiveHead():
                self._owner.head_told(message)
            case MediaReset():
                self._log.warning("media_reset", reason=message.reason)
                self._owner.media_reset()
            case SetLogLevel():
                self._owner.log_wanted(message.level, message.for_s)
            case Pong():
                sent_us = self._pings.pop(message.id, None)
                if sent_us is not None:
                    self._owner.server_time(sent_us, message.server_time_us, _unix_us())
            case ConsultationEnded():
                self._log.info("consultation_ended")
                self._owner.over()
            case Error():
                self._refused(message)

    def _tell(self, wanted: list[WantedLayers]) -> None:
        for item in wanted:
            self._owner.layers_wanted(item)

    def _begun(self, own: list[WantedLayers]) -> None:
        self._tell(own)
        for item in own:
            self._owner.shown(item.feed)

    def _refused(self, message: Error) -> None:
        """A seat that cannot be resumed is taken anew at the next try."""
        self._log.warning("room_refused", code=message.code, about=message.about)
        if message.about == "hello":
            self._resume_token = None
            self._owner.over()

    async def _keep_pinging(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        """The first one at once: it tells the server's time, too."""
        self._pings.clear()
        number = 0
        while True:
            number += 1
            self._pings = {number: _unix_us()}
            await _say(socket, Ping(id=number))
            await asyncio.sleep(PING_INTERVAL_S)


def _unix_us() -> int:
    return time.time_ns() // NS_PER_US


async def _say(socket: aiohttp.ClientWebSocketResponse, message: Model) -> None:
    await socket.send_str(message.model_dump_json(exclude_none=True))
