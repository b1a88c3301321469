"""A live room does not notice hostile bytes: the ten minutes of `tests/fuzz/run`, compressed."""

from __future__ import annotations

import os
import signal
from collections import Counter
from pathlib import Path

import pytest

from tests.fuzz.live.siege import HONEST_VIEWERS, besiege
from tests.fuzz.live.watch import Figures
from tests.support.processes import descendants

SECONDS = 15.0
MIN_FRAMES = SECONDS * 25 * HONEST_VIEWERS * 0.8


@pytest.mark.timeout(400)
async def test_nobody_in_a_room_notices_what_strangers_and_members_send() -> None:
    outcome = await besiege(SECONDS, seed=7, factor=0.5)
    assert outcome.violations == {}
    assert outcome.frames > MIN_FRAMES
    assert outcome.hostile_packets > 100, "a member's packets reach the others, whatever is in them"
    for kind in ("strangers", "publisher", "viewer", "tcp", "http", "room"):
        assert outcome.sent.get(kind, 0) > SECONDS, f"{kind}: hardly anything was sent: {outcome.sent}"


@pytest.mark.timeout(400)
async def test_a_worker_that_stands_still_is_noticed() -> None:
    stopped: list[int] = []

    def second(at_s: float, sent: Counter[str], figures: Figures) -> None:
        if at_s > 3 and not stopped:
            stopped.extend(pid for pid in descendants() if "--role sfu" in command_line(pid))
            for pid in stopped:
                os.kill(pid, signal.SIGSTOP)
        elif at_s > 6:
            for pid in stopped:
                os.kill(pid, signal.SIGCONT)

    outcome = await besiege(9.0, factor=0.2, recorder=False, on_second=second)
    assert len(stopped) == 1
    assert {"more than 1.5 s between two frames", "the worker's loop was blocked"} <= set(outcome.violations)


def command_line(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
    except OSError:
        return ""
