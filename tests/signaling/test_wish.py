"""WHIP (RFC 9725) and WHEP over HTTP."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from core import messages
from core.consultations import close_consultation
from core.tokens import Grants
from core.worker_api import TransportChanged
from signaling.grants import device_grants, viewer_grants
from tests.signaling.conftest import World, bearer

SDP = {"Content-Type": "application/sdp"}
FRAGMENT = {"Content-Type": "application/trickle-ice-sdpfrag"}
CANDIDATE = "a=mid:0\r\na=candidate:1 1 udp 1 192.0.2.1 9 typ host\r\n"
RESTART = "a=ice-ufrag:restart\r\na=ice-pwd:0123456789012345678901\r\n"


@pytest.fixture
def box(world: World) -> str:
    return world.room_token("device:box", "device", device_grants(["ultrasound", "theatre"]))


@pytest.fixture
def player(world: World) -> str:
    return world.room_token("player:1", "specialist", viewer_grants(None))


async def test_publishing_answers_201_with_the_session_url_an_etag_and_the_answer(
    world: World, box: str
) -> None:
    response = await world.whip("ultrasound", box)
    assert response.status == 201
    assert response.content_type == "application/sdp"
    assert (await response.text()).startswith("v=0")
    (transport_id,) = world.worker.transports
    assert response.headers["Location"] == f"/whip/demo/ultrasound/{transport_id}"
    assert response.headers["ETag"].startswith('"')
    assert response.headers["Accept-Patch"] == "application/trickle-ice-sdpfrag"
    assert "Link" not in response.headers
    wanted = world.worker.only("publish").wanted
    assert (wanted.feed, wanted.room, wanted.default_source) == ("ultrasound", "demo", "device")


async def test_a_feed_without_a_device_in_the_room_is_shown_under_its_own_name(
    world: World, box: str
) -> None:
    member, _ = await world.join("u_1", "site")
    await world.whip("ultrasound", box)
    joined = await member.next(messages.ParticipantJoined)
    assert (joined.participant.name, joined.participant.role) == ("ultrasound", "device")
    track = (await member.next(messages.TrackAdded)).track
    assert (track.feed, track.source) == ("ultrasound", "device")
    assert track.participant_id == joined.participant.participant_id


async def test_a_device_in_the_room_carries_its_feeds_and_leaves_them_to_a_stand_in(
    world: World, box: str
) -> None:
    member, _ = await world.join("u_1", "site")
    await world.whip("ultrasound", box)
    stand_in = (await member.next(messages.ParticipantJoined)).participant
    assert stand_in.sends_only
    device, welcome = await world.join("device:box", "device")
    assert (await member.next(messages.ParticipantLeft)).participant_id == stand_in.participant_id
    changed = next(m for m in member.seen if isinstance(m, messages.TrackChanged))
    assert changed.track.participant_id == welcome.participant.participant_id
    assert {p.role for p in welcome.participants} == {"site", "device"}
    await device.close()
    changed = await member.next(messages.TrackChanged)
    assert changed.track.participant_id == stand_in.participant_id


async def test_the_same_subject_takes_its_feed_over_and_another_does_not(world: World, box: str) -> None:
    member, _ = await world.join("u_1", "site")
    first = await world.whip("ultrasound", box)
    old = (await member.next(messages.TrackAdded)).track
    stranger = world.room_token("device:other", "device")
    taken = await world.whip("ultrasound", stranger)
    assert (taken.status, (await taken.json())["code"]) == (409, "feed_taken")
    second = await world.whip("ultrasound", box)
    assert second.status == 201
    assert second.headers["Location"] != first.headers["Location"]
    assert (await member.next(messages.TrackRemoved)).track_id == old.track_id
    new = (await member.next(messages.TrackAdded)).track
    assert new.participant_id == old.participant_id
    assert len(world.worker.transports) == 1
    async with world.session.delete(first.headers["Location"], headers=bearer(box)) as response:
        assert response.status == 404


async def test_deleting_ends_the_feed_and_frees_its_name(world: World, box: str) -> None:
    member, _ = await world.join("u_1", "site")
    location = (await world.whip("ultrasound", box)).headers["Location"]
    async with world.session.delete(location, headers=bearer(box)) as response:
        assert response.status == 200
    await member.next(messages.TrackRemoved)
    await member.next(messages.ParticipantLeft)
    assert not world.worker.transports
    for method in ("DELETE", "PATCH"):
        headers = bearer(box) | FRAGMENT | {"If-Match": "*"}
        async with world.session.request(method, location, data=CANDIDATE, headers=headers) as response:
            assert response.status == 404
    assert (await world.whip("ultrasound", world.room_token("device:other", "device"))).status == 201


async def test_candidates_trickle_and_ice_restarts_by_patch(world: World, box: str) -> None:
    response = await world.whip("ultrasound", box)
    location, etag = response.headers["Location"], response.headers["ETag"]

    async def patch(body: str, **headers: str) -> tuple[int, str, str | None]:
        all_headers = bearer(box) | FRAGMENT | {k.replace("_", "-"): v for k, v in headers.items()}
        async with world.session.patch(location, data=body, headers=all_headers) as answer:
            return answer.status, await answer.text(), answer.headers.get("ETag")

    assert (await patch(CANDIDATE, If_Match=etag)) == (204, "", etag)
    assert (await patch(CANDIDATE))[0] == 428
    assert (await patch(CANDIDATE, If_Match='"other"'))[0] == 412
    status, body, new = await patch(RESTART, If_Match="*")
    assert status == 200
    assert "ice-ufrag" in body
    assert new not in (None, etag)
    assert (await patch(CANDIDATE, If_Match=etag))[0] == 412
    assert (await patch(CANDIDATE, If_Match=str(new)))[0] == 204
    assert (await patch(CANDIDATE, If_Match=str(new), Content_Type="text/plain"))[0] == 415


@pytest.mark.parametrize(
    ("feed", "sdp", "headers", "status"),
    [
        ("ultrasound", "v=0\r\n", {"Content-Type": "application/json"}, 415),
        ("ultrasound", "v=0\r\n", {"Accept": "application/json"}, 406),
        ("ultrasound", "v=0\r\n", {"Accept": "text/html, application/sdp;q=0.5"}, 201),
        ("ultrasound", "v=0\r\n", {"Accept": "*/*"}, 201),
        ("ultrasound", "hello", {}, 422),
        ("ultrasound", "", {}, 422),
        ("ultrasound", "v=0 unusable", {}, 422),
        ("ultrasound", "v=0" + "x" * 250_000, {}, 422),
        ("ultrasound", "v=0" + "x" * 300_000, {}, 413),
        ("endoscope", "v=0\r\n", {}, 403),
        ("Ultra%20sound", "v=0\r\n", {}, 400),
    ],
)
async def test_what_cannot_be_published_says_why(
    world: World, box: str, feed: str, sdp: str, headers: dict[str, str], status: int
) -> None:
    response = await world.whip(feed, box, sdp, **headers)
    assert response.status == status, await response.text()
    if status != 201:
        assert response.content_type == "application/problem+json"
        assert response.headers["Access-Control-Allow-Origin"] == "*"
        assert not world.worker.transports


async def test_tokens_are_checked(world: World, box: str, player: str) -> None:
    wrong: list[tuple[str | None, int]] = [
        (None, 401),
        ("nonsense", 401),
        (player, 403),
        (world.room_token("u_1", "specialist"), 403),
        (world.room_token("device:box", "device", room="other"), 403),
        (world.room_token("device:box", "device", con="c_other"), 404),
        (world.room_token("device:box", "device", lifetime_s=-60), 401),
        (world.room_token("service:recorder", "recorder", Grants(publish=["device"])), 403),
    ]
    for token, status in wrong:
        async with world.session.post(
            "/whip/demo/ultrasound", data="v=0\r\n", headers=SDP | bearer(token)
        ) as response:
            assert response.status == status
    assert not world.worker.transports


async def test_somebody_else_s_session_cannot_be_ended_or_patched(world: World, box: str) -> None:
    location = (await world.whip("ultrasound", box)).headers["Location"]
    other = bearer(world.room_token("device:other", "device"))
    async with world.session.delete(location, headers=other) as response:
        assert response.status == 403
    async with world.session.patch(
        location, data=CANDIDATE, headers=other | FRAGMENT | {"If-Match": "*"}
    ) as response:
        assert response.status == 403
    async with world.session.delete(location.replace("whip", "whep"), headers=bearer(box)) as response:
        assert response.status == 404
    assert len(world.worker.transports) == 1


@pytest.mark.parametrize("kind", ["whip", "whep"])
async def test_options_say_what_is_accepted_and_let_browsers_call(world: World, kind: str) -> None:
    async with world.session.options(f"/{kind}/demo/ultrasound") as response:
        assert response.status == 204
        assert response.headers["Accept-Post"] == "application/sdp"
        assert "POST" in response.headers["Access-Control-Allow-Methods"]
        assert "If-Match" in response.headers["Access-Control-Allow-Headers"]
        exposed = response.headers["Access-Control-Expose-Headers"]
        assert all(name in exposed for name in ("Location", "ETag"))
    for method in ("GET", "PUT", "HEAD"):
        async with world.session.request(method, f"/{kind}/demo/ultrasound") as response:
            assert response.status == 405
            assert "POST" in response.headers["Allow"]


async def test_watching_a_feed_gets_its_tracks_pictures_first(world: World, box: str, player: str) -> None:
    await world.whip("ultrasound", box, "v=0\r\npublish:audio/device,video/device")
    response = await world.session.post("/whep/demo/ultrasound", data="v=0\r\n", headers=SDP | bearer(player))
    assert response.status == 201
    assert response.headers["Location"].startswith("/whep/demo/ultrasound/")
    tracks = {track.track_id: track.kind for track in world.worker.only("publish").tracks}
    wanted = world.worker.only("view").wanted
    assert [tracks[track_id] for track_id in wanted.track_ids] == ["video", "audio"]
    headers = bearer(player) | FRAGMENT | {"If-Match": response.headers["ETag"]}
    async with world.session.patch(response.headers["Location"], data=CANDIDATE, headers=headers) as patched:
        assert patched.status == 204
    async with world.session.delete(response.headers["Location"], headers=bearer(player)) as ended:
        assert ended.status == 200
    assert len(world.worker.transports) == 1


async def test_a_player_is_let_go_when_its_feed_begins_anew(world: World, box: str, player: str) -> None:
    await world.whip("ultrasound", box)
    headers = SDP | bearer(player)
    response = await world.session.post("/whep/demo/ultrasound", data="v=0\r\n", headers=headers)
    await world.whip("ultrasound", box)
    async with asyncio.timeout(5):
        while any(t.wanted.direction == "view" for t in world.worker.transports.values()):
            await asyncio.sleep(0.005)
    async with world.session.delete(response.headers["Location"], headers=bearer(player)) as ended:
        assert ended.status == 404


async def test_watching_needs_a_live_feed_and_the_grant(world: World, box: str, player: str) -> None:
    async def whep(feed: str, token: str) -> tuple[int, Any]:
        headers = SDP | bearer(token)
        async with world.session.post(f"/whep/demo/{feed}", data="v=0\r\n", headers=headers) as response:
            return response.status, (await response.text())

    assert (await whep("ultrasound", player))[0] == 404
    await world.whip("ultrasound", box)
    assert (await whep("ultrasound", box))[0] == 403
    narrow = world.room_token("player:2", "specialist", viewer_grants(["theatre"]))
    assert (await whep("ultrasound", narrow))[0] == 403
    assert (await whep("ultrasound", player))[0] == 201


async def test_without_a_worker_the_client_is_told_when_to_come_back(workerless: World) -> None:
    response = await workerless.whip("ultrasound", workerless.room_token("device:box", "device"))
    assert response.status == 503
    assert int(response.headers["Retry-After"]) >= 1
    assert (await response.json())["code"] == "no_worker"


async def test_sessions_of_a_lost_worker_are_gone_and_the_feed_can_begin_anew(world: World, box: str) -> None:
    member, _ = await world.join("u_1", "site")
    location = (await world.whip("ultrasound", box)).headers["Location"]
    await member.next(messages.TrackAdded)
    await world.worker.crash()
    await member.next(messages.TrackRemoved)
    async with world.session.patch(
        location, data=RESTART, headers=bearer(box) | FRAGMENT | {"If-Match": "*"}
    ) as response:
        assert response.status == 404
    await world.worker.start()
    async with asyncio.timeout(5):
        await world.worker.connected.wait()
    assert (await world.whip("ultrasound", box)).status == 201


async def test_a_feed_whose_transport_ended_is_gone_and_its_device_is_told(world: World, box: str) -> None:
    device, _ = await world.join("device:box", "device")
    location = (await world.whip("ultrasound", box)).headers["Location"]
    await device.next(messages.TrackAdded)
    transport_id = location.rpartition("/")[2]
    await world.worker.emit(TransportChanged(transport_id=transport_id, state="closed", reason="silent"))
    await device.next(messages.TrackRemoved)
    assert (await device.next(messages.MediaReset)).reason == "transport_lost"
    async with world.session.delete(location, headers=bearer(box)) as response:
        assert response.status == 404


async def test_publishing_and_watching_are_audited(world: World, box: str, player: str) -> None:
    await world.whip("ultrasound", box)
    await world.whip("endoscope", box)
    await world.session.post("/whep/demo/ultrasound", data="v=0\r\n", headers=SDP | bearer(player))
    trail = await world.audit()
    assert ("device:box", "whip", "ok") in trail
    assert ("device:box", "whip", "forbidden") in trail
    assert ("player:1", "whep", "ok") in trail


async def test_a_feed_that_waits_for_the_media_server_is_seen_once_it_is_there(workerless: World) -> None:
    context, box = workerless.context, workerless.room_token("device:box", "device")
    posting = asyncio.create_task(workerless.whip("ultrasound", box))
    while not context.service.rooms:
        await asyncio.sleep(0.005)
    await context.service.tick()
    await workerless.worker.start()
    assert (await posting).status == 201
    _, welcome = await workerless.join("u_1", "specialist")
    assert [track.feed for track in welcome.tracks] == ["ultrasound"]


async def test_a_feed_does_not_begin_when_its_consultation_ended_meanwhile(workerless: World) -> None:
    context, box = workerless.context, workerless.room_token("device:box", "device")
    posting = asyncio.create_task(workerless.whip("ultrasound", box))
    while not context.service.rooms:
        await asyncio.sleep(0.005)
    await close_consultation(workerless.database, workerless.consultation.consultation_id)
    context.service.end_room(context.service.rooms["demo"])
    await workerless.worker.start()
    response = await posting
    assert (response.status, (await response.json())["code"]) == (404, "consultation_closed")
    assert not workerless.worker.transports
