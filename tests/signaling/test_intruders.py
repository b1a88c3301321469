"""What people try who want more than they were given."""

from __future__ import annotations

import asyncio
import base64
import gzip
import logging
from collections import Counter
from collections.abc import AsyncIterator, Callable

import pytest

from core import messages, people
from core.errors import Unauthorized
from core.ids import is_name
from signaling.accounts import revoke
from signaling.grants import device_grants, viewer_grants
from signaling.sign_in import FREE_PER_ADDRESS
from signaling.stage import MAX_FEEDS
from tests.signaling.conftest import PASSWORD, WITHIN_S, World, bearer

FRAGMENT = {"Content-Type": "application/trickle-ice-sdpfrag", "If-Match": "*"}
RESTART = "a=ice-ufrag:restart\r\na=ice-pwd:0123456789012345678901\r\n"


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(WITHIN_S):
        while not condition():
            await asyncio.sleep(0.005)


async def raw(world: World, head: bytes) -> tuple[int, str]:
    """Bytes as they are; the status and the whole answer."""
    host, port = world.base_url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(head + b"\r\nHost: x\r\nConnection: close\r\n\r\n")
    answer = (await asyncio.wait_for(reader.read(), WITHIN_S)).decode(errors="replace")
    writer.close()
    return int(answer.split()[1]), answer


def nested_token() -> str:
    """A token whose header is an array in an array in an array …"""
    header = base64.urlsafe_b64encode(b"[" * 5_000).decode().rstrip("=")
    return f"{header}.e30.x"


# --- names and paths ---------------------------------------------------------------------


def test_a_name_ends_where_it_ends() -> None:
    assert is_name("ultrasound")
    assert not is_name("ultrasound\n")


async def test_a_feed_name_with_a_line_end_is_no_name(world: World) -> None:
    response = await world.whip("ultrasound%0A", world.room_token("device:box", "device"))
    assert response.status == 400
    assert not world.worker.transports


@pytest.mark.parametrize("feed", ["x" * 3_000, "a%0Ab", "a%00", "..%2f..", "ü"])
async def test_nonsense_for_a_feed_to_watch_is_refused_before_it_is_written_down(
    world: World, feed: str
) -> None:
    token = world.room_token("player:1", "specialist", viewer_grants(["ultrasound"]))
    headers = bearer(token) | {"Content-Type": "application/sdp"}
    async with world.session.post(f"/whep/demo/{feed}", data="v=0\r\n", headers=headers) as response:
        assert (response.status, (await response.json())["code"]) == (400, "bad_name")
    assert not await world.audit()


async def test_nonsense_for_a_room_is_a_room_that_does_not_exist(world: World) -> None:
    token = (await world.login("wang"))["access_token"]
    for room in ("demo%00", "demo%0A", "x" * 3_000, "%2e%2e%2fdemo"):
        status, problem = await world.post(f"/api/v1/rooms/{room}/join", None, token)
        assert (status, problem["code"]) == (404, "room_not_found")
    from core.trail import read_audit

    assert all(row.target.isprintable() for row in await read_audit(world.database))


async def test_a_path_longer_than_any_file_s_is_not_found(world: World) -> None:
    for path in ("x" * 300 + ".html", "assets/" + "y" * 300 + ".js", "x/" * 2_500 + "a.js", "x" * 300):
        async with world.session.get(f"/{path}") as response:
            assert response.status in (200, 404), await response.text()


@pytest.mark.parametrize(
    ("encoding", "body", "status", "code"),
    [
        ("gzip", b"abc", 400, "bad_body"),
        ("identity", b"{" + b" " * 300_000, 413, "too_large"),
        ("gzip", gzip.compress(b"{" + b" " * 50_000_000), 413, "too_large"),
        ("identity", b"[" * 9_000, 422, "invalid_body"),
    ],
)
async def test_a_body_that_cannot_be_read_is_the_sender_s_fault(
    world: World, encoding: str, body: bytes, status: int, code: str
) -> None:
    headers = {"Content-Type": "application/json", "Content-Encoding": encoding}

    async def chunks() -> AsyncIterator[bytes]:
        yield body

    async with world.session.post(
        "/api/v1/auth/login", data=chunks(), headers=headers, skip_auto_headers=["Content-Encoding"]
    ) as response:
        assert response.content_type == "application/problem+json"
        assert (response.status, (await response.json())["code"]) == (status, code)


async def test_a_password_that_was_taken_for_a_request_is_not_logged(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    body = b'{"username": "wang", "password": "hunter2"}\r\n\r\n'
    head = b"POST /api/v1/auth/login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
    host, port = world.base_url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(head + b"Content-Length: 0\r\n\r\n")
    assert (await asyncio.wait_for(reader.readline(), WITHIN_S)).startswith(b"HTTP/1.1 422")
    writer.write(body)
    assert b"400 Bad Request" in await asyncio.wait_for(reader.read(), WITHIN_S)
    writer.close()
    assert "hunter2" not in caplog.text


async def test_what_everyone_holds_does_not_show_the_secret_when_printed(world: World) -> None:
    assert world.context.service_secret not in repr(world.context)


# --- tokens ------------------------------------------------------------------------------


@pytest.mark.parametrize("token", ["\udcff\udcfe", "e30.e30.\udcff", nested_token(), "a.b.c", "\x00"])
def test_bytes_that_are_no_token_are_only_no_token(world: World, token: str) -> None:
    for verify in (world.context.tokens.verify_access, world.context.tokens.verify_room):
        with pytest.raises(Unauthorized):
            verify(token)


async def test_a_header_that_is_no_text_is_answered_with_401(world: World) -> None:
    head = b"GET /api/v1/me HTTP/1.1\r\nAuthorization: Bearer \xff\xfe"
    status, answer = await raw(world, head)
    assert status == 401
    assert "application/problem+json" in answer


async def test_a_person_whose_account_was_closed_enters_no_room_with_the_token_at_hand(world: World) -> None:
    token = (await world.login("wang"))["access_token"]
    await people.set_disabled(world.database, world.users["wang"].user_id, True)
    status, problem = await world.post("/api/v1/rooms/demo/join", None, token)
    assert (status, problem["code"]) == (401, "account_closed")


async def test_what_a_revoked_token_publishes_or_watches_ends(world: World) -> None:
    member, _ = await world.join("u_1", "site")
    await world.whip("ultrasound", world.room_token("device:box", "device"))
    await world.whip("theatre", world.room_token("device:other", "device"))
    player = world.room_token("player:1", "specialist", viewer_grants(None))
    headers = bearer(player) | {"Content-Type": "application/sdp"}
    async with world.session.post("/whep/demo/theatre", data="v=0\r\n", headers=headers) as response:
        assert response.status == 201
    await member.sync()
    await revoke(world.context, "device:box")
    await member.next(messages.TrackRemoved)
    await until(lambda: {t.wanted.feed for t in world.worker.transports.values()} == {"theatre"})
    await revoke(world.context, "player:1")
    await until(lambda: {t.wanted.direction for t in world.worker.transports.values()} == {"publish"})


# --- other people's connections ----------------------------------------------------------


async def test_a_session_is_not_its_subject_s_in_another_consultation(world: World) -> None:
    box = world.room_token("device:box", "device")
    location = (await world.whip("ultrasound", box)).headers["Location"]
    for elsewhere in ({"con": "c_of_yesterday"}, {"room": "other"}):
        token = world.room_token("device:box", "device", device_grants(None), **elsewhere)
        async with world.session.patch(location, data=RESTART, headers=bearer(token) | FRAGMENT) as response:
            assert (response.status, (await response.json())["code"]) == (403, "not_yours")
        async with world.session.delete(location, headers=bearer(token)) as response:
            assert response.status == 403
    assert len(world.worker.transports) == 1


async def test_nobody_changes_a_connection_that_is_not_theirs(world: World) -> None:
    victim, _ = await world.join("u_1", "specialist")
    published = await world.publish(victim, "video/camera")
    box = await world.whip("ultrasound", world.room_token("device:box", "device"))
    intruder, _ = await world.join("u_2", "specialist")
    await world.publish(intruder, "video/camera")
    for transport_id in (published.transport_id, box.headers["Location"].rpartition("/")[2]):
        source = messages.PublishedSource(mid="0", source="camera")
        await intruder.send(
            messages.Publish(offer="v=0\r\npublish:video/camera", sources=[source], transport_id=transport_id)
        )
        assert (await intruder.next(messages.Error)).code == "transport_not_found"
    token = world.room_token("u_2", "specialist")
    location = f"/whip/demo/ultrasound/{published.transport_id}"
    async with world.session.delete(location, headers=bearer(token)) as response:
        assert response.status == 404
    assert len(world.worker.transports) == 3


async def test_a_session_that_ends_while_it_is_patched_is_not_found(world: World) -> None:
    box = world.room_token("device:box", "device")
    location = (await world.whip("ultrasound", box)).headers["Location"]
    world.worker.hold = asyncio.Event()
    patch = asyncio.create_task(world.session.patch(location, data=RESTART, headers=bearer(box) | FRAGMENT))
    await until(lambda: any(call.startswith("PATCH") for call in world.worker.calls))
    delete = asyncio.create_task(world.session.delete(location, headers=bearer(box)))
    await until(lambda: any(call.startswith("DELETE") for call in world.worker.calls))
    world.worker.hold.set()
    async with await patch as patched, await delete as deleted:
        assert (patched.status, deleted.status) == (404, 200)


# --- too much ----------------------------------------------------------------------------


async def test_more_feeds_than_a_room_takes_leave_no_transport_behind(world: World) -> None:
    box = world.room_token("device:box", "device")
    world.worker.hold = asyncio.Event()
    posts = [asyncio.create_task(world.whip(f"feed-{n}", box)) for n in range(MAX_FEEDS + 4)]
    await until(lambda: world.worker.calls.count("POST transports") == len(posts))
    world.worker.hold.set()
    statuses = Counter([(await post).status for post in posts])
    assert statuses == {201: MAX_FEEDS, 409: 4}
    await until(lambda: len(world.worker.transports) == MAX_FEEDS)


async def test_many_names_tried_at_once_from_one_address_are_not_all_heard(world: World) -> None:
    async def attempt(number: int) -> int:
        body = {"username": f"user{number}", "password": "Summer2026!"}
        return (await world.post("/api/v1/auth/login", body))[0]

    heard = Counter(await asyncio.gather(*(attempt(n) for n in range(FREE_PER_ADDRESS * 2))))
    assert heard[401] <= FREE_PER_ADDRESS
    assert heard[429] >= FREE_PER_ADDRESS


async def test_people_who_sign_in_rightly_are_never_too_many_for_their_address(world: World) -> None:
    for _ in range(FREE_PER_ADDRESS + 5):
        await world.login("wang", PASSWORD)


async def test_guessing_the_service_s_secret_does_not_lock_the_service_out(world: World) -> None:
    for _ in range(12):
        await world.post("/api/v1/auth/service", {"name": "recorder", "secret": "wrong-secret-1234"})
    secret = world.settings.service_secret_file.read_text().strip()
    status, _ = await world.post("/api/v1/auth/service", {"name": "recorder", "secret": secret})
    assert status == 200


async def test_what_one_client_makes_us_keep_is_bounded(world: World) -> None:
    client, _ = await world.join("u_1", "specialist")
    world.worker.hold = asyncio.Event()
    source = messages.PublishedSource(mid="0", source="camera")
    large = messages.Publish(offer="v=0\r\n" + "x" * 150_000, sources=[source])
    for _ in range(20):
        if not client.socket.closed:
            await client.send(large)
    assert await client.closed() == 4429
    world.worker.hold.set()


async def test_a_failure_while_entering_is_told_as_one_and_not_as_a_goodbye(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*_args: object, **_kwargs: object) -> None:
        raise RuntimeError("the password is hunter2")

    monkeypatch.setattr("signaling.access.consultation_in_room", broken)
    client = await world.connect(world.room_token("u_1", "specialist"))
    assert await client.closed() == 4503
    assert "hunter2" not in str(client.seen)
