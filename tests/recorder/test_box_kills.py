"""A box that is killed goes on by itself; `python -m tests.recorder.box_kills` does it fifty times."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

from archive.faults import Verdict
from tests.recorder.box_kills import box_of, capturing, kill_often, live, over, running
from tests.recorder.cut_off import backfilled, cut_ends, verified
from tests.recorder.service import Service, service
from tests.recorder.test_backfill import holes
from tests.support.waiting import until

RESTART_S = 3.0
"""Two are wanted, and 0.1 to 0.3 s needed on a quiet machine; a busy one takes longer."""


async def test_a_box_that_is_killed_publishes_again_and_the_archive_verifies(tmp_path: Path) -> None:
    found = await kill_often(tmp_path, kills=2, seed=7)
    assert found.verdict is Verdict.INTACT
    assert found.declared
    assert all(missing_s < RESTART_S for missing_s in found.missing_s)


async def test_a_box_that_dies_while_it_is_cut_off_goes_on_keeping(tmp_path: Path) -> None:
    async with service(tmp_path) as made:
        made.start_recorder()
        async with cut_ends(made) as (server, cut):
            config = await box_of(made, tmp_path, server)
            async with running(tmp_path, config) as guard:
                await live(made)
                cut(True)
                await asyncio.sleep(2.0)
                os.kill(await capturing(guard), signal.SIGKILL)
                killed_us = made.database.now_us() - made.consultation.opened_us
                await asyncio.sleep(RESTART_S + 4.0)
                cut(False)
                await until(lambda: kept_after(made, killed_us), "what it kept is delivered")
                await over(made)
        assert verified(made)
        assert all(end - begin < RESTART_S * 1e6 for begin, end in holes(made.pieces()))


def kept_after(made: Service, killed_us: int) -> bool:
    return any(one.begin_us > killed_us for one in backfilled(made))
