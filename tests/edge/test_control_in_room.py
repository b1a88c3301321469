"""The whole way at the box: granted in the room, confirmed on its page, pressed into a recording."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import structlog
from aiohttp import web

from core.clock import SystemClock
from core.control import Control, Pointer, Pressed
from core.messages import (
    CheckCode,
    ControlChanged,
    ControlPressed,
    Model,
    PausedChanged,
    Pong,
    TrackAdded,
    TrackChanged,
    TrackInfo,
)
from edge_agents.box import Box
from edge_agents.config import parse_config
from edge_agents.hid_reports import keyboard_report
from edge_agents.log_knob import LogKnob
from edge_agents.room import SILENCE_LIMIT_S
from edge_agents.status import ControlStatus
from tests.edge.test_tissue_in_room import FEED, WITHIN_S, welcome

TESTCARD = {"kind": "testcard"}
A, UP = keyboard_report(["KeyA"]).hex(), bytes(8).hex()
TRACK = TrackInfo(
    track_id="tr_1", participant_id="p1", feed=FEED, kind="video", source="device", codec="H264"
)


class Room:
    """The part of signalling that remote control needs; the track is in every welcome."""

    def __init__(self, tmp_path: Path) -> None:
        self.file = tmp_path / "pressed.jsonl"
        self.said: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.open_socket: web.WebSocketResponse | None = None
        self.tells_time = True
        self.box: Box | None = None
        self.page = ""
        self.code = ""

    async def socket(self, request: web.Request) -> web.WebSocketResponse:
        socket = self.open_socket = web.WebSocketResponse()
        await socket.prepare(request)
        async for message in socket:
            said = json.loads(message.data)
            if said["type"] == "hello":
                await socket.send_str(welcome().model_copy(update={"tracks": [TRACK]}).model_dump_json())
            elif said["type"] == "ping" and self.tells_time:
                now_us = SystemClock().unix_ns() // 1000
                await self.tell(Pong(id=said["id"], server_time_us=now_us))
            elif said["type"] in {"offer_control", "control_answer"}:
                self.said.put_nowait(said)
        return socket

    async def tell(self, message: Model) -> None:
        assert self.open_socket is not None
        await self.open_socket.send_str(message.model_dump_json())

    async def next(self) -> dict[str, Any]:
        async with asyncio.timeout(WITHIN_S):
            return await self.said.get()

    async def grant(self, control_id: str = "c_1") -> ControlStatus:
        control = Control(
            control_id=control_id, feed=FEED, participant_id="p_9", name="Dr. Secretname", stage="granted",
            minutes=5, until_us=0,
        )  # fmt: skip
        await self.tell(ControlChanged(feed=FEED, control_id=control_id, control=control, at_us=0))
        assert self.box is not None
        async with asyncio.timeout(WITHIN_S):
            while not (found := self.box.status().controls) or found[0].control_id != control_id:
                await asyncio.sleep(0.01)
        self.code = found[0].code
        return found[0]

    async def press(self, *keys: str, control_id: str = "c_1", age_s: float = 0, x: float = 0.5) -> None:
        pressed = Pressed(keys=keys, pointer=Pointer(x=x, y=0.5))
        at_us = SystemClock().unix_ns() // 1000 - int(age_s * 1e6)
        await self.tell(
            ControlPressed(
                control_id=control_id, feed=FEED, participant_id="p_9", pressed=pressed, at_us=at_us
            )
        )

    def keys(self) -> list[str]:
        """The keyboard's reports so far."""
        lines = [json.loads(line) for line in self.file.read_text().splitlines()]
        return [line["report"] for line in lines if line["device"] == "keyboard"]

    async def until_last(self, report: str, count: int = 0) -> None:
        async with asyncio.timeout(WITHIN_S):
            while self.keys()[-1] != report or len(self.keys()) <= count:
                await asyncio.sleep(0.01)

    async def confirm(self) -> None:
        """With the code that the box shows; the device's picture is there."""
        status = await self.grant()
        await self.tell(CheckCode(control_id="c_1", code=status.code))
        assert (await self.next())["answer"] == "confirmed"
        assert self.box is not None
        async with asyncio.timeout(WITHIN_S):
            while self.box._agent is None or self.box._agent._screen(FEED) is None:
                await asyncio.sleep(0.01)

    async def pressing(self) -> None:
        """Confirmed, and a key is down."""
        await self.confirm()
        await self.press("KeyA")
        await self.until_last(A)


async def free_port() -> int:
    server = await asyncio.start_server(lambda reader, writer: None, "127.0.0.1", 0)
    port = int(server.sockets[0].getsockname()[1])
    server.close()
    await server.wait_closed()
    return port


@asynccontextmanager
async def running(
    tmp_path: Path, *, offered: bool = True, source: dict[str, str] = TESTCARD, tells_time: bool = True
) -> AsyncIterator[Room]:
    room, app = Room(tmp_path), web.Application()
    room.tells_time = tells_time
    app.router.add_get("/ws", room.socket)
    app.router.add_post("/whip/{room}/{feed}", refuse)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    (tmp_path / "token").write_text("token")
    port = await free_port()
    room.page = f"http://127.0.0.1:{port}"
    feed = {
        "name": FEED, "source": source, "width": 320, "height": 180, "fps": 10, "still_mb": 8,
        "encoder": "libx264", "control": {"backend": "recording", "file": "pressed.jsonl", "max_minutes": 7},
    }  # fmt: skip
    values = {
        "server": f"http://127.0.0.1:{runner.addresses[0][1]}", "room": "demo", "token_file": "token",
        "status_port": port, "feeds": [feed],
    }  # fmt: skip
    async with aiohttp.ClientSession() as session:
        config = parse_config(values, tmp_path / "edge.toml")
        room.box = Box(config, None, session, SystemClock(), LogKnob("info"))
        work = asyncio.create_task(room.box.run())
        try:
            if offered:
                assert await room.next() == {
                    "type": "offer_control", "feed": FEED, "ways": ["code", "touch"], "max_minutes": 7,
                }  # fmt: skip
            yield room
        finally:
            work.cancel()
            await asyncio.gather(work, return_exceptions=True)
            await runner.cleanup()


async def refuse(_request: web.Request) -> web.Response:
    return web.Response(status=503)


async def test_everything_is_let_go_of_before_anything_else_and_at_the_end(tmp_path: Path) -> None:
    async with running(tmp_path) as room:
        assert room.keys() == [UP]
        await room.pressing()
    assert room.keys()[-1] == UP


async def test_with_the_code_that_the_box_shows_and_not_before_keys_are_pressed(tmp_path: Path) -> None:
    async with running(tmp_path) as room:
        status = await room.grant()
        assert re.fullmatch(r"\d{6}", status.code)
        wrong = f"{(int(status.code) + 1) % 1_000_000:06d}"
        await room.press("KeyA")
        await room.tell(CheckCode(control_id="c_1", code=wrong))
        assert (await room.next())["answer"] == "wrong_code"
        assert set(room.keys()) == {UP}
        await room.tell(CheckCode(control_id="c_1", code=status.code))
        assert await room.next() == {
            "type": "control_answer", "control_id": "c_1", "answer": "confirmed", "way": "code",
        }  # fmt: skip


async def test_it_is_allowed_and_stopped_on_the_boxs_own_page(tmp_path: Path) -> None:
    async with running(tmp_path) as room, aiohttp.ClientSession(room.page) as browser:
        await room.grant()
        for act, answer in (("allow", "confirmed"), ("stop", "ended")):
            async with browser.get("/") as response:
                text = await response.text()
            form = next(
                found
                for one in re.findall(r"<form.*?</form>", text)
                if (found := dict(re.findall(r"name='(\w+)' value='([^']*)'", one)))["act"] == act
            )
            async with browser.post("/control", data=form, headers={"Origin": room.page}) as response:
                assert response.status == 200
            told = await room.next()
            assert told["answer"] == answer
        assert told["reason"] == "stopped_at_box"


async def test_a_lost_connection_lets_go_at_once_and_what_was_granted_counts_no_more(tmp_path: Path) -> None:
    async with running(tmp_path) as room:
        await room.pressing()
        count = len(room.keys())
        assert room.open_socket is not None
        await room.open_socket.close()
        await room.until_last(UP, count)
        assert (await room.next())["type"] == "offer_control"
        await room.press("KeyA")
        await room.grant("c_2")  # what came before was handled
        assert set(room.keys()[count:]) == {UP}


async def test_a_pause_and_the_rooms_word_that_it_is_over_let_go(tmp_path: Path) -> None:
    async with running(tmp_path) as room:
        await room.pressing()
        await room.tell(PausedChanged(paused=True, by="", at_us=0))
        assert (await room.next())["reason"] == "paused"
        assert room.keys()[-1] == UP
        await room.tell(PausedChanged(paused=False, by="", at_us=0))
        await room.pressing()
        count = len(room.keys())
        await room.tell(ControlChanged(feed=FEED, control_id="c_1", reason="stopped", at_us=0))
        await room.until_last(UP, count)


async def test_without_a_sign_of_life_the_key_goes_up_by_itself(tmp_path: Path) -> None:
    async with running(tmp_path) as room:
        await room.pressing()
        async with asyncio.timeout(SILENCE_LIMIT_S / 2):  # not because the connection seems dead
            await room.until_last(UP, len(room.keys()))


async def test_nobody_presses_anything_while_the_devices_picture_is_not_there(tmp_path: Path) -> None:
    async with running(tmp_path, source={"kind": "file", "path": "nothing.mp4"}) as room:
        status = await room.grant()
        await room.tell(CheckCode(control_id="c_1", code=status.code))
        assert (await room.next())["answer"] == "confirmed"
        assert room.box is not None
        async with asyncio.timeout(WITHIN_S):
            while not (feeds := room.box.status().health.feeds) or feeds[0].signal != "failing":
                await asyncio.sleep(0.01)
        count = len(room.keys())
        await room.press("KeyA")
        await room.tell(ControlChanged(feed=FEED, control_id="c_1", reason="stopped", at_us=0))
        await room.until_last(UP, count)
        assert set(room.keys()) == {UP}


async def test_what_the_network_held_back_for_too_long_is_not_pressed(tmp_path: Path) -> None:
    async with running(tmp_path) as room:
        await room.confirm()
        assert room.box is not None
        now_us = SystemClock().unix_ns() // 1000
        room.box._offset.add(now_us, now_us, now_us)
        count = len(room.keys())
        await room.press("KeyB", age_s=2)
        await room.press("KeyA")
        await room.until_last(A, count)
        assert room.keys()[count:] == [A]


async def test_what_was_held_back_is_no_sign_of_life_either(tmp_path: Path) -> None:
    async with running(tmp_path) as room:
        await room.pressing()
        count = len(room.keys())
        async with asyncio.timeout(SILENCE_LIMIT_S / 2):
            while len(room.keys()) == count:
                await room.press("KeyA", age_s=2)
                await asyncio.sleep(0.1)
        assert room.keys()[count:] == [UP]


async def test_before_the_servers_clock_is_known_nothing_is_pressed(tmp_path: Path) -> None:
    async with running(tmp_path, tells_time=False) as room:
        await room.confirm()
        await room.press("KeyA")
        await room.tell(ControlChanged(feed=FEED, control_id="c_1", reason="stopped", at_us=0))
        await room.until_last(UP, 1)
        assert set(room.keys()) == {UP}


async def test_a_gadget_that_does_not_take_it_ends_the_control(tmp_path: Path) -> None:
    async with running(tmp_path) as room:
        await room.confirm()
        room.file.unlink()
        room.file.mkdir()
        await room.press("KeyA")
        assert (await room.next())["reason"] == "device_failed"
        room.file.rmdir()


async def test_a_track_that_is_new_is_offered_anew(tmp_path: Path) -> None:
    async with running(tmp_path) as room:
        await room.tell(TrackAdded(track=TRACK.model_copy(update={"track_id": "tr_2"})))
        assert (await room.next())["type"] == "offer_control"


async def test_a_track_that_becomes_the_boxs_own_is_offered(tmp_path: Path) -> None:
    async with running(tmp_path) as room:
        await room.tell(TrackChanged(track=TRACK.model_copy(update={"live": True})))  # its own: nothing new
        theirs = TRACK.model_copy(update={"track_id": "tr_2", "participant_id": "p_dead"})
        await room.tell(TrackAdded(track=theirs))
        await room.grant()  # what came before was handled
        assert room.said.empty()
        await room.tell(TrackChanged(track=theirs.model_copy(update={"participant_id": "p1"})))
        assert (await room.next())["type"] == "offer_control"


async def test_neither_code_nor_name_nor_what_was_typed_is_logged(tmp_path: Path) -> None:
    with structlog.testing.capture_logs() as lines:
        async with running(tmp_path) as room:
            await room.pressing()
    text = json.dumps(lines, default=str)
    assert "control_answer" in text
    for secret in ("Secretname", "KeyA", A, room.code):
        assert secret
        assert secret not in text


async def test_without_the_boxs_own_page_nothing_is_offered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edge_agents.status_page.HOST", "192.0.2.1")  # an address that is not ours
    async with running(tmp_path, offered=False) as room, asyncio.timeout(WITHIN_S):
        assert room.box is not None
        while not room.box.status().in_room:
            await asyncio.sleep(0.01)
        assert room.open_socket is not None
        await room.tell(TrackAdded(track=TRACK.model_copy(update={"track_id": "tr_2"})))
        await room.grant()  # what came before was handled
        assert room.said.empty()
