"""A room for hours: does anything grow? A real service; people, feeds and networks come and go.

`teleconsult bench soak [--hours 2] [--sample-s 60] [--json]`
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import tempfile
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

import aiohttp
from rich.console import Console
from rich.table import Table

from bench.proc import MachineTime
from bench.room_service import RoomService, room_service
from bench.signalling import WorkerClient
from bench.soak_probe import Probe, Sample, worst_gap_s
from bench.soak_room import CUT_S, FEEDS, STEADY, SoakRoom
from bench.soak_trend import Tolerance, Trend, trend

ACT_EVERY_S: Final = 4.0
MAX_GAP_S: Final = CUT_S + 3.0
"""Of the steady feed: it comes back within 3 s of a cut."""
_MEMORY: Final = Tolerance(0.04, 3.0)
_COUNT: Final = Tolerance(0.1, 30.0)
"""Four guests and a feed bring so many with them, whenever they happen to be there."""
_LATENCY: Final = Tolerance(0.5, 2.0)


@dataclass(frozen=True)
class Report:
    """`samples`: one dictionary each, with the time in seconds under `at_s`."""

    hours: float
    samples: list[Sample]
    trends: dict[str, Trend]
    acts: dict[str, int]
    failures: dict[str, int]
    longest_gap_s: float
    frames: int
    restarted: list[str]
    idle_percent: float
    stolen_percent: float

    @property
    def problems(self) -> list[str]:
        """What is not as it should be, in words."""
        found = [f"{name} grows" for name, one in self.trends.items() if one.verdict == "growing"]
        found += [f"{role} was restarted" for role in self.restarted]
        found += [f"{times} × {what}" for what, times in self.failures.items()]
        if self.longest_gap_s > MAX_GAP_S:
            found.append(f"{self.longest_gap_s:.1f} s without a frame")
        return found

    @property
    def verdict(self) -> str:
        """`flat`, `growing`, or what else was wrong."""
        if any(one.verdict == "growing" for one in self.trends.values()):
            return "growing"
        return "failed" if self.problems else "flat"


async def run(
    hours: float, *, sample_s: float, act_every_s: float = ACT_EVERY_S, on_sample: Callable[[Sample], None]
) -> Report:
    """Live with a room for so long. Raises what the service's start raises."""
    with tempfile.TemporaryDirectory(prefix="soak-") as folder:
        async with AsyncExitStack() as stack:
            service = await stack.enter_async_context(room_service(Path(folder), FEEDS))
            session = await stack.enter_async_context(aiohttp.ClientSession(service.base_url))
            room = await stack.enter_async_context(SoakRoom(service, session))
            worker = WorkerClient(service.worker_api)
            stack.push_async_callback(worker.close)
            probe = Probe(service, session, worker, service.pids())
            return await _live(service, room, probe, hours, sample_s, act_every_s, on_sample)


async def _live(
    service: RoomService,
    room: SoakRoom,
    probe: Probe,
    hours: float,
    sample_s: float,
    act_every_s: float,
    on_sample: Callable[[Sample], None],
) -> Report:
    acting = asyncio.create_task(_act(room, act_every_s))
    loop, machine = asyncio.get_running_loop(), MachineTime.now()
    begin_s, samples, longest_gap_s = loop.time(), list[Sample](), 0.0
    try:
        for number in range(1, max(1, round(hours * 3_600 / sample_s)) + 1):
            await asyncio.sleep(max(0.0, begin_s + number * sample_s - loop.time()))
            sample = await probe.sample(loop.time() - begin_s, room.steady)
            longest_gap_s = max(longest_gap_s, worst_gap_s(room.steady, STEADY))
            samples.append(sample)
            on_sample(sample)
    finally:
        acting.cancel()
        await asyncio.wait([acting])
    now = service.pids()
    idle, stolen = MachineTime.now().percent_since(machine)
    return Report(
        hours=hours,
        samples=samples,
        trends=trends(samples),
        acts=dict(room.acts),
        failures=dict(room.failures),
        longest_gap_s=longest_gap_s,
        frames=sum(picture.frames for viewer in room.steady for picture in viewer.pictures.values()),
        restarted=[role for role, pid in probe.pids.items() if now.get(role) != pid],
        idle_percent=idle,
        stolen_percent=stolen,
    )


async def _act(room: SoakRoom, every_s: float) -> None:
    while True:
        await asyncio.sleep(every_s)
        await room.act()


def trends(samples: list[Sample]) -> dict[str, Trend]:
    """Of every series."""
    times_s = [sample["at_s"] or 0.0 for sample in samples]
    names = [name for name in samples[-1] if name != "at_s"] if samples else []
    return {name: trend(times_s, [sample[name] for sample in samples], _tolerance(name)) for name in names}


def _tolerance(name: str) -> Tolerance:
    if name.endswith(" MB"):
        return _MEMORY
    return _LATENCY if name.endswith(" ms") else _COUNT


def show(report: Report, *, as_json: bool) -> None:
    """On standard output."""
    if as_json:
        told = asdict(report) | {"verdict": report.verdict, "problems": report.problems}
        print(json.dumps(told | {"cores": os.cpu_count()}, indent=2))
        return
    console = Console(width=None if sys.stdout.isatty() else 120, highlight=False)
    console.print(table(report))
    gap = f"longest time without one {report.longest_gap_s:.2f} s (cuts last {CUT_S} s)"
    console.print(f"{report.frames:,} frames; {gap}")
    console.print("acts: " + ", ".join(f"{name} {times}" for name, times in sorted(report.acts.items())))
    console.print(f"machine: {report.idle_percent:.0f} % idle, {report.stolen_percent:.0f} % stolen")
    console.print(f"verdict: {report.verdict}" + "".join(f"; {problem}" for problem in report.problems))


def table(report: Report) -> Table:
    """First, median and last value, and how it moved."""
    shown = Table(title=f"Soak: {report.hours:.2f} hours, {len(report.samples)} samples")
    for heading in ("what", "first", "median", "last", "per hour", "growth", "verdict"):
        shown.add_column(heading, justify="left" if heading == "what" else "right")
    for name, one in report.trends.items():
        first, last = report.samples[0][name], report.samples[-1][name]
        figures = (first, one.median, last, one.slope_per_hour, one.growth)
        shown.add_row(name, *("" if value is None else f"{value:.2f}" for value in figures), one.verdict)
    return shown
