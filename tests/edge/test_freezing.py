"""The whole way at the box: the room asks for a frame, that very frame goes up; or it is said why not."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import av
import cv2
import numpy as np
import pytest
from aiohttp import web

from core.clock import SystemClock
from core.messages import ConsultationInfo, Model, Participant, PausedChanged, TakeStill, Welcome
from edge_agents.agent import Agent
from edge_agents.config import parse_config
from edge_agents.freezing import MAX_WAITING
from edge_agents.sources.base import CapturedFrame, Instant
from edge_agents.still import NEAR_US, StillRing
from edge_agents.timecode import decode

FEED = "card"
WITHIN_S = 30.0
US_PER_FRAME = 66_667


@dataclass
class Sent:
    """An upload, as it came."""

    still_id: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Room:
    """The part of signalling that a box talks to. `answers`: the statuses of the next uploads; then 201."""

    paused: bool = False
    answers: list[int] = field(default_factory=list)
    said: asyncio.Queue[dict[str, Any]] = field(default_factory=asyncio.Queue)
    sent: asyncio.Queue[Sent] = field(default_factory=asyncio.Queue)
    here: asyncio.Queue[web.WebSocketResponse] = field(default_factory=asyncio.Queue)
    agent: Agent | None = None

    async def socket(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        async for message in socket:
            said = json.loads(message.data)
            if said["type"] == "hello":
                await socket.send_str(self.welcome().model_dump_json())
                self.here.put_nowait(socket)
            elif said["type"] == "still_missing":
                self.said.put_nowait(said)
        return socket

    async def upload(self, request: web.Request) -> web.Response:
        body = await request.read()
        self.sent.put_nowait(Sent(request.match_info["still"], dict(request.headers), body))
        return web.Response(status=self.answers.pop(0) if self.answers else 201)

    async def refuse(self, request: web.Request) -> web.Response:
        return web.Response(status=503)

    def welcome(self) -> Welcome:
        consultation = ConsultationInfo(consultation_id="c1", opened_at_us=0, paused=self.paused)
        return Welcome(
            participant=Participant(participant_id="p1", name="box", role="device"),
            resume_token="r",
            room="demo",
            consultation=consultation,
            participants=[],
            tracks=[],
            server_time_us=0,
        )

    @property
    def ring(self) -> StillRing:
        assert self.agent is not None
        return self.agent._feeds[FEED].stills

    async def frames(self, count: int = 3) -> list[CapturedFrame]:
        """So many that the box holds."""
        async with asyncio.timeout(WITHIN_S):
            while True:
                held = self.ring.since(-1) if self.agent and FEED in self.agent._feeds else []
                if len(held) >= count:
                    return held
                await asyncio.sleep(0.02)


@asynccontextmanager
async def running(tmp_path: Path, room: Room) -> AsyncIterator[web.WebSocketResponse]:
    app = web.Application(client_max_size=1 << 26)
    app.router.add_get("/ws", room.socket)
    app.router.add_post("/whip/{room}/{feed}", room.refuse)
    app.router.add_post("/api/v1/rooms/demo/stills/{still}", room.upload)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    (tmp_path / "token").write_text("token")
    size = {"width": 640, "height": 360, "fps": 15, "still_mb": 8}
    card = {"name": FEED, "source": {"kind": "testcard"}, "encoder": "libx264", **size}
    url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    values = {"server": url, "room": "demo", "token_file": "token", "feeds": [card]}
    async with aiohttp.ClientSession() as session:
        room.agent = Agent(parse_config(values, tmp_path / "edge.toml"), session, SystemClock())
        work = asyncio.create_task(room.agent.run())
        try:
            async with asyncio.timeout(WITHIN_S):
                yield await room.here.get()
        finally:
            work.cancel()
            await asyncio.gather(work, return_exceptions=True)
            await runner.cleanup()


async def tell(socket: web.WebSocketResponse, message: Model) -> None:
    await socket.send_str(message.model_dump_json())


async def ask(
    socket: web.WebSocketResponse, captured_us: int, still_id: str = "fz_1", feed: str = FEED
) -> None:
    await tell(socket, TakeStill(still_id=still_id, feed=feed, captured_us=captured_us))


def time_of(png: bytes) -> int | None:
    """The test card's time code, read from the still."""
    picture = cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_GRAYSCALE)
    assert picture is not None
    return decode(np.asarray(picture))


@pytest.mark.parametrize("off_us", [0, 3_000, -3_000])
async def test_the_very_frame_goes_up_though_the_rooms_clock_is_a_little_off(
    tmp_path: Path, off_us: int
) -> None:
    room = Room()
    async with running(tmp_path, room) as socket:
        frame = (await room.frames())[-2]
        await ask(socket, frame.captured.unix_us + off_us)
        sent = await room.sent.get()
        assert time_of(sent.body) == frame.captured.unix_us
        digest = base64.b64encode(hashlib.sha256(sent.body).digest()).decode()
        assert sent.still_id == "fz_1"
        assert sent.headers["Content-Digest"] == f"sha-256=:{digest}:"
        assert sent.headers["Authorization"] == "Bearer token"
        assert sent.headers["Content-Type"] == "image/png"


async def test_a_frame_that_is_not_held_is_said_to_be_gone(tmp_path: Path) -> None:
    room = Room()
    async with running(tmp_path, room) as socket:
        frame = (await room.frames())[0]
        for wanted_us, feed in (
            (frame.captured.unix_us - 10_000_000, FEED),
            (frame.captured.unix_us, "other"),
        ):
            await ask(socket, wanted_us, feed=feed)
            assert await room.said.get() == {"type": "still_missing", "still_id": "fz_1", "problem": "gone"}
        assert room.sent.empty()


async def test_a_privacy_pause_empties_the_ring_and_nothing_of_it_is_ever_sent(tmp_path: Path) -> None:
    room = Room()
    async with running(tmp_path, room) as socket:
        before = (await room.frames())[-1]
        assert room.agent is not None
        captured = room.agent._feeds[FEED].pipeline.stats
        await tell(socket, PausedChanged(paused=True, at_us=0))
        while room.ring.since(-1):
            await asyncio.sleep(0.02)
        assert room.ring.held_bytes == 0
        paused_from = captured.captured
        while captured.captured < paused_from + 5:
            await asyncio.sleep(0.02)
        assert room.ring.since(-1) == []
        await ask(socket, before.captured.unix_us)
        assert (await room.said.get())["problem"] == "gone"
        during_us = SystemClock().unix_ns() // 1_000
        await tell(socket, PausedChanged(paused=False, at_us=0))
        after = (await room.frames())[0]
        assert after.captured.unix_us > during_us - US_PER_FRAME
        await ask(socket, during_us - 2 * US_PER_FRAME)
        assert (await room.said.get())["problem"] == "gone"
        await ask(socket, after.captured.unix_us)
        assert time_of((await room.sent.get()).body) == after.captured.unix_us


async def test_who_comes_into_a_room_that_pauses_holds_nothing(tmp_path: Path) -> None:
    room = Room(paused=True)
    async with running(tmp_path, room) as socket:
        assert room.agent is not None
        while FEED not in room.agent._feeds or room.agent._feeds[FEED].pipeline.stats.captured < 3:
            await asyncio.sleep(0.02)
        assert room.ring.since(-1) == []
        await tell(socket, PausedChanged(paused=False, at_us=0))
        assert await room.frames()


async def test_an_upload_that_fails_is_tried_again_and_one_that_is_refused_is_said(tmp_path: Path) -> None:
    room = Room(answers=[503, 201, 413, 409, 404])
    async with running(tmp_path, room) as socket:
        wanted_us = (await room.frames())[-1].captured.unix_us
        await ask(socket, wanted_us, "fz_1")
        assert [(await room.sent.get()).still_id for _ in range(2)] == ["fz_1", "fz_1"]
        await ask(socket, wanted_us, "fz_2")
        assert await room.said.get() == {"type": "still_missing", "still_id": "fz_2", "problem": "failed"}
        await ask(socket, wanted_us, "fz_3")
        await ask(socket, wanted_us, "fz_4")
        await ask(socket, wanted_us, "fz_5")
        assert [(await room.sent.get()).still_id for _ in range(4)] == ["fz_2", "fz_3", "fz_4", "fz_5"]
        assert room.said.empty()


async def test_what_is_asked_at_once_is_bounded_and_the_same_twice_is_one(tmp_path: Path) -> None:
    room = Room()
    async with running(tmp_path, room) as socket:
        wanted_us = (await room.frames())[-1].captured.unix_us
        for number in range(MAX_WAITING + 1):
            await ask(socket, wanted_us, f"fz_{number}")
            await ask(socket, wanted_us, f"fz_{number}")
        sent = [(await room.sent.get()).still_id for _ in range(MAX_WAITING)]
        assert sent == [f"fz_{number}" for number in range(MAX_WAITING)]
        assert {(await room.said.get())["still_id"] for _ in range(2)} == {f"fz_{MAX_WAITING}"}


def test_the_nearest_frame_is_meant_and_none_that_is_farther_than_half_a_frame() -> None:
    ring = StillRing()
    frames = [
        CapturedFrame(av.VideoFrame(64, 48, "yuv420p"), Instant(1_000_000 + 16_667 * number, 0))
        for number in range(3)
    ]
    for frame in frames:
        ring.put(frame)
    assert ring.find(1_016_667 + NEAR_US - 500, NEAR_US) is frames[1]
    assert ring.find(1_016_667 - NEAR_US + 500, NEAR_US) is frames[1]
    assert ring.find(1_033_334 + NEAR_US + 1, NEAR_US) is None
    assert ring.find(1_016_667 + 1_001) is None
