"""What is archived besides pictures and sound; and nothing while a host has stopped recording."""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_args

from archive.continuity import PRIVACY_PAUSE, RECORDING_STOPPED
from archive.entries import CloseEntry, FileEntry, GapEntry
from archive.export import FILES_FOLDER, export_consultation
from archive.faults import Verdict
from archive.keys import read_trust_file
from archive.layout import TRUSTED_SIGNERS
from archive.verify import Report, verify_consultation
from core import messages
from core.messages import ServerMessage
from recorder.events import NOT_ARCHIVED
from tests.recorder.service import Service, service
from tests.recorder.test_recorder import auditor, closed
from tests.recorder.visitor import visitor

PICTURE = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 400


def intact(running: Service) -> Report:
    trusted = read_trust_file(running.settings.archive_dir / TRUSTED_SIGNERS)
    report = verify_consultation(running.folder, trusted, bound_to_name=True)
    assert (report.verdict, report.holes) == (Verdict.INTACT, ()), report
    return report


def files(running: Service) -> list[FileEntry]:
    return [entry for entry in running.entries() if isinstance(entry, FileEntry)]


def gaps(running: Service, reason: str, *, whole: bool = False) -> list[GapEntry]:
    """`whole`: of all tracks at once."""
    found = [item for item in running.entries() if isinstance(item, GapEntry) and item.reason == reason]
    return [item for item in found if not whole or item.track is None]


def close_reason(running: Service) -> str:
    last = running.entries()[-1]
    return last.reason if isinstance(last, CloseEntry) else "open"


def events(running: Service, tmp_path: Path, kind: str) -> list[dict[str, Any]]:
    return [event for event in running.events(auditor(tmp_path)) if event["type"] == kind]


def test_whatever_happens_in_the_room_is_archived_and_it_is_known_what_that_is() -> None:
    """A message that is new has to be put here, or among those that are about our own connection."""
    every = {kind.__name__ for kind in get_args(get_args(ServerMessage)[0])}
    private = {kind.__name__ for kind in NOT_ARCHIVED}
    assert every - private == {
        "AnnotationDocument", "AnnotationsChanged", "AnnotationsSynced", "CaptureClock", "ChatAdded",
        "ConsentChanged", "ConsultationEnded", "ControlChanged", "ControlPressed", "Frozen", "Knock",
        "KnockEnded", "MarksMoved", "OpinionWritten", "ParticipantJoined", "ParticipantLeft", "PausedChanged",
        "Pointed", "QualityReported", "RecordChanged", "RecordingChanged", "StillChanged", "TrackAdded",
        "TrackChanged", "TrackRemoved", "Unfrozen", "Welcome",
    }  # fmt: skip


async def test_chat_with_its_files_opinion_judgements_pauses_and_consent_are_in_the_archive(
    tmp_path: Path,
) -> None:
    async with service(tmp_path) as running:
        await running.publish()
        running.start_recorder()
        await running.until(lambda: len(running.pieces()) >= 2, "pictures are archived")
        async with visitor(running) as host, visitor(running, "specialist") as expert:
            sent = await host.send_file("1", "张三 CT.png", PICTURE)
            await expert.say(messages.WriteOpinion(ref="o", text="No effusion."))
            await expert.say(messages.ReportQuality(feed="ultrasound", judgement="poor", delay_ms=480))
            await host.say(messages.SetPaused(paused=True))
            await host.say(messages.SetPaused(paused=False))
            await running.until(
                lambda: [item.file_id for item in files(running)] == [sent], "the file is kept"
            )
            await running.until(lambda: len(gaps(running, PRIVACY_PAUSE)) >= 2, "the pause is declared")
            await host.say(messages.SetConsent(record=False))
        await running.until(lambda: closed(running), "the archive is closed")
        intact(running)
        assert "张三".encode() not in (running.folder / "manifest.jsonl").read_bytes()
        (chat,) = events(running, tmp_path, "chat_added")
        assert [item["file_id"] for item in chat["entry"]["files"]] == [sent]
        assert chat["entry"]["files"][0]["name"] == "张三 CT.png"
        (opinion,) = events(running, tmp_path, "opinion_written")
        assert (opinion["opinion"]["text"], opinion["opinion"]["name"]) == ("No effusion.", "Dr specialist")
        (judged,) = events(running, tmp_path, "quality_reported")
        assert (judged["report"]["judgement"], judged["report"]["delay_ms"]) == ("poor", 480)
        assert [event["paused"] for event in events(running, tmp_path, "paused_changed")] == [True, False]
        (withdrawn,) = events(running, tmp_path, "consent_changed")
        assert (withdrawn["consent"]["record"], withdrawn["by"]) == (False, "Dr site")
        export_consultation(running.folder, auditor(tmp_path), tmp_path / "out")
        assert (tmp_path / "out" / FILES_FOLDER / sent).read_bytes() == PICTURE


async def test_a_file_sent_just_before_the_end_or_while_no_recorder_ran_is_kept(tmp_path: Path) -> None:
    async with service(tmp_path) as running:
        async with visitor(running) as host:
            early = await host.send_file("1", "a", b"before anybody recorded")
            running.start_recorder()
            await running.until(lambda: len(files(running)) == 1, "what was there is kept")
            await running.stop_recorder()
            between = await host.send_file("2", "b", b"while the recorder was away")
            running.start_recorder()
            await running.until(lambda: len(files(running)) == 2, "what came meanwhile is kept")
            late = await host.send_file("3", "c", b"the last word" * 100_000)
            await running.end_consultation()
        await running.until(lambda: closed(running), "the archive is closed")
        intact(running)
        assert [item.file_id for item in files(running)] == [early, between, late]
        assert events(running, tmp_path, "file_missing") == []


async def test_a_file_that_is_gone_is_said_to_be_missing(tmp_path: Path) -> None:
    async with service(tmp_path) as running:
        async with visitor(running) as host:
            sent = await host.send_file("1", "a", b"soon gone")
            for path in tmp_path.rglob(sent):
                path.unlink()
            running.start_recorder()
            await running.until(lambda: running.recording_state == "recording", "the recorder is there")
            await running.end_consultation()
        await running.until(lambda: closed(running), "the archive is closed")
        (missing,) = events(running, tmp_path, "file_missing")
        assert (missing["file_id"], missing["reason"]) == (sent, "gone")


async def test_a_host_stops_recording_and_it_goes_on_later_with_the_gap_declared(tmp_path: Path) -> None:
    async with service(tmp_path) as running:
        await running.publish()
        running.start_recorder()
        await running.until(lambda: len(running.pieces()) >= 2, "pictures are archived")
        async with visitor(running) as host:
            await host.say(messages.SetRecord(record=False))
            await running.until(lambda: bool(gaps(running, RECORDING_STOPPED)), "the stop is declared")
            assert running.recording_state == "off"
            assert intact(running).open
            before = len(running.pieces())
            await host.say(messages.Chat(ref="1", text="between us"))
            await host.send_file("2", "private", b"between us")
            assert len(running.pieces()) == before
            await host.say(messages.SetRecord(record=True))
            await running.until(lambda: len(running.pieces()) >= before + 2, "it is recorded again")
            assert running.recording_state == "recording"
            await host.say(messages.Chat(ref="3", text="for the record"))
        await running.end_consultation()
        await running.until(lambda: closed(running), "the archive is closed")
        intact(running)
        stop, whole = gaps(running, RECORDING_STOPPED, whole=True)
        assert stop.end_us <= whole.end_us
        first_after = running.pieces()[before]
        assert first_after.end_us > whole.begin_us
        assert [event["record"] for event in events(running, tmp_path, "record_changed")] == [False]
        said = [event["entry"]["text"] for event in events(running, tmp_path, "chat_added")]
        said += [item["text"] for event in events(running, tmp_path, "room_state") for item in event["chat"]]
        assert said == ["for the record"], "nothing of what was said while it was stopped"
        assert files(running) == []


async def test_a_stopped_consultation_that_ends_is_closed_with_the_gap_to_its_end(tmp_path: Path) -> None:
    async with service(tmp_path) as running:
        await running.publish()
        running.start_recorder()
        await running.until(lambda: len(running.pieces()) >= 2, "pictures are archived")
        async with visitor(running) as host:
            await host.say(messages.SetRecord(record=False))
            await running.until(lambda: bool(gaps(running, RECORDING_STOPPED)), "the stop is declared")
        await running.end_consultation()
        await running.until(lambda: closed(running), "the archive is closed")
        assert close_reason(running) == "consultation_closed"
        assert len(gaps(running, RECORDING_STOPPED, whole=True)) == 2
        assert gaps(running, "recorder_restarted") == []
        intact(running)


async def test_a_recorder_that_comes_while_it_is_stopped_leaves_the_archive_open(tmp_path: Path) -> None:
    async with service(tmp_path) as running:
        await running.publish()
        running.start_recorder()
        await running.until(lambda: len(running.pieces()) >= 2, "pictures are archived")
        async with visitor(running) as host:
            await host.say(messages.SetRecord(record=False))
            await running.until(lambda: bool(gaps(running, RECORDING_STOPPED)), "the stop is declared")
            await running.stop_recorder()
            running.start_recorder()
            before = len(running.pieces())
            await host.say(messages.SetRecord(record=True))
            await running.until(lambda: len(running.pieces()) >= before + 2, "it is recorded again")
            await host.say(messages.SetConsent(record=False))
        await running.until(lambda: closed(running), "the archive is closed")
        assert close_reason(running) == "consent_withdrawn"
        assert len(gaps(running, RECORDING_STOPPED, whole=True)) == 2
        assert gaps(running, "recorder_restarted") == []
        intact(running)
