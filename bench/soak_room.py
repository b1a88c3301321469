"""The life of a soak's room: people come and go, feeds too, networks are cut, views change. Seeded."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Final

import aiohttp

from bench.relay import Relay
from bench.room_feed import Feed
from bench.room_people import Person
from bench.room_service import ROOM, RoomService
from bench.room_viewer import Viewer
from core.errors import TeleconsultError

STEADY: Final = "steady"
COMING: Final = "coming"
FEEDS: Final = (STEADY, COMING)
MAX_GUESTS: Final = 4
CUT_S: Final = 2.5
REST_S: Final = 8.0
"""Between two cuts, so that the time without a picture is that of one."""
SIZES: Final = ((1920, 1080), (640, 360), (160, 90), (0, 0))
REFUSED: Final = (aiohttp.ClientError, TeleconsultError, TimeoutError, OSError)


class SoakRoom:
    """`async with SoakRoom(…) as room:`; every `act` does one thing. `acts` counts them, `failures` too."""

    def __init__(self, service: RoomService, session: aiohttp.ClientSession, seed: int = 1) -> None:
        self.acts: Counter[str] = Counter()
        self.failures: Counter[str] = Counter()
        self.steady: list[Viewer] = []
        self._service, self._session = service, session
        self._chance = random.Random(seed)
        self._people = [
            Person(session, service.seed.users[name]) for name in ("specialist", "specialist2", "site")
        ]
        self._stack = AsyncExitStack()
        self._guests: list[AsyncExitStack] = []
        self._relays: list[Relay] = []
        self._coming: AsyncExitStack | None = None
        self._next_cut_s = 0.0

    async def __aenter__(self) -> SoakRoom:
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(
                Feed(self._session, ROOM, STEADY, self._token, await self._relay(stack))
            )
            for person in self._people[:2]:
                viewer = Viewer(self._session, ROOM, person.room_token, await self._relay(stack))
                self.steady.append(await stack.enter_async_context(viewer))
            self._stack = stack.pop_all()
        return self

    async def __aexit__(self, *_: object) -> None:
        for guest in self._guests:
            await guest.aclose()
        if self._coming is not None:
            await self._coming.aclose()
        await self._stack.aclose()

    @property
    def _token(self) -> str:
        return self._service.seed.device_token

    async def act(self) -> None:
        """One thing by chance; what the service refuses is counted."""
        work: Callable[[], Awaitable[None]] = self._chance.choice(
            (self._join, self._join, self._leave, self._come_or_go, self._cut, self._rebind, self._look)
        )
        name = work.__name__.strip("_")
        self.acts[name] += 1
        try:
            await work()
        except REFUSED as error:
            self.failures[f"{name}: {type(error).__name__}"] += 1

    async def _relay(self, stack: AsyncExitStack) -> Relay:
        relay = await Relay.open(("127.0.0.1", self._service.media_port))
        self._relays.append(relay)
        stack.callback(relay.close)
        return relay

    async def _join(self) -> None:
        if len(self._guests) >= MAX_GUESTS:
            await self._leave()
        async with AsyncExitStack() as stack:
            person = self._chance.choice(self._people)
            await stack.enter_async_context(Viewer(self._session, ROOM, person.room_token))
            self._guests.append(stack.pop_all())

    async def _leave(self) -> None:
        if self._guests:
            await self._guests.pop(self._chance.randrange(len(self._guests))).aclose()

    async def _come_or_go(self) -> None:
        coming, self._coming = self._coming, None
        if coming is not None:
            await coming.aclose()
            return
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(Feed(self._session, ROOM, COMING, self._token))
            self._coming = stack.pop_all()

    async def _cut(self) -> None:
        now_s = asyncio.get_running_loop().time()
        if now_s < self._next_cut_s:
            return
        self._next_cut_s = now_s + CUT_S + REST_S
        relay = self._chance.choice(self._relays)
        relay.cut = True
        try:
            await asyncio.sleep(CUT_S)
        finally:
            relay.cut = False

    async def _rebind(self) -> None:
        await self._chance.choice(self._relays).rebind()

    async def _look(self) -> None:
        viewer = self._chance.choice(self.steady)
        sizes = {STEADY: self._chance.choice(SIZES[:-1]), COMING: self._chance.choice(SIZES)}
        await viewer.show(sizes, self._chance.choice((*FEEDS, "")))
