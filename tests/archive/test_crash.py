"""A crash, or a full disk, at any system call: the archive verifies, and writing goes on."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from archive import canonical, layout
from archive.entries import GapEntry, parse_entry
from archive.faults import ArchiveFault, Verdict
from archive.keys import ArchiveSigner
from archive.writer import RESTART_REASON, ArchiveWriter
from core.errors import Conflict
from tests.archive import support

CHANGING_CALLS = ("open", "write", "replace", "rename", "mkdir", "unlink", "ftruncate")


class Crash(BaseException):
    """The process ends here; nothing that handles errors may see it."""


class Calls:
    """Counts the system calls that change files and lets the one numbered `fatal` fail."""

    def __init__(self, fatal: int, failure: Callable[[], BaseException]) -> None:
        self.made = 0
        self._fatal, self._failure = fatal, failure

    def wrap(self, name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            if name == "open" and not args[1] & os.O_CREAT:
                return real(*args, **kwargs)
            self.made += 1
            if self.made != self._fatal:
                return real(*args, **kwargs)
            if name == "write" and len(args[1]) > 1:
                real(args[0], args[1][: len(args[1]) // 2])
            raise self._failure()

        return call


@contextmanager
def failing_call(number: int, failure: Callable[[], BaseException]) -> Iterator[Calls]:
    calls = Calls(number, failure)
    with pytest.MonkeyPatch.context() as patch:
        for name in CHANGING_CALLS:
            patch.setattr(os, name, calls.wrap(name, getattr(os, name)))
        yield calls


def write_all(root: Path, done: list[int]) -> None:
    """The whole consultation, or what is left of it after `done` steps."""
    exists = (root / support.CONSULTATION).exists()
    writer = support.resume(root) if exists else support.create(root)
    try:
        for position, step in enumerate(support.steps()):
            if position >= len(done):
                step(writer)
                done.append(position)
        writer.close("consultation_closed")
    finally:
        writer.release()


def gaps(folder: Path) -> list[GapEntry]:
    lines = (folder / layout.MANIFEST).read_bytes().splitlines()
    entries = [parse_entry(canonical.decode(line)) for line in lines]
    return [entry for entry in entries if isinstance(entry, GapEntry)]


def resume_somehow(root: Path) -> None:
    """What the recorder does after its restart: goes on with what the crash left, in new generations."""
    folder = root / support.CONSULTATION
    if not folder.exists():
        support.create(root).release()
    try:
        writer = support.resume(root)
    except Conflict:
        return  # the crash came after the closing entry
    steps = support.steps(salt="again ")
    track = "ultrasound-device-video"
    generation = writer.start_generation(track, support.VIDEO, b"init again", "restart")
    writer.write_piece(track, generation, support.piece(9), b"piece again")
    steps[4](writer)
    writer.close("consultation_closed")


def test_after_a_crash_at_any_call_the_archive_verifies_and_goes_on(tmp_path: Path) -> None:
    number, finished = 0, False
    while not finished:
        number += 1
        root = tmp_path / str(number)
        with failing_call(number, Crash) as calls:
            with suppress(Crash):
                write_all(root, [])
            finished = calls.made < number
        folder = root / support.CONSULTATION
        if folder.exists():
            report = support.verify(folder)
            assert report.verdict is Verdict.INTACT, (number, report.first_bad)
        resume_somehow(root)
        report = support.verify(folder)
        assert (report.verdict, report.open, report.unentered) == (Verdict.INTACT, False, ()), number
        assert not list(root.rglob("*" + layout.TEMPORARY_SUFFIX))
        assert sum(1 for path in root.rglob("*.age")) == report.objects + 1
    assert number > 40


def test_after_a_second_crash_while_resuming_it_verifies_and_goes_on(tmp_path: Path) -> None:
    torn = support.write(tmp_path / "torn", close=False)
    lines = (torn / layout.MANIFEST).read_bytes().splitlines(keepends=True)
    (torn / layout.MANIFEST).write_bytes(b"".join(lines[:-1]) + lines[-1][:40])
    number, finished = 0, False
    while not finished:
        number += 1
        root = tmp_path / str(number)
        support.copy(torn, root / support.CONSULTATION)
        with failing_call(number, Crash) as calls:
            with suppress(Crash):
                resume_somehow(root)
            finished = calls.made < number
        assert support.verify(root / support.CONSULTATION).verdict is Verdict.INTACT, number
        resume_somehow(root)
        report = support.verify(root / support.CONSULTATION)
        assert (report.verdict, report.open) == (Verdict.INTACT, False), number
    assert number > 15


def test_a_full_disk_at_any_call_loses_only_the_step_it_hits(tmp_path: Path) -> None:
    number, finished = 0, False
    while not finished:
        number += 1
        root = tmp_path / str(number)
        writer = support.create(root)
        with failing_call(number, lambda: OSError(errno.ENOSPC, "No space left on device")) as calls:
            for step in support.steps():
                try:
                    step(writer)
                except OSError:
                    report = support.verify(writer.folder)
                    assert (report.verdict, report.open) == (Verdict.INTACT, True), (number, report.first_bad)
                    step(writer)
            finished = calls.made < number
        writer.close("consultation_closed")
        report = support.verify(writer.folder)
        assert (report.verdict, report.entries, report.objects) == (Verdict.INTACT, 12, 9), number
    assert number > 40


def test_an_object_is_durable_before_its_line_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = support.create(tmp_path)
    writer.start_generation("t", support.VIDEO, b"init", "start")
    seen: list[str] = []

    def name(descriptor: int) -> str:
        return Path(os.readlink(f"/proc/self/fd/{descriptor}")).name

    def spy(call: str, of: Callable[[Any], str]) -> None:
        real = getattr(os, call)

        def wrapped(first: Any, *rest: Any) -> Any:
            seen.append(f"{call} {of(first)}")
            return real(first, *rest)

        monkeypatch.setattr(os, call, wrapped)

    spy("write", name)
    spy("fsync", name)
    spy("replace", lambda path: Path(path).name)
    writer.write_piece("t", 0, support.piece(0), b"data")
    assert seen == [
        "write 000001.m4s.age.tmp",
        "fsync 000001.m4s.age.tmp",
        "replace 000001.m4s.age.tmp",
        "fsync 000",
        "write manifest.jsonl",
        "fsync manifest.jsonl",
    ]


def test_a_resumed_archive_declares_the_gap(tmp_path: Path) -> None:
    folder = support.write(tmp_path, close=False)
    (folder / "tracks" / "ultrasound-device-video" / "001" / "000002.m4s.age").write_bytes(b"never entered")
    writer = support.resume(tmp_path)
    assert writer.resumed
    writer.close("consultation_closed")
    gap = gaps(folder)[-1]
    assert (gap.track, gap.reason, gap.discarded, gap.begin_us) == (None, RESTART_REASON, 1, 4_000_000)


def test_a_resumed_archive_seals_to_the_same_key_and_continues_the_numbers(tmp_path: Path) -> None:
    support.write(tmp_path, close=False)
    writer = support.resume(tmp_path)
    video = "ultrasound-device-video"
    assert writer.epoch_us == support.EPOCH_US
    assert writer.start_generation(video, support.VIDEO, b"i", "restart") == 2
    assert writer.write_events(support.Span(0, 1), 1, b"{}\n") == 3
    writer.release()


def test_a_closed_archive_is_not_resumed(tmp_path: Path) -> None:
    folder = support.write(tmp_path)
    (folder / layout.CLOSED).unlink()  # a crash between the last entry and the marker
    with pytest.raises(Conflict, match="closed"):
        support.resume(tmp_path)
    assert (folder / layout.CLOSED).exists()
    assert support.verify(folder).verdict is Verdict.INTACT


def test_only_one_process_writes_an_archive(tmp_path: Path) -> None:
    writer = support.create(tmp_path)
    with pytest.raises(Conflict, match="another process"):
        support.resume(tmp_path)
    with pytest.raises(Conflict):
        support.create(tmp_path)
    writer.release()
    support.resume(tmp_path).release()


@pytest.mark.parametrize("position", [0, 3, 10])
def test_an_altered_archive_is_not_continued(tmp_path: Path, position: int) -> None:
    folder = support.write(tmp_path, close=False)
    lines = (folder / layout.MANIFEST).read_bytes().splitlines(keepends=True)
    lines[position] = lines[position].replace(b'"at_us":1', b'"at_us":2')
    (folder / layout.MANIFEST).write_bytes(b"".join(lines))
    before = (folder / layout.MANIFEST).read_bytes()
    with pytest.raises(ArchiveFault):
        support.resume(tmp_path)
    assert (folder / layout.MANIFEST).read_bytes() == before


def test_a_cut_archive_is_not_continued(tmp_path: Path) -> None:
    folder = support.write(tmp_path, close=False)
    lines = (folder / layout.MANIFEST).read_bytes().splitlines(keepends=True)
    (folder / layout.MANIFEST).write_bytes(b"".join(lines[:4]))
    with pytest.raises(ArchiveFault) as caught:
        support.resume(tmp_path)
    assert caught.value.verdict is Verdict.TRUNCATED


def test_another_services_archive_is_not_continued(tmp_path: Path) -> None:
    support.create(tmp_path, signer=ArchiveSigner.generate()).release()
    with pytest.raises(ArchiveFault, match="not signed by this service"):
        ArchiveWriter.resume(
            tmp_path, support.CONSULTATION, signer=support.keys().signer, clock=support.FakeClock()
        )
