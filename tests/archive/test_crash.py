"""A crash, or a full disk, at any system call: the archive verifies, and writing goes on."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from archive import canonical, layout, store
from archive.continuity import RECORDING_STOPPED
from archive.entries import GapEntry, parse_entry
from archive.faults import ArchiveFault, Verdict
from archive.keys import ArchiveSigner
from archive.specs import Span
from archive.writer import RESTART_REASON, ArchiveWriter
from core.errors import Conflict
from tests.archive import support

CHANGING_CALLS = ("open", "write", "writev", "replace", "rename", "mkdir", "unlink", "ftruncate")


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
            if name in ("write", "writev"):
                data = b"".join(args[1]) if name == "writev" else args[1]
                half = data[: len(data) // 2]
                real(args[0], [half] if name == "writev" else half)
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
    if track in writer.left_off:
        since_us, reason = writer.left_off[track]
        writer.declare_gap(track, Span(since_us, 9_000_000), reason or "source_away")
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
        assert (report.verdict, report.entries, report.objects) == (Verdict.INTACT, 13, 10), number
    assert number > 40


def test_after_a_crash_at_any_call_of_a_stop_it_verifies_and_goes_on(tmp_path: Path) -> None:
    number, finished, reasons = 0, False, set()
    while not finished:
        number += 1
        root = tmp_path / str(number)
        folder = support.write(root, close=False)
        with failing_call(number, Crash) as calls:
            with suppress(Crash):
                support.resume(root).stop(9_000_000)
            finished = calls.made < number
        report = support.verify(folder)
        assert (report.verdict, report.open) == (Verdict.INTACT, True), number
        writer = support.resume(root)
        writer.close("consultation_closed")
        reasons.add(gaps(folder)[-1].reason)
        assert support.verify(folder).verdict is Verdict.INTACT, number
    assert reasons == {RESTART_REASON, RECORDING_STOPPED}
    assert len(gaps(folder)) == 4, "of packets, of the first restart, the stop, and all the time it lasted"


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

    spy("writev", name)
    spy("fsync", name)
    spy("fdatasync", name)
    spy("replace", lambda path: Path(path).name)
    writer.write_piece("t", 0, support.piece(0), b"data")
    assert seen == [
        "writev 1.tmp",
        "fdatasync 1.tmp",
        "replace 1.tmp",
        "fsync 000",
        "writev manifest.jsonl",
        "fdatasync manifest.jsonl",
    ]


def test_a_resumed_archive_declares_the_gap(tmp_path: Path) -> None:
    folder = support.write(tmp_path, close=False)
    (folder / "tracks" / "ultrasound-device-video" / "001" / "000002.m4s.age").write_bytes(b"never entered")
    writer = support.resume(tmp_path)
    assert writer.resumed
    writer.close("consultation_closed")
    gap = gaps(folder)[-1]
    assert (gap.track, gap.reason, gap.discarded, gap.begin_us) == (None, RESTART_REASON, 1, 4_000_000)


def test_the_gap_of_a_restart_begins_where_the_first_track_was_cut(tmp_path: Path) -> None:
    writer = support.create(tmp_path)
    for track, spec, end in (("v", support.VIDEO, 9), ("a", support.AUDIO, 10), ("gone", support.VIDEO, 4)):
        writer.start_generation(track, spec, b"init", "start")
        writer.write_piece(track, 0, support.piece(end - 1), b"piece")
    writer.write_events(Span(10_000_000, 11_000_000), 1, b"{}\n")
    writer.release()
    support.resume(tmp_path).release()
    assert gaps(writer.folder)[-1].begin_us == 9_000_000


def test_a_resumed_archive_seals_to_the_same_key_and_continues_the_numbers(tmp_path: Path) -> None:
    support.write(tmp_path, close=False)
    writer = support.resume(tmp_path)
    video = "ultrasound-device-video"
    assert writer.epoch_us == support.EPOCH_US
    assert writer.start_generation(video, support.VIDEO, b"i", "restart") == 2
    assert writer.write_events(Span(0, 1), 1, b"{}\n") == 3
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


def test_who_lets_go_where_nothing_can_be_removed_frees_the_archive_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = support.create(tmp_path)
    writer.start_generation("t", support.VIDEO, b"init", "start")
    staged = writer.stage(writer.seal(b"a second of pictures"))
    with pytest.raises(Conflict):
        support.resume(tmp_path)

    def refuse(_path: Path) -> None:
        raise OSError(errno.EIO, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(store, "remove_temporaries", refuse)
        writer.release()
    assert staged.path.exists()
    support.resume(tmp_path).close("consultation_closed")
    assert not staged.path.exists(), "the next one removes what was left"
    assert support.verify(tmp_path / support.CONSULTATION).verdict is Verdict.INTACT
