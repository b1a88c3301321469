"""A feed of a room, published by WHIP."""

from __future__ import annotations

import asyncio
import contextlib

import aiohttp

from bench.pictures import LayeredPictures, Pictures
from bench.publisher import Publisher
from bench.relay import Relay
from rtp.sdp import Session, parse_sdp


class Feed(Publisher):
    """`async with Feed(…) as feed:` publishes until the end, and sends all the while."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        room: str,
        name: str,
        token: str,
        relay: Relay | None = None,
        pictures: Pictures | None = None,
    ) -> None:
        """`pictures`: in two small encodings, unless others are given."""
        super().__init__(pictures or LayeredPictures())
        self._session, self._relay = session, relay
        self._path = f"/whip/{room}/{name}"
        self._headers = {"Authorization": f"Bearer {token}"}
        self._location = ""
        self._sending: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Feed:
        try:
            await self.connect(self._ask, self._relay)
        except BaseException:
            await self.transport.close()
            raise
        self._sending = asyncio.create_task(self.run())
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._sending is not None:
            self._sending.cancel()
            await asyncio.wait([self._sending])
        with contextlib.suppress(aiohttp.ClientError, TimeoutError, OSError):
            async with self._session.delete(self._location, headers=self._headers):
                pass
        await self.transport.close()

    async def _ask(self, offer: Session) -> Session:
        """Raises `aiohttp.ClientError`."""
        headers = self._headers | {"Content-Type": "application/sdp"}
        async with self._session.post(self._path, data=offer.serialize(), headers=headers) as response:
            response.raise_for_status()
            self._location = response.headers["Location"]
            return parse_sdp(await response.text())
