"""Whatever happens to a recording, who only verifies it is never told that something is wrong with it."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archive import store
from archive.faults import Verdict
from archive.opening import read_contents
from archive.writer import ArchiveWriter
from recorder.consultation_archive import RETRY_NS, ConsultationArchive
from recorder.jobs import PieceJob, TrackJob
from recorder.subscriber import SOURCE_AWAY
from recorder.track import TrackCutter
from rtp.payload import AccessUnit
from tests.archive import support as archives
from tests.recorder import support

TRACK = "ultrasound-device-video"
FRAME_US = 1_000_000 // support.FRAME_RATE
TICKS = support.VIDEO_CLOCK // support.FRAME_RATE


class HandClock:
    """Where the timeline stands, in microseconds."""

    def __init__(self) -> None:
        self.us = 0

    def unix_ns(self) -> int:
        return (archives.EPOCH_US + self.us) * 1_000

    def monotonic_ns(self) -> int:
        return self.us * 1_000


class Recording:
    """One track, a clock put forward by what happens, and a disk that may refuse."""

    def __init__(self, root: Path, chance: Random) -> None:
        self.chance, self.clock, self.root = chance, HandClock(), root
        archives.create(root).release()
        self.cutter = TrackCutter(support.source("H264", TRACK), archives.EPOCH_US, "start")
        self.archive = self.resumed()
        self.frame, self.lost, self.small = 0, False, True

    def resumed(self) -> ConsultationArchive:
        writer = ArchiveWriter.resume(
            self.root, archives.CONSULTATION, signer=archives.keys().signer, clock=self.clock
        )
        self.left_off = writer.left_off
        return ConsultationArchive(writer, self.clock, lambda failure: None)

    def write(self, jobs: list[TrackJob]) -> None:
        for job in jobs:
            if isinstance(job, PieceJob):
                self.archive.write_piece(job, self.archive.stage(self.archive.prepare(job)))
            else:
                self.archive.declare_gap(job)

    def frames(self, count: int) -> None:
        """As many pictures, in real time."""
        for unit in self._units(count):
            self.clock.us += FRAME_US
            rtp = (self.clock.us * support.VIDEO_CLOCK // 1_000_000) & 0xFFFF_FFFF
            self.write(self.cutter.set_clock(rtp, archives.EPOCH_US + self.clock.us, 1_000))
            sent = replace(unit, timestamp=rtp, after_loss=self.lost)
            self.lost = False
            self.write(self.cutter.push(sent, archives.EPOCH_US + self.clock.us, self.clock.monotonic_ns()))
            self.write(self.cutter.poll(self.clock.monotonic_ns()))

    def _units(self, count: int) -> Iterator[AccessUnit]:
        units = support.video("H264") if self.small else support.video("H264", 60, 320, 240)
        for _ in range(count):
            yield units[self.frame % len(units)]
            self.frame += 1

    # what may happen

    def silence(self) -> None:
        """Nothing is sent for a while."""
        for _ in range(self.chance.randrange(1, 40)):
            self.clock.us += 250_000
            self.write(self.cutter.poll(self.clock.monotonic_ns()))

    def loss(self) -> None:
        self.clock.us += self.chance.randrange(1, 5_000_000)
        self.lost = True

    def interruption(self) -> None:
        """A pause, or a lost connection; the cutter stays."""
        reason = self.chance.choice(["privacy_pause", "connection_lost", "media_reset"])
        self.write(self.cutter.interrupt(reason, self.clock.us))
        self.clock.us += self.chance.randrange(1, 20_000_000)
        if reason == "privacy_pause":
            self.frame = 0  # a keyframe comes first

    def other_size(self) -> None:
        self.small, self.frame = not self.small, 0

    def restart(self) -> None:
        """The recorder dies; what it held is lost."""
        self.archive.writer.release()
        self.clock.us += self.chance.randrange(1, 30_000_000)
        self.archive = self.resumed()
        since = self.left_off.get(TRACK)
        away = None if since is None else (since[0], since[1] or SOURCE_AWAY)
        self.cutter = TrackCutter(support.source("H264", TRACK), archives.EPOCH_US, "restart", away)
        self.clock.us += self.chance.randrange(1, 5_000_000)
        self.frame = 0

    def full_disk(self) -> None:
        """Until space is made; what is refused, and where, is up to chance."""
        with pytest.MonkeyPatch.context() as patch:
            refuse(patch, self.chance)
            self.frames(self.chance.randrange(200))
        self.clock.us += RETRY_NS // 1_000
        self.lost = True


def refuse(patch: pytest.MonkeyPatch, chance: Random) -> None:
    """Any write may fail, also after some of its bytes."""

    def write_all(descriptor: int, *blocks: bytes) -> None:
        data = b"".join(blocks)
        if chance.random() < 0.7:
            os.write(descriptor, data[: chance.randrange(len(data))])
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        os.write(descriptor, data)

    patch.setattr(store, "write_all", write_all)


def seconds_recorded(folder: Path) -> float:
    contents = read_contents(folder)
    return sum(piece.end_us - piece.begin_us for pieces in contents.pieces.values() for piece in pieces) / 1e6


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 2**32))
def test_losses_silence_pauses_crashes_and_a_full_disk_leave_an_archive_without_a_complaint(
    tmp_path_factory: pytest.TempPathFactory, seed: int
) -> None:
    chance = Random(seed)
    recording = Recording(tmp_path_factory.mktemp("any") / "archive", chance)
    happenings = [
        recording.silence,
        recording.loss,
        recording.interruption,
        recording.other_size,
        recording.restart,
        recording.full_disk,
    ]
    for _ in range(chance.randrange(1, 6)):
        recording.frames(chance.randrange(90))
        chance.choice(happenings)()
        report = archives.verify(recording.archive.writer.folder)
        assert (report.verdict, report.open) == (Verdict.INTACT, True)
    recording.frames(90)
    recording.write(recording.cutter.finish())
    assert recording.archive.close("consultation_closed")
    folder = recording.archive.writer.folder
    report = archives.verify(folder)
    assert (report.verdict, report.open, report.holes) == (Verdict.INTACT, False, ()), report.first_bad
    assert seconds_recorded(folder) > 1
