"""What a soak reads of a service, sample by sample: memory, files, tasks, time inside."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import aiohttp

from bench.proc import open_files, rss_bytes
from bench.room_service import RoomService
from bench.room_viewer import Viewer
from bench.signalling import WorkerClient
from sfu.metrics import Histogram

Sample = dict[str, float | None]


@dataclass
class Probe:
    """`sample` at each interval."""

    service: RoomService
    session: aiohttp.ClientSession
    worker: WorkerClient
    pids: dict[str, int]
    _buckets: Sequence[int] | None = None

    async def sample(self, at_s: float, viewers: Sequence[Viewer]) -> Sample:
        """What is true now, and the times since the last sample. Raises `aiohttp.ClientError`."""
        found: Sample = {"at_s": at_s}
        for role, pid in self.pids.items():
            found[f"{role} MB"] = rss_bytes(pid) / 1e6
            found[f"{role} files"] = open_files(pid)
        stats = await self.worker.stats()
        found["sfu tasks"] = stats["process"]["tasks"]
        found["signaling tasks"] = await self._signaling_tasks()
        found |= self._inside(stats["inside_us"]["buckets"])
        pings = [ping_s for viewer in viewers for ping_s in viewer.ping_s]
        for viewer in viewers:
            viewer.ping_s = []
        found["ping p50 ms"] = statistics.median(pings) * 1e3 if pings else None
        found["ping p99 ms"] = sorted(pings)[int(len(pings) * 0.99)] * 1e3 if pings else None
        return found

    def _inside(self, buckets: list[int]) -> Sample:
        """Kernel receive → last copy sent, in the worker."""
        since = Histogram(buckets) if self._buckets is None else Histogram(buckets).since(self._buckets)
        self._buckets = buckets
        values = {name: since.percentile_us(share) for name, share in (("p50", 0.5), ("p99", 0.99))}
        return {f"inside {name} ms": None if us is None else us / 1e3 for name, us in values.items()}

    async def _signaling_tasks(self) -> float | None:
        async with self.session.get("/metrics") as response:
            for line in (await response.text()).splitlines():
                if line.startswith("teleconsult_tasks "):
                    return float(line.split()[1])
        return None


def worst_gap_s(viewers: Sequence[Viewer], feed: str) -> float:
    """The longest time without a frame of a feed, and that at any of them; forgotten afterwards."""
    worst = 0.0
    for viewer in viewers:
        picture: Any = viewer.pictures.get(feed)
        if picture is not None:
            worst, picture.longest_gap_s = max(worst, picture.longest_gap_s), 0.0
    return worst
