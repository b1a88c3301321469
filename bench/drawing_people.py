"""People who draw without a browser, as quickly as a browser says it: thirty pieces of a stroke a second."""

from __future__ import annotations

import asyncio
import contextlib
import json
import math
from itertools import count
from typing import Any, Final

import aiohttp

from bench.room_service import ROOM, RoomService
from core.clock import SystemClock
from core.people import Organisation
from core.tokens import Revocations, Tokens, load_or_create_keys
from signaling.grants import room_grants
from signaling.seed import issue_room_token

PIECE_EVERY_S: Final = 1 / 30
POINTS_PER_PIECE: Final = 4
PIECES_PER_STROKE: Final = 60
MARKS_A_SECOND: Final = 40
"""Of one person, without pieces: within what the server takes."""
POINTS_PER_MARK: Final = 60


class Drawer:
    """`async with Drawer(…) as drawer:` has a seat. `number` makes names and places."""

    def __init__(self, session: aiohttp.ClientSession, service: RoomService, number: int, feed: str) -> None:
        self._session, self._service, self._number, self._feed = session, service, number, feed
        self._ids = count(1)
        self._socket: aiohttp.ClientWebSocketResponse
        self._hearing: asyncio.Task[None]
        self.refused: list[str] = []

    async def __aenter__(self) -> Drawer:
        protocols = ("teleconsult.v1", f"token.{self._token()}")
        self._socket = await self._session.ws_connect(f"/ws?room={ROOM}", protocols=protocols)
        await self._socket.send_str('{"type": "hello"}')
        self._hearing = asyncio.create_task(self._hear())
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._socket.close()
        self._hearing.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._hearing

    async def put(self, marks: int) -> None:
        """So many whole marks, which then rest."""
        for _ in range(marks):
            name = f"m{self._number}-{next(self._ids)}"
            await self._say({"op": "add", "mark": self._mark(name, self._points(0, POINTS_PER_MARK))})
            await asyncio.sleep(1 / MARKS_A_SECOND)

    async def draw(self, seconds: float) -> None:
        """Stroke after stroke, the last one taken back before the next: what is there grows no further."""
        until = asyncio.get_running_loop().time() + seconds
        while asyncio.get_running_loop().time() < until:
            name = f"m{self._number}-{next(self._ids)}"
            await self._say(
                {"op": "add", "mark": self._mark(name, self._points(0, POINTS_PER_PIECE)), "step": name}
            )
            for piece in range(1, PIECES_PER_STROKE):
                await asyncio.sleep(PIECE_EVERY_S)
                start = piece * POINTS_PER_PIECE
                points = self._points(start, POINTS_PER_PIECE)
                await self._say(
                    {"op": "extend", "mark_id": name, "start": start, "points": points, "step": name}
                )
            await self._say({"op": "undo"})

    def _points(self, start: int, many: int) -> list[float]:
        """A piece of a long curve."""
        shift = 0.1 * (self._number % 5)
        found: list[float] = []
        for at in range(start, start + many):
            turn = at / 40
            found += [0.3 + shift + 0.08 * math.cos(turn), 0.5 + 0.3 * math.sin(1.7 * turn + self._number)]
        return [round(min(1.0, max(0.0, value)), 5) for value in found]

    def _mark(self, name: str, points: list[float]) -> dict[str, Any]:
        return {"mark_id": name, "tool": "pen", "colour": "#34c7ff", "width": 0.006, "points": points}

    async def _say(self, operation: dict[str, Any]) -> None:
        op_id = f"o{self._number}-{next(self._ids)}"
        said = {"type": "annotate", "op_id": op_id, "feed": self._feed, "operation": operation}
        await self._socket.send_str(json.dumps(said))

    async def _hear(self) -> None:
        async for message in self._socket:
            if isinstance(message.data, str) and '"type":"error"' in message.data:
                self.refused.append(message.data)

    def _token(self) -> str:
        settings = self._service.settings
        tokens = Tokens(load_or_create_keys(settings.token_key_file), SystemClock(), Revocations())
        consultation = self._service.seed.consultation
        return issue_room_token(
            tokens,
            consultation,
            sub=f"u_drawer{self._number}",
            role="specialist",
            name=f"Drawer {self._number}",
            organisation=Organisation(consultation.organisation_id, "Drawers"),
            grants=room_grants("specialist"),
        )
