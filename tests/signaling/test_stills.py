"""Freezing a frame: everybody is told, the box that has it is asked, and what it sends is kept and shown."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import struct
import zlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from core import messages
from core.files import find_file
from core.ids import new_id
from core.stills import open_stills
from core.worker_api import ConsumerClock
from signaling import freezing, still_routes
from signaling.file_routes import FILES
from signaling.grants import viewer_grants
from signaling.room_service import FREEZES_BURST
from signaling.stills import OPEN_MAX
from tests.signaling.conftest import RoomClient, World, bearer
from tests.signaling.room_people import Person, enter, guest, person, refused, until

FEED = "ultrasound"
CAPTURED_US = 1_790_000_000_123_456


def png(width: int = 4, height: int = 2, noise: bytes = b"") -> bytes:
    """A picture, and some more bytes."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    rows = zlib.compress((b"\0" + bytes(3 * width)) * height)
    parts = [chunk(b"IHDR", header), chunk(b"teXt", noise), chunk(b"IDAT", rows), chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


PNG = png()


def box_of(world: World, feed: str = FEED, **extra: Any) -> Person:
    return person(world, "device", name=f"device:{feed}", **extra)


async def show(world: World, feed: str = FEED) -> RoomClient:
    """A box comes and publishes."""
    box, _ = await enter(world, box_of(world, feed))
    assert (await world.whip(feed, box_of(world, feed).token)).status == 201
    return box


def wish(ref: str = "r1", feed: str = FEED, captured_us: int = CAPTURED_US) -> messages.Freeze:
    return messages.Freeze(ref=ref, feed=feed, captured_us=captured_us)


def digest_of(data: bytes) -> dict[str, str]:
    digest = base64.b64encode(hashlib.sha256(data).digest()).decode()
    return {"Content-Digest": f"sha-256=:{digest}:", "Content-Type": "image/png"}


async def send(
    world: World, who: Person, still_id: str, data: Any = PNG, headers: dict[str, str] | None = None
) -> tuple[int, dict[str, Any]]:
    announced = digest_of(data) if headers is None else headers
    path = f"/api/v1/rooms/demo/stills/{still_id}"
    async with world.session.post(path, data=data, headers=bearer(who.token) | announced) as got:
        return got.status, await got.json()


async def fetch(world: World, who: Person, still_id: str, kind: str = "stills") -> tuple[int, bytes]:
    path = f"/api/v1/rooms/demo/{kind}/{still_id}"
    async with world.session.get(path, headers=bearer(who.token)) as got:
        return got.status, await got.read()


async def frozen(world: World, client: RoomClient, box: RoomClient, **more: Any) -> messages.Still:
    """One whose picture is there."""
    await client.send(wish(**more))
    asked = await box.next(messages.TakeStill)
    assert (await send(world, box_of(world, asked.feed), asked.still_id))[0] == 201
    told: messages.StillChanged = await client.next(messages.StillChanged)
    return told.still


def on_disk(world: World) -> list[Path]:
    return [path for path in world.settings.files_dir.rglob("*") if path.is_file()]


async def test_everybody_who_sees_the_feed_is_told_and_gets_the_very_bytes_the_box_sent(world: World) -> None:
    box = await show(world)
    invited = person(world, "invited")
    client, _ = await enter(world, invited)
    people = {kind: person(world, kind) for kind in ("host", "recorder", "viewer")}
    others = [(await enter(world, who))[0] for who in people.values()]
    await client.send(wish())
    asked = await box.next(messages.TakeStill)
    assert (asked.feed, asked.captured_us) == (FEED, CAPTURED_US)
    for one in (client, *others):
        still = (await one.next(messages.Frozen)).still
        assert (still.still_id, still.feed, still.captured_us) == (asked.still_id, FEED, CAPTURED_US)
        assert (still.person, still.name, still.ref, still.state) == (
            invited.sub,
            invited.sub,
            "r1",
            "wanted",
        )
    status, body = await send(world, box_of(world), asked.still_id)
    assert status == 201
    for one in (client, *others):
        still = (await one.next(messages.StillChanged)).still
        assert (still.state, still.width, still.height) == ("ready", 4, 2)
        assert still.file is not None
        assert (still.file.sha256, still.file.size_bytes) == (hashlib.sha256(PNG).hexdigest(), len(PNG))
        assert still.model_dump(mode="json") == body
    for who in (invited, *people.values()):
        assert await fetch(world, who, asked.still_id) == (200, PNG)
    assert not [message for message in await box.sync() if isinstance(message, messages.Frozen)]
    assert {"freeze", "send_still", "fetch_still"} <= {action for _, action, _ in await world.audit()}


async def test_the_recorder_fetches_it_for_the_archive_like_a_file_of_the_chat(world: World) -> None:
    box = await show(world)
    client, _ = await enter(world, person(world, "host"))
    still = await frozen(world, client, box)
    secret = world.settings.service_secret_file.read_text().strip()
    _, signed_in = await world.post("/api/v1/auth/service", {"name": "recorder", "secret": secret}, None)
    path = f"/api/v1/consultations/{world.consultation.consultation_id}/files/{still.still_id}"
    async with world.session.get(path, headers=bearer(signed_in["access_token"])) as got:
        assert (got.status, await got.read()) == (200, PNG)


async def test_whoever_comes_later_or_comes_back_finds_it_also_in_another_process(world: World) -> None:
    box = await show(world)
    client, welcome = await enter(world, person(world, "host"))
    still = await frozen(world, client, box)
    assert (await enter(world, person(world, "invited")))[1].stills == [still]
    assert (await enter(world, box_of(world)))[1].stills == []
    await client.drop()
    back = await world.connect(None, messages.Hello(resume_token=welcome.resume_token))
    assert (await back.next(messages.Welcome)).stills == [still]
    world.context.service.stills.forget(world.consultation.consultation_id)
    assert (await enter(world, person(world, "invited")))[1].stills == [still]
    assert await fetch(world, person(world, "invited"), still.still_id) == (200, PNG)


async def test_put_away_it_is_gone_for_everybody_by_its_owner_or_a_host_only(world: World) -> None:
    box = await show(world)
    specialist, _ = await enter(world, person(world, "invited"))
    other, _ = await enter(world, person(world, "specialist"))
    host, _ = await enter(world, person(world, "host"))
    first = await frozen(world, specialist, box)
    second = await frozen(world, specialist, box, ref="r2", captured_us=CAPTURED_US + 40_000)
    await refused(other, messages.Unfreeze(still_id=first.still_id), "not_yours")
    await specialist.send(messages.Unfreeze(still_id=first.still_id))
    told = await other.next(messages.Unfrozen)
    assert (told.still_id, told.feed, told.by) == (first.still_id, FEED, "u_invited")
    await host.send(messages.Unfreeze(still_id=second.still_id))
    assert (await other.next(messages.Unfrozen)).by == "u_host"
    await refused(host, messages.Unfreeze(still_id=second.still_id), "still_not_found")
    assert await open_stills(world.database, world.consultation.consultation_id) == []
    assert (await fetch(world, person(world, "host"), first.still_id))[0] == 404
    assert (await enter(world, person(world, "specialist")))[1].stills == []


@pytest.mark.parametrize("problem", ["gone", "failed", "paused"])
async def test_a_frame_the_box_has_not_got_is_said_to_everybody_and_is_not_frozen(
    world: World, problem: Any
) -> None:
    box = await show(world)
    client, _ = await enter(world, person(world, "host"))
    other, _ = await enter(world, person(world, "invited"))
    await client.send(wish())
    asked = await box.next(messages.TakeStill)
    await box.send(messages.StillMissing(still_id=asked.still_id, problem=problem))
    for one in (client, other):
        still = (await one.next(messages.StillChanged)).still
        assert (still.state, still.problem) == ("failed", problem)
    assert (await send(world, box_of(world), asked.still_id))[1]["code"] == "still_not_found"
    assert (await enter(world, person(world, "specialist")))[1].stills == []


async def test_without_the_box_nothing_is_frozen_and_who_asked_is_told_why(world: World) -> None:
    assert (await world.whip(FEED, box_of(world).token)).status == 201
    client, _ = await enter(world, person(world, "host"))
    error = await refused(client, wish("mine"), "box_away")
    assert error.ref == "mine"
    await refused(client, wish(feed="theatre"), "feed_not_found")


async def test_a_box_that_leaves_before_it_has_sent_it_is_not_waited_for(world: World) -> None:
    box = await show(world)
    client, _ = await enter(world, person(world, "host"))
    await client.send(wish())
    await box.next(messages.TakeStill)
    await box.close()
    still = (await client.next(messages.StillChanged)).still
    assert (still.state, still.problem) == ("failed", "box_away")


async def test_a_box_that_lost_its_connection_is_asked_again(world: World) -> None:
    box, welcome = await enter(world, box_of(world))
    assert (await world.whip(FEED, box_of(world).token)).status == 201
    client, _ = await enter(world, person(world, "host"))
    await client.send(wish())
    asked = await box.next(messages.TakeStill)
    await box.drop()
    back = await world.connect(None, messages.Hello(resume_token=welcome.resume_token))
    again = await back.next(messages.TakeStill)
    assert again.still_id == asked.still_id
    assert (await send(world, box_of(world), again.still_id))[0] == 201


async def test_a_box_that_says_nothing_is_given_up(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(freezing, "WITHIN_S", 0.3)
    await show(world)
    client, _ = await enter(world, person(world, "host"))
    await client.send(wish())
    assert (await client.next(messages.StillChanged)).still.problem == "no_answer"


async def test_nothing_is_frozen_sent_or_fetched_while_the_site_pauses(world: World) -> None:
    box = await show(world)
    host, _ = await enter(world, person(world, "host"))
    before = await frozen(world, host, box)
    await host.send(wish("r2", captured_us=CAPTURED_US + 40_000))
    asked = await box.next(messages.TakeStill)
    await host.send(messages.SetPaused(paused=True))
    await host.next(messages.PausedChanged)
    status, problem = await send(world, box_of(world), asked.still_id)
    assert (status, problem["code"]) in ((409, "paused"), (404, "still_not_found"))
    await host.sync()
    still = next(
        message.still
        for message in host.seen
        if isinstance(message, messages.StillChanged) and message.still.still_id == asked.still_id
    )
    assert still.problem == "paused"
    await refused(host, wish("r3", captured_us=CAPTURED_US + 80_000), "paused")
    assert (await fetch(world, person(world, "host"), before.still_id))[0] == 409
    await host.send(messages.SetPaused(paused=False))
    await host.next(messages.PausedChanged)
    assert (await fetch(world, person(world, "host"), before.still_id))[0] == 200


async def test_a_picture_that_arrives_after_a_pause_began_is_not_kept(world: World) -> None:
    box = await show(world)
    host, _ = await enter(world, person(world, "host"))
    await host.send(wish())
    asked = await box.next(messages.TakeStill)
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def body() -> AsyncIterator[bytes]:
        yield PNG[:40]
        begun.set()
        await go_on.wait()
        yield PNG[40:]

    sending = asyncio.create_task(send(world, box_of(world), asked.still_id, body(), digest_of(PNG)))
    await begun.wait()
    await host.send(messages.SetPaused(paused=True))
    await host.next(messages.PausedChanged)
    go_on.set()
    assert (await sending)[1]["code"] in ("paused", "still_not_found")
    assert await open_stills(world.database, world.consultation.consultation_id) == []


async def test_only_the_box_that_was_asked_sends_it(world: World) -> None:
    box = await show(world)
    client, _ = await enter(world, person(world, "host"))
    await client.send(wish())
    still_id = (await box.next(messages.TakeStill)).still_id
    other_org = box_of(world, "theatre", org=world.hospital.organisation_id)
    other, _ = await enter(world, other_org)
    await refused(other, messages.StillMissing(still_id=still_id, problem="gone"), "still_not_found")
    for who, status, code in (
        (other_org, 404, "still_not_found"),
        (person(world, "host"), 404, "still_not_found"),
        (person(world, "recorder"), 403, "not_granted"),
        (person(world, "viewer"), 403, "not_granted"),
        (await guest(world), 403, "not_admitted"),
        (Person("x", box_of(world, con="c_other").token), 404, "consultation_closed"),
        (Person("nobody", "nonsense"), 401, "token_invalid"),
    ):
        answer = await send(world, who, still_id)
        assert (answer[0], answer[1]["code"]) == (status, code), who.sub
    assert on_disk(world) == []
    assert (await send(world, box_of(world), still_id))[0] == 201
    assert (await send(world, box_of(world), still_id))[0] == 404
    assert len(on_disk(world)) == 1


async def test_who_fetches_it_has_the_right_to_see_that_feed_in_that_consultation(world: World) -> None:
    box = await show(world)
    client, _ = await enter(world, person(world, "host"))
    still = await frozen(world, client, box)
    narrow = person(world, "viewer", grants=viewer_grants(["theatre"]))
    for who, status in (
        (person(world, "viewer"), 200),
        (await guest(world, lobby=False), 200),
        (narrow, 404),
        (await guest(world), 403),
        (box_of(world, "theatre"), 403),
        (box_of(world), 403),
        (Person("x", person(world, "host", con="c_other").token), 404),
    ):
        assert (await fetch(world, who, still.still_id))[0] == status, who.sub
    seen = (await enter(world, narrow))[1].stills
    assert seen == []
    assert (await fetch(world, person(world, "host"), new_id("fz")))[0] == 404


async def test_the_chat_neither_shows_nor_names_it(world: World) -> None:
    box = await show(world)
    client, _ = await enter(world, person(world, "host"))
    still = await frozen(world, client, box)
    assert (await fetch(world, person(world, "host"), still.still_id, "files"))[0] == 404
    await client.send(messages.Chat(ref="1", file_ids=[still.still_id]))
    assert (await client.next(messages.Error)).code == "file_not_found"


@pytest.mark.parametrize(
    ("data", "headers", "status", "code"),
    [
        (PNG, digest_of(PNG + b"x"), 422, "wrong_hash"),
        (PNG, {}, 422, "bad_digest"),
        (PNG, {"Content-Digest": "sha-256=:" + "A" * 90_000 + ":"}, 400, None),
        (PNG, {"Content-Digest": "sha-256=:AAAA:"}, 422, "bad_digest"),
        (b"<svg onload=alert(1)>" * 9, None, 422, "not_a_still"),
        (b"\xff\xd8\xff\xe0" + bytes(99), None, 422, "not_a_still"),
        (PNG[:20], None, 422, "not_a_still"),
        (b"", None, 422, "not_a_still"),
        (png(0, 1), None, 422, "not_a_still"),
        (png(8_193, 1), None, 422, "not_a_still"),
    ],
)
async def test_what_is_not_the_announced_picture_is_not_kept_and_may_be_sent_again(
    world: World, data: bytes, headers: dict[str, str] | None, status: int, code: str | None
) -> None:
    box = await show(world)
    client, _ = await enter(world, person(world, "host"))
    await client.send(wish())
    still_id = (await box.next(messages.TakeStill)).still_id
    try:
        answer = await send(world, box_of(world), still_id, data, headers)
    except Exception:
        assert code is None  # not even headers that long are read
        return
    assert answer[0] == status
    assert code is None or answer[1]["code"] == code
    assert on_disk(world) == []
    assert await find_file(world.database, world.consultation.consultation_id, still_id) is None
    assert (await send(world, box_of(world), still_id))[0] == 201


@pytest.mark.parametrize("announced", [True, False])
async def test_one_that_is_too_large_is_refused_and_leaves_nothing(
    world: World, monkeypatch: pytest.MonkeyPatch, announced: bool
) -> None:
    monkeypatch.setattr(still_routes, "STILL_MAX_BYTES", 100_000)
    box = await show(world)
    client, _ = await enter(world, person(world, "host"))
    await client.send(wish())
    still_id = (await box.next(messages.TakeStill)).still_id
    large = png(noise=bytes(200_000))

    async def body() -> AsyncIterator[bytes]:
        for start in range(0, len(large), 10_000):
            yield large[start : start + 10_000]

    data: Any = large if announced else body()
    status, problem = await send(world, box_of(world), still_id, data, digest_of(large))
    assert (status, problem["code"]) == (413, "too_large")
    await until(lambda: on_disk(world) == [])


async def test_the_box_is_asked_by_its_own_clock(world: World) -> None:
    box = await show(world)
    client, welcome = await enter(world, person(world, "host"))
    await client.send(messages.Subscribe())
    offer = await client.next(messages.Offer)
    (track,) = [track for track in welcome.tracks if track.feed == FEED and track.kind == "video"]
    clock = ConsumerClock(
        transport_id=offer.transport_id,
        mid=next(one.mid for one in offer.tracks if one.track_id == track.track_id),
        track_id=track.track_id,
        rtp_timestamp=5,
        clock_rate=90_000,
        capture_time_us=CAPTURED_US,
        uncertainty_us=40,
        publisher_ahead_us=-2_500_000,
    )
    await world.worker.emit(clock)
    await client.next(messages.CaptureClock)
    await client.send(wish())
    assert (await box.next(messages.TakeStill)).captured_us == CAPTURED_US - 2_500_000
    assert (await client.next(messages.Frozen)).still.captured_us == CAPTURED_US


async def test_two_uploads_of_one_frame_do_not_disturb_each_other(world: World) -> None:
    box = await show(world)
    client, _ = await enter(world, person(world, "host"))
    await client.send(wish())
    still_id = (await box.next(messages.TakeStill)).still_id
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def body() -> AsyncIterator[bytes]:
        yield PNG[:40]
        begun.set()
        await go_on.wait()
        yield PNG[40:]

    first = asyncio.create_task(send(world, box_of(world), still_id, body(), digest_of(PNG)))
    await begun.wait()
    stills = world.context.service.stills.of(world.consultation.consultation_id)
    await until(lambda: stills.wanted[still_id].arriving)
    assert (await send(world, box_of(world), still_id))[1]["code"] == "still_there"
    go_on.set()
    assert (await first)[0] == 201


async def test_the_same_wish_and_the_same_frame_are_frozen_once(world: World) -> None:
    box = await show(world)
    client, _ = await enter(world, person(world, "host"))
    other, _ = await enter(world, person(world, "invited"))
    still = await frozen(world, client, box)
    await client.send(wish())
    assert (await client.next(messages.Frozen)).still == still
    await other.send(wish("theirs", captured_us=CAPTURED_US + 900))
    await other.sync()
    last = [message for message in other.seen if isinstance(message, messages.Frozen)][-1]
    assert last.still.still_id == still.still_id
    assert not [message for message in await box.sync() if isinstance(message, messages.TakeStill)]


async def test_a_flood_is_refused_and_what_is_frozen_at_once_is_bounded(world: World) -> None:
    await show(world)
    flooder, _ = await enter(world, person(world, "invited"))
    for number in range(FREEZES_BURST):
        await flooder.send(wish(f"r{number}", captured_us=CAPTURED_US + 40_000 * number))
    await refused(flooder, wish("more", captured_us=CAPTURED_US - 40_000), "too_fast")
    host, welcome = await enter(world, person(world, "host"))
    assert len(welcome.stills) == FREEZES_BURST
    for number in range(OPEN_MAX - FREEZES_BURST):
        await host.send(wish(f"r{number}", captured_us=CAPTURED_US - 80_000 * (number + 1)))
    await refused(host, wish("more", captured_us=CAPTURED_US - 40_000), "too_many_stills")


async def test_all_of_it_goes_with_the_consultations_files(world: World) -> None:
    box = await show(world)
    client, _ = await enter(world, person(world, "host"))
    await frozen(world, client, box)
    await world.app[FILES].delete([world.consultation.consultation_id])
    assert on_disk(world) == []
    assert await open_stills(world.database, world.consultation.consultation_id) == []
