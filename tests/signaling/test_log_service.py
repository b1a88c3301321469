"""The archive's log in the service: nothing opens without its leaf, every end has one, everybody gets what
to keep.
"""

from __future__ import annotations

import asyncio
import base64
import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from archive import merkle
from archive.chain import Head
from archive.checkpoint import Checkpoint, Note, VerifierKey
from archive.keys import ArchiveSigner
from archive.log_entries import Leaf, parse_leaf
from archive.log_heads import sign_head
from archive.log_keys import read_key_file
from archive.log_records import ENTRIES, FOLDER, TRUSTED_LOGS
from archive.log_store import LogStore
from archive.witness import cosign, cosignatures
from core import messages
from core.consultations import close_consultation, list_consultations
from core.messages import SignedHead
from signaling import log_writer
from signaling.log_keeper import FINAL_WITHIN_S, HEADS_S, LOG_KEEPER, LogKeeper
from signaling.log_service import HEAD_LOGGED_S
from signaling.log_writer import LogWriter
from tests.archive.log_support import access
from tests.signaling.conftest import WITNESS, WITNESS_KEY, World, make_world
from tests.signaling.test_matrix_rest import form

SIGNER = ArchiveSigner.generate()


async def leaves(world: World) -> list[Leaf]:
    log = world.context.log.writer
    return [parse_leaf(data) for data in await log.ask(lambda store: store.read(0, store.size))]


async def about(world: World, consultation: str, *kinds: str) -> list[Any]:
    found = await leaves(world)
    return [leaf for leaf in found if leaf.consultation == consultation and leaf.kind in kinds]


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.005)


def keeper(world: World) -> LogKeeper:
    return world.app[LOG_KEEPER]


async def closed(world: World, consultation: str) -> Any:
    """Its close leaf, once there is one."""
    async with asyncio.timeout(10):
        while not (found := await about(world, consultation, "close")):
            await keeper(world).tick()
    return found[0]


def signed(consultation: str, entries: int, digit: str = "a", final: bool = False) -> dict[str, Any]:
    head = sign_head(consultation, Head(entries, digit * 64), 1, final, SIGNER)
    return head.model_dump(mode="json")


async def report(world: World, head: dict[str, Any]) -> tuple[int, Any]:
    path = f"/api/v1/consultations/{head['consultation']}/archive-head"
    return await world.post(path, head, await world.recorder_token())


async def open_one(world: World, **changes: Any) -> str:
    status, opened = await world.post("/api/v1/consultations", form(world) | changes, await world.token("li"))
    assert status == 201, opened
    return str(opened["consultation_id"])


async def test_opening_is_in_the_log_before_it_is_anywhere_else(world: World) -> None:
    wanted = await open_one(world)
    (leaf,) = await about(world, wanted, "open")
    assert (leaf.by, leaf.organisation) == (world.users["li"].user_id, world.clinic.organisation_id)
    assert (leaf.record, leaf.reason) == (True, "patient_agreed")
    checkpoint = Checkpoint.parse(Note.parse(await published(world)).text)
    assert checkpoint.size >= 1


async def published(world: World) -> str:
    async with world.session.get("/api/v1/log/checkpoint") as response:
        assert (response.status, response.content_type) == (200, "text/plain")
        return await response.text()


@pytest.mark.parametrize(
    ("consent", "reason"), [(False, "patient_declined"), (True, "site_decided")], ids=["declined", "decided"]
)
async def test_what_is_not_recorded_is_in_the_log_with_the_class_of_its_reason(
    world: World, consent: bool, reason: str
) -> None:
    why = "张三 would rather not"
    wanted = await open_one(world, record=False, consent_record=consent, record_reason=why)
    (leaf,) = await about(world, wanted, "open")
    assert (leaf.record, leaf.reason) == (False, reason)
    await world.post(f"/api/v1/consultations/{wanted}/close", None, await world.token("li"))
    assert (await closed(world, wanted)).state == "unrecorded"
    data = (world.settings.archive_dir / FOLDER / ENTRIES).read_text()
    assert "张" not in data
    assert "rather" not in data


async def test_without_the_log_nothing_can_be_opened_and_nothing_is_stored(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    await until(lambda: world.context.log.failure is None)
    monkeypatch.setattr(log_writer, "RETRY_S", 0.01)
    token, before = await world.token("li"), await list_consultations(world.database)

    def refuse(_store: LogStore, _leaves: Any) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(LogStore, "append", refuse)
        status, problem = await world.post("/api/v1/consultations", form(world), token)
        assert (status, problem["code"]) == (503, "log_unavailable")
        assert "No space left" in problem["detail"]
        assert await list_consultations(world.database) == before
        ready = (await world.get("/readyz"))[1]
        assert any("archive's log" in note for note in ready["notes"])
        async with world.session.get("/metrics") as response:
            assert "teleconsult_archive_log_failing 1.0" in await response.text()
    assert (await world.post("/api/v1/consultations", form(world), token))[0] == 201


async def test_a_running_consultation_goes_on_without_the_log(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And who came in meanwhile is in it as soon as the disk allows."""
    await until(lambda: world.context.log.failure is None)
    monkeypatch.setattr(log_writer, "RETRY_S", 0.01)

    def refuse(_store: LogStore, _leaves: Any) -> int:
        raise OSError(errno.EIO, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(LogStore, "append", refuse)
        await world.join(world.users["bai"].user_id, "specialist")
    con = world.consultation.consultation_id
    async with asyncio.timeout(10):
        while not (joined := await about(world, con, "access")):
            await asyncio.sleep(0.01)
    assert [(leaf.access, leaf.by) for leaf in joined] == [("join", world.users["bai"].user_id)]


async def test_who_comes_in_and_who_is_refused_is_in_the_log(world: World) -> None:
    con = world.consultation.consultation_id
    await world.join(world.users["bai"].user_id, "specialist")
    status, _ = await world.post("/api/v1/rooms/demo/join", None, await world.token("zhao"))
    assert status == 403
    await world.context.log.access(kind="replay", by=world.users["zhao"].user_id, consultation=con)
    found = [(leaf.access, leaf.by, leaf.detail) for leaf in await about(world, con, "access")]
    assert found == [
        ("join", world.users["bai"].user_id, "specialist"),
        ("replay", world.users["zhao"].user_id, ""),
    ]
    denied = [leaf for leaf in await leaves(world) if leaf.kind == "access" and leaf.access == "denied"]
    assert [(leaf.by, leaf.detail) for leaf in denied] == [
        (world.users["zhao"].user_id, "room_token.role_may_not_join")
    ]


async def test_names_do_not_get_into_the_log(world: World) -> None:
    await world.context.log.access(kind="replay", by="王 医生", consultation="张三", detail="Für 张三")
    (leaf,) = [leaf for leaf in await leaves(world) if leaf.kind == "access"]
    assert (leaf.by, leaf.consultation, leaf.detail) == ("unknown", None, "other")


async def test_everybody_in_the_room_gets_head_and_checkpoint_to_keep(world: World) -> None:
    con = world.consultation.consultation_id
    await world.context.log.open_late(world.consultation)
    clients = [(await world.join(world.users["bai"].user_id, "specialist"))[0]]
    clients.append((await world.join("device:plain", "device"))[0])
    assert (await report(world, signed(con, 4)))[0] == 204
    world.clock.advance(HEADS_S + 1)
    await keeper(world).tick()
    for client in clients:
        told = await client.next(messages.ArchiveHead, head=SignedHead.model_validate(signed(con, 4)))
        note = Note.parse(told.checkpoint)
        assert note.signed_by([world.context.log.writer.verifier]) is not None


async def test_heads_are_logged_at_first_and_every_minute_while_they_grow(world: World) -> None:
    con = world.consultation.consultation_id
    await world.context.log.open_late(world.consultation)
    for entries in (2, 3, 4):
        assert (await report(world, signed(con, entries)))[0] == 204
    await keeper(world).tick()
    assert [leaf.entries for leaf in await about(world, con, "head")] == [2]
    for _ in range(2):
        world.clock.advance(HEAD_LOGGED_S + 1)
        await keeper(world).tick()
    assert [leaf.entries for leaf in await about(world, con, "head")] == [2, 4]


@pytest.mark.parametrize(
    ("head", "status", "code"),
    [
        ({"entries": 3}, 409, "head_contradicts"),
        ({"entries": 5, "digit": "b"}, 409, "head_contradicts"),
        ({"entries": 5}, 204, None),
        ({"entries": 9, "digit": "c"}, 204, None),
    ],
)
async def test_an_archive_cannot_go_back_unnoticed(
    world: World, head: dict[str, Any], status: int, code: str | None
) -> None:
    con = world.consultation.consultation_id
    await world.context.log.open_late(world.consultation)
    await report(world, signed(con, 5))
    found = await report(world, signed(con, **head))
    assert (found[0], found[1] and found[1]["code"]) == (status, code)
    await world.context.log.access(kind="hold", by="u_1", consultation=None)  # after what was noted
    denied = [leaf.detail for leaf in await about(world, con, "access")]
    assert denied == (["head_contradicts"] if code else [])


async def test_a_head_has_to_be_signed_and_of_that_consultation(world: World) -> None:
    con = world.consultation.consultation_id
    await world.context.log.open_late(world.consultation)
    head = signed(con, 5)
    status, problem = await report(world, head | {"entries": 6})
    assert (status, problem["code"]) == (422, "head_invalid")
    path = f"/api/v1/consultations/{con}/archive-head"
    status, problem = await world.post(path, signed("c_other", 5), await world.recorder_token())
    assert (status, problem["code"]) == (422, "head_invalid")


async def test_the_close_leaf_carries_the_archives_last_line(world: World) -> None:
    wanted = await open_one(world)
    await report(world, signed(wanted, 7))
    await world.post(f"/api/v1/consultations/{wanted}/close", None, await world.token("li"))
    await keeper(world).tick()
    assert await about(world, wanted, "close") == []
    assert wanted in (await world.get("/api/v1/log/awaited", await world.recorder_token()))[1]
    await report(world, signed(wanted, 8, "b", final=True))
    leaf = await closed(world, wanted)
    assert (leaf.state, leaf.entries, leaf.head) == ("final", 8, "b" * 64)
    assert wanted not in (await world.get("/api/v1/log/awaited", await world.recorder_token()))[1]


async def test_a_recorder_that_does_not_report_in_time_leaves_a_provisional_close_and_an_addendum(
    world: World,
) -> None:
    wanted = await open_one(world)
    await report(world, signed(wanted, 7))
    await world.post(f"/api/v1/consultations/{wanted}/close", None, await world.token("li"))
    world.clock.advance(FINAL_WITHIN_S + 1)
    leaf = await closed(world, wanted)
    assert (leaf.state, leaf.entries, leaf.head) == ("provisional", 7, "a" * 64)
    assert (await report(world, signed(wanted, 9, "c", final=True)))[0] == 204
    (late,) = await about(world, wanted, "addendum")
    assert (late.reason, late.entries, late.head) == ("late_close", 9, "c" * 64)


async def test_a_consultation_closed_beside_the_service_is_closed_in_the_log(world: World) -> None:
    await world.context.log.open_late(world.consultation)
    await close_consultation(world.database, world.consultation.consultation_id)
    world.clock.advance(6)
    await keeper(world).tick()
    world.clock.advance(FINAL_WITHIN_S + 1)
    leaf = await closed(world, world.consultation.consultation_id)
    assert (leaf.state, leaf.head) == ("provisional", None)


async def test_a_consultation_opened_beside_the_service_gets_its_leaf(world: World) -> None:
    async with asyncio.timeout(10):
        while not await about(world, world.consultation.consultation_id, "open"):
            await keeper(world).tick()


async def test_what_was_announced_but_never_stored_is_closed_as_not_opened(world: World) -> None:
    from dataclasses import replace

    ghost = replace(world.consultation, consultation_id="c_" + "0" * 26)
    await world.context.log.open(ghost)
    world.clock.advance(6)
    assert (await closed(world, ghost.consultation_id)).state == "not_opened"


async def test_the_log_goes_on_after_a_restart(tmp_path: Path) -> None:
    async with make_world(tmp_path / "a") as first:
        wanted = await open_one(first)
        await report(first, signed(wanted, 3))
        before, folder = await leaves(first), first.settings.archive_dir / FOLDER
        key = first.settings.log_key_file
    (tmp_path / "b" / "keys").mkdir(parents=True)
    (tmp_path / "b" / "keys" / key.name).write_bytes(key.read_bytes())
    folder.parent.rename(tmp_path / "b" / "archive")
    async with make_world(tmp_path / "b") as second:
        await until(lambda: second.context.log.failure is None)
        assert (await leaves(second))[: len(before)] == before
        assert second.context.log.knows(wanted)
        head = SignedHead.model_validate(signed(wanted, 2))
        with pytest.raises(Exception, match="further already"):
            await second.context.log.report(head)


async def test_a_second_process_waits_for_the_log_instead_of_writing_beside_the_first(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    await until(lambda: world.context.log.failure is None)
    monkeypatch.setattr(log_writer, "RETRY_S", 0.01)
    first, key = world.context.log.writer, ArchiveSigner.generate()
    other = LogWriter(world.settings.archive_dir / FOLDER, first.verifier, key, world.clock)
    running = asyncio.create_task(other.run())
    await until(lambda: other.failure == "another process writes it")
    with pytest.raises(Exception, match="another process"):
        await other.append(access(1))
    running.cancel()
    await asyncio.wait([running])


async def test_what_nobody_waits_for_is_bounded_and_the_loss_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_writer, "MAX_POSTED", 3)
    from core.clock import SystemClock

    key = ArchiveSigner.generate()
    writer = LogWriter(tmp_path / FOLDER, VerifierKey.of("x", key.public), key, SystemClock())
    for number in range(8):
        writer.post(access(number))
    running = asyncio.create_task(writer.run())
    await until(lambda: writer.book.size == 4)
    running.cancel()
    await asyncio.wait([running])
    store = LogStore.open(tmp_path / FOLDER, "x", key)
    found = [parse_leaf(data) for data in store.read(0, 9)]
    assert found[1:] == [access(number) for number in range(3)]
    lost: Any = found[0]
    assert (lost.access, lost.detail) == ("lost", "5")


async def test_what_was_said_before_the_end_is_written_before_the_end(tmp_path: Path) -> None:
    async with make_world(tmp_path) as world:
        await until(lambda: world.context.log.failure is None)
        for number in range(50):
            world.context.log.note(kind="join", by=f"u_{number}", consultation=None)
        folder = world.settings.archive_dir / FOLDER
    assert (folder / ENTRIES).read_bytes().count(b'"join"') == 50


# --- over HTTP ---------------------------------------------------------------------------


async def test_a_stranger_can_follow_the_log_by_its_proofs(world: World) -> None:
    await open_one(world)
    for number in range(20):
        await world.context.log.access(kind="replay", by=f"u_{number}", consultation=None)
    old = Checkpoint.parse(Note.parse(await published(world)).text)
    for number in range(13):
        await world.context.log.access(kind="replay", by=f"u_{number}", consultation=None)
    new = Checkpoint.parse(Note.parse(await published(world)).text)
    _, answer = await world.get(f"/api/v1/log/consistency?from={old.size}&to={new.size}")
    proof = [base64.b64decode(item) for item in answer["proof"]]
    assert merkle.verify_consistency(old.size, new.size, old.root, new.root, proof)
    _, page = await world.get(f"/api/v1/log/entries?from=0&to={new.size}", await world.token("root"))
    hashes = [base64.b64decode(item["hash"]) for item in page["leaves"]]
    assert merkle.root_of(hashes) == new.root
    _, answer = await world.get(f"/api/v1/log/inclusion?index=3&size={new.size}")
    proof = [base64.b64decode(item) for item in answer["proof"]]
    assert merkle.verify_inclusion(hashes[3], 3, new.size, proof, new.root)
    for path in (f"inclusion?index={new.size}&size={new.size}", "consistency?from=5&to=99999"):
        status, problem = await world.get(f"/api/v1/log/{path}")
        assert (status, problem["code"]) == (404, "leaf_not_found")
    status, problem = await world.get("/api/v1/log/inclusion?index=x&size=1")
    assert (status, problem["code"]) == (422, "invalid_query")


async def test_other_organisations_leaves_are_shown_as_hashes_only(world: World) -> None:
    wanted = await open_one(world)
    await world.context.log.access(kind="replay", by="u_1", consultation=None)
    _, own = await world.get("/api/v1/log/entries", await world.token("zhao"))
    _, others = await world.get("/api/v1/log/entries", await world.token("feng"))
    assert any(leaf["leaf"] and wanted in leaf["leaf"] for leaf in own["leaves"])
    assert all(leaf["leaf"] is None for leaf in others["leaves"])
    assert [leaf["hash"] for leaf in own["leaves"]] == [leaf["hash"] for leaf in others["leaves"]]


async def test_a_registered_witness_cosigns_and_nobody_else(world: World) -> None:
    await world.context.log.open_late(world.consultation)
    note = Note.parse(await published(world))
    line = cosign(note.text, WITNESS_KEY.name, WITNESS, 1_700_000_000)
    body = {"checkpoint": Note(note.text, (*note.signatures, line)).spell()}
    assert (await world.post("/api/v1/log/cosignatures", body))[0] == 204
    found = cosignatures(Note.parse(await published(world)), [WITNESS_KEY])
    assert [item.at_s for item in found] == [1_700_000_000]
    stranger = cosign(note.text, "stranger.example", ArchiveSigner.generate(), 1)
    body = {"checkpoint": Note(note.text, (stranger,)).spell()}
    status, problem = await world.post("/api/v1/log/cosignatures", body)
    assert (status, problem["code"]) == (422, "witness_unknown")
    fork = Checkpoint(world.context.log.writer.verifier.name, 1, b"\1" * 32)
    line = cosign(fork.text, WITNESS_KEY.name, WITNESS, 2)
    status, problem = await world.post(
        "/api/v1/log/cosignatures", {"checkpoint": Note(fork.text, (line,)).spell()}
    )
    assert (status, problem["code"]) == (400, "checkpoint_unknown")
    status, problem = await world.post("/api/v1/log/cosignatures", {"checkpoint": "nonsense"})
    assert (status, problem["code"]) == (400, "protocol_error")


async def test_the_logs_key_is_made_once_and_published_beside_the_signers(world: World) -> None:
    _, keys = await world.get("/api/v1/log/keys")
    await until(lambda: (world.settings.archive_dir / TRUSTED_LOGS).exists())
    (trusted,) = read_key_file(world.settings.archive_dir / TRUSTED_LOGS, 1)
    assert trusted.key.text == keys["log"]
    assert keys["witnesses"] == [WITNESS_KEY.text]
    assert os.stat(world.settings.log_key_file).st_mode & 0o777 == 0o600


async def test_what_is_recorded_after_all_is_closed_with_its_archive(world: World) -> None:
    wanted = await open_one(world, record=False, record_reason="not now")
    assert (await report(world, signed(wanted, 3)))[0] == 204
    await world.post(f"/api/v1/consultations/{wanted}/close", None, await world.token("li"))
    await keeper(world).tick()
    assert await about(world, wanted, "close") == []
    await report(world, signed(wanted, 4, "b", final=True))
    assert (await closed(world, wanted)).state == "final"
