"""The disk is full while the recorder runs: a process of its own, on a file system of its own."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from archive import layout
from archive.entries import GapEntry
from archive.faults import Verdict
from archive.keys import ensure_signer, read_trust_file
from archive.verify import Report, verify_consultation
from tests.recorder.service import WITHIN_S, Feed, Service, service
from tests.recorder.small_disk import Disk, LimitedFiles, SmallFileSystem, small_disk
from tests.recorder.test_recorder import auditor, closed

FRAME_US = 40_000


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    with small_disk(tmp_path / "disk") as made:
        yield made


@pytest.fixture(params=["as it is here", "where nobody gets a namespace"])
def any_disk(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Disk]:
    if request.param == "as it is here":
        with small_disk(tmp_path / "disk") as made:
            yield made
    else:
        (tmp_path / "limited").mkdir()
        yield LimitedFiles(tmp_path / "limited")


def verified(running: Service) -> Report:
    trusted = read_trust_file(running.settings.archive_dir / layout.TRUSTED_SIGNERS)
    return verify_consultation(running.folder, trusted, bound_to_name=True)


def gaps(running: Service, reason: str) -> list[GapEntry]:
    return [item for item in running.entries() if isinstance(item, GapEntry) and item.reason == reason]


def objects(folder: Path) -> dict[str, str]:
    """Path → SHA-256 of everything that is named for good."""
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*.age")
    }


async def is_recorded(running: Service) -> None:
    wanted = len(running.pieces()) + 2
    await running.until(lambda: len(running.pieces()) >= wanted, "pictures are archived")
    await running.until(lambda: running.recording_state == "recording", "the room is told")


async def is_refused(running: Service, disk: Disk) -> None:
    await running.until(lambda: running.recording_state == "failed", "the room is told")
    assert running.recording_problem == disk.problem


async def pictures_go_by(running: Service, feed: Feed, count: int) -> None:
    wanted = feed.frames_sent + count
    await running.until(lambda: feed.frames_sent >= wanted, "pictures go by")


async def test_a_full_disk_pauses_recording_and_it_goes_on_by_itself_with_the_gap_declared(
    tmp_path: Path, any_disk: Disk
) -> None:
    disk = any_disk
    async with service(tmp_path / "service", archive_dir=disk.path) as running:
        feed = await running.publish()
        recorder = await running.start_recorder_process()
        await is_recorded(running)
        disk.fill(recorder.pid)
        await is_refused(running, disk)
        manifest, before = (running.folder / layout.MANIFEST).read_bytes(), objects(running.folder)
        last_us = max(piece.end_us for piece in running.pieces())
        await pictures_go_by(running, feed, 100)  # it is tried again meanwhile, in vain
        assert running.recording_state == "failed"
        assert max(piece.end_us for piece in running.pieces()) <= last_us + 1_000_000
        report = verified(running)
        assert (report.verdict, report.open) == (Verdict.INTACT, True)
        disk.free(recorder.pid)
        await is_recorded(running)
        assert recorder.returncode is None
        assert (running.folder / layout.MANIFEST).read_bytes().startswith(manifest)
        assert before.items() <= objects(running.folder).items()
        await running.end_consultation()
        await running.until(lambda: closed(running), "the archive is closed")
        report = verified(running)
        assert (report.verdict, report.open, report.holes) == (Verdict.INTACT, False, ())
        for kind in ("video", "audio"):
            declared = [gap for gap in gaps(running, "disk") if gap.track == f"ultrasound-device-{kind}"]
            pieces = running.pieces(kind)
            after = next(piece for piece in pieces if piece.begin_us > last_us + 2_000_000)
            before_it = pieces[pieces.index(after) - 1]
            assert min(gap.begin_us for gap in declared) <= before_it.end_us + FRAME_US
            assert max(gap.end_us for gap in declared) >= after.begin_us - FRAME_US
        told = [event for event in running.events(auditor(tmp_path)) if event["type"].startswith("storage")]
        assert told[0]["type"] == "storage_failed"
        assert told[-1]["type"] == "storage_works"


async def test_killed_while_the_disk_is_full_it_goes_on_when_there_is_space_again(
    tmp_path: Path, disk: Disk
) -> None:
    async with service(tmp_path / "service", archive_dir=disk.path) as running:
        await running.publish()
        recorder = await running.start_recorder_process()
        await is_recorded(running)
        disk.fill(recorder.pid)
        await is_refused(running, disk)
        recorder.kill()
        await recorder.wait()
        report = verified(running)
        assert (report.verdict, report.open) == (Verdict.INTACT, True)
        again = await running.start_recorder_process()
        if isinstance(disk, SmallFileSystem):
            await is_refused(running, disk)  # it cannot even say that it is back
        disk.free(again.pid)
        await is_recorded(running)
        await running.end_consultation()
        await running.until(lambda: closed(running), "the archive is closed")
        report = verified(running)
        assert (report.verdict, report.open, report.holes) == (Verdict.INTACT, False, ())
        assert gaps(running, "recorder_restarted")


async def test_a_disk_that_is_full_from_the_beginning_is_said_and_recorded_on_once_there_is_space(
    tmp_path: Path, disk: Disk
) -> None:
    async with service(tmp_path / "service", archive_dir=disk.path) as running:
        await running.publish()
        ensure_signer(running.settings.signing_key_file)  # it lies elsewhere
        recorder = await running.start_recorder_process(disk.fill_ahead())
        await is_refused(running, disk)
        disk.free(recorder.pid)
        await is_recorded(running)
        await running.end_consultation()
        await running.until(lambda: closed(running), "the archive is closed")
        assert (verified(running).verdict, verified(running).holes) == (Verdict.INTACT, ())


async def test_what_a_full_disk_does_not_let_be_closed_is_closed_later(tmp_path: Path, disk: Disk) -> None:
    async with service(tmp_path / "service", archive_dir=disk.path) as running:
        await running.publish()
        recorder = await running.start_recorder_process()
        await is_recorded(running)
        recorder.kill()
        await recorder.wait()
        await running.end_consultation()
        recorder = await running.start_recorder_process(disk.fill_ahead(), heard=True)
        assert recorder.stdout is not None
        async with asyncio.timeout(WITHIN_S):
            while b"archive_not_closed" not in await recorder.stdout.readline():
                assert not closed(running)
        disk.free(recorder.pid)
        await running.until(lambda: closed(running), "the archive is closed")
        assert (verified(running).verdict, verified(running).holes) == (Verdict.INTACT, ())
