"""The room as its members hear it over the WebSocket."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Callable

import pytest

from core import messages
from core.tokens import Grants
from core.worker_api import ConsumerClock, TrackLive, TransportChanged
from tests.signaling.conftest import WITHIN_S, RoomClient, World


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(WITHIN_S):
        while not condition():
            await asyncio.sleep(0.005)


async def test_members_see_each_other_come_and_go(world: World) -> None:
    first, welcome = await world.join("u_1", "specialist")
    assert welcome.consultation.header == "张*三"
    assert [p.name for p in welcome.participants] == ["u_1"]
    second, welcome2 = await world.join("u_2", "site")
    assert {p.name for p in welcome2.participants} == {"u_1", "u_2"}
    joined = await first.next(messages.ParticipantJoined)
    assert joined.participant == welcome2.participant
    await second.close()
    left = await first.next(messages.ParticipantLeft)
    assert (left.participant_id, left.reason) == (welcome2.participant.participant_id, "left")


async def test_the_token_may_come_in_hello_and_the_protocol_is_answered_without_it(world: World) -> None:
    token = world.room_token("u_1", "specialist")
    client = await world.connect(None, messages.Hello(token=token))
    await client.next(messages.Welcome)
    other = await world.connect(token)
    assert other.socket.protocol == "teleconsult.v1"


@pytest.mark.parametrize(
    ("make", "code", "close"),
    [
        (lambda w: None, "unauthorized", 4401),
        (lambda w: "nonsense", "token_invalid", 4401),
        (lambda w: w.context.tokens.issue_access(
            sub="u", role="site", org="o", name="n", sid=None), "token_invalid", 4401),
        (lambda w: w.room_token("u", "site", room="other"), "wrong_room", 4403),
        (lambda w: w.room_token("u", "site", con="c_other"), "consultation_closed", 4404),
        (lambda w: w.room_token("u", "site", lifetime_s=-60), "token_expired", 4401),
    ],
)  # fmt: skip
async def test_who_may_not_enter_is_told_why_and_let_go(
    world: World, make: Callable[[World], str | None], code: str, close: int
) -> None:
    client = await world.connect(make(world))
    assert (await client.next(messages.Error)).code == code
    assert await client.closed() == close


async def test_a_published_track_reaches_the_others_and_their_subscriptions(world: World) -> None:
    speaker, welcome = await world.join("u_1", "specialist")
    listener, _ = await world.join("u_2", "site")
    await listener.send(messages.Subscribe())
    first = await listener.next(messages.Offer)
    assert (first.fresh, first.tracks) == (True, [])
    await listener.send(messages.Answer(revision=first.revision, sdp="v=0 answer"))
    published = await world.publish(speaker, "video/camera", "audio/microphone")
    assert [t.source for t in published.tracks] == ["camera", "microphone"]
    assert published.tracks[0].participant_id == welcome.participant.participant_id
    added = [(await listener.next(messages.TrackAdded)).track for _ in range(2)]
    assert added == published.tracks
    offer = await listener.next(messages.Offer)
    assert not offer.fresh
    assert {t.track_id for t in offer.tracks} == {t.track_id for t in published.tracks}
    assert speaker.seen.count(messages.Offer) == 0


async def test_nobody_is_subscribed_to_their_own_tracks(world: World) -> None:
    client, _ = await world.join("u_1", "specialist")
    await world.publish(client, "video/camera")
    await client.send(messages.Subscribe())
    assert (await client.next(messages.Offer)).tracks == []


async def test_one_offer_is_outstanding_and_changes_meanwhile_go_into_the_next(world: World) -> None:
    listener, _ = await world.join("u_0", "site")
    await listener.send(messages.Subscribe())
    offer = await listener.next(messages.Offer)
    for n in range(1, 6):
        speaker, _ = await world.join(f"u_{n}", "specialist")
        await world.publish(speaker, "audio/microphone")
    heard = await listener.sync()
    assert not any(isinstance(message, messages.Offer) for message in heard)
    await listener.send(messages.Answer(revision=offer.revision, sdp="v=0 a"))
    second = await listener.next(messages.Offer)
    assert len(second.tracks) == 5
    await listener.send(messages.Answer(revision=second.revision, sdp="v=0 b"))
    await until(lambda: world.worker.only("subscribe").answers == ["v=0 a", "v=0 b"])
    assert world.worker.overlapping_offers == 0
    assert len([c for c in world.worker.calls if c.startswith("PUT")]) == 1


async def test_an_answer_to_an_older_revision_is_ignored(world: World) -> None:
    client, _ = await world.join("u_1", "site")
    await client.send(messages.Subscribe())
    offer = await client.next(messages.Offer)
    await client.send(messages.Answer(revision=offer.revision + 7, sdp="v=0 wrong"))
    await client.sync()
    await client.send(messages.Answer(revision=offer.revision, sdp="v=0 right"))
    await until(lambda: world.worker.only("subscribe").answers == ["v=0 right"])


async def test_a_refused_answer_is_told_and_may_be_mended(world: World) -> None:
    client, _ = await world.join("u_1", "site")
    await client.send(messages.Subscribe())
    offer = await client.next(messages.Offer)
    world.worker.refuse_answers = True
    await client.send(messages.Answer(revision=offer.revision, sdp="v=0 broken"))
    refused = await client.next(messages.Error)
    assert (refused.code, refused.about) == ("bad_sdp", "answer")
    world.worker.refuse_answers = False
    await client.send(messages.Answer(revision=offer.revision, sdp="v=0 good"))
    await until(lambda: world.worker.only("subscribe").answers == ["v=0 good"])


async def test_subscribing_again_gives_a_fresh_connection_and_ends_the_old(world: World) -> None:
    client, _ = await world.join("u_1", "site")
    await client.send(messages.Subscribe())
    first = await client.next(messages.Offer)
    await client.send(messages.Subscribe(codecs=["VP8", "opus"]))
    second = await client.next(messages.Offer)
    assert second.fresh
    assert second.transport_id != first.transport_id
    await until(lambda: list(world.worker.transports) == [second.transport_id])
    assert world.worker.only("subscribe").wanted.codecs == ["VP8", "opus"]


async def test_an_ice_restart_makes_an_offer_at_once_even_with_one_outstanding(world: World) -> None:
    client, _ = await world.join("u_1", "site")
    await client.send(messages.RestartIce())
    assert (await client.next(messages.Error)).code == "not_subscribed"
    await client.send(messages.Subscribe())
    await client.next(messages.Offer)
    await client.send(messages.RestartIce())
    offer = await client.next(messages.Offer)
    assert "restart" in offer.sdp
    assert not offer.fresh


async def test_what_is_published_can_change_and_end(world: World) -> None:
    speaker, _ = await world.join("u_1", "specialist")
    listener, _ = await world.join("u_2", "site")
    published = await world.publish(speaker, "audio/microphone")
    await listener.next(messages.TrackAdded)
    source = messages.PublishedSource(mid="1", source="screen")
    offer = "v=0\r\npublish:audio/microphone,video/?"
    change = messages.Publish(offer=offer, sources=[source], transport_id=published.transport_id)
    await speaker.send(change)
    again = await speaker.next(messages.Published)
    assert again.transport_id == published.transport_id
    assert again.tracks[0] == published.tracks[0]
    assert (await listener.next(messages.TrackAdded)).track.source == "screen"
    await speaker.send(messages.Unpublish())
    removed = {(await listener.next(messages.TrackRemoved)).track_id for _ in range(2)}
    assert removed == {track.track_id for track in again.tracks}
    await until(lambda: not world.worker.transports)
    await speaker.send(change)
    assert (await speaker.next(messages.Error)).code == "transport_not_found"


async def test_muting_is_shown_to_everyone_and_only_the_owner_may(world: World) -> None:
    speaker, _ = await world.join("u_1", "specialist")
    listener, _ = await world.join("u_2", "site")
    track = (await world.publish(speaker, "audio/microphone")).tracks[0]
    await speaker.send(messages.SetMuted(track_id=track.track_id, muted=True))
    assert (await listener.next(messages.TrackChanged)).track.muted
    await listener.send(messages.SetMuted(track_id=track.track_id, muted=False))
    refused = await listener.next(messages.Error)
    assert (refused.code, refused.about) == ("track_not_found", "set_muted")


async def test_the_worker_s_news_reach_those_concerned(world: World) -> None:
    speaker, _ = await world.join("u_1", "specialist")
    listener, _ = await world.join("u_2", "site")
    track = (await world.publish(speaker, "video/camera")).tracks[0]
    await listener.send(messages.Subscribe())
    offer = await listener.next(messages.Offer)
    await world.worker.emit(TrackLive(track_id=track.track_id, kind="video", live=True))
    assert (await listener.next(messages.TrackChanged)).track.live
    clock = {
        "mid": offer.tracks[0].mid,
        "track_id": track.track_id,
        "rtp_timestamp": 5,
        "clock_rate": 90000,
        "capture_time_us": 1_000_000,
        "uncertainty_us": 40,
    }
    await world.worker.emit(ConsumerClock.model_validate({"transport_id": offer.transport_id, **clock}))
    told = await listener.next(messages.CaptureClock)
    assert told == messages.CaptureClock.model_validate(clock)
    assert not any(isinstance(message, messages.CaptureClock) for message in await speaker.sync())


async def test_grants_are_checked_for_every_message(world: World) -> None:
    device, _ = await world.join("device:1", "device")
    watcher, _ = await world.join("player", "specialist", Grants(subscribe=True))
    await device.send(messages.Subscribe())
    refused = await device.next(messages.Error)
    assert (refused.code, refused.about) == ("not_granted", "subscribe")
    await watcher.send(messages.SetRecording(state="recording"))
    assert (await watcher.next(messages.Error)).code == "not_recorder"
    source = messages.PublishedSource(mid="0", source="camera")
    await watcher.send(messages.Publish(offer="v=0\r\npublish:video/camera", sources=[source]))
    refused = await watcher.next(messages.Error)
    assert (refused.code, refused.about) == ("not_granted", "publish")
    assert not world.worker.transports
    assert ("player", "publish", "not_granted") in await world.audit()


async def test_an_m_line_whose_source_is_not_named_is_refused_and_its_transport_ends(world: World) -> None:
    client, _ = await world.join("u_1", "specialist")
    listener, _ = await world.join("u_2", "site")
    await client.send(messages.Publish(offer="v=0\r\npublish:video/?", sources=[]))
    assert (await client.next(messages.Error)).code == "not_granted"
    await until(lambda: not world.worker.transports)
    assert not any(isinstance(message, messages.TrackAdded) for message in await listener.sync())


async def test_a_device_hears_of_its_own_tracks_only_and_a_narrowed_viewer_of_its_feeds(world: World) -> None:
    narrowed, _ = await world.join("player", "specialist", Grants(subscribe=True, view=["ultrasound"]))
    device, _ = await world.join("device:1", "device")
    speaker, _ = await world.join("u_1", "specialist")
    await world.publish(speaker, "audio/microphone")
    for feed in ("ultrasound", "theatre"):
        assert (await world.whip(feed, world.room_token("device:2", "device"))).status == 201
    assert not any(isinstance(message, messages.TrackAdded) for message in await device.sync())
    added = [m.track.feed for m in await narrowed.sync() if isinstance(m, messages.TrackAdded)]
    assert added == ["ultrasound"]
    await narrowed.send(messages.Subscribe())
    assert len((await narrowed.next(messages.Offer)).tracks) == 1


async def test_what_the_recorder_does_is_shown_and_its_loss_is_not_hidden(world: World) -> None:
    member, _ = await world.join("u_1", "site")
    recorder, _ = await world.join("service:recorder", "recorder")
    await recorder.send(messages.SetRecording(state="recording"))
    assert (await member.next(messages.RecordingChanged)).state == "recording"
    _, late = await world.join("u_2", "specialist")
    assert late.consultation.recording == "recording"
    await recorder.drop()
    await until(lambda: not _member(world, "service:recorder").connected)
    world.clock.advance(11)
    assert (await member.next(messages.RecordingChanged)).state == "failed"


async def test_a_dropped_member_resumes_with_its_id_its_tracks_and_the_open_offer(world: World) -> None:
    other, _ = await world.join("u_2", "site")
    client, welcome = await world.join("u_1", "specialist")
    published = await world.publish(client, "video/camera")
    await client.send(messages.Subscribe())
    offer = await client.next(messages.Offer)
    await client.drop()
    await until(lambda: not _member(world, "u_1").connected)
    back = await world.connect(None, messages.Hello(resume_token=welcome.resume_token))
    again = await back.next(messages.Welcome)
    assert again.participant == welcome.participant
    assert [track.track_id for track in again.tracks] == [published.tracks[0].track_id]
    assert await back.next(messages.Offer) == offer
    assert not any(isinstance(message, messages.ParticipantLeft) for message in await other.sync())
    assert len(world.worker.transports) == 2


async def test_after_ten_seconds_the_dropped_one_is_shown_as_gone_but_may_still_resume(world: World) -> None:
    other, _ = await world.join("u_2", "site")
    client, welcome = await world.join("u_1", "specialist")
    published = await world.publish(client, "video/camera")
    await client.drop()
    await until(lambda: not _member(world, "u_1").connected)
    world.clock.advance(11)
    left = await other.next(messages.ParticipantLeft)
    assert left.reason == "disconnected"
    assert any(isinstance(message, messages.TrackRemoved) for message in other.seen)
    world.clock.advance(60)
    back = await world.connect(None, messages.Hello(resume_token=welcome.resume_token))
    assert (await back.next(messages.Welcome)).participant == welcome.participant
    await other.next(messages.ParticipantJoined, participant=welcome.participant)
    assert (await other.next(messages.TrackAdded)).track == published.tracks[0]


async def test_after_ninety_seconds_it_is_forgotten_and_its_transports_end(world: World) -> None:
    client, welcome = await world.join("u_1", "specialist")
    await world.publish(client, "video/camera")
    await client.drop()
    await until(lambda: not _member(world, "u_1").connected)
    world.clock.advance(91)
    await until(lambda: not world.worker.transports)
    back = await world.connect(None, messages.Hello(resume_token=welcome.resume_token))
    assert (await back.next(messages.Error)).code == "unauthorized"
    fresh = await world.connect(
        None, messages.Hello(resume_token=welcome.resume_token, token=world.room_token("u_1", "specialist"))
    )
    assert (await fresh.next(messages.Welcome)).participant != welcome.participant


async def test_resuming_elsewhere_ends_the_first_socket(world: World) -> None:
    client, welcome = await world.join("u_1", "specialist")
    second = await world.connect(None, messages.Hello(resume_token=welcome.resume_token))
    assert (await second.next(messages.Welcome)).participant == welcome.participant
    assert await client.closed() == 4409
    assert await second.sync() == []
    assert _member(world, "u_1").connected


async def test_a_worker_that_died_resets_everyone_and_they_begin_anew(world: World) -> None:
    speaker, _ = await world.join("u_1", "specialist")
    listener, _ = await world.join("u_2", "site")
    track = (await world.publish(speaker, "video/camera")).tracks[0]
    await listener.send(messages.Subscribe())
    await listener.next(messages.Offer)
    await world.worker.crash()
    for client in (speaker, listener):
        assert (await client.next(messages.MediaReset)).reason == "worker_lost"
    assert any(m == messages.TrackRemoved(track_id=track.track_id) for m in listener.seen)
    await listener.send(messages.Subscribe())
    await world.worker.start()
    assert (await listener.next(messages.Offer)).fresh
    await until(lambda: bool(world.context.service.pool.connected))
    await world.publish(speaker, "video/camera")


async def test_a_broken_event_connection_alone_resets_nobody(world: World) -> None:
    client, _ = await world.join("u_1", "specialist")
    await world.publish(client, "video/camera")
    await world.worker.cut_events()
    await world.worker.connected.wait()
    assert not any(isinstance(message, messages.MediaReset) for message in await client.sync())


async def test_a_transport_that_ended_while_the_worker_was_not_heard_is_noticed(world: World) -> None:
    client, _ = await world.join("u_1", "specialist")
    await world.publish(client, "video/camera")
    world.worker.transports.clear()
    await world.worker.cut_events()
    assert (await client.next(messages.MediaReset)).reason == "transport_lost"


async def test_transports_of_a_signaling_process_that_is_gone_are_ended_and_ours_are_not(
    world: World,
) -> None:
    client, _ = await world.join("u_1", "specialist")
    own = (await world.publish(client, "video/camera")).transport_id
    transports = world.worker.transports
    transports["t_of_a_predecessor"] = transports[own]
    await world.worker.cut_events()
    await until(lambda: set(transports) == {own})
    assert not any(isinstance(message, messages.MediaReset) for message in await client.sync())


async def test_one_who_ended_the_transport_itself_is_not_told_to_begin_anew(world: World) -> None:
    client, _ = await world.join("u_1", "specialist")
    published = await world.publish(client, "video/camera")
    closed = TransportChanged(transport_id=published.transport_id, state="closed", reason="peer_closed")
    await world.worker.emit(closed)
    await client.next(messages.TrackRemoved)
    assert not any(isinstance(message, messages.MediaReset) for message in await client.sync())


async def test_a_reset_that_happened_while_away_is_told_on_resuming(world: World) -> None:
    client, welcome = await world.join("u_1", "specialist")
    await world.publish(client, "video/camera")
    await client.drop()
    await until(lambda: not _member(world, "u_1").connected)
    await world.worker.crash()
    await until(lambda: _member(world, "u_1").media_reset is not None)
    back = await world.connect(None, messages.Hello(resume_token=welcome.resume_token))
    assert (await back.next(messages.Welcome)).tracks == []
    await back.next(messages.MediaReset)


async def test_a_transport_the_worker_gave_up_is_told_to_its_owner(world: World) -> None:
    client, _ = await world.join("u_1", "specialist")
    other, _ = await world.join("u_2", "site")
    published = await world.publish(client, "video/camera")
    await world.worker.emit(
        TransportChanged(transport_id=published.transport_id, state="closed", reason="silent")
    )
    assert (await client.next(messages.MediaReset)).reason == "transport_lost"
    await other.next(messages.TrackRemoved)


async def test_without_a_worker_publishing_says_try_again_and_the_connection_stays(workerless: World) -> None:
    client, _ = await workerless.join("u_1", "specialist")
    source = messages.PublishedSource(mid="0", source="camera")
    await client.send(messages.Publish(offer="v=0\r\npublish:video/camera", sources=[source]))
    assert (await client.next(messages.Error)).code == "no_worker"
    await client.send(messages.Subscribe())
    await workerless.worker.start()
    assert (await client.next(messages.Offer)).fresh


@pytest.mark.parametrize(
    "text",
    [
        "",
        "not json",
        "[]",
        "{}",
        "null",
        '{"type": "nonsense"}',
        '{"type": ["ping"]}',
        '{"type": "ping", "more": 1}',
        '{"type": "answer", "revision": -1, "sdp": ""}',
        '{"type": "publish", "offer": 1, "sources": []}',
        '{"type": "publish", "offer": "v=0", "sources": [{"mid": "0", "source": "device"}]}',
        '{"type": "set_muted", "track_id": "' + "x" * 1000 + '", "muted": true}',
        '{"type": "hello"}',
        "[" * 100_000,
        '{"type": "ping", "id": ' + "9" * 5000 + "}",
        "\U0001f600\u0000",
        r'{"type": "set_recording", "state": "failed", "reason": "\ud83d"}',
    ],
)
async def test_malformed_messages_are_answered_and_do_not_end_the_connection(world: World, text: str) -> None:
    client, _ = await world.join("u_1", "specialist")
    await client.socket.send_str(text)
    error = await client.next(messages.Error)
    assert error.code in {"malformed", "hello_again", "not_granted", "track_not_found"}
    assert await client.sync() == []


async def test_binary_messages_are_refused(world: World) -> None:
    client, _ = await world.join("u_1", "specialist")
    await client.socket.send_bytes(b"\x00\xff" * 100)
    assert (await client.next(messages.Error)).code == "binary"
    assert await client.sync() == []


async def test_nothing_is_done_before_hello(world: World) -> None:
    socket = await world.session.ws_connect("/ws", params={"room": "demo"})
    client = RoomClient(socket)
    await client.send(messages.Subscribe())
    error = await client.next(messages.Error)
    assert (error.code, error.about) == ("hello_first", "subscribe")
    await client.close()


async def test_a_flood_ends_the_connection_and_others_do_not_notice(world: World) -> None:
    other, _ = await world.join("u_2", "site")
    client, _ = await world.join("u_1", "specialist")
    ping = messages.Ping().model_dump_json()
    with contextlib.suppress(ConnectionError):
        for _ in range(1000):
            await client.socket.send_str(ping)
    assert await client.closed() in (4429, 1006)  # the reset may overtake the close frame
    floods = world.context.metrics.registry.get_sample_value(
        "teleconsult_room_messages_refused_total", {"code": "flood"}
    )
    assert floods == 1
    await other.sync()


async def test_a_message_of_more_than_256_kb_ends_the_connection(world: World) -> None:
    client, _ = await world.join("u_1", "specialist")
    await client.socket.send_str(json.dumps({"type": "ping", "pad": "x" * 300_000}))
    assert await client.closed() == 1009


async def test_the_room_fills_up(world: World) -> None:
    for _ in range(8):
        await world.join("u_1", "specialist")
    ninth = await world.connect(world.room_token("u_1", "specialist"))
    assert (await ninth.next(messages.Error)).code == "room_full"
    await world.join("u_2", "specialist")


async def test_who_lost_every_connection_again_and_again_still_comes_in(world: World) -> None:
    first, welcome = await world.join("u_1", "specialist")
    for _ in range(9):
        await first.drop()
        await until(lambda: _connected(world, "u_1") == 0)
        first, newest = await world.join("u_1", "specialist")
    seats = world.context.service.rooms["demo"].seats_of("u_1")
    assert len(seats) == 8
    assert newest.participant.participant_id in {seat.id for seat in seats}
    assert welcome.participant.participant_id not in {seat.id for seat in seats}, "it was away longest"


async def test_a_box_that_dies_again_and_again_still_comes_in_and_has_one_seat(world: World) -> None:
    watcher, _ = await world.join("u_1", "specialist")
    for _ in range(10):
        box, welcome = await world.join("device:d_1", "device")
        await until(lambda: len(world.context.service.rooms["demo"].seats_of("device:d_1")) == 1)
        await box.drop()
        await until(lambda: _connected(world, "device:d_1") == 0)
    await watcher.sync()
    here = {
        one.participant.participant_id for one in watcher.seen if isinstance(one, messages.ParticipantJoined)
    }
    gone = {one.participant_id for one in watcher.seen if isinstance(one, messages.ParticipantLeft)}
    assert here - gone == {welcome.participant.participant_id}


async def test_shutting_down_tells_clients_to_come_back(world: World) -> None:
    client, _ = await world.join("u_1", "specialist")
    from signaling.room_socket import close_sockets

    await close_sockets(world.app)
    assert await client.closed() == 1001


def _connected(world: World, subject: str) -> int:
    return sum(seat.connected for seat in world.context.service.rooms["demo"].seats_of(subject))


def _member(world: World, subject: str):  # type: ignore[no-untyped-def]  # a Member
    return next(
        found.member for found in world.context.service.attached.values() if found.member.subject == subject
    )
