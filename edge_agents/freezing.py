"""Sends frozen frames: the room asks for one, the feed's ring has it or not, the bytes go up by HTTP."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import random
from collections.abc import Awaitable, Callable
from typing import Final, Literal

import aiohttp
import structlog
from yarl import URL

from core.errors import NotFound, TeleconsultError
from core.messages import Model, StillMissing, TakeStill
from edge_agents.backoff import Backoff

MAX_WAITING: Final = 8
"""As many as a room may freeze at once."""
GIVE_UP_S: Final = 60.0
"""The room does not wait longer."""
NOT_WANTED: Final = frozenset({404, 409})
"""Put away meanwhile, or the site paused: the room knows."""
PNG_TYPE: Final = "image/png"

log = structlog.get_logger()

Take = Callable[[str, int], Awaitable[bytes]]
"""The frame of a feed (its name) captured then (Unix µs, our clock), as PNG. Raises `TeleconsultError`s."""


class StillSender:
    """`ask` for frames; they are sent one after the other. What cannot be had is said to the room."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        base_url: str,
        room: str,
        token: Callable[[], str],
        take: Take,
        say: Callable[[Model], None],
    ) -> None:
        self._session, self._token, self._take, self._say = session, token, take, say
        self._folder = URL(base_url) / "api/v1/rooms" / room / "stills"
        self._asked: set[str] = set()
        self._pictures: asyncio.Queue[tuple[str, bytes]] = asyncio.Queue(MAX_WAITING)
        self._taking: set[asyncio.Task[None]] = set()
        self._one_at_a_time = asyncio.Lock()

    def ask(self, wanted: TakeStill) -> None:
        """The frame is taken now, before it is forgotten. Asked again while under way: nothing changes."""
        if wanted.still_id in self._asked:
            return
        if len(self._asked) >= MAX_WAITING:
            self._say(StillMissing(still_id=wanted.still_id, problem="failed"))
            return
        self._asked.add(wanted.still_id)
        task = asyncio.get_running_loop().create_task(self._prepare(wanted))
        self._taking.add(task)
        task.add_done_callback(self._taking.discard)

    async def run(self) -> None:
        """Send what was taken, until cancelled."""
        try:
            while True:
                still_id, picture = await self._pictures.get()
                await self._send(still_id, picture)
                self._asked.discard(still_id)
        finally:
            for task in self._taking:
                task.cancel()

    async def _prepare(self, wanted: TakeStill) -> None:
        try:
            async with self._one_at_a_time:  # encoding two would cost live pictures a second core
                picture = await self._take(wanted.feed, wanted.captured_us)
        except TeleconsultError as error:
            gone = isinstance(error, NotFound)
            self._missing(wanted.still_id, "gone" if gone else "failed", error.code)
        except Exception:  # pictures must go on, whatever is wrong with a still
            log.exception("still_failed", still=wanted.still_id)
            self._missing(wanted.still_id, "failed", "bug")
        else:
            self._pictures.put_nowait((wanted.still_id, picture))

    def _missing(self, still_id: str, problem: Literal["gone", "failed"], reason: str) -> None:
        log.warning("still_missing", still=still_id, reason=reason)
        self._asked.discard(still_id)
        self._say(StillMissing(still_id=still_id, problem=problem))

    async def _send(self, still_id: str, picture: bytes) -> None:
        """Tries until it is there, refused for good, or too late."""
        backoff = Backoff()
        try:
            async with asyncio.timeout(GIVE_UP_S):
                status = await self._post(still_id, picture)
                while status is None:
                    await asyncio.sleep(backoff.next_delay_s(random.random()))  # noqa: S311 - spreads load, hides nothing
                    status = await self._post(still_id, picture)
        except TimeoutError:
            self._missing(still_id, "failed", "too_slow")
            return
        if status == 201:
            log.info("still_sent", still=still_id, size_bytes=len(picture))
        elif status in NOT_WANTED:
            log.info("still_not_wanted", still=still_id, status=status)
        else:
            self._missing(still_id, "failed", str(status))

    async def _post(self, still_id: str, picture: bytes) -> int | None:
        """The status; None: try again. The digest is RFC 9530's."""
        digest = base64.b64encode(hashlib.sha256(picture).digest()).decode()
        try:
            async with self._session.post(
                self._folder / still_id,
                data=picture,
                headers={
                    "Authorization": f"Bearer {self._token()}",
                    "Content-Type": PNG_TYPE,
                    "Content-Digest": f"sha-256=:{digest}:",
                },
                allow_redirects=False,
            ) as response:
                return None if response.status >= 500 and response.status != 507 else response.status
        except (aiohttp.ClientError, TimeoutError, OSError, TeleconsultError):
            return None
