"""A seat in a room without a browser: says what it is told to, remembers everything it is sent."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from typing import Any, Self

import aiohttp

from tests.support.loop_thread import LoopThread

WITHIN_S = 15.0


class Seat:
    """`with Seat(base_url, room, token) as seat:`. `heard` holds every message, oldest first."""

    def __init__(self, base_url: str, room: str, token: str) -> None:
        self._url = f"{base_url}/ws?room={room}"
        self._token = token
        self._loop = LoopThread()
        self._http: aiohttp.ClientSession
        self._socket: aiohttp.ClientWebSocketResponse
        self._reading: asyncio.Task[None]
        self.heard: list[dict[str, Any]] = []
        self.close_code: int | None = None

    def __enter__(self) -> Self:
        self._loop.__enter__()
        self._loop.run(self._connect())
        self.say({"type": "hello"})
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.run(self._disconnect())
        self._loop.__exit__()

    def say(self, message: dict[str, Any] | str) -> None:
        """A message, or text that is none."""
        text = message if isinstance(message, str) else json.dumps(message)
        self._loop.run(self._socket.send_str(text))

    def wait(self, look: Callable[[dict[str, Any]], Any], what: str, within_s: float = WITHIN_S) -> Any:
        """The first message, heard already or still to come, that `look` likes."""
        until = time.monotonic() + within_s
        while True:
            for message in list(self.heard):
                if look(message):
                    return message
            assert time.monotonic() < until, f"{what}: heard only {self.types}, closed {self.close_code}"
            time.sleep(0.02)

    def wait_for(self, kind: str, within_s: float = WITHIN_S) -> Any:
        return self.wait(lambda message: message["type"] == kind, kind, within_s)

    def wait_until_closed(self, within_s: float = WITHIN_S) -> int:
        until = time.monotonic() + within_s
        while self.close_code is None:
            assert time.monotonic() < until, f"still open; heard {self.types}"
            time.sleep(0.02)
        return self.close_code

    @property
    def types(self) -> list[str]:
        return [message["type"] for message in self.heard]

    async def _connect(self) -> None:
        self._http = aiohttp.ClientSession()
        protocols = ("teleconsult.v1", f"token.{self._token}")
        self._socket = await self._http.ws_connect(self._url, protocols=protocols)
        self._reading = asyncio.create_task(self._read())

    async def _read(self) -> None:
        async for frame in self._socket:
            self.heard.append(json.loads(frame.data))
        self.close_code = self._socket.close_code

    async def _disconnect(self) -> None:
        await self._socket.close()
        await self._reading
        await self._http.close()
