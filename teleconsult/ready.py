"""Waits, as an ordinary client, until a room shows its feeds and says that it records."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Final

import aiohttp

from core import messages
from core.errors import Unavailable
from core.local_service import Trust

RETRY_S: Final = 0.1


class RoomWatcher:
    """Pure: what a room's messages say about its feeds and its recording."""

    def __init__(self) -> None:
        self._tracks: dict[str, messages.TrackInfo] = {}
        self.recording: messages.RecordingState = "off"

    @property
    def live_feeds(self) -> set[str]:
        """Names of the device feeds whose pictures arrive."""
        return {
            t.feed for t in self._tracks.values() if t.kind == "video" and t.source == "device" and t.live
        }

    def receive(self, message: Any) -> None:
        """Take one server message into account."""
        match message:
            case messages.Welcome():
                self._tracks = {track.track_id: track for track in message.tracks}
                self.recording = message.consultation.recording
            case messages.TrackAdded() | messages.TrackChanged():
                self._tracks[message.track.track_id] = message.track
            case messages.TrackRemoved():
                self._tracks.pop(message.track_id, None)
            case messages.RecordingChanged():
                self.recording = message.state


def client(base_url: str, trust: Trust) -> aiohttp.ClientSession:
    """A client of the service at `base_url` that trusts the certificates `trust` says."""
    return aiohttp.ClientSession(base_url, connector=aiohttp.TCPConnector(ssl=trust))


async def wait_for_http(base_url: str, deadline_s: float, trust: Trust = True) -> None:
    """Until `/readyz` says yes. Raises `Unavailable` with the last answer."""
    last = "no answer"
    try:
        async with asyncio.timeout(deadline_s), client(base_url, trust) as session:
            while True:
                try:
                    async with session.get("/readyz") as response:
                        if response.status == 200:
                            return
                        last = await _what_it_waits_for(response)
                except aiohttp.ClientConnectionError as error:
                    last = type(error).__name__
                await asyncio.sleep(RETRY_S)
    except TimeoutError:
        raise Unavailable(f"the service did not become ready in {deadline_s:.0f} s ({last})") from None


async def wait_for_room(
    base_url: str,
    room: str,
    credentials: dict[str, str],
    feeds: set[str],
    deadline_s: float,
    progress: Callable[[str], None],
    trust: Trust = True,
) -> None:
    """Join `room` and return when `feeds` are live and it records.

    Raises `Unavailable` saying what is missing.
    """
    watcher = RoomWatcher()
    try:
        async with asyncio.timeout(deadline_s), client(base_url, trust) as session:
            token = await room_token(session, room, credentials)
            async with session.ws_connect(
                "/ws", params={"room": room}, protocols=("teleconsult.v1", f"token.{token}")
            ) as socket:
                await socket.send_str(messages.Hello().model_dump_json())
                while not feeds <= watcher.live_feeds or watcher.recording != "recording":
                    progress(_describe(watcher, feeds))
                    watcher.receive(messages.parse_server_message(await socket.receive_str()))
    except TimeoutError:
        raise Unavailable(f"after {deadline_s:.0f} s: {_describe(watcher, feeds)}") from None


async def _what_it_waits_for(response: aiohttp.ClientResponse) -> str:
    try:
        return "it waits for " + "; ".join((await response.json())["waiting_for"])
    except (aiohttp.ClientError, ValueError, KeyError, TypeError):
        return f"HTTP {response.status}"


def _describe(watcher: RoomWatcher, feeds: set[str]) -> str:
    missing = ", ".join(sorted(feeds - watcher.live_feeds)) or "none"
    return f"feeds still missing: {missing}; recording: {watcher.recording}"


async def room_token(session: aiohttp.ClientSession, room: str, credentials: dict[str, str]) -> str:
    """Sign in and ask for a token of `room`. Raises `aiohttp.ClientResponseError`."""
    async with session.post("/api/v1/auth/login", json=credentials) as response:
        response.raise_for_status()
        access = (await response.json())["access_token"]
    headers = {"Authorization": f"Bearer {access}"}
    async with session.post(f"/api/v1/rooms/{room}/join", headers=headers) as response:
        response.raise_for_status()
        return str((await response.json())["token"])
