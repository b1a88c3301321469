"""The honest part of the room, and what must stay true of it while it is attacked."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import aiohttp

from bench.proc import rss_bytes
from bench.room_feed import Feed
from bench.room_service import RoomService
from bench.room_viewer import Viewer
from bench.signalling import WorkerClient
from bench.soak_room import STEADY
from bench.soak_trend import Tolerance, Trend, trend

LOOK_EVERY_S = 0.25
LAG_EVERY_S = 0.05
MAX_GAP_S = 1.5
"""Between two frames of the honest feed at any viewer."""
MAX_ANSWER_S = 1.0
"""Of the worker's and signaling's event loops, beyond what ours was late itself."""
SETTLED_S = 6.0
"""The attackers' own connections and histories have come by then."""
MEMORY = Tolerance(0.1, 12.0)
"""In MB, over the time of the attack."""
LOUD = frozenset({"error", "critical"})


@dataclass
class Figures:
    """Worst and last values; `violations` counts what must not be, by its name."""

    violations: Counter[str] = field(default_factory=Counter)
    longest_gap_s: float = 0.0
    slowest_worker_s: float = 0.0
    slowest_signaling_s: float = 0.0
    own_lag_s: float = 0.0
    times_s: list[float] = field(default_factory=list)
    memory_mb: dict[str, list[float | None]] = field(default_factory=dict)

    def memory(self) -> dict[str, Trend]:
        """Of each process."""
        return {role: trend(self.times_s, values, MEMORY) for role, values in self.memory_mb.items()}


class Watch:
    """Looks at everything every 250 ms until cancelled."""

    def __init__(
        self, service: RoomService, session: aiohttp.ClientSession, feed: Feed, viewers: Sequence[Viewer]
    ) -> None:
        self.figures = Figures()
        self._service, self._session = service, session
        self._feed, self._viewers = feed, viewers
        self._worker = WorkerClient(service.worker_api)
        self._pids = service.pids()
        self._loop = asyncio.get_running_loop()
        self._began_s = self._loop.time()
        self._logged = 0
        self._lag_s = 0.0
        self.stats: dict[str, object] = {}

    async def run(self) -> None:
        """Until cancelled."""
        lagging = asyncio.create_task(self._measure_lag())
        try:
            while True:
                await self._look()
                await asyncio.sleep(LOOK_EVERY_S)
        finally:
            lagging.cancel()
            await self._worker.close()

    async def _measure_lag(self) -> None:
        """How late our own loop is: that is not the service's fault."""
        while True:
            due_s = self._loop.time() + LAG_EVERY_S
            await asyncio.sleep(LAG_EVERY_S)
            late_s = self._loop.time() - due_s
            self._lag_s = max(self._lag_s, late_s)
            self.figures.own_lag_s = max(self.figures.own_lag_s, late_s)

    async def _look(self) -> None:
        self._lag_s = 0.0
        await asyncio.gather(self._ask_worker(), self._ask_signaling())
        self._frames()
        self._peers()
        self._processes()
        self._log()
        self._memory()

    def _wrong(self, what: str) -> None:
        self.figures.violations[what] += 1

    # loops

    async def _ask_worker(self) -> None:
        began_s = self._loop.time()
        try:
            stats = await asyncio.wait_for(self._worker.stats(), 10)
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            self._wrong(f"the worker does not answer: {type(error).__name__}")
            return
        self.stats = stats["counters"]
        if stats["counters"]["session_errors"]:
            self._wrong("connections ended by an error of the worker")
        took_s = self._loop.time() - began_s
        self.figures.slowest_worker_s = max(self.figures.slowest_worker_s, took_s)
        if took_s - self._lag_s > MAX_ANSWER_S:
            self._wrong("the worker's loop was blocked")

    async def _ask_signaling(self) -> None:
        began_s = self._loop.time()
        try:
            timeout = aiohttp.ClientTimeout(total=10)
            async with self._session.get("/healthz", timeout=timeout) as response:
                await response.read()
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            self._wrong(f"signaling does not answer: {type(error).__name__}")
            return
        took_s = self._loop.time() - began_s
        self.figures.slowest_signaling_s = max(self.figures.slowest_signaling_s, took_s)
        if took_s - self._lag_s > MAX_ANSWER_S:
            self._wrong("signaling's loop was blocked")

    # pictures and peers

    def _frames(self) -> None:
        now_s = self._loop.time()
        for viewer in self._viewers:
            picture = viewer.pictures[STEADY]
            waiting_s = now_s - (picture.last_s or self._began_s)
            gap_s = max(picture.longest_gap_s, waiting_s)
            picture.longest_gap_s = 0.0
            self.figures.longest_gap_s = max(self.figures.longest_gap_s, gap_s)
            if gap_s - self._lag_s > MAX_GAP_S:
                self._wrong(f"more than {MAX_GAP_S} s between two frames")

    def _peers(self) -> None:
        """A second without an answer is no loss: a busy machine does that, and frames tell the rest."""
        for viewer in self._viewers:
            if viewer.closed is not None:
                self._wrong(f"a viewer lost its seat: {viewer.closed}")
            if viewer.resets or viewer.transport is None or viewer.transport.state == "closed":
                self._wrong("a viewer lost its connection")
        if self._feed.transport.state == "closed":
            self._wrong("the publisher lost its connection")

    # processes

    def _processes(self) -> None:
        if self._service.process.poll() is not None:
            self._wrong("the service ended")
        now = self._service.pids()
        for role, pid in self._pids.items():
            if now.get(role) != pid:
                self._wrong(f"{role} died")

    def _log(self) -> None:
        events = self._service.log_events()
        news, self._logged = events[self._logged :], len(events)
        for event in news:
            if event.get("level") in LOUD or "exception" in event:
                self._wrong(f"log of {event.get('role')}: {event.get('event')}")

    def _memory(self) -> None:
        at_s = self._loop.time() - self._began_s
        if at_s < SETTLED_S or (self.figures.times_s and at_s - self.figures.times_s[-1] < 1.0):
            return
        self.figures.times_s.append(at_s)
        for role, pid in self._pids.items():
            try:
                value = rss_bytes(pid) / 1e6
            except OSError:
                value = None
            self.figures.memory_mb.setdefault(role, []).append(value)
