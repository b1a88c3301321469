"""A capture box whose uplink is cut mid-consultation: how soon it is live again, and what the archive misses.

    python -m tests.recorder.box_cuts [--cuts 10,60,0.7,0.7,0.7]

A real service and recorder and a real box in this process; its HTTP and its media pass through two ends that
let nothing through while it is cut. Between two cuts the box is live for a few seconds. At the end the
consultation is closed, its archive verified, and every time code in it compared with what the box encoded.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from archive import layout
from tests.recorder.cut_off import (
    CutBox,
    backfilled,
    cut_box,
    live_pieces,
    missing_times,
    verified,
)
from tests.recorder.service import Service, service
from tests.support.waiting import until

LIVE_S = 6.0
PICTURE_PACKETS = 10
"""More than a keyframe of the small test card takes."""
WHOLE_WITHIN_S = 150.0


@dataclass(frozen=True)
class Cuts:
    """`live_s`: for each cut, from its end until pictures reached the media worker again. `missing`: frames
    that were encoded and are not in the archive. `late_s`: of it what was delivered later.
    """

    live_s: Sequence[float]
    encoded: int
    missing: int
    late_s: float
    intact: bool


async def cut_often(folder: Path, cuts: Sequence[float], patch: pytest.MonkeyPatch) -> Cuts:
    """Cut the box off for so many seconds each."""
    async with service(folder) as made:
        made.start_recorder()
        async with cut_box(made, folder, patch) as box:
            await until(lambda: len(live_pieces(made)) >= 3, "the box is recorded")
            live_s = [await _cut(made, box, cut_s) for cut_s in cuts]
            await _whole(made, box)
            await made.end_consultation()
            await until((made.folder / layout.CLOSED).exists, "the archive is closed", within_s=700)
        late_us = sum(one.end_us - one.begin_us for one in backfilled(made))
        missing = await asyncio.to_thread(missing_times, made, box)
        return Cuts(live_s, len(box.encoded), len(missing), late_us / 1e6, verified(made))


async def _cut(made: Service, box: CutBox, cut_s: float) -> float:
    box.cut(True)
    await asyncio.sleep(cut_s)
    before = _packets(made)
    box.cut(False)
    began = time.monotonic()
    await until(lambda: _packets(made) >= before + PICTURE_PACKETS, "pictures arrive again")
    live_s = time.monotonic() - began
    await asyncio.sleep(LIVE_S if cut_s > 1.0 else cut_s)
    return live_s


def _packets(made: Service) -> int:
    """Of pictures, at the media worker, since its start."""
    return made.media.worker.metrics.counters.packets_in


async def _whole(made: Service, box: CutBox) -> None:
    began = time.monotonic()
    while time.monotonic() - began < WHOLE_WITHIN_S and await asyncio.to_thread(missing_times, made, box):
        await asyncio.sleep(2.0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cuts", default="10,60,0.7,0.7,0.7", help="seconds")
    wanted = [float(part) for part in parser.parse_args().cuts.split(",")]
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        found = asyncio.run(cut_often(Path(folder), wanted, patch))
    for cut_s, live_s in zip(wanted, found.live_s, strict=True):
        print(f"cut for {cut_s:g} s: pictures again after {live_s:.2f} s")
    print(f"{found.missing} of {found.encoded} frames are missing; {found.late_s:.1f} s were delivered later")
    print("the archive is intact" if found.intact else "the archive is NOT intact")


if __name__ == "__main__":
    main()
