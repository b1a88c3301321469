"""An enrolled box and a real service: it is in the consultation that wants it, and nowhere else."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from core.clock import SystemClock
from core.consultations import Consultation, close_consultation, new_room, open_consultation
from core.device_health import DeviceHealth, LogLevel
from core.devices import attach_device, detach_device, set_device_disabled
from core.enrolments import create_code, revoke_key
from core.errors import ProtocolError, Unavailable
from edge_agents import attendance
from edge_agents.attendance import Attendance, Host
from edge_agents.identity import Identity
from edge_agents.server_access import ServerAccess
from signaling.boxes import Challenges
from tests.signaling.conftest import WITHIN_S, World, make_world

HEALTH = DeviceHealth(version="1.2")


@dataclass
class Scene:
    """A box without pictures: what it was told to begin and to end."""

    world: World
    access: ServerAccess
    happened: list[str] = field(default_factory=list)
    token: Callable[[], str] = str
    levels: list[tuple[LogLevel | None, int]] = field(default_factory=list)
    attendance: Attendance = field(init=False)

    def __post_init__(self) -> None:
        host = Host(self._begin, self._end, lambda: HEALTH, lambda level, s: self.levels.append((level, s)))
        self.attendance = Attendance(self.access, host, SystemClock())

    async def _begin(self, room: str, consultation: str, token: Callable[[], str]) -> None:
        self.happened.append(room)
        self.token = token

    async def _end(self) -> None:
        self.happened.append("end")

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(WITHIN_S):
            while not condition():
                await asyncio.sleep(0.01)

    async def state(self, wanted: str) -> None:
        await self.until(lambda: self.attendance.state == wanted)


@pytest.fixture
async def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    for name in ("IDLE_S", "ATTENDING_S", "REFUSED_S", "DISABLED_S"):
        monkeypatch.setattr(attendance, name, 0.6)  # a box asks twice a second at most
    async with make_world(tmp_path) as made:
        yield made


@asynccontextmanager
async def box(
    world: World, *, server: str = "", recalled: tuple[str, str] | None = None
) -> AsyncIterator[Scene]:
    """Enrolled with a code; it attends until the end. `recalled`: where it was when it died."""
    code = await create_code(world.database, world.box.device_id)
    identity = Identity(world.base_url)
    async with aiohttp.ClientSession() as session:
        made = await ServerAccess(session, identity, SystemClock()).enrol(code.code)
        identity = Identity(server or world.base_url, made.device_id, made.name, identity.key)
        scene = Scene(world, ServerAccess(session, identity, SystemClock()))
        if recalled is not None:
            scene.attendance.recall(*recalled)
        running = asyncio.create_task(scene.attendance.run())
        try:
            yield scene
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)


async def another(world: World) -> Consultation:
    """Opened later, with the same box."""
    return await open_consultation(
        world.database, room=new_room(), header="李*", record=True, devices=[world.box.device_id],
        organisation_id=world.clinic.organisation_id, opened_by=world.users["li"].user_id,
    )  # fmt: skip


async def test_it_begins_with_a_token_that_publishes_its_feeds(world: World) -> None:
    async with box(world) as scene:
        await scene.state("attending")
        assert scene.happened == ["demo"]
        assert (await world.whip("ultrasound", scene.token())).status == 201


async def test_it_ends_when_the_consultation_does_and_begins_with_the_next(world: World) -> None:
    async with box(world) as scene:
        await scene.state("attending")
        await close_consultation(world.database, world.consultation.consultation_id)
        await scene.state("idle")
        assert scene.happened == ["demo", "end"]
        later = await another(world)
        await scene.state("attending")
        assert scene.happened == ["demo", "end", later.room]


async def test_a_newer_consultation_takes_the_box(world: World) -> None:
    async with box(world) as scene:
        await scene.state("attending")
        later = await another(world)
        await scene.until(lambda: scene.happened == ["demo", "end", later.room])


async def test_it_comes_when_its_site_attaches_it(world: World) -> None:
    consultation = world.consultation.consultation_id
    await detach_device(world.database, consultation, world.box.device_id)
    async with box(world) as scene:
        await scene.state("idle")
        await attach_device(world.database, consultation, world.box.device_id)
        await scene.state("attending")


async def test_the_token_is_always_a_fresh_one(world: World) -> None:
    async with box(world) as scene:
        await scene.state("attending")
        first = scene.token()
        await scene.until(lambda: scene.token() != first)
        assert scene.happened == ["demo"], "the pictures do not notice"


async def test_a_revoked_box_stops_and_says_so(world: World) -> None:
    async with box(world) as scene:
        await scene.state("attending")
        await revoke_key(world.database, world.box.device_id)
        await scene.state("revoked")
        assert scene.happened == ["demo", "end"]
        assert scene.attendance.room == ""


async def test_a_disabled_box_stops_and_goes_on_when_it_is_enabled(world: World) -> None:
    async with box(world) as scene:
        await scene.state("attending")
        await set_device_disabled(world.database, world.box.device_id, True)
        await scene.state("disabled")
        await set_device_disabled(world.database, world.box.device_id, False)
        await scene.state("attending")
        assert scene.happened == ["demo", "end", "demo"]


async def test_another_machine_that_took_its_place_shuts_it_out(world: World) -> None:
    async with box(world) as scene:
        await scene.state("attending")
        async with box(world) as successor:
            await successor.state("attending")
            await scene.state("unknown")


async def test_an_unreachable_server_does_not_end_the_pictures(world: World) -> None:
    async with box(world) as scene:
        await scene.state("attending")
        scene.access._base = "http://127.0.0.1:9/api/v1/devices"  # nobody is there
        await scene.state("unreachable")
        assert scene.happened == ["demo"]
        scene.access._base = f"{world.base_url}/api/v1/devices"
        await scene.state("attending")
        assert scene.happened == ["demo"]


async def test_a_server_that_was_restarted_is_asked_for_another_challenge(world: World) -> None:
    async with box(world) as scene:
        await scene.state("attending")
        first = scene.token()
        world.context.boxes.challenges = Challenges()
        await scene.until(lambda: scene.token() != first)
        assert scene.attendance.state == "attending"


async def test_it_says_how_it_is_and_hears_what_its_log_shall_show(world: World) -> None:
    async with box(world) as scene:
        await scene.state("attending")
        path = f"/api/v1/devices/{world.box.device_id}/log-level"
        await world.post(path, {"level": "debug", "minutes": 5}, await world.token("root"))
        await scene.until(lambda: scene.levels[-1][0] == "debug")
        assert 290 <= scene.levels[-1][1] <= 300
        assert world.context.boxes.told[world.box.device_id].health == HEALTH


async def test_the_clock_s_offset_is_measured_with_every_answer(world: World) -> None:
    world.clock.advance(-2)
    async with box(world) as scene:
        await scene.until(lambda: scene.access.offset.ahead_ms is not None)
        assert 1_500 < (scene.access.offset.ahead_ms or 0) < 2_500


async def test_a_consultation_that_ended_is_asked_about_at_once(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attendance, "ATTENDING_S", 600.0)
    async with box(world) as scene:
        await scene.state("attending")
        await close_consultation(world.database, world.consultation.consultation_id)
        scene.attendance.ask_soon()
        await scene.state("idle")


@pytest.mark.parametrize("status", [200, 302, 401, 404, 502])
async def test_what_is_no_service_is_no_refusal(status: int) -> None:
    """A captive portal, a proxy: the box goes on trying."""

    async def portal(_request: web.Request) -> web.Response:
        return web.Response(text="<h1>Sign in to the hospital's Wi-Fi</h1>", status=status)

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", portal)
    async with TestServer(app) as server, aiohttp.ClientSession() as session:
        identity = Identity(f"http://127.0.0.1:{server.port}", "d_1")
        with pytest.raises((Unavailable, ProtocolError)):
            await ServerAccess(session, identity, SystemClock()).ask()


async def test_asking_that_stands_still_is_noticed_and_a_server_that_is_away_is_no_standing_still(
    world: World,
) -> None:
    """The watchdog of a box that waits for a consultation hangs on it."""

    class Shifted(SystemClock):
        ahead_ns = 0

        def monotonic_ns(self) -> int:
            return super().monotonic_ns() + self.ahead_ns

    async with box(world, server="http://127.0.0.1:9") as scene:
        clock = scene.attendance._clock = Shifted()
        await scene.state("unreachable")
        clock.ahead_ns = int((attendance.STUCK_AFTER_S + 1) * 1e9)
        await scene.until(lambda: not scene.attendance.is_stuck)
    clock.ahead_ns *= 2
    assert scene.attendance.is_stuck, "nobody asks any more"


async def test_a_box_that_died_goes_on_where_it_was_before_anybody_can_be_asked(world: World) -> None:
    where = ("demo", world.consultation.consultation_id)
    async with box(world, server="http://127.0.0.1:1", recalled=where) as scene:
        await scene.state("unreachable")
        assert scene.happened == ["demo"]
        with pytest.raises(Unavailable):
            scene.token()


async def test_what_a_box_recalls_is_confirmed_without_beginning_anew(world: World) -> None:
    async with box(world, recalled=("demo", world.consultation.consultation_id)) as scene:
        await scene.state("attending")
        assert scene.happened == ["demo"]
        assert (await world.whip("ultrasound", scene.token())).status == 201


async def test_what_a_box_recalls_ends_when_it_is_told_that_it_is_over(world: World) -> None:
    await close_consultation(world.database, world.consultation.consultation_id)
    async with box(world, recalled=("demo", world.consultation.consultation_id)) as scene:
        await scene.state("idle")
        assert scene.happened == ["demo", "end"]
