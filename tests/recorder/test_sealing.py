"""From frames to sealed files and back with everybody's tools; what a refusing disk or queue does."""

from __future__ import annotations

import asyncio
import errno
import json
import os
import subprocess
import threading
from functools import partial
from pathlib import Path

import pytest

from archive import canonical, layout, store
from archive.entries import Codec, Entry, EventsEntry, GapEntry, PieceEntry, parse_entry
from archive.faults import Verdict
from archive.opening import open_object, read_contents, unwrap
from archive.specs import Span
from archive.store import ManifestFile
from recorder.consultation_archive import MAX_WAITING_EVENTS, RETRY_NS, ConsultationArchive
from recorder.failure import Failure
from recorder.jobs import EventsJob, GapJob, PieceJob, TrackJob
from recorder.track import TrackCutter
from recorder.writing import WritingThread
from tests.archive import support as archives
from tests.recorder import support

CODECS: list[Codec] = ["H264", "VP9", "AV1", "VP8"]

NO_SPACE = Failure("disk_full", "No space left on device")


class HandClock:
    """Stands still until told."""

    def __init__(self) -> None:
        self.ns = 10**12

    def unix_ns(self) -> int:
        return support.EPOCH_US * 1_000 + self.ns

    def monotonic_ns(self) -> int:
        return self.ns


def jobs_of(codec: Codec, name: str) -> list[TrackJob]:
    cutter = TrackCutter(support.source(codec, name), support.EPOCH_US, "start")
    units = support.audio() if codec == "opus" else support.video(codec)
    jobs = cutter.set_clock(units[0].timestamp, support.EPOCH_US + 3_600_000_000, 1_000)
    for index, unit in enumerate(units):
        at_us = 3_600_000_000 + index * (20_000 if codec == "opus" else 33_333)
        jobs += cutter.push(unit, support.EPOCH_US + at_us, at_us * 1_000)
    return jobs + cutter.finish()


class Session:
    """An archive, and what it reported."""

    def __init__(self, root: Path) -> None:
        self.clock = HandClock()
        self.reports: list[Failure | None] = []
        self.archive = ConsultationArchive(archives.create(root), self.clock, self.reports.append)
        self.folder = root / archives.CONSULTATION

    def write(self, jobs: list[TrackJob]) -> None:
        for job in jobs:
            if isinstance(job, PieceJob):
                self.archive.write_piece(job, self.archive.stage(self.archive.prepare(job)))
            else:
                self.archive.declare_gap(job)

    def entries(self) -> list[Entry]:
        lines = (self.folder / layout.MANIFEST).read_bytes().splitlines()
        return [parse_entry(canonical.decode(line)) for line in lines]

    def gaps(self) -> list[tuple[str | None, str]]:
        return [(entry.track, entry.reason) for entry in self.entries() if isinstance(entry, GapEntry)]


@pytest.fixture
def session(tmp_path: Path) -> Session:
    return Session(tmp_path / "archive")


def age_decrypt(identity: Path, sealed: Path) -> bytes:
    """As anybody would, with Debian's `age`."""
    return subprocess.run(
        ["age", "--decrypt", "--identity", str(identity), str(sealed)], capture_output=True, check=True
    ).stdout


@pytest.mark.parametrize("codec", [*CODECS, "opus"])
def test_the_age_tool_opens_what_was_sealed_and_ffmpeg_plays_it(
    session: Session, tmp_path: Path, codec: Codec
) -> None:
    session.write(jobs_of(codec, "feed-device-x"))
    assert session.archive.close("consultation_closed")
    assert archives.verify(session.folder).verdict is Verdict.INTACT
    auditor = tmp_path / "auditor.agekey"
    auditor.write_text(f"{archives.keys().identities[0]}\n")
    identity = tmp_path / "session.agekey"
    identity.write_bytes(age_decrypt(auditor, session.folder / layout.SESSION_KEY))
    generation = session.folder / "tracks" / "feed-device-x" / "000"
    (init,) = generation.glob("init.*.age")
    pieces = sorted(path for path in generation.iterdir() if path != init)
    assert len(pieces) == 2
    joined = tmp_path / f"joined.{init.name.split('.')[1]}"
    joined.write_bytes(b"".join(age_decrypt(identity, path) for path in [init, *pieces]))
    frames, complaints = support.decode_with_ffmpeg(joined)
    assert (frames, complaints) == (100 if codec == "opus" else 60, "")
    probe = support.ffprobe(joined)
    assert probe.complaints == ""
    assert probe.times[0] == pytest.approx(3600)


def test_tracks_share_one_timeline(session: Session) -> None:
    session.write([*jobs_of("H264", "a"), *jobs_of("opus", "b")])
    begins = {
        entry.begin_us for entry in session.entries() if isinstance(entry, PieceEntry) and entry.number == 1
    }
    assert begins == {3_600_000_000}


def fail_once_full(monkeypatch: pytest.MonkeyPatch, full: threading.Event) -> None:
    real = ManifestFile.append

    def append(self: ManifestFile, line: bytes) -> None:
        if full.is_set():
            raise OSError(errno.ENOSPC, "No space left on device")
        real(self, line)

    monkeypatch.setattr(ManifestFile, "append", append)


def test_a_full_disk_is_reported_once_declared_as_a_gap_and_recovers(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    full = threading.Event()
    fail_once_full(monkeypatch, full)
    video = [job for job in jobs_of("H264", "v") if isinstance(job, PieceJob)]
    full.set()
    session.write([video[0]])
    session.archive.write_events(EventsJob((b'{"type":"x"}',), Span(1, 2)))
    assert session.reports == [NO_SPACE]
    assert archives.verify(session.folder).verdict is Verdict.INTACT
    full.clear()
    session.write([video[1]])  # too soon: it is not tried again for every piece
    assert session.reports == [NO_SPACE]
    session.clock.ns += RETRY_NS
    session.write(jobs_of("opus", "a"))
    assert session.reports == [NO_SPACE, None]
    assert session.gaps() == [("v", "disk")]
    gap = next(entry for entry in session.entries() if isinstance(entry, GapEntry))
    assert (gap.begin_us, gap.end_us) == (video[0].span.begin_us, video[1].span.end_us)
    assert [entry.count for entry in session.entries() if isinstance(entry, EventsEntry)] == [1]
    assert session.archive.close("consultation_closed")
    assert archives.verify(session.folder).verdict is Verdict.INTACT


def test_a_track_whose_first_pieces_could_not_be_written_still_gets_its_init_piece(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    full = threading.Event()
    fail_once_full(monkeypatch, full)
    video = [job for job in jobs_of("H264", "v") if isinstance(job, PieceJob)]
    full.set()
    session.write([video[0]])
    full.clear()
    session.clock.ns += RETRY_NS
    session.write([video[1]])
    kinds = [entry.kind for entry in session.entries()]
    assert kinds == ["open", "gap", "generation", "piece"]


def test_the_close_waits_for_the_disk(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    full = threading.Event()
    fail_once_full(monkeypatch, full)
    full.set()
    assert not session.archive.close("consultation_closed")
    full.clear()
    assert session.archive.close("consultation_closed")
    assert archives.verify(session.folder).verdict is Verdict.INTACT


def test_events_that_wait_are_bounded_and_the_loss_is_told(
    session: Session, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    full = threading.Event()
    fail_once_full(monkeypatch, full)
    full.set()
    for number in range(12):
        lines = tuple(b'{"type":"x"}' for _ in range(MAX_WAITING_EVENTS // 10))
        session.archive.write_events(EventsJob(lines, Span(number, number + 1)))
    full.clear()
    session.clock.ns += RETRY_NS
    session.archive.declare_gap(GapJob(None, Span(0, 1), "test"))
    (entry,) = [entry for entry in session.entries() if isinstance(entry, EventsEntry)]
    identity = tmp_path / "auditor.agekey"
    identity.write_text(f"{archives.keys().identities[1]}\n")
    identities = unwrap(session.folder, read_contents(session.folder).opened, identity)
    lines_read = open_object(session.folder, entry, identities).splitlines()
    assert json.loads(lines_read[0]) == {"type": "events_dropped", "count": MAX_WAITING_EVENTS // 5}
    assert len(lines_read) == entry.count == MAX_WAITING_EVENTS + 1


def test_frames_no_muxer_takes_become_a_declared_gap(session: Session) -> None:
    good = [job for job in jobs_of("H264", "v") if isinstance(job, PieceJob)]
    sample = good[1].samples[0]
    broken = PieceJob(
        good[1].generation,
        (type(sample)(b"\0", sample.ticks, 3000, True),),
        good[1].span,
        True,
        "capture",
        0,
    )
    session.write([good[0], broken, good[1]])
    assert session.gaps() == [("v", "unreadable")]
    assert sum(isinstance(entry, PieceEntry) for entry in session.entries()) == 2
    assert session.reports == []


async def test_a_full_queue_drops_pieces_but_nothing_else() -> None:
    writing = WritingThread(max_bytes=1_000)
    release, done = threading.Event(), []
    writing.post(release.wait)
    assert writing.submit(900, done.append, lambda: "first", str.upper)
    assert not writing.submit(200, done.append, lambda: "dropped", str.upper)
    writing.post(partial(done.append, "gap"))
    answer = asyncio.create_task(writing.run(lambda: 42))
    release.set()
    assert await answer == 42
    assert done == ["FIRST", "gap"]
    assert writing.submit(900, done.append, lambda: "later", str.upper)
    writing.stop()
    assert done == ["FIRST", "gap", "LATER"]
    assert writing.queued_bytes == 0


async def test_a_failing_job_ends_neither_the_thread_nor_the_caller() -> None:
    writing = WritingThread()
    writing.post(lambda: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        await writing.run(lambda: 1 // 0)
    assert await writing.run(lambda: "alive") == "alive"
    writing.stop()


def staged_files(session: Session) -> list[Path]:
    return sorted(session.folder.glob("*" + layout.TEMPORARY_SUFFIX))


def test_a_piece_of_a_privacy_pause_that_was_staged_already_does_not_stay_on_the_disk(
    session: Session,
) -> None:
    first, second = (job for job in jobs_of("H264", "v")[:2] if isinstance(job, PieceJob))
    session.write([first])
    staged = session.archive.stage(session.archive.prepare(second))
    assert len(staged_files(session)) == 1
    session.write([GapJob("v", second.span, "privacy_pause")])
    session.archive.write_piece(second, staged)
    assert staged_files(session) == []
    assert sum(isinstance(entry, PieceEntry) for entry in session.entries()) == 1


def test_what_was_staged_and_never_entered_goes_when_the_archive_closes(session: Session) -> None:
    pieces = [job for job in jobs_of("H264", "v") if isinstance(job, PieceJob)]
    session.write(pieces[:1])
    session.archive.stage(session.archive.prepare(pieces[1]))
    assert archives.verify(session.folder).verdict is Verdict.INTACT
    assert session.archive.close("consultation_closed")
    assert staged_files(session) == []
    assert archives.verify(session.folder).verdict is Verdict.INTACT


def test_a_disk_that_refuses_the_staging_is_told_once_and_the_piece_is_a_gap(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    pieces = [job for job in jobs_of("H264", "v") if isinstance(job, PieceJob)]
    session.write(pieces[:1])

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(store, "write_temporary", full)
        session.write(pieces[1:2])
    assert session.reports == [NO_SPACE]
    session.clock.ns += RETRY_NS
    session.write(jobs_of("H264", "w")[:1])
    assert session.gaps() == [("v", "disk")]
