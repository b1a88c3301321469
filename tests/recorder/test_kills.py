"""The recorder, and the media server, killed again and again in the middle of their work."""

from __future__ import annotations

import asyncio
import random
from functools import partial
from pathlib import Path

from archive.entries import GapEntry
from archive.faults import Verdict
from archive.keys import read_trust_file
from archive.layout import TRUSTED_SIGNERS
from archive.verify import Report, verify_consultation
from tests.recorder.service import Service, service
from tests.recorder.test_recorder import closed

KILLS = 4
LOST_AT_MOST_US = 2_000_000
FRAME_US = 40_000


def verified(running: Service) -> Report:
    trusted = read_trust_file(running.settings.archive_dir / TRUSTED_SIGNERS)
    return verify_consultation(running.folder, trusted, bound_to_name=True)


def gaps(running: Service, reason: str) -> list[GapEntry]:
    return [item for item in running.entries() if isinstance(item, GapEntry) and item.reason == reason]


def now_us(running: Service) -> int:
    return running.database.now_us() - running.consultation.opened_us


async def grows(running: Service, *kinds: str) -> None:
    """Two more pieces of each."""
    for kind in kinds:
        wanted = len(running.pieces(kind)) + 2
        await running.until(partial(_has, running, kind, wanted), f"{kind} is archived")


def _has(running: Service, kind: str, wanted: int) -> bool:
    return len(running.pieces(kind)) >= wanted


async def test_killed_at_many_points_the_recorder_loses_two_seconds_at_most_and_declares_them(
    tmp_path: Path,
) -> None:
    chance = random.Random(7)
    async with service(tmp_path) as running:
        await running.publish()
        kills = []
        for number in range(KILLS):
            process = await running.start_recorder_process()
            await grows(running, "video", "audio")
            await asyncio.sleep(chance.random())  # anywhere in the life of a piece
            killed_us = now_us(running)
            process.kill()
            await process.wait()
            ends = [max(piece.end_us for piece in running.pieces(kind)) for kind in ("video", "audio")]
            assert killed_us - min(ends) <= LOST_AT_MOST_US, number
            report = verified(running)
            assert (report.verdict, report.open) == (Verdict.INTACT, True), (number, report.first_bad)
            kills.append((min(ends), killed_us))
        running.start_recorder()
        await grows(running, "video", "audio")
        await running.end_consultation()
        await running.until(lambda: closed(running), "the archive is closed")
        report = verified(running)
        assert (report.verdict, report.holes) == (Verdict.INTACT, ())
        declared = [gap for gap in gaps(running, "recorder_restarted") if gap.track is None]
        assert len(declared) == KILLS
        for gap, (written_us, killed_us) in zip(declared, kills, strict=True):
            assert gap.begin_us <= written_us + FRAME_US
            assert gap.end_us >= killed_us


async def test_a_media_server_killed_again_and_again_leaves_no_hole_undeclared(tmp_path: Path) -> None:
    async with service(tmp_path) as running:
        feed = await running.publish()
        running.start_recorder()
        for number in range(3):
            await grows(running, "video")
            await asyncio.sleep(number / 4)
            await running.replace_media_server()
            assert verified(running).verdict is Verdict.INTACT
            await feed.stop()
            feed = await running.publish()
        await grows(running, "video")
        await running.end_consultation()
        await running.until(lambda: closed(running), "the archive is closed")
        report = verified(running)
        assert (report.verdict, report.holes) == (Verdict.INTACT, ())
