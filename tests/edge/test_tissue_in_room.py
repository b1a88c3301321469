"""The whole way at the box: drawings come from the room, where they have moved goes back."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import numpy as np
from aiohttp import web

from core.clock import SystemClock
from core.messages import AnnotationDocument, AnnotationsSynced, ConsultationInfo, Participant, Welcome
from edge_agents.agent import Agent
from edge_agents.config import parse_config
from tests.edge.test_tissue import mark

FEED = "card"
WITHIN_S = 30.0
LABEL = np.array([[0.02, 0.5], [0.2, 0.56]])
"""The test card's own name, which stands still."""


class Room:
    """The part of signalling that a box talks to."""

    def __init__(self) -> None:
        self.agent: Agent | None = None
        self.open_socket: web.WebSocketResponse | None = None
        self.said: asyncio.Queue[dict[str, Any]] = asyncio.Queue()

    async def socket(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        self.open_socket = socket
        async for message in socket:
            said = json.loads(message.data)
            if said["type"] == "hello":
                await socket.send_str(welcome().model_dump_json())
            elif said["type"] == "sync_annotations":
                captured_us = await self.newest_frame_us()
                marks = [
                    mark(LABEL, captured_us, feed=FEED),
                    mark(LABEL, captured_us, "m2", anchor="screen", feed=FEED),
                ]
                whole = AnnotationDocument(feed=FEED, document_id="d", seq=2, marks=marks)
                await socket.send_str(whole.model_dump_json())
                await socket.send_str(AnnotationsSynced(feeds=[FEED]).model_dump_json())
            else:
                self.said.put_nowait(said)
        return socket

    async def refuse(self, request: web.Request) -> web.Response:
        return web.Response(status=503)

    async def newest_frame_us(self) -> int:
        """Of what the box has captured."""
        async with asyncio.timeout(WITHIN_S):
            while True:
                assert self.agent is not None
                feed = self.agent._feeds.get(FEED)
                if feed is not None and (frames := feed.stills.since(-1)):
                    return frames[-1].captured.unix_us
                await asyncio.sleep(0.02)


def welcome() -> Welcome:
    return Welcome(
        participant=Participant(participant_id="p1", name="box", role="device"),
        resume_token="r",
        room="demo",
        consultation=ConsultationInfo(consultation_id="c1", opened_at_us=0),
        participants=[],
        tracks=[],
        server_time_us=0,
    )


@asynccontextmanager
async def running(tmp_path: Path, **settings: Any) -> AsyncIterator[Room]:
    """`settings`: of the feed, instead of the test card's."""
    room, app = Room(), web.Application()
    app.router.add_get("/ws", room.socket)
    app.router.add_post("/whip/{room}/{feed}", room.refuse)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    (tmp_path / "token").write_text("token")
    feed = {
        "name": FEED,
        "source": {"kind": "testcard"},
        "width": 640,
        "height": 360,
        "fps": 15,
        "still_mb": 8,
    }
    url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    values = {
        "server": url,
        "room": "demo",
        "token_file": "token",
        "feeds": [{**feed, "encoder": "libx264", **settings}],
    }
    async with aiohttp.ClientSession() as session:
        room.agent = Agent(parse_config(values, tmp_path / "edge.toml"), session, SystemClock())
        work = asyncio.create_task(room.agent.run())
        try:
            yield room
        finally:
            work.cancel()
            await asyncio.gather(work, return_exceptions=True)
            await runner.cleanup()


async def test_a_box_says_for_every_frame_where_the_marks_on_tissue_are(tmp_path: Path) -> None:
    async with running(tmp_path) as room, asyncio.timeout(WITHIN_S):
        told = []
        while len(told) < 10:
            said = await room.said.get()
            if said["type"] == "move_marks":
                told.append(said)
        assert {one["feed"] for one in told} == {FEED}
        assert [[moved["mark_id"] for moved in one["marks"]] for one in told] == [["m1"]] * 10
        times_us = [one["captured_us"] for one in told]
        assert times_us == sorted(set(times_us))
        assert {moved["state"] for one in told for moved in one["marks"]} == {"held"}
        assert np.allclose([one["marks"][0]["motion"] for one in told], [1, 0, 0, 1, 0, 0], atol=0.01)
        assert room.agent is not None
        still = await room.agent._feeds[FEED].still(times_us[-1])
        assert still.startswith(b"\x89PNG")
