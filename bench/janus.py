"""This project's worker against Janus' VideoRoom: the same publisher and subscribers, by turns.

`teleconsult bench janus [--subscribers 1,10,30,60] [--rounds 3] [--seconds 10] [--json]`
"""

from __future__ import annotations

import asyncio
import os
import socket
import sys
import tempfile
from asyncio.subprocess import Process
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any, Final

from bench.janus_server import janus
from bench.janus_table import Run
from bench.proc import MachineTime, cpu_seconds, rss_bytes, wait_measuring
from bench.processes import Child, start_receivers, worker
from bench.signalling import ServerKind
from core.errors import ConfigError
from sfu.metrics import Histogram

WARM_UP_S: Final = 3.0
SERVERS: Final[tuple[ServerKind, ServerKind]] = ("teleconsult", "janus")
_ANYWHERE: Final = ("192.0.2.1", 9)
"""Documentation's network (RFC 5737): routing tells our address, nothing is sent."""


@dataclass(frozen=True)
class Load:
    """What every run of a comparison has in common."""

    seconds: float = 10.0
    bitrate_bps: int = 4_000_000
    coalesce: bool = False
    apart: bool = False
    """The load has a core of its own, the server all others: as if they were two machines."""
    warm_up_s: float = WARM_UP_S


@dataclass(frozen=True)
class _Snapshot:
    """Everything counted, at one moment."""

    cpu_s: tuple[float, float]
    machine: MachineTime
    publisher: dict[str, Any]
    receivers: list[dict[str, Any]]

    @classmethod
    async def take(cls, pid: int, publisher: Child, receivers: Sequence[Child]) -> _Snapshot:
        marks = await asyncio.gather(publisher.mark(), *(child.mark() for child in receivers))
        return cls(cpu_seconds(pid), MachineTime.now(), marks[0], marks[1:])


def local_address() -> str:
    """An address of this machine other than loopback (Janus does not use that one). Raises `ConfigError`."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(_ANYWHERE)
        except OSError:
            raise ConfigError("this machine has no route: Janus needs a network besides loopback") from None
        return str(probe.getsockname()[0])


def turns(rounds: int) -> list[tuple[int, ServerKind]]:
    """(round, server) in the order they run: who begins changes, so that a drift of the machine cancels."""
    return [
        (number, server)
        for number in range(1, rounds + 1)
        for server in (SERVERS if number % 2 else reversed(SERVERS))
    ]


async def run(
    counts: Sequence[int],
    rounds: int,
    load: Load,
    *,
    on_run: Callable[[Run], None] = lambda run: None,
) -> list[Run]:
    """Every count, `rounds` times on each server; `on_run` hears of each run as it is done. Raises
    `ConfigError`.
    """
    runs = []
    host = local_address()
    server_cores = take_a_core() if load.apart else ""
    for count in counts:
        for number, server in turns(rounds):
            done = await measure(server, count, number, load, host, server_cores)
            on_run(done)
            runs.append(done)
    return runs


def take_a_core() -> str:
    """Keep this process, and those it starts, to the last core; the others, as taskset wants them. Raises
    `ConfigError` where there is but one.
    """
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < 2:
        raise ConfigError("there is one core only: load and server cannot be kept apart")
    os.sched_setaffinity(0, cores[-1:])
    return ",".join(map(str, cores[:-1]))


async def measure(
    server: ServerKind, subscribers: int, number: int, load: Load, host: str, server_cores: str = ""
) -> Run:
    """One run, every process fresh. `server_cores`: where the server may run, as taskset wants it."""
    with tempfile.TemporaryDirectory(prefix="bench-janus-") as directory:
        async with _serving(server, directory, host, server_cores) as (process, api):
            return await _measure(server, process.pid, api, subscribers, number, load)


def _serving(
    server: ServerKind, directory: str, host: str, cores: str
) -> AbstractAsyncContextManager[tuple[Process, str]]:
    there = ("taskset", "--cpu-list", cores) if cores else ()
    if server == "janus":
        return janus(directory, host, there)
    return worker(directory, (*there, sys.executable), host)


async def _measure(server: ServerKind, pid: int, api: str, subscribers: int, number: int, load: Load) -> Run:
    children: list[Child] = []
    way = ("--server", server, "--api", api)
    try:
        publisher = await Child.start("publish", *way, "--bitrate-bps", str(load.bitrate_bps))
        children.append(publisher)
        tracks = (await publisher.read())["track_ids"]
        await asyncio.sleep(load.warm_up_s)
        base_bytes = rss_bytes(pid)
        options = [*way, *(() if load.coalesce else ("--plain",))]
        options += [option for track in tracks for option in ("--track", track)]
        receivers, srtp_profile = await start_receivers(subscribers, children, *options)
        await asyncio.sleep(load.warm_up_s)
        memory_bytes = rss_bytes(pid) - base_bytes
        before = await _Snapshot.take(pid, publisher, receivers)
        reference_us = await wait_measuring(load.seconds)
        after = await _Snapshot.take(pid, publisher, receivers)
    finally:
        for child in reversed(children):
            await child.stop()
    return _result(
        server,
        subscribers,
        number,
        load,
        before,
        after,
        memory_kb=memory_bytes / 1024 / subscribers,
        reference_us=reference_us,
        srtp_profile=srtp_profile,
    )


def _result(
    server: ServerKind,
    subscribers: int,
    number: int,
    load: Load,
    before: _Snapshot,
    after: _Snapshot,
    *,
    memory_kb: float,
    reference_us: float,
    srtp_profile: str,
) -> Run:
    sent = after.publisher["sent"] - before.publisher["sent"]
    delivered = sum(part["received"] for part in after.receivers)
    _require_delivery(server, sent, after.receivers)
    expected = sum(part["expected"] for part in after.receivers)
    user_s, system_s = (end - start for end, start in zip(after.cpu_s, before.cpu_s, strict=True))
    transit = _transit(after.receivers).since(_transit(before.receivers).counts)
    idle_percent, steal_percent = after.machine.percent_since(before.machine)
    pairs = list(zip(before.receivers, after.receivers, strict=True))
    return Run(
        server=server,
        subscribers=subscribers,
        round=number,
        seconds=load.seconds,
        sent_per_s=sent / load.seconds,
        delivered_per_s=delivered / load.seconds,
        cpu_us_per_packet=(user_s + system_s) / delivered * 1e6,
        cpu_user_us_per_packet=user_s / delivered * 1e6,
        cpu_percent=100 * (user_s + system_s) / load.seconds,
        loss_percent=max(0.0, 100 * (expected - delivered) / max(1, expected)),
        undelivered_percent=max(0.0, 100 - 100 * delivered / (sent * subscribers)),
        memory_per_subscriber_kb=memory_kb,
        transit_p50_us=transit.percentile_us(0.5) or 0,
        transit_p99_us=transit.percentile_us(0.99) or 0,
        publisher_cpu_percent=_cpu_percent(before.publisher, after.publisher, load.seconds),
        publisher_late_ms=after.publisher["late_ms"],
        receiver_cpu_percent=max(
            100 * (end["cpu_s"] - start["cpu_s"]) / load.seconds for start, end in pairs
        ),
        receiver_overflowed=sum(end["overflowed"] - start["overflowed"] for start, end in pairs),
        idle_percent=idle_percent,
        steal_percent=steal_percent,
        reference_us=reference_us,
        srtp_profile=srtp_profile,
        verified_packets=sum(end["verified"] - start["verified"] for start, end in pairs),
        rejected_packets=sum(end["rejected"] for _, end in pairs),
        viewer_feedback=sum(end["feedback_sent"] - start["feedback_sent"] for start, end in pairs),
        publisher_feedback=after.publisher["feedback"] - before.publisher["feedback"],
    )


def _cpu_percent(start: dict[str, Any], end: dict[str, Any], seconds: float) -> float:
    return 100 * float(end["cpu_s"] - start["cpu_s"]) / seconds


def _transit(parts: Sequence[dict[str, Any]]) -> Histogram:
    return Histogram([sum(column) for column in zip(*(part["transit"] for part in parts), strict=True)])


def _require_delivery(server: str, sent: int, receivers: Sequence[dict[str, Any]]) -> None:
    """Gaps in numbers do not show a subscriber that got nothing at all."""
    worst = min(part["worst"] for part in receivers)
    if worst < sent / 2:
        raise RuntimeError(f"{server}: of {sent} packets sent, one subscriber got {worst}")
