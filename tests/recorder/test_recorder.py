"""The recorder against the real service: what it archives, and what it survives."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest

from archive.entries import CloseEntry, GapEntry, GenerationEntry
from archive.export import export_consultation
from archive.faults import Verdict
from archive.keys import load_signer, read_trust_file
from archive.layout import TRUSTED_SIGNERS
from archive.verify import Report, verify_consultation
from core.consultations import open_consultation
from signaling.context import CONTEXT
from signaling.room_socket import SOCKETS, close_sockets
from tests.archive import support as archives
from tests.recorder import support
from tests.recorder.service import ROOM, Service, service


def verified(running: Service) -> Report:
    trusted = read_trust_file(running.settings.archive_dir / TRUSTED_SIGNERS)
    return verify_consultation(running.folder, trusted, bound_to_name=True)


def auditor(tmp_path: Path) -> Path:
    path = tmp_path / "auditor.agekey"
    path.write_text(f"{archives.keys().identities[0]}\n")
    return path


def closed(running: Service) -> bool:
    return any(isinstance(entry, CloseEntry) for entry in running.entries())


def gaps(running: Service, *reasons: str) -> list[GapEntry]:
    return [item for item in running.entries() if isinstance(item, GapEntry) and item.reason in reasons]


async def test_a_consultation_is_archived_from_opening_to_close(tmp_path: Path) -> None:
    async with service(tmp_path) as running:
        feed = await running.publish()
        running.start_recorder()
        await running.until(lambda: running.recording_state == "recording", "the room is told")
        await running.until(lambda: len(running.pieces()) >= 3, "pictures are archived")
        await running.until(lambda: len(running.pieces("audio")) >= 3, "sound is archived")
        report = verified(running)
        assert (report.verdict, report.open) == (Verdict.INTACT, True)
        await running.end_consultation()
        await running.until(lambda: closed(running), "the archive is closed")
        report = verified(running)
        assert (report.verdict, report.open) == (Verdict.INTACT, False)
        assert report.signer == load_signer(running.settings.signing_key_file).public

        pieces = running.pieces()
        assert pieces[0].sync
        assert all(piece.end_us - piece.begin_us <= 1_000_000 for piece in pieces)
        assert {piece.clock for piece in pieces} == {"capture"}
        assert not gaps(running, "packet_loss")
        export = export_consultation(running.folder, auditor(tmp_path), tmp_path / "out")
        names = {item.file.name for item in export.tracks}
        assert names == {"ultrasound-device-audio.000.mp4", "ultrasound-device-video.000.mp4"}
        frames, complaints = support.decode_with_ffmpeg(tmp_path / "out" / "ultrasound-device-video.000.mp4")
        assert (frames, complaints) == (sum(piece.frames for piece in pieces), "")
        assert feed.frames_sent >= frames >= 60

        kinds = [event["type"] for event in running.events(auditor(tmp_path))]
        assert kinds[0] == "recording_started"
        assert {"room_state", "recorder_state", "recording_changed", "capture_clock"} <= set(kinds)


async def test_sound_and_picture_captured_together_stand_together(tmp_path: Path) -> None:
    async with service(tmp_path) as running:
        await running.publish()
        running.start_recorder()
        await running.until(lambda: len(running.pieces("audio")) >= 3, "sound is archived")
        await running.until(lambda: len(running.pieces()) >= 3, "pictures are archived")
        now_us = running.database.now_us()
        epoch_us = running.consultation.opened_us
        for ending in ("video", "audio"):
            last = running.pieces(ending)[-1]
            age_us = now_us - epoch_us - last.end_us
            assert -50_000 < age_us < 4_000_000, ending


async def test_a_killed_media_server_leaves_a_declared_gap_and_recording_goes_on(tmp_path: Path) -> None:
    async with service(tmp_path) as running:
        feed = await running.publish()
        running.start_recorder()
        await running.until(lambda: len(running.pieces()) >= 2, "pictures are archived")
        await running.replace_media_server()
        await feed.stop()
        await running.publish()
        lost = ("media_reset", "connection_lost")  # told by the server, or noticed first
        await running.until(lambda: bool(gaps(running, *lost)), "the gap is declared")
        before = len(running.pieces())
        await running.until(lambda: len(running.pieces()) >= before + 2, "pictures are archived again")
        generations = [
            (item.generation, item.reason)
            for item in running.entries()
            if isinstance(item, GenerationEntry) and item.media == "video"
        ]
        assert generations[:2] == [(0, "start"), (1, "restart")]
        gap = next(item for item in gaps(running, *lost) if item.track == "ultrasound-device-video")
        assert gap.end_us > gap.begin_us
        await running.end_consultation()
        await running.until(lambda: closed(running), "the archive is closed")
        assert verified(running).verdict is Verdict.INTACT


async def test_a_publisher_that_was_away_leaves_a_declared_gap(tmp_path: Path) -> None:
    async with service(tmp_path) as running:
        feed = await running.publish()
        running.start_recorder()
        await running.until(lambda: len(running.pieces()) >= 2, "pictures are archived")
        await feed.stop()
        await running.publish()
        await running.until(lambda: len(gaps(running, "source_away")) == 2, "sound's and picture's gap")
        gap = next(item for item in gaps(running, "source_away") if item.track == "ultrasound-device-video")
        await running.until(lambda: running.pieces()[-1].generation == 1, "pictures are archived again")
        before = [piece for piece in running.pieces() if piece.generation == 0][-1]
        after = next(piece for piece in running.pieces() if piece.generation == 1)
        assert before.end_us == gap.begin_us < gap.end_us
        assert gap.end_us == pytest.approx(after.begin_us, abs=100), "one tick of the container's clock"


async def test_an_empty_room_is_recorded_and_pictures_that_come_later_too(tmp_path: Path) -> None:
    async with service(tmp_path) as running:
        running.start_recorder()
        await running.until(lambda: running.recording_state == "recording", "the room is told")
        await running.publish()
        await running.until(lambda: len(running.pieces()) >= 1, "pictures are archived")
        await running.publish("endoscope")
        await running.until(
            lambda: any(piece.track.startswith("endoscope") for piece in running.pieces()),
            "the second feed too",
        )
        assert not [item for item in running.entries() if isinstance(item, GapEntry)]


async def test_a_dropped_websocket_costs_no_picture(tmp_path: Path) -> None:
    async with service(tmp_path) as running:
        await running.publish()
        running.start_recorder()
        await running.until(lambda: len(running.pieces()) >= 2, "pictures are archived")
        before = set(running.app[SOCKETS].connections)
        await close_sockets(running.app)
        await running.until(lambda: bool(running.app[SOCKETS].connections - before), "the recorder is back")
        before = len(running.pieces())
        await running.until(lambda: len(running.pieces()) >= before + 3, "pictures are archived on")
        assert not [item for item in running.entries() if isinstance(item, GapEntry)]
        pieces = running.pieces()
        assert {piece.generation for piece in pieces} == {0}
        for earlier, later in itertools.pairwise(pieces):
            assert abs(later.begin_us - earlier.end_us) < 100_000


async def test_a_restarted_recorder_continues_the_same_archive(tmp_path: Path) -> None:
    async with service(tmp_path) as running:
        await running.publish()
        running.start_recorder()
        await running.until(lambda: len(running.pieces()) >= 2, "pictures are archived")
        await running.stop_recorder()
        left = verified(running)
        assert (left.verdict, left.open, left.unentered) == (Verdict.INTACT, True, ())
        running.start_recorder()
        await running.until(lambda: bool(gaps(running, "recorder_restarted")), "the gap is declared")
        await running.until(lambda: any(piece.generation == 1 for piece in running.pieces()), "it goes on")
        await running.end_consultation()
        await running.until(lambda: closed(running), "the archive is closed")
        assert verified(running).verdict is Verdict.INTACT
        assert sum(entry.kind == "open" for entry in running.entries()) == 1


async def test_a_consultation_that_ended_while_no_recorder_was_there_is_closed_later(tmp_path: Path) -> None:
    async with service(tmp_path) as running:
        running.start_recorder()
        await running.until(lambda: running.recording_state == "recording", "an empty room is recorded too")
        await running.stop_recorder()
        await running.end_consultation()
        running.start_recorder()
        await running.until(lambda: closed(running), "the archive is closed")
        (entry,) = [item for item in running.entries() if isinstance(item, CloseEntry)]
        assert entry.reason == "closed_while_away"
        assert verified(running).verdict is Verdict.INTACT


async def test_ending_the_consultation_and_stopping_at_once_still_closes_the_archive(tmp_path: Path) -> None:
    async with service(tmp_path) as running:
        await running.publish()
        running.start_recorder()
        await running.until(lambda: len(running.pieces()) >= 1, "pictures are archived")
        await running.end_consultation()
        await running.stop_recorder()
        assert closed(running)
        assert verified(running).verdict is Verdict.INTACT


async def test_with_one_custodian_recording_refuses_and_the_room_is_told(tmp_path: Path) -> None:
    one = list(archives.keys().recipients)[:1]
    async with service(tmp_path, one) as running:
        running.start_recorder()
        await running.until(lambda: running.recording_state == "failed", "the room is told")
        assert running.recording_problem == "setup"
        assert not running.folder.exists()


async def test_a_consultation_that_is_not_to_be_recorded_is_left_alone(tmp_path: Path) -> None:
    async with service(tmp_path) as running:
        other = await open_consultation(
            running.database,
            room="private",
            header="",
            record=False,
            organisation_id=running.consultation.organisation_id,
        )
        running.start_recorder()
        await running.until(lambda: running.recording_state == "recording", "the other one is recorded")
        assert not (running.settings.archive_dir / other.consultation_id).exists()
        assert set(running.app[CONTEXT].service.rooms) == {ROOM}


async def test_nothing_secret_reaches_the_log(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    async with service(tmp_path) as running:
        await running.publish()
        running.start_recorder()
        await running.until(lambda: len(running.pieces()) >= 1, "pictures are archived")
        await running.stop_recorder()
        secret = running.settings.service_secret_file.read_text().strip()
    printed = "".join(capsys.readouterr())
    assert secret not in printed
    assert "token." not in printed
    assert "张" not in printed
    assert "AGE-SECRET-KEY" not in printed


async def test_after_kill_9_at_most_two_seconds_are_missing_and_it_goes_on(tmp_path: Path) -> None:
    async with service(tmp_path) as running:
        await running.publish()
        process = await running.start_recorder_process()
        await running.until(lambda: len(running.pieces()) >= 3, "pictures are archived")
        killed_us = running.database.now_us() - running.consultation.opened_us
        process.kill()
        await process.wait()
        written_us = max(piece.end_us for piece in running.pieces())
        assert killed_us - written_us <= 2_000_000
        report = verified(running)
        assert (report.verdict, report.open) == (Verdict.INTACT, True)
        running.start_recorder()
        await running.until(lambda: any(piece.generation == 1 for piece in running.pieces()), "it goes on")
        gap = gaps(running, "recorder_restarted")[0]
        assert gap.track is None
        assert written_us - 2_000_000 <= gap.begin_us <= written_us
        assert gap.end_us >= killed_us
        await running.end_consultation()
        await running.until(lambda: closed(running), "the archive is closed")
        assert verified(running).verdict is Verdict.INTACT
