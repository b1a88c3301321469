"""A live room under attack for a while: a real service, honest people in it, attackers around and inside."""

from __future__ import annotations

import asyncio
import contextlib
import json
import shutil
import sys
import tempfile
from asyncio.subprocess import PIPE, Process
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import aiohttp

from bench.room_feed import Feed
from bench.room_people import Person
from bench.room_service import ROOM, RoomService, room_service
from bench.room_viewer import Viewer
from bench.soak_room import STEADY
from bench.soak_trend import Trend
from tests.fuzz.live.attack import HOSTILE_FEED, PASSING_FEED, Where
from tests.fuzz.live.watch import Figures, Watch

HONEST_VIEWERS = 3
FIRST_FRAME_WITHIN_S = 30.0
BEGIN_WITHIN_S = 60.0
END_WITHIN_S = 20.0
LINE_LIMIT_BYTES = 1 << 20


@dataclass(frozen=True)
class Outcome:
    """What was sent, what was seen, what was wrong."""

    seconds: float
    sent: dict[str, int]
    frames: int
    """Of the honest feed, at all honest viewers."""
    hostile_packets: int
    """Of the hostile feed, that reached honest viewers."""
    figures: Figures
    memory: dict[str, Trend]
    worker: dict[str, Any]
    violations: dict[str, int]

    def as_json(self) -> dict[str, Any]:
        """Without the single samples."""
        told = asdict(self)
        for name in ("times_s", "memory_mb", "violations"):
            del told["figures"][name]
        return told


async def besiege(
    seconds: float,
    *,
    seed: int = 1,
    factor: float = 1.0,
    recorder: bool = True,
    keep_log: Path | None = None,
    on_second: Callable[[float, Counter[str], Figures], None] = lambda at_s, sent, figures: None,
) -> Outcome:
    """Attack for so long. `factor`: of the attackers' rates. `keep_log`: where to copy the service's log."""
    with tempfile.TemporaryDirectory(prefix="siege-") as folder:
        async with AsyncExitStack() as stack:
            feeds = (STEADY, HOSTILE_FEED, PASSING_FEED)
            service = await stack.enter_async_context(room_service(Path(folder), feeds, recorder=recorder))
            if keep_log is not None:
                stack.callback(shutil.copyfile, service.log, keep_log)
            session = await stack.enter_async_context(aiohttp.ClientSession(service.base_url))
            feed = Feed(session, ROOM, STEADY, service.seed.device_token)
            await stack.enter_async_context(feed)
            viewers = [
                await stack.enter_async_context(_viewer(service, session, n)) for n in range(HONEST_VIEWERS)
            ]
            await _until_all_see(viewers)
            return await _attack(service, session, feed, viewers, seconds, seed, factor, on_second)


def _viewer(service: RoomService, session: aiohttp.ClientSession, number: int) -> Viewer:
    name = ("specialist", "site")[number % 2]
    return Viewer(session, ROOM, Person(session, service.seed.users[name]).room_token)


async def _until_all_see(viewers: list[Viewer]) -> None:
    async with asyncio.timeout(FIRST_FRAME_WITHIN_S):
        while not all(STEADY in viewer.pictures and viewer.pictures[STEADY].frames for viewer in viewers):
            await asyncio.sleep(0.05)
    for viewer in viewers:
        viewer.pictures[STEADY].longest_gap_s = 0.0


async def _attack(
    service: RoomService,
    session: aiohttp.ClientSession,
    feed: Feed,
    viewers: list[Viewer],
    seconds: float,
    seed: int,
    factor: float,
    on_second: Callable[[float, Counter[str], Figures], None],
) -> Outcome:
    watch = Watch(service, session, feed, viewers)
    sent, wrong = Counter[str](), Counter[str]()
    loop = asyncio.get_running_loop()
    watching = asyncio.create_task(watch.run())
    try:
        async with _attackers(_where(service, seed, factor)) as attackers:
            await _told(attackers)
            began_s = loop.time()
            while (at_s := loop.time() - began_s) < seconds and not watching.done():
                told = await _told(attackers)
                sent, wrong = Counter(told["done"]), Counter(told["wrong"])
                on_second(at_s, sent, watch.figures)
    finally:
        watching.cancel()
        await asyncio.wait([watching])
    if not watching.cancelled() and (error := watching.exception()) is not None:
        raise error
    return _outcome(watch, sent, wrong, viewers, loop.time() - began_s)


async def _told(attackers: Process) -> dict[str, dict[str, int]]:
    """Their next line; the first comes when they begin."""
    assert attackers.stdout is not None
    async with asyncio.timeout(BEGIN_WITHIN_S):
        line = await attackers.stdout.readline()
    if not line:
        raise RuntimeError("the attackers died; their error is above")
    told: dict[str, dict[str, int]] = json.loads(line)
    return told


def _outcome(
    watch: Watch, sent: Counter[str], wrong: Counter[str], viewers: list[Viewer], seconds: float
) -> Outcome:
    memory = watch.figures.memory()
    violations = watch.figures.violations + wrong
    for role, one in memory.items():
        violations[f"memory of {role} grows"] += one.verdict == "growing"
    frames = sum(viewer.pictures[STEADY].frames for viewer in viewers)
    return Outcome(
        seconds=seconds,
        sent=dict(sent),
        frames=frames,
        hostile_packets=sum(_reached(viewer) for viewer in viewers),
        figures=watch.figures,
        memory=memory,
        worker=dict(watch.stats),
        violations=dict(+violations),
    )


def _reached(viewer: Viewer) -> int:
    picture = viewer.pictures.get(HOSTILE_FEED)
    return 0 if picture is None else picture.packets


def _where(service: RoomService, seed: int, factor: float) -> Where:
    users = service.seed.users
    return Where(
        base_url=service.base_url,
        media_port=service.media_port,
        whip_token=service.seed.whip_token,
        whep_token=service.seed.whep_token,
        person=users["specialist2"],
        seed=seed,
        factor=factor,
    )


@contextlib.asynccontextmanager
async def _attackers(where: Where) -> AsyncIterator[Process]:
    command = (sys.executable, "-m", "tests.fuzz.live.attack")
    process = await asyncio.create_subprocess_exec(*command, stdin=PIPE, stdout=PIPE, limit=LINE_LIMIT_BYTES)
    assert process.stdin is not None
    try:
        process.stdin.write(json.dumps(asdict(where)).encode() + b"\n")
        yield process
    finally:
        process.stdin.close()
        try:
            async with asyncio.timeout(END_WITHIN_S):
                await process.communicate()
        except TimeoutError:
            process.kill()
            await process.wait()
