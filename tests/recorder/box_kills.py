"""`kill -9` of a capture box at random moments of a consultation: what of it the archive misses afterwards.

    python -m tests.recorder.box_kills [--kills 50] [--seed 1]

A real service and recorder in this process, the box beside it as systemd starts it (`teleconsult edge run
--with-spare`); the process that captures is killed. At the end the consultation is closed and its archive
verified.
"""

from __future__ import annotations

import argparse
import asyncio
import bisect
import contextlib
import os
import random
import signal
import statistics
import sys
import tempfile
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from archive import layout
from archive.entries import GapEntry
from archive.faults import Verdict
from archive.keys import TrustedSigner, load_signer
from archive.verify import verify_consultation
from core.supervisor import own_command
from tests.recorder.cut_off import (
    TRACK,
    backfilled,
    box_settings,
    enrolled,
    live_pieces,
    new_device,
    written,
)
from tests.recorder.service import Service, service
from tests.support.processes import command_lines
from tests.support.waiting import until

SETTLED_S = 12.0
"""So long without a delivery, and there is nothing more to deliver."""


@dataclass(frozen=True)
class Kills:
    """`missing_s`: of each kill in order, how much of the picture nothing filled; `elsewhere_s`: so much
    before the first one. `declared`: each hole lies in gaps.
    """

    missing_s: Sequence[float]
    elsewhere_s: float
    declared: bool
    verdict: Verdict
    backfilled: int


async def kill_often(folder: Path, kills: int, seed: int) -> Kills:
    """Kill the box so many times."""
    chance = random.Random(seed)
    async with service(folder) as made:
        made.start_recorder()
        killed_us: list[int] = []
        config = await box_of(made, folder, f"http://127.0.0.1:{made.settings.port}")
        async with running(folder, config) as guard:
            for _ in range(kills):
                await live(made)
                await asyncio.sleep(chance.uniform(0.0, 3.0))
                os.kill(await capturing(guard), signal.SIGKILL)
                killed_us.append(made.database.now_us() - made.consultation.opened_us)
                print(f"{len(killed_us)} of {kills} killed", file=sys.stderr)
            await live(made)
            await over(made)
        return _result(made, killed_us)


@contextlib.asynccontextmanager
async def running(folder: Path, config: Path) -> AsyncIterator[int]:
    """Its process id."""
    with (folder / "box.log").open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            *own_command("edge", "run", "--with-spare", "--config", str(config)), stdout=output, stderr=output
        )
        try:
            yield process.pid
        finally:
            process.terminate()
            await process.wait()


async def capturing(guard: int) -> int:
    """The child that is the box, once a spare is ready to take over."""
    found: list[int] = []

    def is_there() -> bool:
        lines = command_lines(guard)
        found[:] = [pid for pid, line in lines.items() if "spare" not in line.split()]
        return len(found) == 1 and any("spare (ready)" in line for line in lines.values())

    await until(is_there, "one process captures, another waits")
    return found[0]


async def over(made: Service) -> None:
    """The box has delivered what it kept; then the consultation ends."""
    before = -1
    while (delivered := len(backfilled(made))) != before:
        before = delivered
        await asyncio.sleep(SETTLED_S)
    await made.end_consultation()
    await until((made.folder / layout.CLOSED).exists, "the archive is closed", within_s=700)


async def live(made: Service) -> None:
    """Two pieces of what is captured from now on are in the archive."""
    from_us = made.database.now_us() - made.consultation.opened_us
    await until(lambda: sum(one.begin_us >= from_us for one in live_pieces(made)) >= 2, "it is live")


async def box_of(made: Service, folder: Path, server: str) -> Path:
    """Enrolled and attached; its file."""
    device = await new_device(made)
    identity = await enrolled(made, device, server)
    identity.write(folder / "box.json")
    return written(box_settings(server), folder / "edge.toml")


def _result(made: Service, killed_us: Sequence[int]) -> Kills:
    signer = load_signer(made.settings.signing_key_file)
    report = verify_consultation(made.folder, [TrustedSigner(signer.public, "own")])
    gaps = [
        (one.begin_us, one.end_us)
        for one in made.entries()
        if isinstance(one, GapEntry) and one.track in (TRACK, None)
    ]
    spans = sorted((one.begin_us, one.end_us) for one in made.pieces())
    holes, until_us = [], spans[0][0]
    for begin, end in spans:
        if begin - until_us > 100_000:
            holes.append((until_us, begin))
        until_us = max(until_us, end)
    declared = all(
        any(gap[0] <= hole[1] and gap[1] >= hole[0] for gap in gaps)
        for hole in holes
        if hole[1] - hole[0] > 1_500_000
    )
    late = sum(one.source == "backfill" for one in made.pieces())
    lost = [0.0] * (len(killed_us) + 1)
    for begin, end in holes:  # what a kill costs ends after it
        lost[bisect.bisect(killed_us, end)] += (end - begin) / 1e6
    return Kills(lost[1:], lost[0], declared, report.verdict, late)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found = asyncio.run(kill_often(Path(folder), wanted.kills, wanted.seed))
    print(f"{wanted.kills} kills: archive {found.verdict.name.lower()}, {found.backfilled} pieces came later")
    missing = sorted(found.missing_s)
    print(f"missing: {sum(missing) + found.elsewhere_s:.1f} s together, declared: {found.declared}")
    print(f"per kill: median {statistics.median(missing):.2f} s, over 2 s: {sum(one > 2 for one in missing)}")
    print("most:", ", ".join(f"{one:.2f}" for one in missing[-5:]), "s")


if __name__ == "__main__":
    main()
