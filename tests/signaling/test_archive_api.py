"""The archive over HTTP: ciphertext in any part, nothing outside a folder, nobody unnoticed."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from archive.checkpoint import Checkpoint, Note
from archive.merkle import leaf_hash, verify_inclusion
from archive.specs import Span
from core.consultations import close_consultation, new_room, open_consultation
from core.errors import Unavailable
from core.trail import read_audit
from signaling import archive_api_log, archive_api_runs
from signaling.archive_api_replays import REPLAY_LASTS_S
from tests.archive.support import VIDEO, create, piece
from tests.signaling.conftest import World, bearer

TRACK = "ultrasound-device-video"
PIECE = f"tracks/{TRACK}/000/000001.m4s.age"
CONTENT = b"a second of pictures " * 100


@pytest.fixture
async def archived(world: World) -> Path:
    """The consultation's archive: one piece, events, closed."""
    return make_archive(world, world.consultation.consultation_id)


def make_archive(world: World, consultation: str, *, close: bool = True) -> Path:
    writer = create(world.settings.archive_dir, consultation)
    writer.start_generation(TRACK, VIDEO, b"init", "start")
    writer.write_piece(TRACK, 0, piece(0), CONTENT)
    writer.write_events(Span(0, 5_000_000), 1, b'{"at_us":0,"type":"recording_started"}\n')
    if close:
        writer.close("consultation_closed")
    else:
        writer.release()
    return world.settings.archive_dir / consultation


async def fetch(
    world: World, path: str, user: str = "zhao", **headers: str
) -> tuple[aiohttp.ClientResponse, bytes]:
    token = await world.token(user)
    url = f"/api/v1/archives/{world.consultation.consultation_id}/{path}"
    async with world.session.get(url, headers=bearer(token) | headers) as response:
        return response, await response.read()


async def trail(world: World, action: str) -> list[tuple[str, str, str]]:
    rows = await read_audit(world.database)
    return [(row.actor, row.target, row.outcome) for row in rows if row.action == action]


async def test_an_object_comes_whole_as_it_lies_on_disk_and_may_be_kept_for_ever(
    world: World, archived: Path
) -> None:
    response, body = await fetch(world, PIECE)
    assert (response.status, body) == (200, (archived / PIECE).read_bytes())
    assert response.headers["Content-Length"] == str(len(body))
    assert response.headers["Accept-Ranges"] == "bytes"
    assert "immutable" in response.headers["Cache-Control"]
    again, nothing = await fetch(world, PIECE, **{"If-None-Match": response.headers["ETag"]})
    assert (again.status, nothing) == (304, b"")


@pytest.mark.parametrize(
    ("asked", "begin", "end"),
    [("bytes=0-9", 0, 10), ("bytes=100-", 100, None), ("bytes=-7", -7, None), ("bytes=5-99999999", 5, None)],
)
async def test_any_part_of_a_file_can_be_had(
    world: World, archived: Path, asked: str, begin: int, end: int | None
) -> None:
    for path, file in ((PIECE, PIECE), ("manifest", "manifest.jsonl")):
        whole = (archived / file).read_bytes()
        response, body = await fetch(world, path, Range=asked)
        assert (response.status, body) == (206, whole[begin:end])
        first = begin if begin >= 0 else len(whole) + begin
        assert response.headers["Content-Range"] == f"bytes {first}-{first + len(body) - 1}/{len(whole)}"


async def test_a_part_behind_the_end_is_refused_and_one_of_another_version_is_the_whole(
    world: World, archived: Path
) -> None:
    whole = (archived / PIECE).read_bytes()
    response, _ = await fetch(world, PIECE, Range=f"bytes={len(whole)}-")
    assert (response.status, response.headers["Content-Range"]) == (416, f"bytes */{len(whole)}")
    response, body = await fetch(world, PIECE, Range="bytes=0-9", **{"If-Range": '"another"'})
    assert (response.status, body) == (200, whole)
    response, body = await fetch(world, PIECE, Range="pages=1-2")
    assert (response.status, body) == (200, whole)


async def test_head_tells_the_size_and_sends_nothing(world: World, archived: Path) -> None:
    token = await world.token("zhao")
    url = f"/api/v1/archives/{world.consultation.consultation_id}/{PIECE}"
    async with world.session.head(url, headers=bearer(token)) as response:
        assert response.status == 200
        assert int(response.headers["Content-Length"]) == (archived / PIECE).stat().st_size


async def test_what_a_verifier_reads_is_never_kept_by_a_browser(world: World, archived: Path) -> None:
    for path, file in (
        ("manifest", "manifest.jsonl"),
        ("key", "session.key.age"),
        ("closing", "closed.json"),
    ):
        response, body = await fetch(world, path)
        assert (response.status, body) == (200, (archived / file).read_bytes())
        assert response.headers["Cache-Control"] == "no-store"


async def test_an_object_that_is_not_as_long_as_its_entry_says_is_not_kept(
    world: World, archived: Path
) -> None:
    with (archived / PIECE).open("ab") as file:
        file.write(b"more")
    response, body = await fetch(world, PIECE)
    assert response.headers["Cache-Control"] == "no-store"
    assert body.endswith(b"more")


@pytest.mark.parametrize(
    "path",
    [
        "tracks/%2e%2e/%2e%2e/secret",
        "tracks/..%2f..%2f..%2fkeys/000/tokens.pem",
        f"tracks/{TRACK}/000/..%2f000001.m4s.age",
        f"tracks/{TRACK}/000/000002.m4s.age",
        f"tracks/{TRACK}/000/000001.m4s.age.tmp",
        f"tracks/{TRACK}/000/init.mp4",
        "events/..%2fmanifest.jsonl",
        "events/session.key.age",
        "events/000009.jsonl.age",
        "tracks/a%00b/000/init.mp4.age",
    ],
)
async def test_only_what_an_entry_names_is_handed_out(world: World, archived: Path, path: str) -> None:
    (archived / "events" / "000009.jsonl.age").write_bytes(b"no entry names this")
    response, body = await fetch(world, path)
    assert response.status == 404, body


async def test_pieces_that_are_written_later_are_found_without_a_restart(world: World) -> None:
    consultation = world.consultation.consultation_id
    writer = create(world.settings.archive_dir, consultation)
    writer.start_generation(TRACK, VIDEO, b"init", "start")
    assert (await fetch(world, PIECE))[0].status == 404
    writer.write_piece(TRACK, 0, piece(0), CONTENT)
    assert (await fetch(world, PIECE))[0].status == 200
    writer.close("consultation_closed")


async def test_every_replay_is_on_record_before_anything_is_handed_out(world: World, archived: Path) -> None:
    auditor, consultation = world.users["zhao"].user_id, world.consultation.consultation_id
    token = await world.token("zhao")
    url = f"/api/v1/archives/{consultation}"
    status, replay = await world.post(f"{url}/replays", None, token)
    assert status == 201
    assert await trail(world, "replay") == [(auditor, f"{consultation} {replay['replay_id']}", "ok")]
    for path in ("manifest", "key", PIECE):
        async with world.session.get(f"{url}/{path}", headers=bearer(token)) as response:
            assert response.status == 200
    assert len(await trail(world, "replay")) == 1


async def test_whoever_fetches_without_having_begun_a_replay_is_on_record_too(
    world: World, archived: Path
) -> None:
    auditor = world.users["zhao"].user_id
    token = await world.token("zhao")
    url = f"/api/v1/archives/{world.consultation.consultation_id}/{PIECE}"
    for _ in range(3):
        async with world.session.get(url, headers=bearer(token)) as response:
            assert response.status == 200
    assert [actor for actor, _, _ in await trail(world, "replay")] == [auditor]
    world.clock.advance(REPLAY_LASTS_S + 1)
    await fetch(world, PIECE)
    assert len(await trail(world, "replay")) == 2


@pytest.mark.parametrize(
    ("user", "status", "code"),
    [("bai", 403, "role_may_not"), ("root", 403, "role_may_not"), ("zhou", 403, "not_yours"),
     ("feng", 404, "consultation_not_found"), ("mallory", 404, "consultation_not_found")],
)  # fmt: skip
async def test_others_are_refused_and_that_is_on_record(
    world: World, archived: Path, user: str, status: int, code: str
) -> None:
    for path, action in ((PIECE, "archive_piece"), ("key", "archive_key"), ("manifest", "archive_manifest")):
        response, body = await fetch(world, path, user)
        assert response.status == status
        assert b"age-encryption" not in body
        found = await trail(world, action)
        assert (found[-1][0], found[-1][2]) == (world.users[user].user_id, code)
    assert await trail(world, "replay") == []


async def listed(world: World, user: str = "zhao", query: str = "") -> list[dict[str, Any]]:
    status, found = await world.get(f"/api/v1/archives{query}", await world.token(user))
    assert status == 200, found
    return list(found)


async def another(world: World, *, record: bool, closed: bool) -> str:
    opened = await open_consultation(
        world.database,
        room=new_room(),
        header="李*",
        record=record,
        organisation_id=world.clinic.organisation_id,
        opened_by=world.users["li"].user_id,
    )
    if closed:
        await close_consultation(world.database, opened.consultation_id)
    return opened.consultation_id


async def test_the_list_tells_what_is_recorded_and_what_is_missing(world: World, archived: Path) -> None:
    unrecorded = await another(world, record=False, closed=True)
    lost = await another(world, record=True, closed=True)
    going_on = await another(world, record=True, closed=False)
    make_archive(world, going_on, close=False)
    found = {one["consultation_id"]: one for one in await listed(world)}
    assert unrecorded not in found
    assert found[lost]["state"] == "missing"
    assert (found[going_on]["state"], found[going_on]["length_us"]) == ("recording", None)
    closed = found[world.consultation.consultation_id]
    assert (closed["state"], closed["length_us"], closed["objects"]) == ("closed", 5_000_000, 3)
    assert closed["site"] == "Clinic"
    assert await listed(world, "zhou") == await listed(world, "feng") == []


async def test_the_list_goes_on_before_a_date(world: World, archived: Path) -> None:
    newest = await listed(world)
    assert [one["state"] for one in newest] == ["closed"]
    assert await listed(world, query=f"?before_us={newest[0]['opened_at_us']}") == []


async def test_files_that_no_entry_names_are_told(world: World, archived: Path) -> None:
    (archived / "events" / "000009.jsonl.age").write_bytes(b"slipped in")
    url = f"/api/v1/archives/{world.consultation.consultation_id}"
    _, detail = await world.get(url, await world.token("zhao"))
    assert detail["unentered"] == ["events/000009.jsonl.age"]
    assert detail["manifest_bytes"] == (archived / "manifest.jsonl").stat().st_size


async def test_signers_come_from_the_settings_and_from_beside_the_archive(world: World) -> None:
    signer = "ed25519:" + "ab" * 32
    world.settings.archive_dir.mkdir(exist_ok=True)
    (world.settings.archive_dir / "trusted-signers.txt").write_text(f"{signer}  # this service\n")
    status, found = await world.get("/api/v1/archive-signers", await world.token("zhao"))
    assert (status, found) == (200, [{"public": signer, "source": "archive"}])


async def test_a_replay_and_a_refusal_are_leaves_of_the_archives_log(world: World, archived: Path) -> None:
    consultation = world.consultation.consultation_id
    token = await world.token("zhao")
    status, _ = await world.post(f"/api/v1/archives/{consultation}/replays", None, token)
    assert status == 201
    await fetch(world, PIECE, "bai")
    found = await leaves(world, consultation)
    assert ("replay", world.users["zhao"].user_id, "") in found
    assert ("denied", world.users["bai"].user_id, "archive_piece.role_may_not") in found


async def test_nothing_is_handed_out_while_a_replay_cannot_be_put_on_record(
    world: World, archived: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refuse(**_: object) -> int:
        raise Unavailable("the archive's log cannot be written", code="log_unavailable")

    monkeypatch.setattr(world.context.log, "access", refuse)
    for path in (PIECE, "key", "manifest"):
        response, body = await fetch(world, path)
        assert response.status == 503, path
        assert b"log_unavailable" in body


async def leaves(world: World, consultation: str) -> list[tuple[str, str, str]]:
    """(access, by, detail) of every access leaf about that consultation, those of before this call included:
    a refusal's waits in a queue, and whoever waits for a leaf of their own waits for all before it.
    """
    await world.context.log.access(kind="hold", by="u_1", consultation=None)
    log = world.settings.archive_dir / "log"
    text = b"\n".join(path.read_bytes() for path in sorted(log.rglob("*")) if path.is_file())
    found = []
    for line in text.splitlines():
        with contextlib.suppress(ValueError):
            leaf = json.loads(line)
            if isinstance(leaf, dict) and leaf.get("consultation") == consultation and "access" in leaf:
                found.append((leaf["access"], leaf["by"], leaf["detail"]))
    return found


async def test_what_the_log_says_of_an_archive_comes_with_proofs_that_it_is_in_that_very_log(
    world: World, archived: Path
) -> None:
    consultation, log = world.consultation.consultation_id, world.context.log
    await another(world, record=True, closed=False)
    async with asyncio.timeout(10):
        while not log.knows(consultation):  # it was made beside the service, which finds it
            await asyncio.sleep(0.01)
    await log.access(kind="join", by="u_1", consultation=consultation)
    await log.access(kind="shred", by="u_1", second="u_2", consultation=consultation)
    response, body = await fetch(world, "log")
    assert response.status == 200
    told = json.loads(body)
    note = Note.parse(told["checkpoint"])
    assert note.signed_by([log.writer.verifier]) is not None
    checkpoint = Checkpoint.parse(note.text)
    found = []
    for one in told["leaves"]:
        proof = [base64.b64decode(item) for item in one["proof"]]
        hashed = leaf_hash(one["leaf"].encode())
        assert verify_inclusion(hashed, one["index"], checkpoint.size, proof, checkpoint.root)
        leaf = json.loads(one["leaf"])
        assert leaf["consultation"] == consultation
        found.append(leaf.get("access", leaf["kind"]))
    assert found[0] == "open"
    assert found[-1] == "shred"
    assert "join" not in found
    assert told["since_us"] <= json.loads(told["leaves"][0]["leaf"])["at_us"]


async def test_leaves_that_came_since_are_told_the_next_time(world: World, archived: Path) -> None:
    _, before = await fetch(world, "log")
    await world.context.log.access(kind="hold", by="u_1", consultation=world.consultation.consultation_id)
    _, after = await fetch(world, "log")
    assert len(json.loads(after)["leaves"]) == len(json.loads(before)["leaves"]) + 1


async def test_a_very_long_consultations_first_and_newest_leaves_are_told(
    world: World, archived: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(4):
        await world.context.log.access(
            kind="export", by="u_1", consultation=world.consultation.consultation_id
        )
    _, whole = await fetch(world, "log")
    monkeypatch.setattr(archive_api_log, "MAX_LEAVES", 3)
    _, cut = await fetch(world, "log")
    indices = [one["index"] for one in json.loads(whole)["leaves"]]
    assert [one["index"] for one in json.loads(cut)["leaves"]] == [indices[0], *indices[-2:]]


async def test_registered_people_come_from_the_list_beside_the_archive(world: World) -> None:
    person = "ed25519:" + "cd" * 32
    world.settings.archive_dir.mkdir(exist_ok=True)
    (world.settings.archive_dir / "trusted-people.txt").write_text(f"{person}  # Dr Feng\n")
    status, found = await world.get("/api/v1/archive-people", await world.token("zhao"))
    assert (status, found) == (200, [{"public": person, "source": "archive"}])


async def test_who_decided_is_named_if_they_are_the_organisations_own(world: World, archived: Path) -> None:
    own, stranger = world.users["zhao"], world.users["zhou"]
    approvals = [{"by": one.user_id} for one in (own, stranger)] + [{"by": "u_nobody"}, 3]
    line = json.dumps({"approvals": approvals}).encode()
    (archived / "decisions.jsonl").write_bytes(line + b"\nbroken\n[]\n")
    url = f"/api/v1/archives/{world.consultation.consultation_id}"
    _, detail = await world.get(url, await world.token("zhao"))
    assert detail["decided"] is True
    assert detail["deciders"] == [{"subject": own.user_id, "name": own.display_name}]


def make_pieces(world: World, sizes: list[int]) -> Path:
    """A closed archive whose one track has pieces of these contents' sizes."""
    consultation = world.consultation.consultation_id
    writer = create(world.settings.archive_dir, consultation)
    writer.start_generation(TRACK, VIDEO, b"init", "start")
    for second, size in enumerate(sizes):
        writer.write_piece(TRACK, 0, piece(second), bytes(size))
    writer.close("consultation_closed")
    return world.settings.archive_dir / consultation


async def test_pieces_that_follow_each_other_come_in_one_answer(world: World) -> None:
    folder = make_pieces(world, [10, 2000, 30])
    files = sorted((folder / "tracks" / TRACK / "000").glob("0*.age"))
    response, body = await fetch(world, f"runs/{TRACK}/0?first=1&last=3")
    assert response.status == 200
    assert body == b"".join(file.read_bytes() for file in files)
    assert "immutable" in response.headers["Cache-Control"]
    response, body = await fetch(world, f"runs/{TRACK}/000?first=2&last=9")
    assert body == b"".join(file.read_bytes() for file in files[1:])
    assert response.headers["Cache-Control"] == "no-store"
    assert ("replay", world.users["zhao"].user_id, "") in await leaves(
        world, world.consultation.consultation_id
    )


async def test_a_run_ends_before_a_piece_that_is_not_as_its_entry_says(world: World) -> None:
    folder = make_pieces(world, [10, 20, 30])
    first, second, _ = sorted((folder / "tracks" / TRACK / "000").glob("0*.age"))
    second.write_bytes(second.read_bytes() + b"more")
    response, body = await fetch(world, f"runs/{TRACK}/0?first=1&last=3")
    assert body == first.read_bytes()
    assert response.headers["Cache-Control"] == "no-store"
    second.unlink()
    _, body = await fetch(world, f"runs/{TRACK}/0?first=2&last=3")
    assert body == b""


async def test_a_run_has_a_bound_and_names_nothing_outside(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = make_pieces(world, [10] * 20)
    files = sorted((folder / "tracks" / TRACK / "000").glob("0*.age"))
    _, body = await fetch(world, f"runs/{TRACK}/0?first=1&last=20")
    assert len(body) == sum(file.stat().st_size for file in files[:16])
    monkeypatch.setattr(archive_api_runs, "MAX_RUN_BYTES", 1)
    _, body = await fetch(world, f"runs/{TRACK}/0?first=1&last=20")
    assert len(body) == files[0].stat().st_size
    for path in ("runs/nobody/0?first=1&last=2", f"runs/{TRACK}/x?first=1&last=2", f"runs/..%2F{TRACK}/0"):
        response, _ = await fetch(world, path)
        assert response.status in {404, 422}, path
