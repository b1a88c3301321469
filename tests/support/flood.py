"""Somebody who has a seat and abuses it: says far too much, and comes back whenever thrown out."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from typing import Self

import aiohttp

MESSAGES = (
    '{"type":"ping","id":1}',
    '{"type":"subscribe"}',
    "nonsense",
    "[" * 2000,
    '{"type":"chat","ref":"x"}',
)
BATCH = 50


class Flood:
    """`with Flood(base_url, room, token) as flood:`. Counts what was said and how often it was thrown out."""

    def __init__(self, base_url: str, room: str, token: str) -> None:
        self._url, self._token = f"{base_url}/ws?room={room}", token
        self._thread = threading.Thread(target=self._run)
        self._ended = threading.Event()
        self.said = 0
        self.closed: list[int | None] = []

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _run(self) -> None:
        asyncio.run(self._flood())

    async def _flood(self) -> None:
        async with aiohttp.ClientSession() as session:
            while not self._ended.is_set():
                with contextlib.suppress(aiohttp.ClientError, OSError):
                    await self._once(session)
                await asyncio.sleep(0.05)

    async def _once(self, session: aiohttp.ClientSession) -> None:
        protocols = ("teleconsult.v1", f"token.{self._token}")
        async with session.ws_connect(self._url, protocols=protocols) as socket:
            await socket.send_str('{"type":"hello"}')
            reading = asyncio.create_task(self._read(socket))
            while not self._ended.is_set() and not reading.done():
                for number in range(BATCH):
                    await socket.send_str(MESSAGES[number % len(MESSAGES)])
                    self.said += 1
                await asyncio.sleep(0.01)
            reading.cancel()
            self.closed.append(socket.close_code)

    async def _read(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        async for _ in socket:
            pass
