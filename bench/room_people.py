"""Who signs in to a bench's room: tokens, always fresh ones."""

from __future__ import annotations

import time
from typing import Final

import aiohttp

from bench.room_service import ROOM

ACCESS_USED_S: Final = 300.0
"""Half of an access token's life."""


class Person:
    """Signs in when it has to."""

    def __init__(self, session: aiohttp.ClientSession, credentials: tuple[str, str]) -> None:
        self._session, self._credentials = session, credentials
        self._access, self._since_s = "", 0.0

    async def access_token(self) -> str:
        """Of the REST API. Raises `aiohttp.ClientError`."""
        if not self._access or time.monotonic() - self._since_s > ACCESS_USED_S:
            username, password = self._credentials
            login = {"username": username, "password": password}
            async with self._session.post("/api/v1/auth/login", json=login) as response:
                response.raise_for_status()
                self._access = str((await response.json())["access_token"])
            self._since_s = time.monotonic()
        return self._access

    async def room_token(self) -> str:
        """To take a seat. Raises `aiohttp.ClientError`."""
        headers = {"Authorization": f"Bearer {await self.access_token()}"}
        async with self._session.post(f"/api/v1/rooms/{ROOM}/join", headers=headers) as response:
            response.raise_for_status()
            return str((await response.json())["token"])
