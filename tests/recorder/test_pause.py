"""Privacy pause and consent in the archive: what was not to be recorded is an explicit gap."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import aiohttp

from archive.entries import CloseEntry, GapEntry
from archive.faults import Verdict
from archive.results import gap_fields
from core import messages
from core.consultations import withdraw_consent
from recorder.jobs import PieceJob
from recorder.received import LATE_NS, PRIVACY_PAUSE
from recorder.subscriber import Subscriber
from signaling.context import CONTEXT
from signaling.grants import room_grants
from tests.core.clocks import FakeClock
from tests.recorder import support
from tests.recorder.service import ROOM, Service, service
from tests.recorder.test_received import frames, now_of, packets, received_track
from tests.recorder.test_recorder import auditor, closed, gaps, verified
from tests.recorder.test_track import START_US, shifted, video_feeder

S = 1_000_000


# one track, no sockets


def test_an_interruption_ends_the_piece_and_the_next_frame_declares_the_gap() -> None:
    feeder = video_feeder()
    units = support.video("H264", 45)
    feeder.stream(units)
    feeder.jobs += feeder.cutter.interrupt(PRIVACY_PAUSE, START_US + 1_600_000)
    assert sum(len(piece.samples) for piece in feeder.pieces) == 45
    assert feeder.gaps == []
    feeder.poll(5 * 10**9)
    feeder.stream(shifted(support.video("H264", 30), 10 * 90_000), START_US + 10 * S)
    feeder.finish()
    (gap,) = feeder.gaps
    assert (gap.reason, gap.span.begin_us, gap.span.end_us) == (
        PRIVACY_PAUSE,
        START_US + 1_500_000,
        START_US + 10 * S,
    )
    assert len({piece.generation.track for piece in feeder.pieces}) == 1
    assert all(not _overlaps(piece, gap.span.begin_us, gap.span.end_us) for piece in feeder.pieces)


def test_a_track_that_was_still_already_is_interrupted_when_the_pause_begins() -> None:
    feeder = video_feeder()
    feeder.stream(support.video("H264", 30))
    feeder.jobs += feeder.cutter.interrupt(PRIVACY_PAUSE, START_US + 60 * S)
    assert feeder.cutter.away == (START_US + 60 * S, PRIVACY_PAUSE)


def test_a_pause_nobody_came_back_from_is_declared_when_it_is_settled_and_only_once() -> None:
    feeder = video_feeder()
    feeder.stream(support.video("H264", 30))
    feeder.jobs += feeder.cutter.interrupt(PRIVACY_PAUSE, START_US + S)
    feeder.jobs += feeder.cutter.settle(START_US + 7 * S)
    feeder.jobs += feeder.cutter.settle(START_US + 9 * S)
    (gap,) = feeder.gaps
    assert (gap.span.begin_us, gap.span.end_us) == (START_US + S, START_US + 7 * S)


def test_frames_that_come_just_after_the_news_of_a_pause_still_belong_before_it() -> None:
    track, sent, jobs = received_track(), packets(), []
    early, late = sent[: len(sent) // 2], sent[len(sent) // 2 :]
    for packet in early:
        jobs += track.receive(packet, now_of(packet))
    begun_ns = now_of(early[-1])
    track.pause(2 * S, begun_ns)
    for packet in late[:20]:
        jobs += track.receive(packet, begun_ns + LATE_NS // 2)
    jobs += track.poll(begun_ns + LATE_NS)
    kept = frames(jobs)
    assert kept > 25
    assert track.cutter.away is not None
    assert [job for job in jobs if not isinstance(job, PieceJob)] == []


def test_a_pause_shorter_than_that_is_declared_too() -> None:
    track, sent, jobs = received_track(), packets(), []
    for packet in sent[: len(sent) // 2]:
        jobs += track.receive(packet, now_of(packet))
    begun_ns = now_of(sent[len(sent) // 2])
    track.pause(2 * S, begun_ns)
    jobs += track.go_on(begun_ns + LATE_NS // 2)
    assert track.cutter.away is not None
    assert track.cutter.away[1] == PRIVACY_PAUSE


async def test_a_track_replaced_before_its_first_frame_passes_on_why_nothing_comes() -> None:
    """A box that comes back may publish twice within a moment; the pause was forgotten then."""
    name, since_us = "unknown-device-video", 5 * S

    async def say(_message: messages.Model) -> None:
        """Nobody is asked anything."""

    subscriber = Subscriber(
        FakeClock(),
        0,
        {name: (since_us, PRIVACY_PAUSE)},
        say=say,
        deliver=lambda _jobs: None,
        changed=lambda: None,
    )
    media = received_track().media
    tracks = [subscriber._make_track(media, f"t{number}", number) for number in range(3)]
    assert [track.cutter.source.name for track in tracks] == [name] * 3
    assert tracks[-1].cutter.away == (since_us, PRIVACY_PAUSE)


def _overlaps(piece: PieceJob, begin_us: int, end_us: int) -> bool:
    return piece.span.begin_us < end_us and piece.span.end_us > begin_us


# the real service


class Host:
    """The site's person in the room."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket

    async def tell(self, message: messages.Model) -> None:
        await self._socket.send_str(message.model_dump_json())

    async def say(self, message: messages.Model, wanted: type[Any]) -> Any:
        """Send, and wait for the answer of that type."""
        await self.tell(message)
        return await self.hear(wanted)

    async def hear(self, wanted: type[Any]) -> Any:
        async with asyncio.timeout(20):
            while True:
                heard = messages.parse_server_message((await self._socket.receive()).data)
                if isinstance(heard, wanted):
                    return heard


async def host(running: Service) -> Host:
    token = running.app[CONTEXT].tokens.issue_room(
        sub="u_li",
        role="site",
        org=running.consultation.organisation_id,
        name="Li",
        org_name="Clinic",
        room=ROOM,
        con=running.consultation.consultation_id,
        grants=room_grants("site", host=True),
    )
    socket = await running.session.ws_connect("/ws", params={"room": ROOM})
    running.stack.push_async_callback(socket.close)
    made = Host(socket)
    await made.say(messages.Hello(token=token), messages.Welcome)
    return made


def _pieces_inside(running: Service, gap: GapEntry) -> list[Any]:
    """Pieces of the gap's track that reach into it by more than a rounding."""
    ending = str(gap.track).removeprefix("ultrasound-device-")
    slack_us = 2_000
    return [
        piece
        for piece in running.pieces(ending)
        if piece.begin_us < gap.end_us - slack_us and piece.end_us > gap.begin_us + slack_us
    ]


async def test_a_privacy_pause_is_an_explicit_gap_in_every_track_of_the_site_with_who_did_it(
    tmp_path: Path,
) -> None:
    async with service(tmp_path) as running:
        await running.publish()
        running.start_recorder()
        site = await host(running)
        await running.until(lambda: len(running.pieces()) >= 2, "pictures are archived")
        await running.until(lambda: len(running.pieces("audio")) >= 2, "sound is archived")
        await site.say(messages.SetPaused(paused=True), messages.PausedChanged)
        paused_us = running.database.now_us() - running.consultation.opened_us
        await asyncio.sleep(2.5)  # the length of the pause: there is nothing to wait for
        going_on_us = running.database.now_us() - running.consultation.opened_us
        assert gaps(running, PRIVACY_PAUSE) == []
        await site.say(messages.SetPaused(paused=False), messages.PausedChanged)
        await running.until(lambda: len(gaps(running, PRIVACY_PAUSE)) == 2, "both gaps are declared")
        before = len(running.pieces())
        await running.until(lambda: len(running.pieces()) >= before + 2, "pictures are archived again")
        await running.end_consultation()
        await running.until(lambda: closed(running), "the archive is closed")

        declared = gaps(running, PRIVACY_PAUSE)
        assert {gap.track for gap in declared} == {"ultrasound-device-video", "ultrasound-device-audio"}
        for gap in declared:
            assert gap.begin_us <= paused_us + 100_000
            assert gap.end_us >= going_on_us - 100_000
            assert _pieces_inside(running, gap) == []
        after = next(piece for piece in running.pieces() if piece.begin_us >= declared[0].end_us - 100_000)
        assert after.sync, "pictures begin with a keyframe"
        report = verified(running)
        assert report.verdict is Verdict.INTACT
        assert gap_fields(declared[0])["reason"] == PRIVACY_PAUSE
        events = [item for item in running.events(auditor(tmp_path)) if item["type"] == "paused_changed"]
        assert [(item["paused"], item["by"]) for item in events] == [(True, "Li"), (False, "Li")]


async def test_a_pause_that_lasts_to_the_end_is_declared_and_so_are_tracks_that_came_during_it(
    tmp_path: Path,
) -> None:
    async with service(tmp_path) as running:
        feed = await running.publish()
        running.start_recorder()
        site = await host(running)
        await running.until(lambda: len(running.pieces()) >= 1, "pictures are archived")
        await running.until(lambda: len(running.pieces("audio")) >= 1, "sound is archived")
        await site.say(messages.SetPaused(paused=True), messages.PausedChanged)
        await feed.stop()
        await running.publish()
        await running.publish("endoscope")
        await asyncio.sleep(1.0)  # of the pause
        await running.end_consultation()
        await running.until(lambda: closed(running), "the archive is closed")
        declared = gaps(running, PRIVACY_PAUSE)
        assert {gap.track for gap in declared} == {
            f"{feed}-device-{kind}" for feed in ("ultrasound", "endoscope") for kind in ("video", "audio")
        }
        assert not any(piece.track.startswith("endoscope") for piece in running.pieces())
        for gap in declared:
            if str(gap.track).startswith("ultrasound"):
                assert _pieces_inside(running, gap) == []
        assert verified(running).verdict is Verdict.INTACT


async def test_the_pause_holds_in_the_archive_when_the_media_server_is_killed_during_it(
    tmp_path: Path,
) -> None:
    async with service(tmp_path) as running:
        feed = await running.publish()
        running.start_recorder()
        site = await host(running)
        await running.until(lambda: len(running.pieces()) >= 2, "pictures are archived")
        await site.say(messages.SetPaused(paused=True), messages.PausedChanged)
        await asyncio.sleep(0.5)  # of the pause
        await running.replace_media_server()
        await feed.stop()
        await running.publish()
        pieces = len(running.pieces())
        await asyncio.sleep(1.5)  # of the pause
        assert len(running.pieces()) <= pieces + 1, "at most what was under way"
        await site.say(messages.SetPaused(paused=False), messages.PausedChanged)
        await running.until(lambda: len(running.pieces()) >= pieces + 2, "pictures are archived again")
        declared = [gap for gap in gaps(running, PRIVACY_PAUSE) if str(gap.track).endswith("video")]
        assert len(declared) == 1
        assert _pieces_inside(running, declared[0]) == []
        assert verified(running).verdict is Verdict.INTACT


async def test_consent_withdrawn_closes_the_archive_and_nothing_is_recorded_after_it(tmp_path: Path) -> None:
    async with service(tmp_path) as running:
        await running.publish()
        running.start_recorder()
        site = await host(running)
        await running.until(lambda: len(running.pieces()) >= 2, "pictures are archived")
        await site.say(messages.SetConsent(record=False), messages.ConsentChanged)
        assert (await site.hear(messages.RecordingChanged)).state == "off"
        await running.until(lambda: closed(running), "the archive is closed")
        (entry,) = [item for item in running.entries() if isinstance(item, CloseEntry)]
        assert entry.reason == "consent_withdrawn"
        assert verified(running).verdict is Verdict.INTACT
        entries = len(running.entries())
        await running.publish("endoscope")
        await asyncio.sleep(2.5)  # two polls of the recorder, which must not begin again
        assert len(running.entries()) == entries
        assert running.recording_state == "off"
        kinds = [item["type"] for item in running.events(auditor(tmp_path))]
        assert "consent_changed" in kinds


async def test_consent_withdrawn_while_no_recorder_ran_closes_the_archive_later(tmp_path: Path) -> None:
    async with service(tmp_path) as running:
        running.start_recorder()
        await running.until(lambda: running.recording_state == "recording", "an empty room is recorded too")
        await running.stop_recorder()
        await withdraw_consent(running.database, running.consultation.consultation_id)
        running.start_recorder()
        await running.until(lambda: closed(running), "the archive is closed")
        (entry,) = [item for item in running.entries() if isinstance(item, CloseEntry)]
        assert entry.reason == "consent_withdrawn"


async def test_chat_quality_and_who_was_there_are_archived(tmp_path: Path) -> None:
    async with service(tmp_path) as running:
        await running.publish()
        running.start_recorder()
        site = await host(running)
        await running.until(lambda: len(running.pieces()) >= 1, "pictures are archived")
        await site.say(messages.Chat(ref="1", text="张: look at this"), messages.ChatAdded)
        report = messages.ReportQuality(feed="ultrasound", judgement="poor", delay_ms=700)
        await site.tell(report)
        await site.say(messages.Ping(id=1), messages.Pong)
        await running.end_consultation()
        await running.until(lambda: closed(running), "the archive is closed")
        events = {item["type"]: item for item in running.events(auditor(tmp_path))}
        assert events["chat_added"]["entry"]["text"] == "张: look at this"
        assert events["quality_reported"]["report"]["judgement"] == "poor"
        people = [p["name"] for p in events["room_state"]["participants"]]
        joined = events.get("participant_joined", {"participant": {"name": ""}})["participant"]["name"]
        assert "Li" in [*people, joined]
