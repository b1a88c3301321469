"""Operators hear about a store that does not take the archives."""

from __future__ import annotations

import json

from signaling.archive_copy import STATUS
from tests.signaling.conftest import World

WORKS = {
    "place": "s3://bucket/x",
    "failing_since_us": None,
    "reason": "",
    "waiting": 0,
    "behind_us": None,
}


def say(world: World, **status: object) -> None:
    file = world.settings.archive_dir / STATUS
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(WORKS | status))


async def metric(world: World, name: str) -> float:
    async with world.session.get("/metrics") as response:
        lines = (await response.text()).splitlines()
    return float(next(line for line in lines if line.startswith(f"{name} ")).split()[1])


async def test_a_failing_store_is_in_readyz_and_the_metrics_and_the_service_stays_ready(world: World) -> None:
    say(world, failing_since_us=1_760_000_000_000_000, reason="the store does not answer")
    status, found = await world.get("/readyz")
    assert status == 200
    said = [note for note in found["notes"] if "s3://bucket/x" in note]
    assert "since 2025-10-09 08:53Z: the store does not answer" in said[0]
    assert await metric(world, "teleconsult_archive_copy_failing") == 1
    say(world)
    _, found = await world.get("/readyz")
    assert not [note for note in found["notes"] if "s3://bucket/x" in note]
    assert await metric(world, "teleconsult_archive_copy_failing") == 0


async def test_a_copy_that_is_far_behind_is_said(world: World) -> None:
    say(world, behind_us=world.context.clock.unix_ns() // 1_000 - 3_600_000_000)
    _, found = await world.get("/readyz")
    assert [note for note in found["notes"] if "60 minutes behind" in note]
    assert await metric(world, "teleconsult_archive_copy_behind_seconds") > 3_500


async def test_without_an_uploader_nothing_is_said(world: World) -> None:
    _, found = await world.get("/readyz")
    assert not [note for note in found["notes"] if "archives" in note]
    assert await metric(world, "teleconsult_archive_copy_behind_seconds") == 0
