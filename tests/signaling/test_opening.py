"""The form that opens a consultation: masked, whole or not at all, and never taken for something else."""

from __future__ import annotations

import asyncio
import copy
import json
import unicodedata
from collections import Counter
from typing import Any

import pytest
from sqlalchemy import text

from core import consultations
from core.consultations import list_consultations
from core.devices import attached_devices, create_device, set_device_disabled
from core.ids import is_name
from core.tables import Base
from tests.signaling.conftest import World, bearer

PATH = "/api/v1/consultations"
NAME = "张三丰"


@pytest.fixture
def world(everywhere: World) -> World:
    """On both databases."""
    return everywhere


def form(**more: Any) -> dict[str, Any]:
    return {
        "patient": {"name": NAME, "sex": "male", "age": 57, "exam_number": "US-20417"},
        "specialty": "Cardiology",
        "question": "Is it severe?",
        "consent_consult": True,
        "consent_record": True,
        "record": True,
        "record_reason": "",
        "devices": [],
        "invited": [],
    } | more


def patient(**more: Any) -> dict[str, Any]:
    return form(patient=form()["patient"] | more)


async def send(world: World, body: Any, name: str = "li") -> tuple[int, Any]:
    return await world.post(PATH, body, await world.token(name))


async def count(world: World) -> int:
    return len(await list_consultations(world.database))


async def rows(world: World) -> dict[str, int]:
    """How many there are of whatever a form could store."""
    tables = ("consultations", "invited_organisations", "attached_devices", "organisations", "devices")
    async with world.database.reading() as session:
        return {one: await session.scalar(text(f"SELECT count(*) FROM {one}")) or 0 for one in tables}


async def everything_stored(world: World) -> str:
    """Every value of every table."""
    async with world.database.reading() as session:
        rows = [
            [str(value) for value in row]
            for table in Base.metadata.sorted_tables
            for row in await session.execute(text(f"SELECT * FROM {table.name}"))
        ]
    return json.dumps(rows, ensure_ascii=False)


# --- what is opened ----------------------------------------------------------------------


async def test_a_site_opens_a_consultation_and_is_its_host(world: World) -> None:
    body = form(invited=[world.hospital.organisation_id])
    status, opened = await send(world, body)
    assert status == 201
    assert is_name(opened.pop("room"))
    assert opened.pop("consultation_id").startswith("c_")
    assert opened.pop("opened_at_us") > 0
    assert opened == {
        "header": "张*丰 · 男 · 57 · US-20417",
        "specialty": "Cardiology",
        "question": "Is it severe?",
        "site": "Clinic",
        "state": "open",
        "record": True,
        "consent_record": True,
        "record_reason": "",
        "retention_class": "standard",
        "closed_at_us": None,
        "host": True,
        "people": 0,
    }


async def test_invited_organisations_see_it_and_enter_and_others_do_not(world: World) -> None:
    status, opened = await send(world, form(invited=[world.hospital.organisation_id]))
    assert status == 201
    for name, status in (("wang", 200), ("mallory", 404)):
        token = await world.token(name)
        assert (await world.get(f"{PATH}/{opened['consultation_id']}", token))[0] == status
        assert (await world.post(f"/api/v1/rooms/{opened['room']}/join", None, token))[0] == status


async def test_rooms_are_never_the_same_and_cannot_be_guessed(world: World) -> None:
    rooms = set()
    for number in range(5):
        _, opened = await send(world, patient(exam_number=f"US-{number}"))
        rooms.add(opened["room"])
    assert len(rooms) == 5
    assert all(len(room) == 20 for room in rooms)


async def test_the_full_name_is_nowhere_afterwards(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    body = form(
        question="患者张三丰，57岁", specialty="张 三 丰", record=False, record_reason="张三丰不同意录制",
        patient={"name": "张三丰", "sex": "male", "age": 57, "exam_number": "张三丰-1"},
    )  # fmt: skip
    status, opened = await send(world, body)
    assert status == 201
    assert opened["question"] == "患者张*丰，57岁"
    for place in (json.dumps(opened, ensure_ascii=False), await everything_stored(world)):
        assert "张*丰" in place
        assert "张三丰" not in place
        assert "张 三 丰" not in place
    assert "张三丰" not in capsys.readouterr().out + str(await world.audit())


async def test_a_form_that_is_refused_does_not_repeat_the_name(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    for body in (patient(age="57"), patient(sex="man"), form(consent_consult=False), form(record=1)):
        _, problem = await send(world, body)
        assert NAME not in json.dumps(problem, ensure_ascii=False)
    assert NAME not in capsys.readouterr().out


async def test_a_name_that_is_masked_already_stays(world: World) -> None:
    _, opened = await send(world, patient(name="张*丰"))
    assert opened["header"].startswith("张*丰 · ")


async def test_the_site_s_devices_are_attached_and_others_do_not_exist(world: World) -> None:
    _, opened = await send(world, form(devices=[world.box.device_id]))
    assert list(await attached_devices(world.database, opened["consultation_id"])) == [world.box.device_id]
    elsewhere = world.elsewhere.organisation_id
    theirs = await create_device(world.database, organisation_id=elsewhere, name="Theirs", feeds=["x"])
    before = await count(world)
    status, problem = await send(world, patient(exam_number="2") | {"devices": [theirs.device_id]})
    assert (status, problem["code"]) == (404, "device_not_found")
    await set_device_disabled(world.database, world.box.device_id, True)
    status, problem = await send(world, patient(exam_number="3") | {"devices": [world.box.device_id]})
    assert (status, problem["code"]) == (409, "device_disabled")
    assert await count(world) == before


# --- what has to be agreed ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "code", "field"),
    [
        ({"consent_consult": False}, "consent_needed", "consent_consult"),
        ({"consent_record": False}, "consent_needed", "consent_record"),
        ({"record": False}, "reason_needed", "record_reason"),
        ({"record": False, "record_reason": "   "}, "reason_needed", "record_reason"),
    ],
)
async def test_recording_needs_consent_and_not_recording_a_reason(
    world: World, change: dict[str, Any], code: str, field: str
) -> None:
    before = await count(world)
    status, problem = await send(world, form(**change))
    assert (status, problem["code"]) == (422, code)
    assert problem["detail"].startswith(field)
    assert await count(world) == before


async def test_a_consultation_without_recording_says_why_and_lets_no_recorder_in(world: World) -> None:
    body = form(consent_record=False, record=False, record_reason="patient declined")
    status, opened = await send(world, body)
    assert (status, opened["record"], opened["record_reason"]) == (201, False, "patient declined")
    token = await world.recorder_token()
    status, problem = await world.post(f"/api/v1/rooms/{opened['room']}/join", None, token)
    assert (status, problem["code"]) == (403, "not_recorded")


# --- opened twice ------------------------------------------------------------------------


async def test_the_same_patient_is_not_opened_twice_even_at_the_same_time(world: World) -> None:
    token = await world.token("li")
    answers = await asyncio.gather(*(world.post(PATH, form(), token) for _ in range(6)))
    assert Counter(status for status, _ in answers) == {201: 1, 409: 5}
    assert {body["code"] for status, body in answers if status == 409} == {"already_open"}


async def test_the_same_patient_may_be_opened_again_after_the_end_in_another_room(world: World) -> None:
    _, first = await send(world, form())
    closing = f"{PATH}/{first['consultation_id']}/close"
    assert (await world.post(closing, None, await world.token("li")))[0] == 200
    status, second = await send(world, form())
    assert status == 201
    assert second["room"] != first["room"]


async def test_another_site_s_patient_of_the_same_looks_is_somebody_else(world: World) -> None:
    assert (await send(world, form()))[0] == 201
    assert (await send(world, form(), "sun"))[0] == 201


# --- wrong input -------------------------------------------------------------------------


def deep(levels: int) -> Any:
    value: Any = "x"
    for _ in range(levels):
        value = [value]
    return value


def without(field: str) -> dict[str, Any]:
    body = copy.deepcopy(form())
    del body[field]
    return body


WRONG: dict[str, Any] = {
    "not an object": [],
    "nothing": None,
    "an unknown field": form(more=1),
    "an unknown field of the patient": patient(phone="1"),
    "no patient": without("patient"),
    "no consent": without("consent_consult"),
    "consent as a text": form(consent_consult="true"),
    "consent as a number": form(consent_record=1),
    "a name that is a list": patient(name=["张"]),
    "no name": patient(name=""),
    "blanks for a name": patient(name=" \t "),
    "a name of invisible characters": patient(name="\u202e\u200e"),
    "a name with a zero byte": patient(name="a\x00b"),
    "a name of control characters": patient(name="a\x07b"),
    "half a surrogate pair": patient(name="a\ud800b"),
    "a very long name": patient(name="名" * 101),
    "an age as a text": patient(age="57"),
    "a broken age": patient(age=57.5),
    "a negative age": patient(age=-1),
    "an age beyond all": patient(age=10**30),
    "infinity": patient(age=float("inf")),
    "a sex that is none": patient(sex="男"),
    "no exam number": patient(exam_number=""),
    "an exam number with a line end": patient(exam_number="a\x1b[2Jb"),
    "a question that is too long": form(question="x" * 2001),
    "a question with a zero byte": form(question="a\x00"),
    "a device that is no id": form(devices=["../../etc"]),
    "a device id with a zero byte": form(devices=["d_\x00"]),
    "too many devices": form(devices=["d_" + "0" * 26] * 33),
    "an organisation that is a number": form(invited=[1]),
    "lists in lists": form(question=deep(300)),
    "a patient that is a text": form(patient="张三"),
}


@pytest.mark.parametrize("what", WRONG)
async def test_a_form_with_something_wrong_is_refused_with_a_reason_and_stores_nothing(
    world: World, what: str
) -> None:
    before, token = await rows(world), await world.token("li")
    headers = bearer(token) | {"Content-Type": "application/json"}
    async with world.session.post(PATH, data=json.dumps(WRONG[what]), headers=headers) as response:
        problem = await response.json()
        assert (response.status, problem["code"]) == (422, "invalid_body"), problem
        assert response.content_type == "application/problem+json"
        assert 0 < len(problem["detail"]) < 400
    assert await rows(world) == before


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"{" + b" " * 300_000, 413),
        (b"[" * 100_000, 422),
        (b"\xff\xfe{", 400),
        (b"", 422),
        (b"{'a': 1}", 422),
    ],
)
async def test_bytes_that_are_no_form_are_refused(world: World, body: bytes, status: int) -> None:
    headers = bearer(await world.token("li")) | {"Content-Type": "application/json"}
    async with world.session.post(PATH, data=body, headers=headers) as response:
        assert response.status == status
        assert response.content_type == "application/problem+json"
    assert await count(world) == 1


ODD = [
    "\U0001f469\u200d\u2695\ufe0f José 𠮷野家",
    "<script>alert(1)</script>",
    "'; DROP TABLE users; --",
    "ﷺ",
    "a\u0301",
    "{{7*7}}",
    "%00",
]


@pytest.mark.parametrize("odd", ODD)
async def test_odd_but_sound_text_is_kept_as_it_is(world: World, odd: str) -> None:
    status, opened = await send(world, form(question=odd, specialty=odd[:100]))
    assert status == 201
    _, shown = await world.get(f"{PATH}/{opened['consultation_id']}", await world.token("li"))
    assert shown["question"] == shown["specialty"] == unicodedata.normalize("NFC", odd)


async def test_lines_of_a_question_stay_and_marks_that_turn_text_around_go(world: World) -> None:
    _, opened = await send(world, form(question=" one\r\ntwo\u202e \n", specialty="a\n b\u200f"))
    assert (opened["question"], opened["specialty"]) == ("one\ntwo", "a b")


@pytest.mark.parametrize(
    "wanted", ["c_x", "%00", "c_" + "0" * 26, "..%2f", "x" * 2000, "C_01M808T06GC0WSYKWKXVG4S32R", "%ff"]
)
async def test_ids_that_name_nothing_are_not_found(world: World, wanted: str) -> None:
    token = await world.token("li")
    status, problem = await world.get(f"{PATH}/{wanted}", token)
    assert (status, problem["code"]) == (404, "consultation_not_found")
    own = f"{PATH}/{world.consultation.consultation_id}"
    for kind, code in (("devices", "device_not_found"), ("invitations", "invitation_not_found")):
        status, problem = await world.delete(f"{own}/{kind}/{wanted}", token)
        assert (status, problem["code"]) == (404, code)


@pytest.mark.parametrize("query", ["state=both", "state=", "more=1", "state=open&more=1"])
async def test_a_query_that_means_nothing_is_refused(world: World, query: str) -> None:
    status, problem = await world.get(f"{PATH}?{query}", await world.token("li"))
    assert (status, problem["code"]) == (422, "invalid_query")


async def test_the_list_is_by_state_and_newest_first(world: World) -> None:
    token = await world.token("li")
    _, second = await send(world, form())
    await consultations.close_consultation(world.database, world.consultation.consultation_id)
    for state, rooms in (("open", [second["room"]]), ("closed", ["demo"])):
        _, listed = await world.get(f"{PATH}?state={state}", token)
        assert [one["room"] for one in listed] == rooms
    _, listed = await world.get(PATH, token)
    assert [one["room"] for one in listed] == [second["room"], "demo"]


async def test_how_many_people_are_in_the_room_is_told_and_seats_count_once(world: World) -> None:
    for _ in range(2):
        await world.join("u_1", "specialist")
    await world.join("u_2", "site")
    await world.join("device:plain", "device")
    _, shown = await world.get(f"{PATH}/{world.consultation.consultation_id}", await world.token("li"))
    assert shown["people"] == 2
