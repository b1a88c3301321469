"""Two people decide about archives through the service; time decides by what two people defined."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from archive import layout
from archive.keys import ArchiveSigner, TrustedSigner, write_secret
from archive.opening import current_ledger
from archive.shred import Copies, record
from archive.shred_request import new_request
from archive.store_base import LocalFolder
from archive.verify import verify_consultation
from core.consultations import close_consultation, find_consultation
from core.errors import Unavailable
from core.retention import shredded_us
from signaling.retention_sweep import sweep
from tests.archive import support
from tests.signaling.conftest import World, make_world
from tests.signaling.test_log_service import about
from tests.support.s3 import S3Server, running_s3

DAY_S = 86_400


@pytest.fixture
async def kept(world: World) -> Path:
    """The consultation is over; its archive is here, signed with the service's key."""
    return await archived(world)


async def archived(world: World) -> Path:
    con = world.consultation.consultation_id
    write_secret(world.settings.signing_key_file, support.keys().signer.pem())
    folder = support.write(world.settings.archive_dir, con)
    await close_consultation(world.database, con)
    return folder


def verdict(folder: Path) -> int:
    return int(verify_consultation(folder, [TrustedSigner(support.keys().signer.public, "test")]).verdict)


async def ask(world: World, kind: str, who: str = "zhao", **more: Any) -> str:
    path = f"/api/v1/archives/{world.consultation.consultation_id}/requests"
    status, made = await world.post(path, {"kind": kind, "reason": "case 7"} | more, await world.token(who))
    assert status == 201, made
    return str(made["request_id"])


async def approve(world: World, request_id: str, who: str = "root") -> tuple[int, Any]:
    path = f"/api/v1/archives/{world.consultation.consultation_id}/requests/{request_id}/approve"
    return await world.post(path, None, await world.token(who))


async def keeping(world: World) -> Any:
    path = f"/api/v1/archives/{world.consultation.consultation_id}/keeping"
    status, found = await world.get(path, await world.token("zhao"))
    assert status == 200, found
    return found


async def define(world: World, name: str, days: int, **more: Any) -> None:
    """Zhao proposes, root approves."""
    body = {"name": name, "days": days} | more
    _, made = await world.post("/api/v1/retention-classes", body, await world.token("zhao"))
    path = f"/api/v1/retention-classes/{made['class_id']}/approve"
    status, _ = await world.post(path, None, await world.token("root"))
    assert status == 200


async def test_two_people_shred_and_it_is_in_the_trail_the_log_and_beside_the_manifest(
    world: World, kept: Path
) -> None:
    request_id = await ask(world, "shred")
    assert (kept / layout.SESSION_KEY).exists()
    status, done = await approve(world, request_id)
    assert (status, done["kind"], done["finished"]) == (200, "shred", True)
    zhao, root = world.users["zhao"].user_id, world.users["root"].user_id
    assert done["approved_by"] == [zhao, root]
    assert not (kept / layout.SESSION_KEY).exists()
    assert verdict(kept) == 14
    con = world.consultation.consultation_id
    leaf = (await about(world, con, "access"))[-1]
    assert (leaf.access, leaf.by, leaf.second) == ("shred", zhao, root)
    assert (root, "archive_shred", "ok") in await world.audit()
    found = await keeping(world)
    assert (found["shredded"], found["requests"]) == (True, [])


async def test_nobody_approves_what_they_asked_for_themselves(world: World, kept: Path) -> None:
    request_id = await ask(world, "shred", "root")
    status, problem = await approve(world, request_id, "root")
    assert (status, problem["code"]) == (403, "same_person")
    assert (kept / layout.SESSION_KEY).exists()
    assert [item["request_id"] for item in (await keeping(world))["requests"]] == [request_id]


async def test_a_request_is_decided_once_and_may_be_withdrawn(world: World, kept: Path) -> None:
    first, second = await ask(world, "export"), await ask(world, "export", form="wall")
    assert (await approve(world, first))[0] == 200
    status, problem = await approve(world, first)
    assert (status, problem["code"]) == (409, "request_decided")
    path = f"/api/v1/archives/{world.consultation.consultation_id}/requests/{second}"
    assert (await world.delete(path, await world.token("root")))[0] == 204
    assert (await approve(world, second))[1]["code"] == "request_decided"
    assert [item.kind for item in current_ledger(kept).decisions] == ["export"]


async def test_an_old_request_cannot_be_approved(world: World, kept: Path) -> None:
    request_id = await ask(world, "shred")
    world.clock.advance(8 * DAY_S)
    status, problem = await approve(world, request_id)
    assert (status, problem["code"]) == (409, "request_expired")
    assert (kept / layout.SESSION_KEY).exists()


async def test_a_hold_stops_shredding_until_two_people_release_it(world: World, kept: Path) -> None:
    request_id = await ask(world, "shred")
    path = f"/api/v1/archives/{world.consultation.consultation_id}/holds"
    body = {"hold": "case-7", "reason": "court"}
    assert (await world.post(path, body, await world.token("zhao")))[0] == 201
    again = await world.post(path, body, await world.token("zhao"))
    assert (again[0], again[1]["code"]) == (409, "archive_conflict")
    status, problem = await approve(world, request_id)
    assert (status, problem["code"]) == (409, "archive_conflict")
    assert (await keeping(world))["holds"] == ["case-7"]
    release = await ask(world, "release", hold="case-7")
    assert (await approve(world, release))[0] == 200
    assert (await approve(world, request_id))[0] == 200  # it waited
    assert verdict(kept) == 14


async def test_an_archive_that_is_being_written_cannot_be_shredded(world: World) -> None:
    con = world.consultation.consultation_id
    write_secret(world.settings.signing_key_file, support.keys().signer.pem())
    folder = support.write(world.settings.archive_dir, con, close=False)
    path = f"/api/v1/archives/{con}/requests"
    body = {"kind": "shred", "reason": "r"}
    status, problem = await world.post(path, body, await world.token("zhao"))
    assert (status, problem["code"]) == (409, "archive_conflict")
    assert (folder / layout.SESSION_KEY).exists()


async def test_two_who_approve_at_once_make_one_decision(world: World, kept: Path) -> None:
    request_id = await ask(world, "export", "zhao")
    other = await world.token("root")
    path = f"/api/v1/archives/{world.consultation.consultation_id}/requests/{request_id}/approve"
    answers = await asyncio.gather(*(world.post(path, None, other) for _ in range(5)))
    assert 200 in [status for status, _ in answers]
    assert {status for status, _ in answers} <= {200, 409}
    assert len(current_ledger(kept).decisions) == 1


async def test_the_invited_hospital_decides_nothing_about_the_clinics_archive(
    world: World, kept: Path
) -> None:
    path = f"/api/v1/archives/{world.consultation.consultation_id}/requests"
    body = {"kind": "shred", "reason": "r"}
    status, problem = await world.post(path, body, await world.token("zhou"))
    assert (status, problem["code"]) == (403, "not_yours")
    request_id = await ask(world, "shred")
    assert (await approve(world, request_id, "zhou"))[0] == 403
    assert (kept / layout.SESSION_KEY).exists()


async def test_without_the_log_nothing_is_decided(world: World, kept: Path, monkeypatch: Any) -> None:
    async def refuse(**_more: object) -> int:
        raise Unavailable("the disk is full", code="log_unavailable")

    request_id = await ask(world, "shred")
    monkeypatch.setattr(world.context.log, "access", refuse)
    status, problem = await approve(world, request_id)
    assert (status, problem["code"]) == (503, "log_unavailable")
    assert (kept / layout.SESSION_KEY).exists()
    monkeypatch.undo()
    assert (await approve(world, request_id))[0] == 200


async def test_what_is_written_in_a_reason_is_not_in_the_logs(
    world: World, kept: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    await approve(world, await ask(world, "shred", reason="张三 asked for it"))
    assert "张三" not in capsys.readouterr().out


# --- retention -----------------------------------------------------------------------------------------


async def test_a_class_counts_once_two_people_defined_it(world: World, kept: Path) -> None:
    body = {"name": "standard", "days": 30}
    status, made = await world.post("/api/v1/retention-classes", body, await world.token("root"))
    assert (status, made["state"]) == (201, "proposed")
    path = f"/api/v1/retention-classes/{made['class_id']}/approve"
    alone = await world.post(path, None, await world.token("root"))
    assert (alone[0], alone[1]["code"]) == (403, "same_person")
    world.clock.advance(31 * DAY_S)
    assert await sweep(world.context) == []
    assert (await world.post(path, None, await world.token("zhao")))[1]["state"] == "active"
    assert await sweep(world.context) == [world.consultation.consultation_id]
    assert verdict(kept) == 14


async def test_time_shreds_what_is_over_and_says_by_whose_class(world: World, kept: Path) -> None:
    await define(world, "standard", 30, remove_objects=True)
    con = world.consultation.consultation_id
    until = (await keeping(world))["keep_until_us"]
    assert until == (await closed_us(world)) + 30 * DAY_S * 1_000_000
    world.clock.advance(29 * DAY_S)
    assert await sweep(world.context) == []
    assert verdict(kept) == 0
    world.clock.advance(2 * DAY_S)
    assert await sweep(world.context) == [con]
    assert verdict(kept) == 14
    assert LocalFolder(kept).objects() == []
    decision = (await keeping(world))["decisions"][-1]
    people = [world.users[name].user_id for name in ("zhao", "root")]
    assert (decision["policy"], decision["approved_by"]) == ("standard", people)
    leaf = (await about(world, con, "access"))[-1]
    assert (leaf.access, leaf.by, leaf.second, leaf.detail) == ("shred", *people, "standard")
    assert ("service:signaling", "retention_shredded", "ok") in await world.audit()
    assert await sweep(world.context) == []


async def closed_us(world: World) -> int:
    found = await find_consultation(world.database, world.consultation.consultation_id)
    assert found is not None
    assert found.closed_us is not None
    return found.closed_us


async def test_a_hold_outlives_the_class(world: World, kept: Path) -> None:
    await define(world, "standard", 30)
    path = f"/api/v1/archives/{world.consultation.consultation_id}/holds"
    await world.post(path, {"hold": "case-7", "reason": "court"}, await world.token("zhao"))
    world.clock.advance(100 * DAY_S)
    assert await sweep(world.context) == []
    assert verdict(kept) == 0
    await approve(world, await ask(world, "release", hold="case-7"))
    assert await sweep(world.context) == [world.consultation.consultation_id]


async def test_one_person_may_keep_a_consultation_longer_but_not_shorter(world: World, kept: Path) -> None:
    for name, days in (("standard", 30), ("long", 300), ("short", 3)):
        await define(world, name, days)
    path = f"/api/v1/archives/{world.consultation.consultation_id}/retention"
    token = await world.token("root")
    shorter = await world.post(path, {"name": "short"}, token)
    assert (shorter[0], shorter[1]["code"]) == (409, "retention_shorter")
    unknown = await world.post(path, {"name": "nothing"}, token)
    assert (unknown[0], unknown[1]["code"]) == (409, "class_not_active")
    assert (await world.post(path, {"name": "long"}, token))[0] == 204
    world.clock.advance(100 * DAY_S)
    assert await sweep(world.context) == []
    world.clock.advance(201 * DAY_S)
    assert await sweep(world.context) == [world.consultation.consultation_id]
    assert verdict(kept) == 14


async def test_a_class_that_is_defined_anew_replaces_the_old_one(world: World, kept: Path) -> None:
    await define(world, "standard", 30)
    await define(world, "standard", 60)
    _, found = await world.get("/api/v1/retention-classes", await world.token("root"))
    assert [(item["days"], item["state"]) for item in found] == [(60, "active"), (30, "retired")]
    world.clock.advance(31 * DAY_S)
    assert await sweep(world.context) == []
    assert verdict(kept) == 0


async def test_without_classes_everything_is_kept(world: World, kept: Path) -> None:
    world.clock.advance(10_000 * DAY_S)
    assert await sweep(world.context) == []
    assert (await keeping(world))["keep_until_us"] is None
    assert verdict(kept) == 0


async def test_a_damaged_archive_does_not_stop_the_sweep(world: World, kept: Path) -> None:
    await define(world, "standard", 30)
    (kept / layout.DECISIONS).write_bytes(b"rubbish\n")
    world.clock.advance(31 * DAY_S)
    assert await sweep(world.context) == []
    assert (kept / layout.SESSION_KEY).exists()


async def test_what_was_decided_without_the_service_comes_into_its_log(world: World, kept: Path) -> None:
    alice, bob = ArchiveSigner.generate(), ArchiveSigner.generate()
    copies = Copies(LocalFolder(kept), None)
    request = new_request(current_ledger(kept), "shred", kept.name, "r", objects="kept", policy=None)
    request.add(alice, 1)
    request.add(bob, 2)
    record(copies, request, alice, world.clock)
    await sweep(world.context)
    leaf = (await about(world, kept.name, "access"))[-1]
    assert (leaf.access, leaf.by, leaf.second, leaf.detail) == ("shred", alice.public, bob.public, "offline")
    assert not (kept / layout.SESSION_KEY).exists()  # decided, and now carried out
    assert await shredded_us(world.database, kept.name) is not None
    count = len(await about(world, kept.name, "access"))
    await sweep(world.context)
    assert len(await about(world, kept.name, "access")) == count


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    with running_s3(tmp_path_factory.mktemp("s3")) as running:
        yield running


async def test_while_the_store_is_away_the_key_here_is_gone_and_the_sweep_finishes(
    tmp_path: Path, server: S3Server
) -> None:
    settings = server.settings("service")
    gone = settings | {"archive_store_endpoint": "http://127.0.0.1:9"}
    far = server.archive("service")
    async with make_world(tmp_path, **gone) as world:
        folder = await archived(world)
        far.folder(folder.name).write(layout.SESSION_KEY, b"the copy")
        status, done = await approve(world, await ask(world, "shred"))
        assert (status, done["finished"]) == (200, False)
        assert not (folder / layout.SESSION_KEY).exists()
        await sweep(world.context)
        assert await shredded_us(world.database, folder.name) is None
        back = world.context.settings.model_copy(update=settings)
        object.__setattr__(world.context, "settings", back)
        await sweep(world.context)
        assert await shredded_us(world.database, folder.name) is not None
    assert not far.folder(folder.name).has(layout.SESSION_KEY)
    assert far.folder(folder.name).has(layout.DECISIONS)
