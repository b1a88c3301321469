"""Enrolment of capture boxes: the code, the key, what the key opens, and what ends it."""

from __future__ import annotations

from typing import Any

import pytest

from core import messages
from core.consultations import close_consultation
from core.device_access import CODE_CHARS, normal_code, to_base64
from core.device_health import DeviceHealth, FeedHealth
from core.devices import find_device, set_device_disabled
from core.enrolments import create_code
from core.trail import read_audit
from signaling.boxes import CHALLENGE_S, CODES_BURST, FREE_CODES, ONLINE_S
from tests.signaling.boxes import Box, enrolled
from tests.signaling.conftest import World, bearer


@pytest.fixture
def world(everywhere: World) -> World:
    """On both databases."""
    return everywhere


HEALTH = DeviceHealth(
    feeds=[FeedHealth(feed="ultrasound", signal="ok", flowing=True, sent=True, frames_per_s=30)],
    version="1.2",
    temperature_c=48.5,
    clock_off_ms=-3,
)


def code_of(answer: tuple[int, Any]) -> tuple[int, str]:
    return answer[0], answer[1]["code"]


async def trail_of(world: World, action: str) -> list[tuple[str, str]]:
    return [(row.actor, row.outcome) for row in await read_audit(world.database) if row.action == action]


async def wrong_codes(world: World, count: int, status: int = 404) -> None:
    for number in range(count):
        answer = await Box(world).enrol(f"{number:012d}")
        assert answer[0] == status, answer


# --- the code ----------------------------------------------------------------------------


async def test_an_administrator_s_code_registers_the_box_s_own_key_and_nothing_secret_is_stored(
    world: World,
) -> None:
    admin = await world.token("root")
    wanted = {"name": "Theatre 3", "feeds": ["scope", "room"]}
    status, made = await world.post("/api/v1/devices", wanted, admin)
    assert status == 201
    assert len(normal_code(made["code"]) or "") == CODE_CHARS
    assert made["qr_svg"].startswith("<svg")
    box = Box(world)
    status, answer = await box.enrol(made["code"])
    assert (status, answer["name"], answer["feeds"]) == (200, "Theatre 3", ["scope", "room"])
    stored = await find_device(world.database, made["device_id"])
    assert stored is not None
    assert (stored.public_key, stored.enrolment) == (box.public, "enrolled")
    assert (await trail_of(world, "enrol")) == [(f"device:{box.device_id}", "ok")]
    assert [actor for actor, _ in await trail_of(world, "device_code")] == [world.users["root"].user_id]


async def test_a_code_is_understood_however_it_is_typed(world: World) -> None:
    code = (await create_code(world.database, world.box.device_id)).code
    typed = f" {code.lower().replace('-', ' ').replace('0', 'o').replace('1', 'l')} "
    assert (await Box(world).enrol(typed))[0] == 200


async def test_a_code_works_once(world: World) -> None:
    code = (await create_code(world.database, world.box.device_id)).code
    assert (await Box(world).enrol(code))[0] == 200
    thief = Box(world)
    assert code_of(await thief.enrol(code)) == (410, "enrolment_used")
    assert ("unknown", "enrolment_used") in await trail_of(world, "enrol")


async def test_a_box_that_lost_the_answer_may_say_the_same_again(world: World) -> None:
    code, box = (await create_code(world.database, world.box.device_id)).code, Box(world)
    assert (await box.enrol(code))[0] == 200
    assert (await box.enrol(code))[0] == 200
    assert (await box.ask())[0] == 200


async def test_a_code_expires(world: World) -> None:
    code = (await create_code(world.database, world.box.device_id, minutes=10)).code
    world.clock.advance(10 * 60 + 1)
    assert code_of(await Box(world).enrol(code)) == (410, "enrolment_expired")


async def test_a_newer_code_takes_the_older_one_s_place(world: World) -> None:
    older = (await create_code(world.database, world.box.device_id)).code
    newer = (await create_code(world.database, world.box.device_id)).code
    assert code_of(await Box(world).enrol(older)) == (404, "enrolment_unknown")
    assert (await Box(world).enrol(newer))[0] == 200


async def test_a_disabled_box_neither_gets_a_code_nor_enrols(world: World) -> None:
    code = (await create_code(world.database, world.box.device_id)).code
    await set_device_disabled(world.database, world.box.device_id, True)
    assert code_of(await Box(world).enrol(code)) == (409, "device_disabled")
    path, admin = f"/api/v1/devices/{world.box.device_id}/code", await world.token("root")
    assert code_of(await world.post(path, {}, admin)) == (409, "device_disabled")


@pytest.mark.parametrize("code", ["", "-", "UUUU-UUUU-UUUU", "1234", "0" * 64, "0000-0000-000\u0661"])
async def test_what_cannot_be_a_code_is_refused(world: World, code: str) -> None:
    status, answer = await Box(world).enrol(code)
    assert (status, answer["code"]) in ((404, "enrolment_unknown"), (422, "invalid_body"))


async def test_nobody_registers_a_key_that_is_not_theirs(world: World) -> None:
    code = (await create_code(world.database, world.box.device_id)).code
    victim, thief = Box(world), Box(world)
    body = {"code": code, "public_key": victim.public, "signature": to_base64(thief.key.sign(b"anything"))}
    assert code_of(await world.post("/api/v1/devices/enrol", body)) == (401, "wrong_signature")
    body["public_key"] = "short"
    assert code_of(await world.post("/api/v1/devices/enrol", body)) == (422, "bad_key")
    assert (await victim.enrol(code))[0] == 200


async def test_guessing_costs_an_address_longer_and_longer_waits(world: World) -> None:
    code = (await create_code(world.database, world.box.device_id)).code
    await wrong_codes(world, FREE_CODES)
    assert code_of(await Box(world).enrol(code)) == (429, "too_many_attempts")
    world.clock.advance(2)
    await wrong_codes(world, 1)
    world.clock.advance(1)
    assert (await Box(world).enrol(code))[0] == 429, "the wait doubles"
    world.clock.advance(2)
    assert (await Box(world).enrol(code))[0] == 200
    refused = [outcome for actor, outcome in await trail_of(world, "enrol") if actor == "unknown"]
    assert refused == ["enrolment_unknown"] * (FREE_CODES + 1)


async def test_all_addresses_together_guess_no_faster_than_the_service_allows(world: World) -> None:
    codes, now_ns = world.context.boxes.codes, world.clock.monotonic_ns()
    for number in range(CODES_BURST):
        assert codes.begin(f"192.0.2.{number}", now_ns) == 0
    assert codes.begin("198.51.100.1", now_ns) == 1
    code = (await create_code(world.database, world.box.device_id)).code
    assert (await Box(world).enrol(code))[0] == 429
    world.clock.advance(1.5)
    assert (await Box(world).enrol(code))[0] == 200


# --- the key -----------------------------------------------------------------------------


async def test_a_signed_challenge_gives_the_token_of_the_consultation_the_box_is_attached_to(
    world: World,
) -> None:
    box = await enrolled(world)
    status, answer = await box.ask()
    assert status == 200
    assert abs(answer["server_time_us"] - world.context.service.now_us()) < 5_000_000
    given = answer["assignment"]
    assert (given["room"], given["consultation_id"]) == ("demo", world.consultation.consultation_id)
    claims = world.context.tokens.verify_room(given["token"])
    assert (claims.sub, claims.role, claims.grants.feeds) == (
        f"device:{box.device_id}", "device", ["ultrasound"],
    )  # fmt: skip
    assert not claims.grants.subscribe
    assert claims.exp - claims.iat <= world.context.tokens.room_s
    assert (await world.whip("ultrasound", given["token"])).status == 201
    assert (await trail_of(world, "device_token")) == [(f"device:{box.device_id}", "ok")]


async def test_the_answer_brings_the_next_challenge(world: World) -> None:
    box = await enrolled(world)
    _, first = await box.ask()
    body = await box.signed(first["challenge"])
    assert (await world.post("/api/v1/devices/token", body))[0] == 200


async def test_without_an_open_consultation_there_is_no_token(world: World) -> None:
    box = await enrolled(world)
    await close_consultation(world.database, world.consultation.consultation_id)
    status, answer = await box.ask()
    assert (status, answer["assignment"]) == (200, None)


async def test_a_signature_counts_once(world: World) -> None:
    box = await enrolled(world)
    body = await box.signed()
    assert (await world.post("/api/v1/devices/token", body))[0] == 200
    assert code_of(await world.post("/api/v1/devices/token", body)) == (401, "challenge_over")


async def test_a_challenge_is_over_after_a_while(world: World) -> None:
    box = await enrolled(world)
    body = await box.signed()
    world.clock.advance(CHALLENGE_S + 1)
    assert code_of(await world.post("/api/v1/devices/token", body)) == (401, "challenge_over")


async def test_a_challenge_made_for_another_box_or_by_somebody_else_is_no_good(world: World) -> None:
    box = await enrolled(world)
    stranger = Box(world, "d_" + "0" * 26)
    for challenge in (await stranger.challenge(), to_base64(b"\x7f" * 40), "A", "é"):
        body = await box.signed(challenge)
        answer = await world.post("/api/v1/devices/token", body)
        assert code_of(answer) == (401, "challenge_over"), challenge


async def test_signatures_for_one_thing_are_no_good_for_another(world: World) -> None:
    box = await enrolled(world)
    for path, for_kiosk in (("token", True), ("kiosk", False)):
        body = await box.signed(for_kiosk=for_kiosk)
        assert code_of(await world.post(f"/api/v1/devices/{path}", body)) == (401, "wrong_signature")


async def test_an_unknown_box_and_a_wrong_key_look_the_same(world: World) -> None:
    box = await enrolled(world)
    wrong, nobody = Box(world, box.device_id), Box(world, "d_" + "0" * 26)
    (status, one), (_, other) = await wrong.ask(), await nobody.ask()
    assert status == 401
    assert one == other
    assert ("unknown", "wrong_signature") in await trail_of(world, "device_token")


async def test_wrong_signatures_are_throttled_and_the_right_one_is_heard_all_the_same(world: World) -> None:
    box = await enrolled(world)
    wrong = Box(world, box.device_id)
    while (await wrong.ask())[0] != 429:
        pass
    assert (await box.ask())[0] == 200


async def test_a_box_that_asks_without_end_is_slowed_down(world: World) -> None:
    box = await enrolled(world)
    answers = [(await box.ask())[0] for _ in range(40)]
    assert answers[:10] == [200] * 10
    assert 429 in answers


# --- the end -----------------------------------------------------------------------------


async def test_revoking_ends_feeds_and_seat_at_once_and_the_key_opens_nothing(world: World) -> None:
    box = await enrolled(world)
    token = await box.token()
    watching, _ = await world.join("u_1", "specialist")
    seat = await world.connect(token)
    await seat.next(messages.Welcome)
    assert (await world.whip("ultrasound", token)).status == 201
    await watching.next(messages.TrackAdded)
    path = f"/api/v1/devices/{box.device_id}/revoke"
    assert (await world.post(path, None, await world.token("root")))[0] == 204
    await watching.next(messages.TrackRemoved)
    assert await seat.closed() == 4401
    assert (await world.whip("ultrasound", token)).status == 401
    assert code_of(await box.ask()) == (403, "device_revoked")
    assert code_of(await world.post("/api/v1/devices/kiosk", await box.signed(for_kiosk=True))) == (
        403, "device_revoked",
    )  # fmt: skip
    attach = f"/api/v1/consultations/{world.consultation.consultation_id}/devices"
    answer = await world.post(attach, {"device_id": box.device_id}, await world.token("li"))
    assert code_of(answer) == (409, "device_revoked")


async def test_a_revoked_box_comes_back_with_a_new_code_and_a_new_key(world: World) -> None:
    old = await enrolled(world)
    admin = await world.token("root")
    unused = (await create_code(world.database, old.device_id)).code
    assert (await world.post(f"/api/v1/devices/{old.device_id}/revoke", None, admin))[0] == 204
    assert code_of(await Box(world).enrol(unused)) == (404, "enrolment_unknown")
    new = await enrolled(world)
    assert (await new.ask())[0] == 200
    assert code_of(await old.ask()) == (401, "wrong_signature")


async def test_enrolling_another_machine_ends_what_the_first_one_opened(world: World) -> None:
    first = await enrolled(world)
    token = await first.token()
    seat = await world.connect(token)
    await seat.next(messages.Welcome)
    await enrolled(world)
    assert await seat.closed() == 4401
    assert code_of(await first.ask()) == (401, "wrong_signature")
    assert (await world.whip("ultrasound", token)).status == 401


async def test_a_disabled_box_gets_no_token(world: World) -> None:
    box = await enrolled(world)
    await set_device_disabled(world.database, box.device_id, True)
    assert code_of(await box.ask()) == (403, "device_disabled")


@pytest.mark.parametrize("what", ["code", "revoke", "log-level"])
async def test_another_organisation_s_box_does_not_exist_for_an_administrator(
    world: World, what: str
) -> None:
    body = {"level": "debug"} if what == "log-level" else {} if what == "code" else None
    path = f"/api/v1/devices/{world.box.device_id}/{what}"
    assert code_of(await world.post(path, body, await world.token("ma"))) == (404, "device_not_found")


# --- health, log, display ----------------------------------------------------------------


async def shown(world: World) -> dict[str, Any]:
    status, listed = await world.get("/api/v1/devices", await world.token("root"))
    assert status == 200
    return dict(listed[0])


async def test_what_a_box_says_of_itself_is_shown_to_its_organisation_and_in_metrics(world: World) -> None:
    box = await enrolled(world)
    assert (await shown(world))["health"] is None
    hot = HEALTH.model_copy(update={"temperature_c": 90.5})
    assert (await box.ask(health=hot.model_dump(mode="json")))[0] == 200
    told = await shown(world)
    assert (told["online"], told["enrolment"], told["troubles"]) == (True, "enrolled", ["hot"])
    assert told["health"] == hot.model_dump(mode="json")
    async with world.session.get("/metrics") as response:
        text = await response.text()
    assert "teleconsult_boxes_online 1.0" in text
    assert 'teleconsult_boxes_in_trouble{trouble="hot"} 1.0' in text
    assert "teleconsult_box_temperature_max_celsius 90.5" in text
    world.clock.advance(ONLINE_S + 1)
    told = await shown(world)
    assert (told["online"], told["troubles"]) == (False, [])


async def test_a_box_in_a_room_says_it_there_and_too_often_is_dropped(world: World) -> None:
    box = await enrolled(world)
    seat = await world.connect(await box.token())
    await seat.next(messages.Welcome)
    for number in range(40):
        await seat.send(messages.ReportHealth(health=HEALTH.model_copy(update={"running_s": number})))
    assert not [item for item in await seat.sync() if isinstance(item, messages.Error)]
    assert 0 < (await shown(world))["health"]["running_s"] < 39


async def test_a_plain_encoder_is_nobody_s_box(world: World) -> None:
    seat = await world.connect(world.room_token("device:plain", "device"))
    await seat.next(messages.Welcome)
    await seat.send(messages.ReportHealth(health=HEALTH))
    await seat.sync()
    assert not world.context.boxes.told


@pytest.mark.parametrize(
    "wrong", [{"temperature_c": 1e9}, {"version": "<script>"}, {"feeds": [{}]}, {"memory_bytes": -1}]
)
async def test_health_that_makes_no_sense_is_refused(world: World, wrong: dict[str, Any]) -> None:
    box = await enrolled(world)
    answer = await box.ask(health=HEALTH.model_dump(mode="json") | wrong)
    assert code_of(answer) == (422, "invalid_body")


async def test_an_administrator_s_log_level_reaches_the_box_in_the_room_and_the_one_that_asks(
    world: World,
) -> None:
    box = await enrolled(world)
    seat = await world.connect(await box.token())
    await seat.next(messages.Welcome)
    path, wanted = f"/api/v1/devices/{box.device_id}/log-level", {"level": "debug", "minutes": 10}
    assert (await world.post(path, wanted, await world.token("root")))[0] == 204
    told = await seat.next(messages.SetLogLevel)
    assert (told.level, told.for_s) == ("debug", 600)
    _, answer = await box.ask()
    assert (answer["log_level"], answer["log_for_s"]) == ("debug", 600)
    world.clock.advance(601)
    _, answer = await box.ask()
    assert answer["log_level"] is None
    assert [actor for actor, _ in await trail_of(world, "device_log")] == [world.users["root"].user_id]


async def test_the_display_s_link_brings_a_guest_whom_a_host_has_to_let_in(world: World) -> None:
    box = await enrolled(world)
    status, link = await world.post("/api/v1/devices/kiosk", await box.signed(for_kiosk=True))
    assert status == 200
    base, _, secret = link["url"].partition("/#/invite/")
    assert base == world.base_url
    assert secret.endswith("~site")
    status, guest = await world.post("/api/v1/invitations/redeem", {"token": secret.removesuffix("~site")})
    assert status == 200
    status, joined = await world.post("/api/v1/rooms/demo/join", None, guest["access_token"])
    assert world.context.tokens.verify_room(joined["token"]).grants.lobby
    assert not world.context.tokens.verify_room(joined["token"]).grants.host
    again = await world.post("/api/v1/invitations/redeem", {"token": secret.removesuffix("~site")})
    assert again[0] == 410
    assert (await trail_of(world, "kiosk")) == [(f"device:{box.device_id}", "ok")]


async def test_a_box_without_a_consultation_gets_no_link(world: World) -> None:
    box = await enrolled(world)
    await close_consultation(world.database, world.consultation.consultation_id)
    answer = await world.post("/api/v1/devices/kiosk", await box.signed(for_kiosk=True))
    assert code_of(answer) == (409, "not_attached")


async def test_codes_keys_and_signatures_are_no_bearer_tokens(world: World) -> None:
    box = await enrolled(world)
    body = await box.signed()
    for secret in (box.public, body["challenge"], body["signature"]):
        async with world.session.get("/api/v1/me", headers=bearer(secret)) as response:
            assert response.status == 401
