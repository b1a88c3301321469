"""A media worker that an operator ends on purpose: its room moves, with all feeds, before it is gone."""

from __future__ import annotations

import asyncio
import http.client
import json
import os
import signal
import socket
from contextlib import closing
from pathlib import Path
from typing import Any

from tests.e2e.test_supervision import Witness, witness
from tests.support.demo import Demo, command_line

WITHIN_S = 60.0


def stats(demo: Demo, worker: str) -> dict[str, Any]:
    """That worker's `/v1/stats`."""
    (pid,) = demo.pids(worker)
    arguments = command_line(Path(f"/proc/{pid}"))
    connection = http.client.HTTPConnection("worker", timeout=20)
    connection.sock = socket.socket(socket.AF_UNIX)
    connection.sock.connect(arguments[arguments.index("--api") + 1].removeprefix("unix:"))
    with closing(connection):
        connection.request("GET", "/v1/stats")
        return dict(json.load(connection.getresponse()))


def answers(demo: Demo, worker: str) -> bool:
    """True when it runs and can be asked."""
    try:
        return bool(stats(demo, worker))
    except (OSError, ValueError):
        return False


def holder(demo: Demo) -> tuple[str, str]:
    """The worker that has the room, and the other one."""
    first, second = "sfu-1", "sfu-2"
    return (first, second) if stats(demo, first)["sessions"] else (second, first)


async def end_the_worker_that_has_the_room(demo: Demo, sitting: Witness) -> None:
    has_it, other = holder(demo)
    (pid,) = demo.pids(has_it)
    tracks = set(sitting.feed_tracks)
    os.kill(pid, signal.SIGTERM)
    await sitting.until(lambda: not tracks & sitting.feed_tracks, "feeds on the other worker")
    await sitting.until(lambda: sitting.all_is_well, "after the worker was told to end")
    assert stats(demo, other)["sessions"], "the room is there now"
    async with asyncio.timeout(WITHIN_S):
        while pid in demo.pids(has_it) or not answers(demo, has_it):
            await asyncio.sleep(0.05)


async def drain_one_worker_after_the_other(demo: Demo) -> None:
    async with witness(demo) as sitting:
        welcomes = sitting.welcomes
        for _ in range(2):
            await end_the_worker_that_has_the_room(demo, sitting)
        assert sitting.welcomes == welcomes, "nobody had to join again"


def test_each_worker_may_be_ended_and_the_room_goes_on_on_the_other(tmp_path: Path) -> None:
    demo = Demo.start(tmp_path / "demo", "--workers", "2")
    try:
        asyncio.run(drain_one_worker_after_the_other(demo))
        assert '"media_reset"' in demo.log
        assert "worker_draining" in demo.log
    finally:
        assert demo.stop() == 0
