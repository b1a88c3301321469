"""What archiving costs, and what a crash loses: `teleconsult bench archive`.

A whole service on ports of its own, with a recorder process and feeds of 1080p; the recorder's CPU is the
kernel's count for that process. It is then killed (SIGKILL) again and again. Sealing and verifying are timed
on an archive of their own.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import random
import secrets
import signal
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Final

import aiohttp
from rich.console import Console
from rich.table import Table

from archive import canonical, layout
from archive.entries import Entry, PieceEntry, parse_entry
from archive.keys import ArchiveSigner, TrustedSigner, create_identity, make_session_key, read_trust_file
from archive.specs import GenerationSpec, PieceSpec, Span
from archive.verify import verify_consultation
from archive.writer import ArchiveWriter
from bench.encoded_pictures import EncodedPictures, encode
from bench.proc import cpu_seconds, wait_measuring
from bench.room_feed import Feed
from bench.room_service import LOOK_EVERY_S, ROOM, RoomService, room_service
from core.clock import SystemClock
from core.config import Recipient
from recorder.writing import WritingThread

SETTLE_S: Final = 4.0
WITHIN_S: Final = 60.0
PIECE_BYTES: Final = 500_000
"""One second of 4 Mbit/s."""
VERIFY_ROUNDS: Final = 3
US_PER_S: Final = 1_000_000


@dataclass(frozen=True)
class Cost:
    """Of the recorder process, while `feeds` were recorded."""

    feeds: int
    seconds: float
    cpu_percent: float
    written_bps: float
    reference_us: float
    """What one encryption of a packet cost meanwhile: how slow the machine was."""

    @property
    def cpu_percent_per_feed(self) -> float:
        return self.cpu_percent / self.feeds


@dataclass(frozen=True)
class Kill:
    """One `kill -9`. `lost_s`: from the last archived frame to the kill, the worst track's. `gap_s`: until
    there are pictures again.
    """

    lost_s: float
    gap_s: float
    intact: bool


@dataclass(frozen=True)
class Sealing:
    """On `folder`'s disk, in pieces of `PIECE_BYTES`; sealing includes every fsync."""

    megabytes: int
    seal_mb_per_s: float
    verify_mb_per_s: float


@dataclass(frozen=True)
class Result:
    """Everything measured."""

    costs: list[Cost]
    kills: list[Kill]
    sealing: Sealing


Tell = Callable[[str], None]


async def run(
    feeds: Sequence[int], seconds: float, kills: int, megabytes: int, *, bitrate_bps: int, tell: Tell
) -> Result:
    """`feeds`: how many at once, one measurement each; `tell` hears of progress."""
    tell("making two seconds of 1080p …")
    units = encode(bitrate_bps)
    costs: list[Cost] = []
    with tempfile.TemporaryDirectory(prefix="tc-archive-") as name:
        folder = Path(name)
        names = [f"feed-{number}" for number in range(1, max(feeds) + 1)]
        async with room_service(folder, names, recorder=True) as service:
            for count in feeds:
                tell(f"recording {count} feeds for {seconds:.0f} s …")
                costs.append(await _cost(service, names[:count], units, seconds))
            tell(f"killing the recorder {kills} times …")
            killed = await _kill_again_and_again(service, names[:1], units, kills)
        tell(f"sealing and verifying {megabytes} MB …")
        sealing = await asyncio.to_thread(measure_sealing, folder / "own", megabytes)
    return Result(costs, killed, sealing)


async def _cost(service: RoomService, names: Sequence[str], units: list[bytes], seconds: float) -> Cost:
    async with _recorded(service, names, units):
        await asyncio.sleep(SETTLE_S)
        pid, before, begun = service.pids()["recorder"], _archived_bytes(service), time.monotonic()
        cpu_s = sum(cpu_seconds(pid))
        reference_us = await wait_measuring(seconds)
        cpu_s, took_s = sum(cpu_seconds(pid)) - cpu_s, time.monotonic() - begun
        written_bps = (_archived_bytes(service) - before) * 8 / took_s
        return Cost(len(names), took_s, 100 * cpu_s / took_s, written_bps, reference_us)


@contextlib.asynccontextmanager
async def _recorded(service: RoomService, names: Sequence[str], units: list[bytes]) -> AsyncIterator[None]:
    """The feeds are published, and all of them are in the archive."""
    token = service.seed.device_token
    async with contextlib.AsyncExitStack() as stack:
        session = await stack.enter_async_context(aiohttp.ClientSession(service.base_url))
        known = {name: len(_pieces(service, name)) for name in names}
        for name in names:
            feed = Feed(session, ROOM, name, token, pictures=EncodedPictures(units))
            await stack.enter_async_context(feed)
        await _until(lambda: all(len(_pieces(service, name)) > known[name] + 1 for name in names))
        yield


async def _kill_again_and_again(
    service: RoomService, names: Sequence[str], units: list[bytes], kills: int
) -> list[Kill]:
    """At moments that have nothing to do with when pieces are cut."""
    chance, found = random.Random(1), []
    async with _recorded(service, names, units):
        for _ in range(kills):
            await asyncio.sleep(SETTLE_S + chance.random())
            found.append(await _kill(service, names))
    return found


async def _kill(service: RoomService, names: Sequence[str]) -> Kill:
    pid = service.pids()["recorder"]
    os.kill(pid, signal.SIGKILL)
    killed_us = time.time_ns() // 1_000 - _epoch_us(service)
    await _until(lambda: service.pids().get("recorder") != pid)  # a thread in the kernel finishes its call
    before = {name: _pieces(service, name) for name in names}
    lost_us = max(killed_us - max(piece.end_us for piece in pieces) for pieces in before.values())
    await _until(lambda: all(len(_pieces(service, name)) > len(before[name]) for name in names))
    after_us = max(_pieces(service, name)[len(before[name])].begin_us for name in names)
    trust = read_trust_file(service.settings.archive_dir / layout.TRUSTED_SIGNERS)
    report = await asyncio.to_thread(verify_consultation, _folder(service), trust)
    return Kill(lost_us / US_PER_S, (after_us - killed_us + lost_us) / US_PER_S, report.verdict == 0)


def measure_sealing(folder: Path, megabytes: int) -> Sealing:
    """One archive written as fast as it goes, then verified, several times: the best counts."""
    signer = ArchiveSigner.generate()
    keys = [
        Recipient(custodian=name, recipient=create_identity(folder / name), offline=name == "safe")
        for name in ("auditor", "safe")
    ]
    writer = ArchiveWriter.create(
        folder, "bench", epoch_us=0, recipients=keys, signer=signer, clock=SystemClock(),
        session_key=make_session_key([key.recipient for key in keys]),
    )  # fmt: skip
    count = max(1, megabytes * 1_000_000 // PIECE_BYTES)
    track = GenerationSpec("video", "H264", "mp4", 90_000, "bench", "device", "t", 1920, 1080)
    generation = writer.start_generation("bench", track, b"init", "start")
    data, begun = secrets.token_bytes(PIECE_BYTES), time.perf_counter()
    writing = WritingThread(max_bytes=megabytes * 2_000_000, max_jobs=count + 1)
    for number in range(count):
        spec = PieceSpec(Span(number * US_PER_S, (number + 1) * US_PER_S), 30, True)
        write = partial(writer.write_piece, "bench", generation, spec)
        assert writing.submit(PIECE_BYTES, write, partial(writer.seal, data), writer.stage)
    writing.stop()
    sealed_s = time.perf_counter() - begun
    writer.close("bench")
    trust = [TrustedSigner(signer.public, "this run")]
    rates = []
    for _ in range(VERIFY_ROUNDS):
        begun = time.perf_counter()
        report = verify_consultation(folder / "bench", trust)
        rates.append(report.bytes / 1e6 / (time.perf_counter() - begun))
    return Sealing(count * PIECE_BYTES // 1_000_000, count * PIECE_BYTES / 1e6 / sealed_s, max(rates))


# the service's archive


def _folder(service: RoomService) -> Path:
    return service.settings.archive_dir / service.seed.consultation.consultation_id


def _entries(service: RoomService) -> list[Entry]:
    """Whole entries there are now."""
    path = _folder(service) / layout.MANIFEST
    lines = path.read_bytes().splitlines(keepends=True) if path.exists() else []
    return [parse_entry(canonical.decode(line[:-1])) for line in lines if line.endswith(b"\n")]


def _epoch_us(service: RoomService) -> int:
    first = _entries(service)[0]
    assert first.kind == "open"
    return first.epoch_us


def _pieces(service: RoomService, feed: str) -> list[PieceEntry]:
    """Of its picture."""
    track = f"{feed}-device-video"
    return [item for item in _entries(service) if isinstance(item, PieceEntry) and item.track == track]


def _archived_bytes(service: RoomService) -> int:
    return sum(item.size for item in _entries(service) if isinstance(item, PieceEntry))


async def _until(condition: Callable[[], bool]) -> None:
    """Raises `TimeoutError`."""
    async with asyncio.timeout(WITHIN_S):
        while not condition():  # noqa: ASYNC110 - it is on disk, written by another process
            await asyncio.sleep(LOOK_EVERY_S)


# for people


def table(result: Result) -> Table:
    """All of it, one figure a row."""
    shown = Table(title="Archive: 1080p H.264 through a real service, recorder process alone")
    for name in ("what", "measured", "target"):
        shown.add_column(name, justify="left" if name == "what" else "right")
    for cost in result.costs:
        what = (
            f"recorder CPU per feed, {cost.feeds} feeds of {cost.written_bps / cost.feeds / 1e6:.1f} Mbit/s"
        )
        shown.add_row(what, f"{cost.cpu_percent_per_feed:.1f} % of a core", "≤ 4 %")
    shown.add_row("seal, with every fsync", f"{result.sealing.seal_mb_per_s:.0f} MB/s", "")
    shown.add_row(
        f"verify {result.sealing.megabytes} MB", f"{result.sealing.verify_mb_per_s:.0f} MB/s", "≥ 300 MB/s"
    )
    if result.kills:
        worst = max(kill.lost_s for kill in result.kills)
        shown.add_row(f"lost on kill -9, worst of {len(result.kills)}", f"{worst:.2f} s", "≤ 2 s")
        shown.add_row(
            "until it records again, worst", f"{max(kill.gap_s for kill in result.kills):.2f} s", ""
        )
        intact = all(kill.intact for kill in result.kills)
        shown.add_row("archive intact after each", "yes" if intact else "NO", "yes")
    return shown


def show(result: Result, *, as_json: bool) -> None:
    """Print it on standard output."""
    if as_json:
        costs = [{**asdict(cost), "cpu_percent_per_feed": cost.cpu_percent_per_feed} for cost in result.costs]
        found = {"cores": os.cpu_count(), "costs": costs, "sealing": asdict(result.sealing)}
        print(json.dumps({**found, "kills": [asdict(kill) for kill in result.kills]}, indent=2))
    else:
        Console(width=None if sys.stdout.isatty() else 110).print(table(result))
