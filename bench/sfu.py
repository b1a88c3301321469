"""What forwarding costs: a real worker process, a publisher, and N subscribers over DTLS-SRTP on loopback.

`teleconsult bench sfu [--subscribers 1,10,30,60] [--seconds 10] [--feeds 1] [--in-step] [--json]`
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

from rich.console import Console
from rich.table import Table

from bench.proc import rss_bytes, wait_measuring
from bench.processes import Child, start_receivers, worker
from bench.receiver import VERIFY_EVERY
from bench.signalling import WorkerClient
from sfu.metrics import Histogram

DEFAULT_SUBSCRIBERS: Final = (1, 10, 30, 60)
WARM_UP_S: Final = 3.0


@dataclass(frozen=True)
class Row:
    """One measurement. CPU is user + system time of the worker process; packets are media packets sent."""

    subscribers: int
    feeds: int
    seconds: float
    packets_in_per_s: float
    packets_out_per_s: float
    cpu_us_per_packet: float
    cpu_user_us_per_packet: float
    cpu_percent: float
    loss_percent: float
    inside_p50_us: int | None
    inside_p99_us: int | None
    packets_per_batch: float
    memory_per_subscriber_kb: float
    generator_cpu_percent: float
    """Of one core, the busiest load process."""
    reference_us: float
    """CPU time of one AESGCM.encrypt of 1,150 bytes on the same machine meanwhile: tells how noisy it was."""
    verified_packets: int
    rejected_packets: int
    srtp_profile: str


async def measure(
    subscribers: int,
    seconds: float,
    *,
    feeds: int = 1,
    bitrate_bps: int = 4_000_000,
    profile: str | None = None,
    in_step: bool = False,
    warm_up_s: float = WARM_UP_S,
    python: Sequence[str] = (sys.executable,),
) -> Row:
    """One row, with a worker of its own. `in_step`: all feeds' frames come at once. `python`: how to run the
    worker (a profiler may stand in front).
    """
    with tempfile.TemporaryDirectory(prefix="bench-sfu-") as directory:
        async with worker(directory, python) as (process, path):
            return await _measure(
                process.pid,
                path,
                subscribers,
                seconds,
                feeds,
                bitrate_bps,
                profile,
                warm_up_s,
                in_step=in_step,
            )


async def _measure(
    pid: int,
    path: str,
    subscribers: int,
    seconds: float,
    feeds: int,
    bitrate_bps: int,
    profile: str | None,
    warm_up_s: float,
    *,
    in_step: bool,
) -> Row:
    children: list[Child] = []
    api = WorkerClient(path)
    try:
        bitrate = str(bitrate_bps)
        together = ["--in-step"] if in_step else []
        publisher = await Child.start(
            "publish", "--api", path, "--count", str(feeds), "--bitrate-bps", bitrate, *together
        )
        children.append(publisher)
        tracks = (await publisher.read())["track_ids"]
        await asyncio.sleep(warm_up_s)
        base_bytes = rss_bytes(pid)
        options = [option for track in tracks for option in ("--track", track)]
        options += ["--profile", profile] if profile else []
        receivers, srtp_profile = await start_receivers(subscribers, children, "--api", path, *options)
        await asyncio.sleep(warm_up_s)
        memory_bytes = rss_bytes(pid) - base_bytes
        await asyncio.gather(*(child.mark() for child in receivers))
        before, loads = await api.stats(), [await child.mark() for child in children]
        await asyncio.gather(*(child.mark() for child in receivers))
        reference_us = await wait_measuring(seconds)
        after = await api.stats()
        ends = [await child.mark() for child in children]
    finally:
        await api.close()
        for child in reversed(children):
            await child.stop()
    busiest = max(end["cpu_s"] - load["cpu_s"] for end, load in zip(ends, loads, strict=True))
    return _row(
        before,
        after,
        ends[1:],
        subscribers,
        feeds,
        seconds,
        memory_bytes,
        100 * busiest / seconds,
        reference_us,
        srtp_profile,
    )


def _row(
    before: dict[str, Any],
    after: dict[str, Any],
    received: Sequence[dict[str, Any]],
    subscribers: int,
    feeds: int,
    seconds: float,
    memory_bytes: int,
    generator_percent: float,
    reference_us: float,
    srtp_profile: str,
) -> Row:
    def grown(*keys: str) -> float:
        start: Any = before
        end: Any = after
        for key in keys:
            start, end = start[key], end[key]
        return float(end) - float(start)

    out = max(1.0, grown("counters", "packets_out"))
    user_s, system_s = grown("process", "cpu_user_s"), grown("process", "cpu_system_s")
    inside = Histogram(after["inside_us"]["buckets"]).since(before["inside_us"]["buckets"])
    expected = sum(part["expected"] for part in received)
    got = sum(part["received"] for part in received)
    return Row(
        subscribers=subscribers,
        feeds=feeds,
        seconds=seconds,
        packets_in_per_s=grown("counters", "packets_in") / seconds,
        packets_out_per_s=out / seconds,
        cpu_us_per_packet=(user_s + system_s) / out * 1e6,
        cpu_user_us_per_packet=user_s / out * 1e6,
        cpu_percent=(user_s + system_s) / seconds * 100,
        loss_percent=max(0.0, 100 * (expected - got) / max(1, expected)),
        inside_p50_us=inside.percentile_us(0.5),
        inside_p99_us=inside.percentile_us(0.99),
        packets_per_batch=grown("counters", "packets_in") / max(1.0, grown("counters", "batches")),
        memory_per_subscriber_kb=memory_bytes / 1024 / subscribers,
        generator_cpu_percent=generator_percent,
        reference_us=reference_us,
        verified_packets=sum(part["verified"] for part in received),
        rejected_packets=sum(part["rejected"] for part in received),
        srtp_profile=srtp_profile,
    )


async def run(
    subscribers: Sequence[int] = DEFAULT_SUBSCRIBERS,
    seconds: float = 10.0,
    *,
    feeds: int = 1,
    bitrate_bps: int = 4_000_000,
    profile: str | None = None,
    in_step: bool = False,
    on_row: Callable[[Row], None] = lambda row: None,
) -> list[Row]:
    """One row per number of subscribers, each with fresh processes; `on_row` hears of each as it is done."""
    rows = []
    for count in subscribers:
        row = await measure(
            count, seconds, feeds=feeds, bitrate_bps=bitrate_bps, profile=profile, in_step=in_step
        )
        on_row(row)
        rows.append(row)
    return rows


COLUMNS: Final[tuple[tuple[str, Callable[[Row], str]], ...]] = (
    ("subscribers", lambda row: str(row.subscribers)),
    ("in /s", lambda row: f"{row.packets_in_per_s:,.0f}"),
    ("out /s", lambda row: f"{row.packets_out_per_s:,.0f}"),
    ("CPU µs/packet", lambda row: f"{row.cpu_us_per_packet:.2f}"),
    ("user µs", lambda row: f"{row.cpu_user_us_per_packet:.2f}"),
    ("CPU %", lambda row: f"{row.cpu_percent:.1f}"),
    ("loss %", lambda row: f"{row.loss_percent:.3f}"),
    ("inside p50 µs", lambda row: str(row.inside_p50_us)),
    ("inside p99 µs", lambda row: str(row.inside_p99_us)),
    ("batch", lambda row: f"{row.packets_per_batch:.1f}"),
    ("kB/subscriber", lambda row: f"{row.memory_per_subscriber_kb:.0f}"),
    ("generator CPU %", lambda row: f"{row.generator_cpu_percent:.0f}"),
    ("encrypt µs", lambda row: f"{row.reference_us:.2f}"),
    ("verified", lambda row: f"{row.verified_packets:,}"),
)


def table(rows: Sequence[Row]) -> Table:
    """The rows for people."""
    shown = Table(
        title=f"SFU: 1080p-like H.264, {rows[0].srtp_profile}, 1 in {VERIFY_EVERY} packets decrypted"
    )
    for name, _ in COLUMNS:
        shown.add_column(name, justify="right")
    for row in rows:
        shown.add_row(*(render(row) for _, render in COLUMNS))
    return shown


def show(rows: Sequence[Row], *, as_json: bool) -> None:
    """Print the rows on standard output."""
    if as_json:
        print(json.dumps({"cores": os.cpu_count(), "rows": [asdict(row) for row in rows]}, indent=2))
    else:
        Console(width=160 if not sys.stdout.isatty() else None).print(table(rows))
