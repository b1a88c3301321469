"""Every operation of the HTTP API × everybody who may call: let in, or refused with the declared code.

Generated from the declarations: an operation that is new and has no request here fails, and what is expected
is computed from its `who`, `scope` and `grants`.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import pytest
from pydantic import TypeAdapter

from archive.chain import Head
from archive.checkpoint import Note
from archive.keys import ArchiveSigner, write_secret
from archive.log_heads import sign_head
from archive.log_store import LogStore
from archive.ring import sign_buffer_key
from archive.ring_messages import BackfillAnswer, BackfillQuestion
from archive.specs import Span
from archive.witness import cosign
from core import consultations, devices, invitations, messages
from core.archive_requests import add_request
from core.enrolments import create_code
from core.errors import TeleconsultError
from core.ids import new_id
from core.retention import active_class, approve_class, propose_class
from core.tokens import Grants
from signaling.api import Operation, Raw
from signaling.archive_keeper import Keeper
from signaling.backfill import Lease
from signaling.declared import declared_operations
from signaling.openapi import PROBLEM, problem_codes
from tests.archive.support import VIDEO, create, piece
from tests.archive.support import keys as archive_keys
from tests.signaling.boxes import Box, enrolled
from tests.signaling.callers import COLUMNS, Column
from tests.signaling.conftest import PASSWORD, PEOPLE, WITNESS, WITNESS_KEY, World, bearer
from tests.signaling.room_people import enter, person

OPERATIONS: Final = {operation.name: operation for operation in declared_operations(Path("none"))}
LET_IN: Final = "let in"
STILL: Final = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x02\0\0\0\x01\x08\x02\0\0\0"
"""As far as the service looks."""
RECORDED: Final = "ultrasound-device-video"
SDP: Final = {"Content-Type": "application/sdp"}
FRAGMENT: Final = {"Content-Type": "application/trickle-ice-sdpfrag", "If-Match": "*"}


@dataclass(frozen=True)
class Wanted:
    """A request that succeeds for those who may make it."""

    path: str
    json: Any = None
    data: Any = None
    headers: dict[str, str] = field(default_factory=dict)


Arrange = Callable[[World, Column], Awaitable[Wanted]]


# --- requests ----------------------------------------------------------------------------


def plain(path: str, json: Any = None, **more: Any) -> Arrange:
    async def arrange(world: World, _column: Column) -> Wanted:
        return Wanted(path.format(con=world.consultation.consultation_id), json, **more)

    return arrange


def form(world: World) -> dict[str, Any]:
    return {
        "patient": {"name": "张三", "sex": "male", "age": 57, "exam_number": "US-1"},
        "consent_consult": True,
        "consent_record": True,
        "record": True,
        "devices": [world.box.device_id],
        "invited": [world.hospital.organisation_id],
    }


async def opening(world: World, _column: Column) -> Wanted:
    wanted = form(world)
    if _column.name != "li":
        wanted["devices"] = []  # those of others do not exist for them
        wanted["patient"]["exam_number"] = _column.name
    return Wanted("/api/v1/consultations", wanted)


async def inviting(world: World, _column: Column) -> Wanted:
    path = f"/api/v1/consultations/{world.consultation.consultation_id}/organisations"
    return Wanted(path, {"organisation_id": world.elsewhere.organisation_id})


async def attaching(world: World, _column: Column) -> Wanted:
    path = f"/api/v1/consultations/{world.consultation.consultation_id}/devices"
    return Wanted(path, {"device_id": world.box.device_id})


async def revoking(world: World, _column: Column) -> Wanted:
    invitation, _ = await world.invite()
    con = world.consultation.consultation_id
    return Wanted(f"/api/v1/consultations/{con}/invitations/{invitation.invitation_id}")


async def redeeming(world: World, _column: Column) -> Wanted:
    _, token = await world.invite()
    return Wanted("/api/v1/invitations/redeem", {"token": token})


async def refreshing(world: World, _column: Column) -> Wanted:
    tokens = await world.login("bai")
    return Wanted("/api/v1/auth/refresh", {"refresh_token": tokens["refresh_token"]})


async def serving(world: World, _column: Column) -> Wanted:
    secret = world.settings.service_secret_file.read_text().strip()
    return Wanted("/api/v1/auth/service", {"name": "recorder", "secret": secret})


async def fetching(world: World, _column: Column) -> Wanted:
    token = world.room_token("u_sender", "specialist")
    headers = bearer(token) | {"Content-Type": "application/octet-stream", "X-File-Name": "a.txt"}
    async with world.session.post("/api/v1/rooms/demo/files", data=b"text", headers=headers) as response:
        assert response.status == 201, await response.text()
        sent = await response.json()
    return Wanted(f"/api/v1/rooms/demo/files/{sent['file_id']}")


async def sending_still(world: World, column: Column) -> Wanted:
    """A frame that this very caller is asked for, if it could be a box."""
    asked = "device:somebody"
    if column.credential == "room":
        asked = world.context.tokens.verify_room(str(await column.token(world))).sub
    room = world.context.service.rooms.get("demo")
    if room is None or not room.members:
        await enter(world, person(world, "host"))  # else there is no room to freeze anything in
    stills = world.context.service.stills.of(world.consultation.consultation_id)
    stills.loaded = True
    for known in list(stills.wanted):
        stills.failed(known, "gone")
    for known in list(stills.ready):
        stills.put_away(known, "", moderates=True)
    still = messages.Still(
        still_id=new_id("fz"), ref="1", feed="ultrasound", captured_us=1, name="Li", at_us=1
    )
    stills.freeze(still, asked)
    digest = base64.b64encode(hashlib.sha256(STILL).digest()).decode()
    headers = {"Content-Type": "image/png", "Content-Digest": f"sha-256=:{digest}:"}
    return Wanted(f"/api/v1/rooms/demo/stills/{still.still_id}", data=STILL, headers=headers)


async def fetching_still(world: World, column: Column) -> Wanted:
    box = next(one for one in COLUMNS if one.credential == "room" and one.role == "device")
    wanted = await sending_still(world, box)
    headers = wanted.headers | bearer(await box.token(world))
    async with world.session.post(wanted.path, data=wanted.data, headers=headers) as response:
        assert response.status == 201, await response.text()
    return Wanted(wanted.path)


async def archiving(world: World, column: Column) -> Wanted:
    file_id = (await fetching(world, column)).path.rpartition("/")[2]
    return Wanted(f"/api/v1/consultations/{world.consultation.consultation_id}/files/{file_id}")


def archived(path: str, **more: Any) -> Arrange:
    """Of an archive that holds an init piece, a piece and events."""

    async def arrange(world: World, _column: Column) -> Wanted:
        con = world.consultation.consultation_id
        if not (world.settings.archive_dir / con).exists():
            writer = create(world.settings.archive_dir, con)
            writer.start_generation(RECORDED, VIDEO, b"init", "start")
            writer.write_piece(RECORDED, 0, piece(0), b"a second")
            writer.write_events(Span(0, 1), 1, b"{}")
            writer.write_file("f_1", b"a file")
            writer.close("consultation_closed")
        return Wanted(f"/api/v1/archives/{con}{path}", **more)

    return arrange


async def published(world: World) -> str:
    """The session of a feed somebody else publishes."""
    response = await world.whip("theatre", world.room_token("device:plain", "device"))
    assert response.status == 201
    return response.headers["Location"]


async def watching(world: World, _column: Column) -> Wanted:
    await published(world)
    return Wanted("/whep/demo/theatre", data="v=0\r\n", headers=SDP)


def session_of(kind: str, **more: Any) -> Arrange:
    """A session of the caller, if the caller may begin one; else somebody else's."""

    async def arrange(world: World, column: Column) -> Wanted:
        session = await published(world)
        if kind == "whep":
            session = await begun(world, "/whep/demo/theatre", world.room_token("player:0", "specialist"))
        if column.credential == "room" and expected(OPERATIONS[kind], column) == LET_IN:
            feed = "ultrasound" if kind == "whip" else "theatre"
            session = await begun(world, f"/{kind}/demo/{feed}", str(await column.token(world)))
        return Wanted(session, **more)

    return arrange


async def begun(world: World, path: str, token: str) -> str:
    """A new session's URL."""
    async with world.session.post(path, data="v=0\r\n", headers=SDP | bearer(token)) as response:
        assert response.status == 201, await response.text()
        return response.headers["Location"]


async def cosigning(world: World, _column: Column) -> Wanted:
    note = Note.parse(await world.context.log.writer.ask(LogStore.published))
    line = cosign(note.text, WITNESS_KEY.name, WITNESS, 1_700_000_000)
    return Wanted(
        "/api/v1/log/cosignatures", {"checkpoint": Note(note.text, (*note.signatures, line)).spell()}
    )


async def reporting_head(world: World, _column: Column) -> Wanted:
    con = world.consultation.consultation_id
    head = sign_head(con, Head(1, "1" * 64), 1, False, ArchiveSigner.generate())
    return Wanted(f"/api/v1/consultations/{con}/archive-head", head.model_dump(mode="json"))


def kept(path: str, json: Any = None) -> Arrange:
    """Of an archive whose signing key is the service's; `HOLD`: a name that is not taken; `REQUEST`: what
    somebody else has asked for.
    """

    async def arrange(world: World, column: Column) -> Wanted:
        await archived("")(world, column)
        key = world.settings.signing_key_file
        if not key.exists():
            write_secret(key, archive_keys().signer.pem())
        con = world.consultation.consultation_id
        where = f"/api/v1/archives/{con}{path}"
        if "REQUEST" in path:
            keeper = Keeper(world.settings, world.clock)
            request = keeper.ask(con, "export", "court", form="wall")
            stored = await add_request(world.database, con, "export", request.to_json(), "u_other")
            where = where.replace("REQUEST", stored.request_id)
        hold = column.name.replace(" ", "-")
        body = json and {name: hold if value == "HOLD" else value for name, value in json.items()}
        return Wanted(where, body)

    return arrange


async def decided(world: World, column: Column) -> Wanted:
    await kept("")(world, column)
    con, keeper = world.consultation.consultation_id, Keeper(world.settings, world.clock)
    if "h" not in keeper.ledger(con).holds:
        request = keeper.ask(con, "hold", "court", hold="h")
        request.add_signed_in("u_other", 1)
        keeper.decide(con, request)
    return Wanted(f"/api/v1/archives/{con}/decisions")


async def approving_class(world: World, column: Column) -> Wanted:
    """Each organisation has its own; somebody else of it proposed this one."""
    name = PEOPLE.get(column.name, ("", "Clinic"))[1]
    org = next(one for one in (world.clinic, world.hospital, world.elsewhere) if one.name == name)
    made = await propose_class(world.database, org.organisation_id, "short", 30, False, "u_other")
    return Wanted(f"/api/v1/retention-classes/{made.class_id}/approve")


async def keeping_longer(world: World, _column: Column) -> Wanted:
    org = world.clinic.organisation_id
    for name, days in (("standard", 30), ("long", 60)):
        if await active_class(world.database, org, name) is None:
            made = await propose_class(world.database, org, name, days, False, "u_one")
            await approve_class(world.database, org, made.class_id, "u_other")
    return Wanted(f"/api/v1/archives/{world.consultation.consultation_id}/retention", {"name": "long"})


async def own_box(world: World, column: Column) -> str:
    """One of the organisation of whoever calls."""
    name = PEOPLE.get(column.name, ("", "Clinic"))[1]
    org = next(one for one in (world.clinic, world.hospital, world.elsewhere) if one.name == name)
    made = await devices.create_device(
        world.database, organisation_id=org.organisation_id, name="Own", feeds=["ultrasound"]
    )
    return made.device_id


def of_own_box(path: str, json: Any = None) -> Arrange:
    async def arrange(world: World, column: Column) -> Wanted:
        return Wanted(f"/api/v1/devices/{await own_box(world, column)}{path}", json)

    return arrange


async def enrolling(world: World, column: Column) -> Wanted:
    code = await create_code(world.database, await own_box(world, column))
    return Wanted("/api/v1/devices/enrol", Box(world).enrolment(code.code))


def signing(path: str, *, for_kiosk: bool = False) -> Arrange:
    """Signed by the key of a box that is attached; who calls does not matter."""

    async def arrange(world: World, _column: Column) -> Wanted:
        box = await enrolled(world)
        world.clock.advance(60)
        return Wanted(path, await box.signed(for_kiosk=for_kiosk))

    return arrange


RING: Final = "a" * 64


def delivering(path: str, json: Any = None, data: bytes | None = None) -> Arrange:
    """A box that has a lease (`LEASE`), and a recorder that answers one question."""

    async def arrange(world: World, _column: Column) -> Wanted:
        box = await enrolled(world)
        world.clock.advance(60)
        con, waiting = world.consultation.consultation_id, world.context.backfill
        made = Lease(box.device_id, box.public, ("ultrasound",), con, world.clock.monotonic_ns() + 10**12)
        lease = waiting.lease(made)
        body = json and {name: lease if value == "LEASE" else value for name, value in json.items()}
        if json is None and data is None:
            body = await box.backfill_request(con)
        background(world, answering(world, box))
        return Wanted(path, body, data, {"X-Lease": lease})

    return arrange


def questioned(path: str, json: Any = None) -> Arrange:
    """A box's question that waits for its answer."""

    async def arrange(world: World, _column: Column) -> Wanted:
        waiting, box = world.context.backfill, Box(world, "d_box")
        await asyncio.wait_for(waiting.next(world.clock), 10)
        question = BackfillQuestion(
            question_id=new_id("bq"),
            consultation=world.consultation.consultation_id,
            device="d_box",
            public_key=box.public,
            feeds=[],
            step="piece",
        )
        background(world, waiting.ask(question, world.clock, b"sealed"))
        await asyncio.sleep(0)
        return Wanted(path.format(question=question.question_id), json)

    return arrange


async def answering(world: World, box: Box) -> None:
    """What a recorder would say to the next question."""
    waiting, con = world.context.backfill, world.consultation.consultation_id
    question = await waiting.next(world.clock)
    assert question is not None
    key = sign_buffer_key(con, box.device_id, 1, "age1" + "q" * 58, 1, archive_keys().signer)
    waiting.answer(question.question_id, BackfillAnswer(known=1, key=key if question.step == "key" else None))


def background(world: World, work: Coroutine[Any, Any, Any]) -> None:
    """Beside the request."""

    async def quietly() -> None:
        with contextlib.suppress(TeleconsultError):
            await work

    world.context.service.background.spawn(quietly())


CANDIDATE: Final = "a=mid:0\r\na=candidate:1 1 udp 1 192.0.2.1 9 typ host\r\n"
REQUESTS: Final[dict[str, Arrange]] = {
    "login": plain("/api/v1/auth/login", {"username": "bai", "password": PASSWORD}),
    "refresh": refreshing,
    "logout": plain("/api/v1/auth/logout"),
    "logout_others": plain("/api/v1/auth/logout-others"),
    "change_password": plain(
        "/api/v1/auth/password", {"password": PASSWORD, "new_password": "another good password"}
    ),
    "service_login": serving,
    "me": plain("/api/v1/me"),
    "list_organisations": plain("/api/v1/organisations"),
    "list_devices": plain("/api/v1/devices"),
    "add_device": plain("/api/v1/devices", {"name": "Theatre 3", "feeds": ["scope"]}),
    "device_code": of_own_box("/code", {}),
    "device_revoke": of_own_box("/revoke"),
    "device_log": of_own_box("/log-level", {"level": "debug"}),
    "enrol": enrolling,
    "device_challenge": plain("/api/v1/devices/challenge", {"device_id": "d_" + "0" * 26}),
    "device_token": signing("/api/v1/devices/token"),
    "backfill_lease": delivering("/api/v1/devices/backfill"),
    "backfill_ask": delivering(
        "/api/v1/devices/backfill/ask", {"lease": "LEASE", "step": "wanted", "ring": RING}
    ),
    "backfill_piece": delivering(f"/api/v1/devices/backfill/{RING}/3", data=b"sealed"),
    "backfill_next": plain("/api/v1/backfill/next"),
    "backfill_question_piece": questioned("/api/v1/backfill/{question}/piece"),
    "backfill_answer": questioned("/api/v1/backfill/{question}/answer", {"known": 1}),
    "device_kiosk": signing("/api/v1/devices/kiosk", for_kiosk=True),
    "list_retention_choices": plain("/api/v1/retention-choices"),
    "fetch_file_for_archive": archiving,
    "list_opinions": plain("/api/v1/consultations/{con}/opinions"),
    "list_taking_part": plain("/api/v1/consultations/{con}/organisations"),
    "invite_organisation": inviting,
    "list_attached": plain("/api/v1/consultations/{con}/devices"),
    "attach_device": attaching,
    "detach_device": plain("/api/v1/consultations/{con}/devices/BOX"),
    "invite": plain("/api/v1/consultations/{con}/invitations", {"name": "Dr Guest"}),
    "list_invitations": plain("/api/v1/consultations/{con}/invitations"),
    "revoke_invitation": revoking,
    "list_consultations": plain("/api/v1/consultations?state=open"),
    "open": opening,
    "show_consultation": plain("/api/v1/consultations/{con}"),
    "close": plain("/api/v1/consultations/{con}/close"),
    "room_token": plain("/api/v1/rooms/demo/join"),
    "redeem": redeeming,
    "send_file": plain(
        "/api/v1/rooms/demo/files",
        data=b"text",
        headers={"Content-Type": "application/octet-stream", "X-File-Name": "a.txt"},
    ),
    "fetch_file": fetching,
    "send_still": sending_still,
    "fetch_still": fetching_still,
    "archive_decisions": decided,
    "archive_keeping": kept("/keeping"),
    "archive_hold": kept("/holds", {"hold": "HOLD", "reason": "court"}),
    "archive_ask": kept("/requests", {"kind": "export", "reason": "court", "form": "wall"}),
    "archive_approve": kept("/requests/REQUEST/approve"),
    "archive_withdraw": kept("/requests/REQUEST"),
    "list_archive_requests": plain("/api/v1/archive-requests"),
    "set_retention": keeping_longer,
    "list_retention_classes": plain("/api/v1/retention-classes"),
    "propose_retention_class": plain("/api/v1/retention-classes", {"name": "short", "days": 30}),
    "approve_retention_class": approving_class,
    "list_archives": plain("/api/v1/archives"),
    "list_archive_signers": plain("/api/v1/archive-signers"),
    "list_archive_people": plain("/api/v1/archive-people"),
    "archive_logged": archived("/log"),
    "show_archive": archived(""),
    "replay": archived("/replays"),
    "archive_manifest": archived("/manifest"),
    "archive_key": archived("/key"),
    "archive_closing": archived("/closing"),
    "archive_piece": archived(f"/tracks/{RECORDED}/000/init.mp4.age"),
    "archive_run": archived(f"/runs/{RECORDED}/000?first=1&last=2"),
    "archive_file": archived("/files/000001.age"),
    "archive_events": archived("/events/000001.jsonl.age"),
    "whip": plain("/whip/demo/ultrasound", data="v=0\r\n", headers=SDP),
    "whip_options": plain("/whip/demo/ultrasound"),
    "whip_patch": session_of("whip", data=CANDIDATE, headers=FRAGMENT),
    "whip_end": session_of("whip"),
    "whip_session_options": plain("/whip/demo/ultrasound/t_none"),
    "whep": watching,
    "whep_options": plain("/whep/demo/theatre"),
    "whep_patch": session_of("whep", data=CANDIDATE, headers=FRAGMENT),
    "whep_end": session_of("whep"),
    "whep_session_options": plain("/whep/demo/theatre/t_none"),
    "log_checkpoint": plain("/api/v1/log/checkpoint"),
    "log_keys": plain("/api/v1/log/keys"),
    "log_entries": plain("/api/v1/log/entries?from=0&to=5"),
    "log_inclusion": plain("/api/v1/log/inclusion?index=0&size=1"),
    "log_consistency": plain("/api/v1/log/consistency?from=0&to=1"),
    "log_cosign": cosigning,
    "log_awaited": plain("/api/v1/log/awaited"),
    "report_head": reporting_head,
    "healthz": plain("/healthz"),
    "readyz": plain("/readyz"),
    "metrics": plain("/metrics"),
    "openapi": plain("/openapi.json"),
    "docs": plain("/docs"),
    "web_client": plain("/"),
}
ELSEWHERE: Final = {"room_socket": "tests/signaling/test_matrix_messages.py: who may say what over it"}
TWO_WAYS: Final = {"whip_patch": {204}, "whep_patch": {204}}
"""Where a success has another status than the declared one."""


# --- expectations ------------------------------------------------------------------------


def expected(operation: Operation, column: Column) -> str:
    """`let in`, or status and code of the refusal."""
    if operation.who == "anyone":
        return LET_IN
    if column.credential == "none":
        return "401 unauthorized"
    if (column.credential == "room") != (operation.who == "room"):
        return "401 token_invalid"
    return _in_room(operation, column) if operation.who == "room" else _signed_in(operation, column)


def _signed_in(operation: Operation, column: Column) -> str:
    about_one = operation.scope in ("part", "host", "own")
    if about_one and column.relation == "none":
        return "404 room_not_found" if "{room}" in operation.path else "404 consultation_not_found"
    if column.kind not in operation.who:
        return f"403 {operation.role_code}"
    if operation.scope == "host" and column.relation != "host":
        return "403 not_yours"
    if operation.scope == "own" and not column.own:
        return "403 not_yours"
    return LET_IN


def _in_room(operation: Operation, column: Column) -> str:
    assert column.grants is not None
    if operation.own:
        return _by_wish(operation, column)
    refusals = {
        "other room": "403 wrong_room",
        "other patient": "404 consultation_closed",
        "detached": "403 device_not_attached",
        "lobby": "403 not_admitted",
    }
    if column.room in refusals:
        return refusals[column.room]
    return LET_IN if _granted(operation, column.grants) else "403 not_granted"


def _by_wish(operation: Operation, column: Column) -> str:
    """WHIP and WHEP: what a token allows comes before where; sessions belong to their subject."""
    publishes = operation.name.startswith("whip")
    assert column.grants is not None
    may = column.role == "device" if publishes else column.grants.subscribe
    if "{session}" in operation.path:
        return LET_IN if may and column.room == "here" else "403 not_yours"
    if not may:
        return "403 not_granted"
    refusals = {
        "other room": "403 wrong_room",
        "other patient": "404 consultation_closed",
        "detached": "403 device_not_attached",
        "lobby": "403 not_admitted",
    }
    return refusals.get(column.room, LET_IN)


def _granted(operation: Operation, grants: Grants) -> bool:
    return not operation.grants or any(getattr(grants, grant) for grant in operation.grants)


# --- the matrix --------------------------------------------------------------------------


@pytest.fixture
async def world(everywhere: World) -> World:
    """On both databases."""
    await everywhere.context.log.open_late(everywhere.consultation)
    (everywhere.settings.web_root / "docs").mkdir()  # type: ignore[operator]  # every world has one
    (everywhere.settings.web_root / "docs" / "index.html").write_text("<!doctype html><title>API</title>")  # type: ignore[operator]
    return everywhere


def test_every_operation_is_tried() -> None:
    assert set(REQUESTS) | set(ELSEWHERE) == set(OPERATIONS)


@pytest.mark.parametrize("name", REQUESTS)
async def test_everybody_gets_what_the_declaration_says_and_nothing_else(world: World, name: str) -> None:
    operation = OPERATIONS[name]
    wrong = {}
    # Those who are refused come first: they must not change anything for those who are let in.
    for column in sorted(COLUMNS, key=lambda column: expected(operation, column) == LET_IN):
        found = await attempt(world, operation, column)
        if found != expected(operation, column):
            wrong[column.name] = f"{found}, expected {expected(operation, column)}"
    assert not wrong


async def attempt(world: World, operation: Operation, column: Column) -> str:
    """`let in`, or status and code."""
    token = await column.token(world)
    wanted = await REQUESTS[operation.name](world, column)
    path = wanted.path.replace("BOX", world.box.device_id)
    headers = wanted.headers | bearer(token)
    denials = len(await world.audit())
    async with world.session.request(
        operation.method, path, json=wanted.json, data=wanted.data, headers=headers
    ) as response:
        body = await response.read()
        if response.status in TWO_WAYS.get(operation.name, set()) | {operation.status}:
            _check_answer(operation, response.content_type, body)
            return LET_IN
        assert response.content_type == PROBLEM, (response.status, body)
        code = (await response.json())["code"]
        assert code in problem_codes(operation).get(response.status, []), (
            f"{response.status} {code} undeclared"
        )
    if response.status in (401, 403):
        assert len(await world.audit()) > denials, f"no record that {column.name} was refused"
    return f"{response.status} {code}"


def _check_answer(operation: Operation, content_type: str, body: bytes) -> None:
    """What is answered is what was declared."""
    if operation.response is None:
        assert not body or operation.own
    elif not isinstance(operation.response, Raw):
        assert content_type == "application/json"
        TypeAdapter(operation.response).validate_json(body)


async def test_refusals_change_nothing(world: World) -> None:
    """Whoever may not open, close, invite or attach leaves everything as it was."""
    before = await _state(world)
    for name in ("close", "invite_organisation", "invite", "attach_device", "detach_device", "open"):
        for column in COLUMNS:
            if expected(OPERATIONS[name], column) != LET_IN and "guest" not in column.name:
                await attempt(world, OPERATIONS[name], column)
    assert await _state(world) == before


async def _state(world: World) -> list[Any]:
    database, con = world.database, world.consultation.consultation_id
    found = await consultations.list_consultations(database)
    return [
        [one for one in found if one.organisation_id == world.clinic.organisation_id],
        await devices.attached_devices(database, con),
        await invitations.list_invitations(database, con),
        await consultations.takes_part(database, world.consultation, world.elsewhere.organisation_id),
    ]
