"""The attackers, in a process of their own: started by the judge, which tells them where; they say once a
second what they did, in lines of JSON, until their standard input ends.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import sys
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import aiohttp

from bench.room_feed import Feed
from bench.room_people import Person
from bench.room_service import ROOM
from bench.room_viewer import Viewer
from core.errors import TeleconsultError
from core.logging import configure_logging
from tests.fuzz.live.insiders import publisher_strikes, viewer_strikes
from tests.fuzz.live.stock import Stock

HOSTILE_FEED = "hostile"
PASSING_FEED = "passing"
STEP_S = 0.01
OFTEN_S = 20.0
"""An insider begins anew so often: the first moments of a connection are the most delicate."""
RATES_PER_S = {"strangers": 1_500, "publisher": 400, "viewer": 400, "tcp": 20, "http": 12, "room": 60}
SERVER_ERROR = 500
UNAVAILABLE = 503
EXPECTED = (aiohttp.ClientError, TeleconsultError, TimeoutError, OSError, ValueError)
"""What an attacker has to live with."""


@dataclass
class Where:
    """What the attackers know: places, and the tokens and the password of those they play."""

    base_url: str
    media_port: int
    whip_token: str
    whep_token: str
    person: tuple[str, str]
    seed: int
    factor: float = 1.0
    """Of all rates."""


class Attack:
    """All attackers. `done` counts what they sent, `wrong` what must not happen."""

    def __init__(self, where: Where, session: aiohttp.ClientSession) -> None:
        self.done: Counter[str] = Counter()
        self.wrong: Counter[str] = Counter()
        self._where, self._session = where, session
        self._person = Person(session, where.person)
        self._socks = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(8)]
        for sock in self._socks:
            sock.setblocking(False)

    async def run(self) -> None:
        """Until cancelled."""
        works = (self.strangers, self.publisher, self.viewer, self.tcp, self.http, self.room)
        async with asyncio.TaskGroup() as group:
            for number, work in enumerate(works):
                group.create_task(self._again(work, Stock(self._where.seed * 100 + number)))

    async def _again(self, work: Callable[[Stock], Awaitable[None]], stock: Stock) -> None:
        """An attacker that was thrown out comes back."""
        while True:
            try:
                await work(stock)
            except EXPECTED as error:
                self.done[f"{work.__name__} begins again: {type(error).__name__}"] += 1
            await asyncio.sleep(0.2)

    async def strangers(self, stock: Stock) -> None:
        """Anything to the media port, from a few addresses."""
        place = ("127.0.0.1", self._where.media_port)

        async def strike() -> int:
            with contextlib.suppress(OSError):
                stock.chance.choice(self._socks).sendto(stock.datagram(), place)
                return 1
            return 0

        await self._at_rate("strangers", strike, OFTEN_S)

    async def publisher(self, stock: Stock) -> None:
        """A feed that everybody in the room is shown, and the recorder records."""
        async with Feed(self._session, ROOM, HOSTILE_FEED, self._where.whip_token) as feed:
            await self._at_rate("publisher", lambda: _now(publisher_strikes(feed, stock)), OFTEN_S)

    async def viewer(self, stock: Stock) -> None:
        """Somebody who watches, and reports nonsense."""
        async with Viewer(self._session, ROOM, self._person.room_token) as viewer:
            await self._at_rate("viewer", lambda: _now(viewer_strikes(viewer, stock)), OFTEN_S)
            self.wrong["viewer: internal error"] += viewer.errors.count("internal")

    async def tcp(self, stock: Stock) -> None:
        """Connections to the media port that say something else, slowly or at once, or nothing."""

        async def strike() -> int:
            with contextlib.suppress(OSError, TimeoutError):
                async with asyncio.timeout(1.0):
                    _, writer = await asyncio.open_connection("127.0.0.1", self._where.media_port)
                    data = stock.of("framing")[1:]
                    cut = stock.pick((1, 3, 40, 65_536))
                    for at in range(0, min(len(data), 50 * cut), cut):
                        writer.write(data[at : at + cut])
                    await writer.drain()
                    writer.transport.abort() if stock.chance.random() < 0.5 else writer.close()
                return 1
            return 0

        await self._at_rate("tcp", strike, OFTEN_S)

    async def http(self, stock: Stock) -> None:
        """WHIP, WHEP and the API with changed bodies; what succeeds is ended again."""
        await self._at_rate("http", lambda: self._request(stock), OFTEN_S)

    async def _request(self, stock: Stock) -> int:
        method, path, body, headers = self._wish(stock)
        timeout = aiohttp.ClientTimeout(total=10)
        async with self._session.request(
            method, path, data=body, headers=headers, timeout=timeout
        ) as response:
            await response.read()
            if response.status >= SERVER_ERROR and response.status != UNAVAILABLE:
                self.wrong[f"{method} {path.split('/')[1]}: {response.status}"] += 1
            self.done[f"HTTP {response.status}"] += 1
            location, etag = response.headers.get("Location"), response.headers.get("ETag", "*")
        if response.status == 201 and location:
            await self._disturb(stock, location, headers | {"If-Match": etag})
        return 1

    def _wish(self, stock: Stock) -> tuple[str, str, bytes, dict[str, str]]:
        sdp = {"Content-Type": "application/sdp"}
        kind = stock.pick(range(6))
        if kind < 2:
            whip = sdp | {"Authorization": f"Bearer {self._where.whip_token}"}
            return "POST", f"/whip/{ROOM}/{PASSING_FEED}", stock.of("negotiation"), whip
        if kind < 4:
            whep = sdp | {"Authorization": f"Bearer {self._where.whep_token}"}
            return "POST", f"/whep/{ROOM}/steady", stock.of("negotiation"), whep
        path = stock.chance.choice(("/api/v1/invitations/redeem", "/api/v1/auth/refresh", "/api/v1/nothing"))
        return "POST", path, stock.of("messages"), {"Content-Type": "application/json"}

    async def _disturb(self, stock: Stock, location: str, headers: dict[str, str]) -> None:
        """Trickle nonsense into a session that stands, then end it."""
        patch = headers | {"Content-Type": "application/trickle-ice-sdpfrag"}
        async with self._session.patch(location, data=stock.of("fragment"), headers=patch) as response:
            self.done[f"PATCH {response.status}"] += 1
            if response.status >= SERVER_ERROR and response.status != UNAVAILABLE:
                self.wrong[f"PATCH: {response.status}"] += 1
        async with self._session.delete(location, headers={"Authorization": headers["Authorization"]}):
            pass

    async def room(self, stock: Stock) -> None:
        """A member whose messages are changed ones."""
        token = await self._person.room_token()
        protocols = ("teleconsult.v1", f"token.{token}")
        async with self._session.ws_connect(f"/ws?room={ROOM}", protocols=protocols) as socket_:
            await socket_.send_str('{"type":"hello"}')
            reading = asyncio.create_task(self._listen(socket_))
            try:
                await self._at_rate("room", lambda: self._say(socket_, stock), OFTEN_S)
            finally:
                reading.cancel()

    async def _say(self, socket_: aiohttp.ClientWebSocketResponse, stock: Stock) -> int:
        if socket_.closed:
            raise ConnectionError(f"thrown out: {socket_.close_code}")
        if stock.chance.random() < 0.02:
            await socket_.send_bytes(stock.of("rtp"))
        else:
            await socket_.send_str(stock.text("messages"))
        return 1

    async def _listen(self, socket_: aiohttp.ClientWebSocketResponse) -> None:
        async for frame in socket_:
            heard: dict[str, Any] = json.loads(frame.data)
            if heard["type"] == "error" and heard["code"] == "internal":
                self.wrong[f"room: internal error about {heard.get('about')}"] += 1

    async def _at_rate(self, name: str, strike: Callable[[], Awaitable[int]], seconds: float) -> None:
        """So many strikes a second, for so long; what a busy machine does not manage is not made up for."""
        loop = asyncio.get_running_loop()
        rate = RATES_PER_S[name] * self._where.factor
        begin_s = last_s = loop.time()
        owed = 0.0
        while (now_s := loop.time()) - begin_s < seconds:
            owed = min(owed + (now_s - last_s) * rate, rate * 0.1 + 1)
            last_s = now_s
            while owed >= 1:
                owed -= 1
                self.done[name] += await strike()
            await asyncio.sleep(STEP_S)


async def _now(sent: int) -> int:
    return sent


async def main() -> None:
    """The judge's first line says where."""
    loop, reader = asyncio.get_running_loop(), asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    where = Where(**json.loads(await reader.readline()))
    async with aiohttp.ClientSession(where.base_url) as session:
        attack = Attack(where, session)
        running = asyncio.create_task(attack.run())
        ending = asyncio.create_task(reader.read())
        while not ending.done() and not running.done():
            await asyncio.wait([ending, running], timeout=1.0, return_when=asyncio.FIRST_COMPLETED)
            print(json.dumps({"done": attack.done, "wrong": attack.wrong}), flush=True)
        running.cancel()
        await asyncio.wait([running])
        if not running.cancelled() and (error := running.exception()) is not None:
            raise error


if __name__ == "__main__":
    import uvloop

    configure_logging("error", "attack")
    uvloop.run(main())
