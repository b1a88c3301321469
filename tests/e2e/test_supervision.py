"""Whichever process of the service is killed: pictures and recording come back by themselves."""

from __future__ import annotations

import asyncio
import contextlib
import json
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import aiohttp

from core import messages
from core.errors import TeleconsultError
from teleconsult.ready import RoomWatcher, room_token
from tests.support.demo import Demo

BACK_WITHIN_S = 40.0
"""A busy machine starts a process slowly."""
AGAIN_S = 0.1


class Witness:
    """Sits in the room, joins again whenever the connection ends, remembers what the room said."""

    def __init__(self, demo: Demo) -> None:
        self._demo = demo
        self._watcher = RoomWatcher()
        self._changed = asyncio.Event()
        self.welcomes = 0
        self.feed_tracks: set[str] = set()
        self.recorders: list[str] = []

    @property
    def all_is_well(self) -> bool:
        feeds = set(self._demo.info["feeds"])
        return self._watcher.live_feeds == feeds and self._watcher.recording == "recording"

    async def until(self, condition: Callable[[], bool], what: str) -> None:
        """Look after every message."""
        try:
            async with asyncio.timeout(BACK_WITHIN_S):
                while not condition():
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            state = f"live: {self._watcher.live_feeds}, recording: {self._watcher.recording}"
            raise AssertionError(f"{what}: {state}\n{self._demo.log[-6000:]}") from None

    async def run(self) -> None:
        username, password = self._demo.user("specialist2")
        room = self._demo.info["room"]
        async with aiohttp.ClientSession(self._demo.base_url) as session:
            while True:
                with contextlib.suppress(aiohttp.ClientError, TeleconsultError, OSError, TypeError):
                    token = await room_token(session, room, {"username": username, "password": password})
                    await self._attend(session, room, token)
                await asyncio.sleep(AGAIN_S)

    async def _attend(self, session: aiohttp.ClientSession, room: str, token: str) -> None:
        protocols = ("teleconsult.v1", f"token.{token}")
        async with session.ws_connect("/ws", params={"room": room}, protocols=protocols) as socket:
            await socket.send_str(messages.Hello().model_dump_json())
            async for raw in socket:
                message = messages.parse_server_message(raw.data)
                self._watcher.receive(message)
                self._note(message)
                self._changed.set()

    def _note(self, message: Any) -> None:
        match message:
            case messages.Welcome():
                self.welcomes += 1
                self.feed_tracks = {t.track_id for t in message.tracks if t.source == "device"}
                self.recorders += [p.participant_id for p in message.participants if p.role == "recorder"]
            case messages.TrackAdded():
                self.feed_tracks.add(message.track.track_id)
            case messages.TrackRemoved():
                self.feed_tracks.discard(message.track_id)
            case messages.ParticipantJoined() if message.participant.role == "recorder":
                self.recorders.append(message.participant.participant_id)
                self._watcher.recording = "off"  # what its predecessor said no longer counts


@contextlib.asynccontextmanager
async def witness(demo: Demo) -> AsyncIterator[Witness]:
    sitting = Witness(demo)
    task = asyncio.create_task(sitting.run())
    try:
        await sitting.until(lambda: sitting.all_is_well, "at the start")
        yield sitting
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def manifest(demo: Demo) -> list[dict[str, Any]]:
    lines = (demo.archive / "manifest.jsonl").read_bytes().split(b"\n")[:-1]
    return [json.loads(line) for line in lines]


async def until_both_are_archived(demo: Demo) -> None:
    """Pieces of both feeds' pictures whose entries are younger than this call."""
    now_us, wanted = time.time_ns() // 1000, {f"{feed}-device-video" for feed in demo.info["feeds"]}
    async with asyncio.timeout(BACK_WITHIN_S):
        while not wanted <= {
            e["track"] for e in manifest(demo) if e["kind"] == "piece" and e["at_us"] > now_us
        }:
            await asyncio.sleep(AGAIN_S)


def gaps_since(demo: Demo, at_us: int) -> set[str | None]:
    return {entry["track"] for entry in manifest(demo) if entry["kind"] == "gap" and entry["at_us"] > at_us}


async def kill_and_wait(demo: Demo, sitting: Witness, role: str) -> None:
    """Wait for what only the new process can have caused, then for feeds and recording."""
    tracks, recorders = set(sitting.feed_tracks), len(sitting.recorders)
    demo.kill_role(role)
    if role != "recorder":
        await sitting.until(lambda: not tracks & sitting.feed_tracks, f"new tracks after {role}")
    if role != "edge":
        await sitting.until(lambda: len(sitting.recorders) > recorders, f"a new recorder after {role}")
    await sitting.until(lambda: sitting.all_is_well, f"after {role} was killed")


async def kill_one_after_the_other(demo: Demo) -> None:
    videos = {f"{feed}-device-video" for feed in demo.info["feeds"]}
    async with witness(demo) as sitting:
        for role in ("signaling", "recorder", "edge"):
            await until_both_are_archived(demo)
            killed_us = time.time_ns() // 1000
            await kill_and_wait(demo, sitting, role)
            await until_both_are_archived(demo)
            gaps = gaps_since(demo, killed_us)
            assert videos <= gaps or None in gaps, f"{role}: gaps declared: {gaps}"


def test_each_process_may_be_killed_and_the_room_shows_and_records_all_feeds_again(tmp_path: Path) -> None:
    demo = Demo.start(tmp_path / "demo")
    try:
        asyncio.run(kill_one_after_the_other(demo))
    finally:
        assert demo.stop() == 0
    command = [sys.executable, "-m", "teleconsult", "archive", "verify", str(demo.archive)]
    verified = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert verified.returncode == 0, verified.stdout + verified.stderr
