"""A feed against a real server over loopback: DTLS, SRTP, feedback, coming back from every kind of loss."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from core.clock import NS_PER_US, SystemClock
from core.messages import LayersWanted, TrackAdded
from edge_agents import box, timecode
from edge_agents.config import EdgeConfig, parse_config
from edge_agents.feed import Feed
from edge_agents.publication import Publication
from edge_agents.sources.picture import planes_of
from rtp.rtcp import Fir, FirRequest, Nack, Pli
from tests.edge.support import decode_data
from tests.edge.whip_server import OUR_SSRC, TOKEN, Received, WhipServer, track_info
from tests.support.link import Impairment

FEED = {
    "name": "theatre",
    "profile": "testcard",
    "source": {"kind": "testcard"},
    "width": 480,
    "height": 270,
    "bitrate_bps": 800_000,
    "encoder": "libx264",
}


def config_for(server: WhipServer, tmp_path: Path, **changes: object) -> EdgeConfig:
    (tmp_path / "token").write_text(TOKEN)
    values = {"server": server.url, "room": "demo", "token_file": "token", "feeds": [FEED | changes]}
    return parse_config(values, tmp_path / "edge.toml")


@contextlib.asynccontextmanager
async def running_feed(server: WhipServer, tmp_path: Path, **changes: object) -> AsyncIterator[Feed]:
    config = config_for(server, tmp_path, **changes)
    async with aiohttp.ClientSession() as session:
        feed = Feed(config, config.feeds[0], session, SystemClock())
        task = asyncio.create_task(feed.run())
        try:
            yield feed
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task


def publication_of(feed: Feed) -> Publication:
    assert feed.publisher.publication is not None
    return feed.publisher.publication


async def test_pictures_arrive_whole_and_the_wire_says_when_they_were_taken(tmp_path: Path) -> None:
    async with WhipServer.open() as server, running_feed(server, tmp_path):
        received = await server.until_units(0, 20)
        video = received.video
        await server.until(lambda: len(video.reports) >= 1)
    assert video.units[0].keyframe
    pictures = decode_data([unit.data for unit in video.units])
    for unit, picture in zip(video.units, pictures, strict=True):
        shown_us = timecode.decode(planes_of(picture).y)
        assert shown_us is not None
        assert video.capture_times[unit.timestamp].capture_ns == pytest.approx(
            shown_us * NS_PER_US, abs=NS_PER_US
        )
    gaps = [(b - a) & 0xFFFF for a, b in zip(video.sequence_numbers, video.sequence_numbers[1:])]  # noqa: B905
    assert set(gaps) == {1}


async def test_the_offer_says_what_is_sent(tmp_path: Path) -> None:
    async with WhipServer.open() as server, running_feed(server, tmp_path, width=1920, height=1080):
        received = await server.until_units(0, 1)
    (media,) = received.offer.media
    assert media.direction == "sendonly"
    assert "profile-level-id=42e028" in media.codecs[0].fmtp
    assert "packetization-mode=1" in media.codecs[0].fmtp
    assert server.tokens[0] == f"Bearer {TOKEN}"


async def test_media_is_protected_with_aes_gcm_and_the_resource_is_deleted_at_the_end(tmp_path: Path) -> None:
    async with WhipServer.open() as server:
        async with running_feed(server, tmp_path) as feed:
            received = await server.until_units(0, 1)
            assert "AEAD_AES" in (publication_of(feed).srtp_profile or "")
        assert received.deleted


async def test_a_picture_loss_brings_a_keyframe(tmp_path: Path) -> None:
    async with WhipServer.open() as server, running_feed(server, tmp_path):
        received = await server.until_units(0, 12)
        video = received.video
        before = len(video.units)
        for _ in range(3):
            received.send(Pli(OUR_SSRC, video.receive.ssrc))
        await server.until(lambda: any(unit.keyframe for unit in video.units[before:]))
        seen = len(video.units)
        received.send(Fir(OUR_SSRC, (FirRequest(video.receive.ssrc, 5),)))
        await server.until(lambda: any(unit.keyframe for unit in video.units[seen:]))
        seen = len(video.units)
        received.send(Fir(OUR_SSRC, (FirRequest(video.receive.ssrc, 5),)))
        await server.until(lambda: len(video.units) > seen + 12)
        assert not any(unit.keyframe for unit in video.units[seen:]), "the same request again"


LARGE = {"width": 960, "height": 540, "bitrate_bps": 1_500_000}


async def both_encodings(server: WhipServer) -> Received:
    """The first publication, once some pictures of both have come."""
    await server.until(
        lambda: (
            bool(server.received)
            and {"f", "q"} <= set(server.received[0].streams)
            and all(len(stream.units) >= 10 for stream in server.received[0].streams.values())
        )
    )
    return server.received[0]


async def test_a_large_picture_comes_in_two_encodings_of_the_same_moments(tmp_path: Path) -> None:
    async with WhipServer.open() as server, running_feed(server, tmp_path, **LARGE):
        received = await both_encodings(server)
        full, small = received.streams["f"], received.streams["q"]
    for stream, size in ((full, (960, 540)), (small, (640, 360))):
        assert stream.units[0].keyframe
        pictures = decode_data([unit.data for unit in stream.units])
        assert {(picture.width, picture.height) for picture in pictures} == {size}
    moments = [{time.capture_ns for time in stream.capture_times.values()} for stream in (full, small)]
    assert len(moments[0] & moments[1]) >= 9


async def test_a_picture_loss_of_one_encoding_brings_a_keyframe_of_that_one(tmp_path: Path) -> None:
    async with WhipServer.open() as server, running_feed(server, tmp_path, **LARGE):
        received = await both_encodings(server)
        full, small = received.streams["f"], received.streams["q"]
        seen = len(full.units), len(small.units)
        received.send(Pli(OUR_SSRC, small.receive.ssrc))
        await server.until(lambda: any(unit.keyframe for unit in small.units[seen[1] :]))
        await server.until(lambda: len(full.units) > seen[0] + 10)
        assert not any(unit.keyframe for unit in full.units[seen[0] :])


async def test_an_encoding_nobody_watches_rests_until_somebody_does(tmp_path: Path) -> None:
    async with WhipServer.open() as server:
        stop = asyncio.Event()
        config = config_for(server, tmp_path, **LARGE)
        running = asyncio.create_task(box.run_until(config, stop, SystemClock()))
        received = await both_encodings(server)
        await server.until(lambda: bool(server.hellos))
        full, small = received.streams["f"], received.streams["q"]
        await server.say(TrackAdded(track=track_info("tr_9", "theatre")))
        await server.say(LayersWanted(track_id="tr_9", rids=["q"]))
        seen = len(full.units), len(small.units)
        await server.until(lambda: len(small.units) > seen[1] + 30)
        resting = len(full.units)
        assert resting < seen[0] + 15
        await server.until(lambda: len(small.units) > seen[1] + 50)
        assert len(full.units) == resting
        await server.say(LayersWanted(track_id="tr_9", rids=["f", "q"]))
        await server.until(lambda: len(full.units) > resting + 5)
        assert full.units[resting].keyframe
        assert not any(unit.keyframe for unit in small.units[seen[1] :])
        stop.set()
        await running


async def test_a_lost_packet_is_sent_again_as_rtx(tmp_path: Path) -> None:
    async with WhipServer.open() as server, running_feed(server, tmp_path):
        received = await server.until_units(0, 5)
        server.impair(Impairment(loss=0.3))
        nack = received.video.receive.nack
        assert nack is not None

        def repaired() -> bool:
            if lost := nack.due(time.monotonic_ns()):
                received.send(Nack(OUR_SSRC, received.video.receive.ssrc, tuple(lost)))
            return received.video.receive.repaired >= 10

        await server.until(repaired)


async def test_feedback_reaches_the_send_log_and_reports_the_round_trip(tmp_path: Path) -> None:
    async with WhipServer.open() as server, running_feed(server, tmp_path) as feed:
        received = await server.until_units(0, 5)
        sender = publication_of(feed).sender
        assert sender is not None

        await server.until(lambda: sender.stats.acknowledged > 50)
        await server.until(lambda: len(received.video.reports) >= 2)
        received.report()
        await server.until(lambda: sender.video_rtt_ns is not None)


async def test_a_tone_is_published_beside_the_picture(tmp_path: Path) -> None:
    async with WhipServer.open() as server, running_feed(server, tmp_path, audio="tone"):
        await server.until(
            lambda: bool(server.received) and len(server.received[0].streams["audio"].units) >= 25
        )
        audio = server.received[0].streams["audio"]
        steps = {(b.timestamp - a.timestamp) & 0xFFFFFFFF for a, b in zip(audio.units, audio.units[1:])}  # noqa: B905
        assert min(steps) == 960
        assert all(step % 960 == 0 for step in steps), "samples have no jitter"


async def test_a_killed_media_server_is_recovered_from_within_a_second_of_its_return(tmp_path: Path) -> None:
    async with WhipServer.open() as server, running_feed(server, tmp_path) as feed:
        await server.until_units(0, 10)
        captured = feed.pipeline.stats.captured
        await server.kill_media()
        await server.until(lambda: len(server.tokens) >= 3)
        assert feed.pipeline.stats.captured > captured, "capturing goes on"
        await server.revive_media()
        revived_ns = time.monotonic_ns()
        received = await server.until_units(1, 1)
        assert received.video.units[0].keyframe
        assert (received.first_unit_ns or 0) - revived_ns < 1_000_000_000


async def test_a_restarted_media_server_that_knows_nobody_is_noticed(tmp_path: Path) -> None:
    async with WhipServer.open() as server, running_feed(server, tmp_path):
        await server.until_units(0, 5)
        await server.kill_media()
        await server.revive_media()
        received = await server.until_units(1, 5)
        assert received.video.units[0].keyframe


async def test_a_server_that_vanishes_whole_is_found_again(tmp_path: Path) -> None:
    async with WhipServer.open() as server, running_feed(server, tmp_path) as feed:
        await server.until_units(0, 5)
        await server.kill_media()
        await server.stop_http()
        async with asyncio.timeout(10):
            assert await publication_of(feed).lost()
        await server.start_http()
        await server.revive_media()
        received = await server.until_units(1, 5)
        assert received.video.units[0].keyframe


async def test_a_short_silence_keeps_the_connection(tmp_path: Path) -> None:
    async with WhipServer.open() as server, running_feed(server, tmp_path) as feed:
        await server.until_units(0, 5)
        first = publication_of(feed)
        server.refuse_with = 503
        server.impair(Impairment(cut=True))
        async with asyncio.timeout(10):
            assert await first.lost() == "silent"
        await server.until(lambda: len(server.tokens) >= 3)
        server.impair(Impairment())
        async with asyncio.timeout(10):
            await first.recovered()
        video = server.received[0].video
        seen = len(video.units)
        await server.until(lambda: len(video.units) > seen + 10)
        assert any(unit.keyframe for unit in video.units[seen : seen + 10]), "others wait for one"
        assert feed.publisher.publication is first
        assert len(server.received) == 1


async def test_a_server_silent_for_long_is_sent_nothing_then_a_keyframe_and_the_next_number(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Numbers that run on unheard by 2¹⁵ would leave the server unable to open anything."""
    monkeypatch.setattr("edge_agents.publication.UNHEARD_NS", 0)
    async with WhipServer.open() as server, running_feed(server, tmp_path) as feed:
        await server.until_units(0, 5)
        first = publication_of(feed)
        assert first.sender is not None
        server.refuse_with = 503
        server.impair(Impairment(cut=True))
        async with asyncio.timeout(10):
            assert await first.lost() == "silent"
        sent, skipped = first.sender.stats.frames, feed.pipeline.stats.captured
        await server.until(lambda: feed.pipeline.stats.captured > skipped + 10)
        assert first.sender.stats.frames == sent
        seen = len(server.received[0].video.units)
        server.impair(Impairment())
        await server.until(lambda: len(server.received[0].video.units) > seen + 10)
        assert server.received[0].video.units[seen].keyframe
        assert feed.publisher.publication is first


async def test_a_media_reset_publishes_anew_at_once_and_ends_the_old_resource(tmp_path: Path) -> None:
    async with WhipServer.open() as server, running_feed(server, tmp_path) as feed:
        first = await server.until_units(0, 5)
        feed.publisher.republish()
        second = await server.until_units(1, 5)
        assert second.video.units[0].keyframe
        await server.until(lambda: first.deleted)
        assert not second.deleted


async def test_a_refusing_server_is_asked_again_with_delays(tmp_path: Path) -> None:
    async with WhipServer.open() as server:
        server.refuse_with = 401
        async with running_feed(server, tmp_path):
            await server.until(lambda: len(server.tokens) >= 4)
            server.refuse_with = None
            await server.until_units(0, 1)
        assert len(server.received) == 1


def agent_feeds(server: WhipServer, tmp_path: Path) -> EdgeConfig:
    config = config_for(server, tmp_path)
    broken = config.feeds[0].model_copy(
        update={
            "name": "broken",
            "source": config.feeds[0].source.model_validate({"kind": "testcard"}),
            "encoder": "h264_v4l2m2m",
        }
    )
    return config.model_copy(update={"feeds": [broken, *config.feeds]})


def of_feed(server: WhipServer, name: str) -> list[Received]:
    return [received for received in server.received if received.feed == name]


async def test_the_agent_joins_the_room_publishes_and_a_broken_feed_does_not_stop_the_other(
    tmp_path: Path,
) -> None:
    async with WhipServer.open() as server:
        stop = asyncio.Event()
        running = asyncio.create_task(box.run_until(agent_feeds(server, tmp_path), stop, SystemClock()))
        await server.until(lambda: any(r.video.units for r in of_feed(server, "theatre")))
        await server.until(lambda: bool(server.hellos))
        assert server.hellos[0].token == TOKEN
        assert not any(r.video.units for r in of_feed(server, "broken"))
        await server.media_reset()
        await server.until(lambda: len(of_feed(server, "theatre")) == 2)
        await server.until(lambda: bool(of_feed(server, "theatre")[1].video.units))
        stop.set()
        await running
        assert all(received.deleted for received in server.received)


async def test_the_seat_in_the_room_is_taken_again_with_the_resume_token(tmp_path: Path) -> None:
    async with WhipServer.open() as server:
        stop = asyncio.Event()
        running = asyncio.create_task(box.run_until(config_for(server, tmp_path), stop, SystemClock()))
        await server.until(lambda: len(server.hellos) == 1)
        await server.sockets[0].close()
        await server.until(lambda: len(server.hellos) == 2)
        assert server.hellos[0].resume_token is None
        assert server.hellos[1].resume_token == "resume-1"
        stop.set()
        await running


async def test_a_room_that_does_not_know_our_feed_any_more_gets_it_anew(tmp_path: Path) -> None:
    async with WhipServer.open() as server:
        stop = asyncio.Event()
        running = asyncio.create_task(box.run_until(config_for(server, tmp_path), stop, SystemClock()))
        await server.until_units(0, 5)
        await server.until(lambda: len(server.hellos) == 1)
        server.forget_everything()
        await server.sockets[0].close()
        second = await server.until_units(1, 5)
        assert second.video.units[0].keyframe
        await server.until(lambda: len(server.hellos) == 2)
        stop.set()
        await running


async def test_a_room_that_knows_our_feed_still_does_not_get_it_twice(tmp_path: Path) -> None:
    async with WhipServer.open() as server:
        stop = asyncio.Event()
        running = asyncio.create_task(box.run_until(config_for(server, tmp_path), stop, SystemClock()))
        first = await server.until_units(0, 5)
        await server.until(lambda: len(server.hellos) == 1)
        await server.sockets[0].close()
        await server.until(lambda: len(server.hellos) == 2)
        seen = len(first.video.units)
        await server.until(lambda: len(first.video.units) > seen + 15)
        assert len(server.received) == 1
        stop.set()
        await running
