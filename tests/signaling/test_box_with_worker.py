"""A real box, a real service, a real media worker: enrolled, attached, seen, and revoked."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from core import messages
from core.clock import SystemClock
from core.enrolments import create_code
from edge_agents import box as box_module
from edge_agents.box import Box
from edge_agents.config import EdgeConfig, parse_config
from edge_agents.identity import Identity
from edge_agents.log_knob import LogKnob
from edge_agents.server_access import ServerAccess
from tests.sfu.peers import Subscriber
from tests.signaling.conftest import World
from tests.signaling.test_with_worker import WITHIN_S, RoomApi, process, real

__all__ = ["process", "real"]

FEED = {
    "name": "ultrasound", "source": {"kind": "testcard"}, "width": 320, "height": 180, "fps": 15,
    "encoder": "libx264",
}  # fmt: skip


async def enrolled(world: World, session: aiohttp.ClientSession) -> Identity:
    code = await create_code(world.database, world.box.device_id)
    identity = Identity(world.base_url)
    made = await ServerAccess(session, identity, SystemClock()).enrol(code.code)
    return identity.enrolled_as(made.device_id, made.name)


@asynccontextmanager
async def running(world: World, config: EdgeConfig) -> AsyncIterator[Box]:
    async with aiohttp.ClientSession() as session:
        box = Box(config, await enrolled(world, session), session, SystemClock(), LogKnob("info"))
        task = asyncio.create_task(box.run())
        try:
            yield box
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


def told(world: World) -> Any:
    """What the box said of itself last."""
    found = world.context.boxes.told.get(world.box.device_id)
    return None if found is None else found.health


async def until(condition: object) -> None:
    assert callable(condition)
    async with asyncio.timeout(WITHIN_S):
        while not condition():
            await asyncio.sleep(0.02)


@pytest.fixture
def config(real: World, tmp_path: Path) -> EdgeConfig:
    values = {"server": real.base_url, "feeds": [FEED], "status_port": 0}
    return parse_config(values, tmp_path / "edge.toml")


async def test_revoking_an_enrolled_box_ends_its_live_picture_at_once_and_it_does_not_come_back(
    real: World, config: EdgeConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(box_module, "REPORT_S", 0.5)
    client, _ = await real.join("u_1", "specialist")
    async with running(real, config) as box:
        added = (await client.next(messages.TrackAdded)).track
        assert added.feed == "ultrasound"
        subscriber = Subscriber()
        await subscriber.subscribe(RoomApi(client), "unused", [])
        await until(lambda: len(subscriber.packets.get(added.track_id, [])) > 20)
        await until(lambda: told(real) is not None and told(real).feeds)
        (feed,) = told(real).feeds
        assert abs(told(real).clock_off_ms or 0) < 500
        assert (feed.feed, feed.encoder) == ("ultrasound", "libx264")
        assert box.status().state == "attending"

        path = f"/api/v1/devices/{real.box.device_id}/revoke"
        assert (await real.post(path, None, await real.token("root")))[0] == 204
        await client.next(messages.TrackRemoved, track_id=added.track_id)
        assert not [use for use in real.context.service.uses.values() if use.purpose == "feed"]
        await until(lambda: box.status().state == "revoked")
        seen = len(subscriber.packets[added.track_id])
        assert not box.status().health.feeds, "it captures nothing any more"
        await asyncio.sleep(0.5)  # long enough for ten more pictures, if any came
        assert len(subscriber.packets[added.track_id]) == seen
        assert not [item for item in await client.sync() if isinstance(item, messages.TrackAdded)]
        await subscriber.close()


async def test_a_box_ends_with_its_consultation_and_waits_for_the_next(
    real: World, config: EdgeConfig
) -> None:
    client, _ = await real.join("u_1", "specialist")
    async with running(real, config) as box:
        await client.next(messages.TrackAdded)
        path = f"/api/v1/consultations/{real.consultation.consultation_id}/close"
        assert (await real.post(path, None, await real.token("li")))[0] in (200, 204)
        await until(lambda: box.status().state == "idle")
        assert box.status().room == ""
        assert not box.status().health.feeds
