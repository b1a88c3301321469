"""A real box, a real service, a real media worker: asked, allowed, confirmed at the box, pressed, stopped."""

from __future__ import annotations

import asyncio
import json
import re
import socket
from pathlib import Path

import aiohttp

from core import messages
from core.control import Control, Pointer, Pressed
from edge_agents.config import parse_config
from edge_agents.hid_reports import keyboard_report
from tests.signaling.conftest import RoomClient, World
from tests.signaling.room_people import enter, person
from tests.signaling.test_box_with_worker import FEED, process, real, running, until
from tests.signaling.test_with_worker import WITHIN_S

__all__ = ["process", "real"]

UP, DOWN = bytes(8).hex(), keyboard_report(["ShiftLeft", "KeyA"]).hex()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def keys(file: Path) -> list[str]:
    """The keyboard's reports so far."""
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    return [line["report"] for line in lines if line["device"] == "keyboard"]


async def told(client: RoomClient, stage: str) -> Control:
    async with asyncio.timeout(WITHIN_S):
        while True:
            control: Control | None = (await client.next(messages.ControlChanged)).control
            if control is not None and control.stage == stage:
                return control


async def stop_on_its_page(url: str) -> None:
    async with aiohttp.ClientSession(url) as browser:
        async with browser.get("/") as response:
            (form,) = re.findall(r"<form.*?</form>", await response.text())
        fields = dict(re.findall(r"name='(\w+)' value='([^']*)'", form))
        assert fields["act"] == "stop"
        async with browser.post("/control", data=fields, headers={"Origin": url}) as response:
            assert response.status == 200


async def test_from_asking_in_the_room_to_a_key_at_the_device_and_stopped_beside_it(
    real: World, tmp_path: Path
) -> None:
    control = {"backend": "recording", "file": "pressed.jsonl", "max_minutes": 4}
    port, file = free_port(), tmp_path / "pressed.jsonl"
    values = {"server": real.base_url, "feeds": [FEED | {"control": control}], "status_port": port}
    host, _ = await enter(real, person(real, "host"))
    expert, _ = await enter(real, person(real, "invited"))
    async with running(real, parse_config(values, tmp_path / "edge.toml")) as box:
        async with asyncio.timeout(WITHIN_S):
            while (await expert.next(messages.TrackChanged)).track.control_ways != ("code", "touch"):
                pass
        await expert.send(messages.AskControl(feed="ultrasound"))
        asked = await told(host, "asked")
        await host.send(messages.GrantControl(control_id=asked.control_id, minutes=5))
        assert (await told(expert, "granted")).minutes == 4, "no more than the box allows"
        await until(lambda: box.status().controls)
        pressed = Pressed(keys=("ShiftLeft", "KeyA"), pointer=Pointer(x=0.5, y=0.5))
        (waiting,) = box.status().controls
        assert (waiting.name, waiting.organisation) == (asked.name, asked.organisation)
        await host.send(messages.ConfirmControl(control_id=asked.control_id, code=waiting.code))
        active = await told(expert, "active")
        assert set(keys(file)) == {UP}
        async with asyncio.timeout(WITHIN_S):
            while (
                keys(file)[-1] != DOWN
            ):  # said again as a client does: before its picture nothing is pressed
                now_us = real.context.service.now_us()
                await expert.send(
                    messages.Press(control_id=active.control_id, pressed=pressed, said_us=now_us)
                )
                await asyncio.sleep(0.1)
        await stop_on_its_page(f"http://127.0.0.1:{port}")
        assert keys(file)[-1] == UP
        async with asyncio.timeout(WITHIN_S):
            while (over := await expert.next(messages.ControlChanged)).control is not None:
                pass
        assert over.reason == "stopped_at_box"
