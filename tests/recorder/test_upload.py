"""The second copy, in a real S3 server: always a whole archive, complete in the end, whatever happens."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from archive import layout
from archive.faults import Verdict
from archive.keys import read_trust_file
from archive.log_records import FOLDER
from archive.log_source import FILES, LocalLog, StoreLog
from archive.opening import current_ledger
from archive.shred import Copies, carry_out, record
from archive.shred_request import new_request
from archive.store_base import OBJECT_FOLDERS, LocalFolder, StoreError
from archive.store_open import LayeredFolder
from archive.store_s3 import S3Archive
from archive.upload import STATE_DIRECTORY, ConsultationUpload
from archive.verify import Report, verify_consultation
from core.config import Settings
from core.supervisor import own_command
from recorder.upload import STATUS_FILE, Uploader, uploading
from signaling.context import CONTEXT
from tests.archive import support
from tests.recorder.service import service
from tests.support.s3 import BUCKET, S3Server, running_s3

WITHIN_S = 60.0
OBJECTS = len(support.steps()) - 1
"""Every step makes one, but for the gap."""
DAY_NS = 86_400 * 1_000_000_000


class Clock(support.FakeClock):
    """Put forward by what a test adds."""

    def __init__(self) -> None:
        super().__init__()
        self.ahead_ns = 0

    def unix_ns(self) -> int:
        return super().unix_ns() + self.ahead_ns

    def monotonic_ns(self) -> int:
        return super().monotonic_ns() + self.ahead_ns


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    with running_s3(tmp_path_factory.mktemp("s3")) as running:
        yield running


@pytest.fixture
def far(server: S3Server, request: pytest.FixtureRequest) -> S3Archive:
    return server.archive("u/" + hashlib.sha256(request.node.name.encode()).hexdigest()[:12])


def verify_copy(far: S3Archive) -> Report:
    return verify_consultation(far.folder(support.CONSULTATION), support.keys().trusted)


def finish(uploader: Uploader) -> None:
    while uploader.round() == 0.0:
        pass


def test_after_every_entry_the_copy_is_a_valid_archive_and_in_the_end_the_same(
    far: S3Archive, tmp_path: Path
) -> None:
    clock = Clock()
    writer = support.create(tmp_path)
    uploader = Uploader(tmp_path, far, clock)
    entries = []
    for step in support.steps():
        step(writer)
        clock.ahead_ns += 60 * 1_000_000_000  # the manifest may be sent again
        finish(uploader)
        if far.folder(support.CONSULTATION).has(layout.MANIFEST):
            report = verify_copy(far)
            assert (report.verdict, report.open) == (Verdict.INTACT, True)
            entries.append(report.entries)
    assert entries == sorted(set(entries))
    assert len(entries) >= 9
    writer.close("consultation_closed")
    finish(uploader)
    here, there = LocalFolder(tmp_path / support.CONSULTATION), far.folder(support.CONSULTATION)
    assert (verify_copy(far).verdict, verify_copy(far).open) == (Verdict.INTACT, False)
    for name in (*here.objects(), layout.MANIFEST, layout.CLOSED, layout.SESSION_KEY):
        assert here.hash(name) == there.hash(name)
    assert there.objects() == here.objects()


def test_the_last_line_waits_for_another_one_because_a_power_cut_may_take_it(
    far: S3Archive, tmp_path: Path
) -> None:
    folder = support.write(tmp_path, close=False)
    upload = ConsultationUpload(tmp_path, folder.name, far, Clock())
    while upload.step().more:
        pass
    lines = (folder / layout.MANIFEST).read_bytes().splitlines(keepends=True)
    assert upload.state.manifest_bytes == sum(len(line) for line in lines[:-1])


def test_a_growing_manifest_is_not_sent_again_for_every_line(far: S3Archive, tmp_path: Path) -> None:
    clock, writer = Clock(), support.create(tmp_path)
    upload = ConsultationUpload(tmp_path, support.CONSULTATION, far, clock)
    sent = set()
    for step in support.steps():
        step(writer)
        upload.step()
        sent.add(upload.state.manifest_sent)
    assert len(sent) <= 2
    assert verify_copy(far).verdict is Verdict.INTACT


def test_a_restarted_uploader_goes_on_and_sends_nothing_twice(
    far: S3Archive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = support.write(tmp_path)
    monkeypatch.setattr("archive.upload.BATCH_OBJECTS", 2)
    ConsultationUpload(tmp_path, folder.name, far, Clock()).step()
    sent: list[str] = []
    write = far.write
    monkeypatch.setattr(far, "write", lambda key, data: (sent.append(key), write(key, data))[1])
    second = ConsultationUpload(tmp_path, folder.name, far, Clock())
    while second.step().more:
        pass
    assert second.done
    objects = [key for key in sent if key.partition("/")[2].startswith(OBJECT_FOLDERS)]
    assert len(objects) == len(set(objects)) == OBJECTS - 2
    assert verify_copy(far).verdict is Verdict.INTACT


def test_when_its_notes_are_lost_it_compares_instead_of_sending_again(
    far: S3Archive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = support.write(tmp_path)
    finish(Uploader(tmp_path, far, Clock()))
    for note in (tmp_path / STATE_DIRECTORY).iterdir():
        note.write_bytes(b"{torn")
    sent: list[str] = []
    write = far.write
    monkeypatch.setattr(far, "write", lambda key, data: (sent.append(key), write(key, data))[1])
    finish(Uploader(tmp_path, far, Clock()))
    assert not [key for key in sent if key.partition("/")[2].startswith(OBJECT_FOLDERS)]
    assert verify_copy(far).verdict is Verdict.INTACT
    assert folder.is_dir()


def test_what_the_store_gives_back_wrong_does_not_count(
    far: S3Archive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = support.write(tmp_path)
    write = far.write
    monkeypatch.setattr(far, "write", lambda key, data: write(key, data[:-1]))  # a store that loses a byte
    upload = ConsultationUpload(tmp_path, folder.name, far, Clock())
    with pytest.raises(StoreError, match="gave back something else"):
        upload.step()
    assert upload.state.session_key is None
    monkeypatch.setattr(far, "write", write)
    finish(Uploader(tmp_path, far, Clock()))
    assert verify_copy(far).verdict is Verdict.INTACT


def test_an_object_damaged_here_is_not_sent_said_and_never_removed(far: S3Archive, tmp_path: Path) -> None:
    folder = support.write(tmp_path)
    path = LocalFolder(folder).objects()[2]
    (folder / path).write_bytes(b"rotten")
    clock = Clock()
    uploader = Uploader(tmp_path, far, clock, local_days=0)
    finish(uploader)
    clock.ahead_ns += 100 * DAY_NS
    finish(uploader)
    assert not far.folder(folder.name).has(path)
    assert len(LocalFolder(folder).objects()) == OBJECTS


def test_local_objects_go_after_their_time_and_are_then_read_from_the_store(
    far: S3Archive, tmp_path: Path
) -> None:
    folder, clock = support.write(tmp_path), Clock()
    uploader = Uploader(tmp_path, far, clock, local_days=3)
    finish(uploader)
    clock.ahead_ns += 2 * DAY_NS
    finish(uploader)
    assert len(LocalFolder(folder).objects()) == OBJECTS
    clock.ahead_ns += 2 * DAY_NS
    finish(uploader)
    assert LocalFolder(folder).objects() == []
    assert (folder / layout.SESSION_KEY).exists()
    both = LayeredFolder(LocalFolder(folder), far.folder(folder.name))
    assert verify_consultation(both, support.keys().trusted).verdict is Verdict.INTACT


def test_nothing_is_removed_here_that_the_store_does_not_show(far: S3Archive, tmp_path: Path) -> None:
    folder, clock = support.write(tmp_path), Clock()
    finish(Uploader(tmp_path, far, clock))
    path = LocalFolder(folder).objects()[-1]
    far.folder(folder.name).write(path, b"short")
    upload = ConsultationUpload(tmp_path, folder.name, far, clock)
    clock.ahead_ns += 10 * DAY_NS
    with pytest.raises(StoreError, match="is not in the store any more"):
        upload.prune(1)
    assert len(LocalFolder(folder).objects()) == OBJECTS


def test_what_was_shredded_with_its_objects_is_not_missed_and_its_tombstone_is_copied(
    far: S3Archive, tmp_path: Path
) -> None:
    folder, clock = support.write(tmp_path), Clock()
    request = new_request(current_ledger(folder), "shred", folder.name, "r", objects="removed", policy=None)
    request.add_signed_in("u_1", 1)
    request.add_signed_in("u_2", 1)
    copies = Copies(LocalFolder(folder), far.folder(folder.name))
    record(copies, request, support.keys().signer, clock)
    carry_out(copies)
    uploader = Uploader(tmp_path, far, clock, local_days=0)
    finish(uploader)
    clock.ahead_ns += 10 * DAY_NS
    finish(uploader)
    assert uploader.status.failing_since_us is None
    assert (verify_copy(far).verdict, verify_copy(far).open) == (Verdict.SHREDDED, False)
    assert not far.folder(folder.name).has(layout.SESSION_KEY)


async def test_a_store_that_is_killed_and_comes_back_loses_nothing(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    with running_s3(tmp_path_factory.mktemp("s3")) as server:
        settings = Settings(**({"archive_dir": tmp_path} | server.settings("x")))
        far, clock = server.archive("x"), Clock()
        writer = support.create(tmp_path)
        steps = support.steps()
        async with uploading(settings, asyncio.Event(), clock):
            for step in steps[:4]:
                step(writer)
            clock.ahead_ns += 60 * 1_000_000_000
            await until(lambda: far.folder(support.CONSULTATION).has(layout.MANIFEST))
            await asyncio.to_thread(server.kill)
            for step in steps[4:]:
                step(writer)  # recording does not notice
            await until(lambda: status(tmp_path)["failing_since_us"] is not None)
            assert status(tmp_path)["reason"] == "the store does not answer"
            writer.close("consultation_closed")
            await asyncio.to_thread(server.start)
            await until(lambda: far.folder(support.CONSULTATION).has(layout.CLOSED))
            await until(lambda: status(tmp_path)["failing_since_us"] is None)
        report = verify_copy(far)
        assert (report.verdict, report.open, report.objects) == (Verdict.INTACT, False, OBJECTS)


async def test_recording_goes_on_while_the_store_is_away_and_the_copy_is_whole_afterwards(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """The real recorder, the real service, the real store."""
    with running_s3(tmp_path_factory.mktemp("s3")) as server:
        far = server.archive("recorded")
        async with service(tmp_path / "service") as running:
            await running.publish()
            running.start_recorder(**server.settings("recorded"))
            await running.until(lambda: len(running.pieces()) >= 2, "pictures are archived")
            there = far.folder(running.folder.name)
            await until(lambda: there.has(layout.MANIFEST))
            await asyncio.to_thread(server.kill)
            before = len(running.pieces())
            await running.until(lambda: len(running.pieces()) >= before + 2, "recording goes on")
            await running.end_consultation()
            await running.until((running.folder / layout.CLOSED).exists, "the archive is closed")
            await asyncio.to_thread(server.start)
            await until(lambda: there.has(layout.CLOSED))
            log = running.app[CONTEXT].log
            await running.until(lambda: not log.writer.book.records, "the log closes it")
            await until(lambda: log_is_copied(running.settings.archive_dir, far))
        trusted = read_trust_file(running.settings.archive_dir / layout.TRUSTED_SIGNERS)
        report = verify_consultation(there, trusted)
        assert (report.verdict, report.open) == (Verdict.INTACT, False)
        assert there.objects() == LocalFolder(running.folder).objects()
        found = await verified_alone(server, "recorded")
        assert (found["exit_code"], found["log"]["problems"], found["log"]["unsigned_leaves"]) == (0, [], 0)
        assert [item["state"] for item in found["log"]["consultations"]] == ["final"]


def log_is_copied(root: Path, far: S3Archive) -> bool:
    here, there = LocalLog(root / FOLDER), StoreLog(far)
    return there.exists and all(list(here.lines(name)) == list(there.lines(name)) for name in FILES)


async def verified_alone(server: S3Server, prefix: str) -> dict[str, Any]:
    """By the command, with nothing but what is in the store."""
    process = await asyncio.create_subprocess_exec(
        *own_command("archive", "verify", f"s3://{BUCKET}/{prefix}", "--log", "--json"),
        env={**os.environ, **server.environment(prefix)},
        stdout=asyncio.subprocess.PIPE,
    )
    shown, _ = await process.communicate()
    found: dict[str, Any] = json.loads(shown)
    return found


async def test_a_wrong_configuration_does_not_stop_the_recorder(tmp_path: Path) -> None:
    settings = Settings(
        archive_dir=tmp_path, archive_store_url="s3://bucket", archive_store_ca=tmp_path / "no"
    )
    entered = False
    async with uploading(settings, asyncio.Event(), Clock()):
        entered = True
    assert entered


def status(root: Path) -> dict[str, object]:
    found: dict[str, object] = json.loads((root / STATE_DIRECTORY / STATUS_FILE).read_bytes())
    return found


async def until(look: Callable[[], object]) -> None:
    async with asyncio.timeout(WITHIN_S):
        while not await asyncio.to_thread(look):
            await asyncio.sleep(0.05)
