"""Signaling is killed while three people draw: they go on, nothing they were told is lost, all agree."""

from __future__ import annotations

import asyncio
import itertools
import time
from dataclasses import dataclass, field
from typing import Any, Final

import aiohttp
import pytest

from annotation.replica import Replica
from core import messages
from core.annotations import Add, DocumentSeen, Extend, NewMark, Operation
from tests.support.demo import Demo
from tests.support.rest import Rest

pytestmark = [pytest.mark.browser, pytest.mark.timeout(180)]

FEED: Final = "theatre"
PEOPLE: Final = ("specialist", "specialist2", "site")
KILLS: Final = 3
DRAWN_BETWEEN: Final = 60
"""Operations of each person that are confirmed before signaling is killed (again)."""
EVERY_S: Final = 0.033
PIECES: Final = 12
"""Of a stroke."""
WITHIN_S: Final = 60.0
SYNC_AGAIN_S: Final = 0.5


@dataclass
class Artist:
    """Somebody's page, as far as drawing goes: a replica, and what the server has not confirmed."""

    demo: Demo
    name: str
    token: str
    replica: Replica = field(default_factory=Replica)
    pending: dict[str, Operation] = field(default_factory=dict)
    confirmed: dict[str, Operation] = field(default_factory=dict)
    refused: list[str] = field(default_factory=list)
    drawing: bool = True
    connections: int = 0
    _socket: aiohttp.ClientWebSocketResponse | None = None
    _parts: list[Any] = field(default_factory=list)
    _synced: bool = False
    _count: itertools.count[int] = field(default_factory=itertools.count)

    @property
    def is_back(self) -> bool:
        """After the last kill."""
        return self._synced and self.connections > KILLS

    async def stay(self, http: aiohttp.ClientSession) -> None:
        """In the room, coming back for as long as it takes."""
        while True:
            try:
                await self._attend(http)
            except (aiohttp.ClientError, OSError, ValueError):
                await asyncio.sleep(0.2)
            finally:
                self._socket, self._synced = None, False

    async def _attend(self, http: aiohttp.ClientSession) -> None:
        url = f"{self.demo.base_url}/ws?room=demo"
        async with http.ws_connect(url, protocols=("teleconsult.v1", f"token.{self.token}")) as socket:
            self.connections += 1
            self._socket = socket
            await socket.send_str(messages.Hello().model_dump_json())
            async for frame in socket:
                await self._hear(messages.parse_server_message(frame.data))

    async def _hear(self, message: Any) -> None:
        match message:
            case messages.Welcome():
                await self._sync()
            case messages.AnnotationDocument(feed=feed) if feed == FEED:
                self._parts = message.marks if message.first else [*self._parts, *message.marks]
                if message.last:
                    self.replica.load(message.document_id, message.seq, self._parts, message.calibration)
            case messages.AnnotationsChanged(feed=feed) if feed == FEED:
                await self._changed(message)
            case messages.AnnotationsSynced():
                await self._say_again()
            case messages.Error(about="annotate", ref=str() as ref):
                self.refused.append(f"{ref} {message.code}")
            case messages.Error(about="sync_annotations"):
                await asyncio.sleep(SYNC_AGAIN_S)
                await self._sync()

    async def _changed(self, message: messages.AnnotationsChanged) -> None:
        if not self.replica.document_id and message.changes[0].seq == 1:
            self.replica.load(message.document_id, 0, [], None)
        for change in message.changes:
            if not self.replica.apply(message.document_id, change):
                await self._sync()
                return
            if change.op_id in self.pending:
                self.confirmed[change.op_id] = self.pending.pop(change.op_id)

    async def _say_again(self) -> None:
        """What nobody confirmed, in its order: what is drawn meanwhile must not overtake it."""
        said: set[str] = set()
        while waiting := [op_id for op_id in self.pending if op_id not in said]:
            for op_id in waiting:
                if op_id in self.pending:
                    await self._say(op_id, self.pending[op_id])
            said.update(waiting)
        self._synced = True

    async def _sync(self) -> None:
        known = self.replica.document_id
        seen = [DocumentSeen(feed=FEED, document_id=known, seq=self.replica.seq)] if known else []
        assert self._socket is not None
        await self._socket.send_str(messages.SyncAnnotations(seen=seen).model_dump_json())

    async def _say(self, op_id: str, operation: Operation) -> None:
        if self._socket is not None and not self._socket.closed:
            said = messages.Annotate(op_id=op_id, feed=FEED, operation=operation)
            await self._socket.send_str(said.model_dump_json())

    async def draw(self) -> None:
        """Strokes, a piece 30 times a second, connected or not."""
        while self.drawing:
            number = next(self._count)
            stroke, piece = divmod(number, PIECES)
            op_id, operation = f"{self.name}-{number}", piece_of(f"{self.name}-{stroke}", piece)
            self.pending[op_id] = operation
            if self._synced:
                try:
                    await self._say(op_id, operation)
                except (aiohttp.ClientError, OSError):
                    self._synced = False  # it is said again after the next sync
            await asyncio.sleep(EVERY_S)


def piece_of(mark_id: str, piece: int) -> Operation:
    place = [0.1 + piece / 20, 0.5]
    if piece == 0:
        mark = NewMark(mark_id=mark_id, tool="pen", colour="#e5484d", width=0.004, points=place)
        return Add(mark=mark, step=mark_id)
    return Extend(mark_id=mark_id, start=piece, points=place, step=mark_id)


async def until(condition: Any, what: str, artists: list[Artist]) -> None:
    deadline = time.monotonic() + WITHIN_S
    while not condition():
        told = [(one.name, len(one.pending), len(one.confirmed), one.refused[-3:]) for one in artists]
        assert time.monotonic() < deadline, (what, told)
        await asyncio.sleep(0.02)


async def draw_through_kills(artists: list[Artist]) -> None:
    """Each kill hits somewhere in the middle of what everybody does."""
    async with aiohttp.ClientSession() as http:
        staying = [asyncio.create_task(one.stay(http)) for one in artists]
        drawing = [asyncio.create_task(one.draw()) for one in artists]
        for _ in range(KILLS):
            before = {one.name: len(one.confirmed) for one in artists}
            wanted = {name: count + DRAWN_BETWEEN for name, count in before.items()}
            await until(
                lambda wanted=wanted: all(len(one.confirmed) >= wanted[one.name] for one in artists),
                "everybody draws",
                artists,
            )
            await asyncio.to_thread(artists[0].demo.wait_for_spare)
            artists[0].demo.kill_role("signaling")
        for one in artists:
            one.drawing = False
        await asyncio.gather(*drawing)
        # Who had everything confirmed just before the last kill has to come back, too.
        await until(lambda: all(one.is_back for one in artists), "everybody is back", artists)
        await until(lambda: not any(one.pending for one in artists), "everything is confirmed", artists)
        await until(
            lambda: len({(one.replica.document_id, one.replica.seq) for one in artists}) == 1,
            "all have heard everything",
            artists,
        )
        for task in staying:
            task.cancel()
        await asyncio.gather(*staying, return_exceptions=True)


def points_wanted(artists: list[Artist]) -> dict[str, int]:
    """Of every stroke that anybody was told is there: how many points they were told it has."""
    wanted: dict[str, int] = {}
    for one in artists:
        for operation in one.confirmed.values():
            if isinstance(operation, Add):
                wanted.setdefault(operation.mark.mark_id, 1)
            elif isinstance(operation, Extend):
                wanted[operation.mark_id] = max(wanted.get(operation.mark_id, 0), operation.start + 1)
    return wanted


def test_signaling_is_killed_while_three_people_draw(small_demo: Demo) -> None:
    base = small_demo.base_url
    tokens = {name: Rest.signed_in(base, small_demo.user(name)).room_token() for name in PEOPLE}
    artists = [Artist(small_demo, name, tokens[name]) for name in PEOPLE]
    asyncio.run(draw_through_kills(artists))
    first, *others = artists
    assert all(one.connections > KILLS for one in artists)
    for other in others:
        assert list(other.replica.marks.values()) == list(first.replica.marks.values())
    wanted = points_wanted(artists)
    assert {name: len(first.replica.marks[name].points) // 2 for name in wanted} == wanted
    assert len(wanted) > KILLS * DRAWN_BETWEEN * len(PEOPLE) // PIECES
