"""Files of the chat: streamed, limited, named and typed by us, fetched by those of the same consultation."""

from __future__ import annotations

import asyncio
import hashlib
import os
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from core import messages
from core.consultations import close_consultation, open_consultation
from core.errors import RemoteError
from core.files import find_file
from signaling.file_content import clean_name, media_type_of
from signaling.file_routes import FILES
from signaling.file_store import FileLimits, FileStore
from signaling.sweeper import sweep
from tests.signaling.conftest import WITHIN_S, World, bearer
from tests.signaling.room_people import Person, enter, guest, person, until

PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 40
MISSING = "f_00000000000000000000000000"


async def upload(
    world: World, who: Person, body: Any = PNG, name: str = "scan.png", **headers: str
) -> tuple[int, dict[str, Any]]:
    all_headers = bearer(who.token) | {"X-File-Name": quote(name), "Content-Type": "application/octet-stream"}
    async with world.session.post(
        "/api/v1/rooms/demo/files", data=body, headers=all_headers | headers
    ) as got:
        return got.status, await got.json()


def on_disk(world: World) -> list[Path]:
    return [path for path in world.settings.files_dir.rglob("*") if path.is_file()]


async def test_a_file_is_sent_named_in_a_message_and_fetched_by_the_others(world: World) -> None:
    host = person(world, "host")
    (sender, _), (reader, _) = await enter(world, host), await enter(world, person(world, "invited"))
    status, info = await upload(world, host, name="扫描 1.png")
    assert status == 201
    assert info["name"] == "扫描 1.png"
    assert (info["media_type"], info["size_bytes"]) == ("image/png", len(PNG))
    assert info["sha256"] == hashlib.sha256(PNG).hexdigest()
    await sender.send(messages.Chat(ref="1", file_ids=[info["file_id"]]))
    entry = (await reader.next(messages.ChatAdded)).entry
    assert [file.model_dump() for file in entry.files] == [info]
    for kind in ("invited", "recorder"):
        headers = bearer(person(world, kind).token)
        async with world.session.get(f"/api/v1/rooms/demo/files/{info['file_id']}", headers=headers) as got:
            assert (got.status, await got.read()) == (200, PNG)
            assert got.headers["Content-Type"] == "image/png"
            assert got.headers["Content-Disposition"] == f"inline; filename*=UTF-8''{quote('扫描 1.png')}"
            assert got.headers["X-Content-Type-Options"] == "nosniff"
            assert got.headers["Content-Security-Policy"] == "sandbox; default-src 'none'"
            assert "no-store" in got.headers["Cache-Control"]


async def test_what_is_not_a_picture_is_an_attachment_whatever_it_is_called(world: World) -> None:
    host = person(world, "host")
    script = b"<script>alert(1)</script>"
    _, info = await upload(world, host, script, 'a"b.png\r\nSet-Cookie: x=1', **{"Content-Type": "text/html"})
    assert info["media_type"] == "application/octet-stream"
    path = f"/api/v1/rooms/demo/files/{info['file_id']}"
    async with world.session.get(path, headers=bearer(host.token)) as got:
        assert got.headers["Content-Type"] == "application/octet-stream"
        assert got.headers["Content-Disposition"].startswith("attachment; filename*=UTF-8''")
        assert "Set-Cookie" not in got.headers
        assert await got.read() == script


async def test_who_may_send_and_fetch(world: World) -> None:
    _, info = await upload(world, person(world, "host"))
    path = f"/api/v1/rooms/demo/files/{info['file_id']}"
    waiting, admitted = await guest(world), await guest(world, lobby=False)
    for who, sends, fetches in (
        (person(world, "host"), 201, 200),
        (person(world, "specialist"), 201, 200),
        (person(world, "invited"), 201, 200),
        (admitted, 201, 200),
        (waiting, 403, 403),
        (person(world, "recorder"), 403, 200),
        (person(world, "device"), 403, 403),
        (person(world, "viewer"), 403, 403),
        (Person("nobody", "nonsense"), 401, 401),
        (Person("x", person(world, "host", con="c_other").token), 404, 404),
    ):
        assert (await upload(world, who))[0] == sends, who.sub
        async with world.session.get(path, headers=bearer(who.token)) as got:
            assert got.status == fetches, who.sub
    assert len(on_disk(world)) == 5


async def test_a_file_of_another_consultation_does_not_exist(world: World) -> None:
    other = await open_consultation(
        world.database, room="other", header="", record=False, organisation_id=world.clinic.organisation_id
    )
    token = person(world, "host", room="other", con=other.consultation_id).token
    async with world.session.post("/api/v1/rooms/other/files", data=PNG, headers=bearer(token)) as got:
        file_id = (await got.json())["file_id"]
    headers = bearer(person(world, "host").token)
    for wanted in (file_id, MISSING, "f_x", "..%2F..%2Fteleconsult.db", "%00", "a" * 5000):
        async with world.session.get(f"/api/v1/rooms/demo/files/{wanted}", headers=headers) as got:
            assert got.status in (404, 400), wanted
            if got.status == 404:
                assert (await got.json())["code"] == "file_not_found"
    client, _ = await enter(world, person(world, "host"))
    await client.send(messages.Chat(ref="1", file_ids=[file_id]))
    assert (await client.next(messages.Error)).code == "file_not_found"


async def _blocks(sent: list[int], count: int) -> AsyncIterator[bytes]:
    """So many megabytes, one after the other: other tasks have their turn in between."""
    for _ in range(count):
        sent[0] += 1_000_000
        yield bytes(1_000_000)


@pytest.mark.parametrize("announced", [True, False])
async def test_100_mb_are_refused_quickly_leave_nothing_behind_and_disturb_nobody(
    world: World, announced: bool
) -> None:
    host = person(world, "host")
    talker, _ = await enter(world, person(world, "invited"))
    slowest_s = 0.0
    done = asyncio.Event()

    async def talk() -> None:
        nonlocal slowest_s
        while not done.is_set():
            begun_s = time.monotonic()
            await talker.sync()
            slowest_s = max(slowest_s, time.monotonic() - begun_s)
            await asyncio.sleep(0.02)  # faster would be a flood

    talking = asyncio.create_task(talk())
    begun_s = time.monotonic()
    sent = [0]
    headers = {"Content-Length": "100000000"} if announced else {}
    status, problem = await upload(world, host, _blocks(sent, 100), **headers)
    assert (status, problem["code"]) == (413, "too_large")
    assert time.monotonic() - begun_s < WITHIN_S
    done.set()
    await talking
    assert slowest_s < 5.0
    await until(lambda: on_disk(world) == [])
    assert (await upload(world, host))[0] == 201


async def test_an_upload_that_breaks_off_leaves_nothing_behind(world: World) -> None:
    host = person(world, "host")
    reader, writer = await asyncio.open_connection("127.0.0.1", int(world.base_url.rsplit(":", 1)[1]))
    head = f"POST /api/v1/rooms/demo/files HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {host.token}\r\n"
    writer.write(f"{head}Content-Length: 5000000\r\n\r\n".encode() + bytes(2_000_000))
    await writer.drain()
    await until(lambda: bool(on_disk(world)))
    writer.transport.abort()
    await until(lambda: on_disk(world) == [])
    assert reader is not None


async def test_a_consultation_has_room_for_so_much_and_others_are_not_concerned(
    world: World, tmp_path: Path
) -> None:
    limits = FileLimits(file_bytes=60_000, consultation_bytes=100_000, free_bytes=0)
    world.app._state[FILES] = FileStore(world.settings.files_dir, world.database, limits)  # type: ignore[misc]  # frozen
    host = person(world, "host")
    assert (await upload(world, host, bytes(60_000)))[0] == 201
    status, problem = await upload(world, host, bytes(60_000))
    assert (status, problem["code"]) == (507, "no_space")

    async def unannounced() -> AsyncIterator[bytes]:
        for _ in range(6):
            yield bytes(10_000)

    assert (await upload(world, host, unannounced()))[0] == 507
    assert (await upload(world, host, bytes(40_000)))[0] == 201
    assert len(on_disk(world)) == 2


async def test_two_uploads_at_once_do_not_share_the_same_room(world: World) -> None:
    store = FileStore(world.settings.files_dir, world.database, FileLimits(60_000, 100_000, 0))
    go = asyncio.Event()

    async def slowly() -> AsyncIterator[bytes]:
        yield bytes(1_000)
        await go.wait()
        yield bytes(59_000)

    consultation = world.consultation.consultation_id
    first = asyncio.create_task(store.receive(consultation, "u_1", "a", 60_000, slowly()))
    await until(lambda: bool(on_disk(world)))
    from core.errors import RemoteError

    with pytest.raises(RemoteError, match="no room"):
        await store.receive(consultation, "u_2", "b", 60_000, slowly())
    go.set()
    assert (await first).size_bytes == 60_000


async def test_one_person_sends_two_files_at_once_at_most(world: World) -> None:
    store, go = world.app[FILES], asyncio.Event()

    async def waits() -> AsyncIterator[bytes]:
        yield b"x"
        await go.wait()

    consultation = world.consultation.consultation_id
    running = [
        asyncio.create_task(store.receive(consultation, "u_host", "a", None, waits())) for _ in range(2)
    ]
    await until(lambda: store._people["u_host"] == 2)
    status, problem = await upload(world, person(world, "host"))
    assert (status, problem["code"]) == (429, "too_many_uploads")
    assert (await upload(world, person(world, "invited")))[0] == 201
    go.set()
    await asyncio.gather(*running)
    assert (await upload(world, person(world, "host")))[0] == 201


async def test_a_disk_that_refuses_is_told_and_nothing_stays(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("signaling.file_store._append", refuse)
    status, problem = await upload(world, person(world, "host"))
    assert (status, problem["code"]) == (507, "no_space")
    assert on_disk(world) == []


async def test_an_empty_file_is_refused(world: World) -> None:
    status, problem = await upload(world, person(world, "host"), b"")
    assert (status, problem["code"]) == (422, "empty_file")
    assert on_disk(world) == []


async def test_files_go_with_the_texts_and_what_a_crash_left_goes_too(world: World) -> None:
    host = person(world, "host")
    _, info = await upload(world, host)
    (kept,) = on_disk(world)
    assert kept.stat().st_mode & 0o077 == 0
    stale, fresh = kept.with_name("f_old.part"), kept.with_name("f_new.part")
    for path in (stale, fresh):
        path.write_bytes(b"half")
    os.utime(stale, (1, 1))
    store = world.app[FILES]
    await sweep(world.context, store)
    assert set(on_disk(world)) == {kept, fresh}
    consultation = world.consultation.consultation_id
    await close_consultation(world.database, consultation)
    world.clock.advance(25 * 3600)
    assert await sweep(world.context, store) == [consultation]
    assert on_disk(world) == []
    assert await find_file(world.database, consultation, info["file_id"]) is None


@pytest.mark.parametrize(
    ("given", "cleaned"),
    [
        ("scan.png", "scan.png"),
        ("../../etc/passwd", "passwd"),
        ("C:\\Users\\li\\bild.jpg", "bild.jpg"),
        ("a\u0000b\r\nc.pdf", "abc.pdf"),
        ("invoice\u202egnp.exe", "invoicegnp.exe"),
        ("<script>alert(1)</script>.png", "script_.png"),
        ("  . ", "file"),
        ("", "file"),
        ("..", "file"),
        ("\ufffd\u200b", "\ufffd"),
        ("x" * 300 + ".dcm", "x" * 196 + ".dcm"),
        ("y" * 300, "y" * 200),
        ("." + "z" * 300, "z" * 200),
        ("心电图 张三?.png", "心电图 张三_.png"),
    ],
)
def test_names_keep_what_is_readable_and_nothing_else(given: str, cleaned: str) -> None:
    assert clean_name(given) == cleaned


@pytest.mark.parametrize(
    ("head", "media_type"),
    [
        (b"\x89PNG\r\n\x1a\n....", "image/png"),
        (b"\xff\xd8\xff\xe0", "image/jpeg"),
        (b"RIFF\x10\0\0\0WEBPVP8 ", "image/webp"),
        (b"RIFF\x10\0\0\0WAVEfmt ", "application/octet-stream"),
        (b"%PDF-1.7", "application/pdf"),
        (b"<svg xmlns=", "application/octet-stream"),
        (b"<!DOCTYPE html>", "application/octet-stream"),
        (b"GIF89a", "application/octet-stream"),
        (b"", "application/octet-stream"),
    ],
)
def test_the_type_is_what_the_first_bytes_say(head: bytes, media_type: str) -> None:
    assert media_type_of(head) == media_type


async def _once(*blocks: bytes) -> AsyncIterator[bytes]:
    for block in blocks:
        yield block


async def test_files_that_arrive_side_by_side_do_not_add_up_to_more_than_there_is_room_for(
    world: World,
) -> None:
    """Each began before the last one was complete, and so did not find it in the database."""
    store = FileStore(world.settings.files_dir, world.database, FileLimits(consultation_bytes=250))
    consultation = world.consultation.consultation_id
    gates = [asyncio.Event() for _ in range(6)]

    async def slowly(gate: asyncio.Event) -> AsyncIterator[bytes]:
        await gate.wait()
        yield b"x" * 100

    def begin(number: int) -> asyncio.Task[Any]:
        return asyncio.create_task(
            store.receive(consultation, f"u_{number}", "f", None, slowly(gates[number]))
        )

    tasks = [begin(0), begin(1)]
    for number in range(2, len(gates)):
        await until(lambda: len(store.under_way) == 2)
        gates[number - 2].set()
        await asyncio.wait([tasks[number - 2]])
        tasks.append(begin(number))
    for gate in gates:
        gate.set()
    await asyncio.wait(tasks)
    stored = [task.result().size_bytes for task in tasks if task.exception() is None]
    assert sum(stored) <= 250
    assert len(stored) == 2


async def test_a_consultation_has_a_bounded_number_of_files(world: World) -> None:
    store = FileStore(world.settings.files_dir, world.database, FileLimits(files=3))
    consultation = world.consultation.consultation_id
    for _ in range(3):
        await store.receive(consultation, "u_1", "f", 1, _once(b"x"))
    with pytest.raises(RemoteError) as refused:
        await store.receive(consultation, "u_1", "f", 1, _once(b"x"))
    assert refused.value.code == "no_space"
    assert len(on_disk(world)) == 3
