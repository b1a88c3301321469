"""Remote control in the room: asked, allowed, confirmed by the box, pressed, over."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pytest

from archive.log_entries import AccessLeaf
from core import messages, trail
from core.control import ANSWER_WITHIN_S, Control, Pointer, Pressed
from signaling.control_acts import end_lapsed
from signaling.members import Member
from signaling.room_service import CONTROL_ASKS_BURST, HIDE_AFTER_S
from tests.signaling.conftest import RoomClient, World
from tests.signaling.room_people import enter, person, refused, until
from tests.signaling.test_log_service import leaves

FEED = "ultrasound"
DOWN = Pressed(keys=("ShiftLeft", "KeyA"), pointer=Pointer(x=0.25, y=0.75, buttons=1))


@dataclass
class Scene:
    """Who is there; `box` shows `FEED` and offers control by code and by touch."""

    world: World
    box: RoomClient
    host: RoomClient
    expert: RoomClient
    watcher: RoomClient
    recorder: RoomClient

    async def asked(self) -> Control:
        await self.expert.send(messages.AskControl(feed=FEED))
        return await self.told("asked")

    async def granted(self, minutes: int = 5) -> Control:
        control = await self.asked()
        await self.host.send(messages.GrantControl(control_id=control.control_id, minutes=minutes))
        return await self.told("granted")

    async def active(self, minutes: int = 5) -> Control:
        control = await self.granted(minutes)
        await self.box.send(
            messages.ControlAnswer(control_id=control.control_id, answer="confirmed", way="touch")
        )
        return await self.told("active")

    def press(self, control: Control, pressed: Pressed, late_us: int = 0) -> messages.Press:
        said_us = self.world.context.service.now_us() - late_us
        return messages.Press(control_id=control.control_id, pressed=pressed, said_us=said_us)

    async def told(self, stage: str) -> Control:
        """Everybody is told that it has come so far."""
        found: list[Control | None] = []
        for client in (self.box, self.host, self.expert, self.watcher, self.recorder):
            changed = await client.next(messages.ControlChanged)
            found.append(changed.control)
            assert changed.reason is None
        control = found[0]
        assert control is not None
        assert control.stage == stage
        assert all(one == control for one in found)
        return control

    async def over(self, reason: str, by: str = "") -> None:
        """Everybody is told that it ended, and why."""
        for client in (self.box, self.host, self.expert, self.watcher, self.recorder):
            await self.over_for(client, reason, by)

    async def over_for(self, client: RoomClient, reason: str, by: str = "") -> None:
        changed = await client.next(messages.ControlChanged)
        assert (changed.control, changed.reason, changed.by) == (None, reason, by)

    def seat(self, subject: str) -> Member:
        (found,) = self.world.context.service.rooms["demo"].seats_of(subject)
        return found

    async def tick(self) -> None:
        """What the service does every second."""
        await self.world.context.service.tick()
        for room in list(self.world.context.service.rooms.values()):
            await end_lapsed(self.world.context, room)


@asynccontextmanager
async def consulting(world: World) -> AsyncIterator[Scene]:
    box_person = person(world, "device", name=f"device:{FEED}")
    assert (await world.whip(FEED, box_person.token)).status == 201
    box, _ = await enter(world, box_person)
    host, _ = await enter(world, person(world, "host"))
    expert, _ = await enter(world, person(world, "invited"))
    watcher, _ = await enter(world, person(world, "viewer"))
    recorder, _ = await enter(world, person(world, "recorder"))
    await box.send(messages.OfferControl(feed=FEED, ways=("code", "touch")))
    changed = await recorder.next(messages.TrackChanged)
    assert changed.track.control_ways == ("code", "touch")
    yield Scene(world, box, host, expert, watcher, recorder)


@pytest.fixture
async def scene(world: World) -> AsyncIterator[Scene]:
    async with consulting(world) as made:
        yield made


async def test_from_asking_to_pressing_and_its_end_everybody_is_told_and_it_is_written_down(
    scene: Scene,
) -> None:
    control = await scene.active(minutes=5)
    assert (control.name, control.organisation, control.ways) == ("u_invited", "Hospital", ("code", "touch"))
    now_us = scene.world.context.service.now_us()
    assert 299_000_000 < control.until_us - now_us <= 300_000_000
    await scene.expert.send(scene.press(control, DOWN))
    for client in (scene.box, scene.recorder):
        pressed = await client.next(messages.ControlPressed)
        assert (pressed.feed, pressed.pressed) == (FEED, DOWN)
    _, late = await enter(scene.world, person(scene.world, "specialist"))
    assert late.controls == [control]
    await scene.host.send(messages.EndControl(control_id=control.control_id))
    await scene.over("stopped", by="u_host")
    await refused(scene.expert, scene.press(control, DOWN), "control_not_found")
    heard = [*scene.watcher.seen, *scene.host.seen]
    assert not any(isinstance(message, messages.ControlPressed) for message in heard)
    await scene.host.sync()  # its end is written down after everybody was told
    trail = await scene.world.audit()
    assert [row for row in trail if row[1].startswith("control_")] == [
        ("u_invited", "control_ask", "ok"),
        ("u_host", "control_grant", "ok"),
        ("device:ultrasound", "control_begin", "ok"),
        ("u_host", "control_end", "stopped"),
    ]
    # Leaves that nobody waits for are written in their turn; whoever waits for a later one waits for them.
    await scene.world.context.log.access(kind="hold", by="u_1", consultation=None)
    found = [leaf for leaf in await leaves(scene.world) if isinstance(leaf, AccessLeaf)]
    assert [(leaf.by, leaf.second, leaf.detail) for leaf in found if leaf.access == "control"] == [
        ("u_invited", "u_host", "begin"),
        ("u_invited", "u_host", "end.stopped"),
    ]


async def test_signs_of_life_reach_the_box_but_not_the_archive(scene: Scene) -> None:
    control = await scene.active()
    turned = DOWN.model_copy(update={"wheel": 1})
    for pressed in (DOWN, DOWN, turned, turned, Pressed(), Pressed()):
        await scene.expert.send(scene.press(control, pressed))
    await scene.expert.sync()
    to_box = [m.pressed for m in await scene.box.sync() if isinstance(m, messages.ControlPressed)]
    assert to_box == [DOWN, DOWN, turned, turned, Pressed(), Pressed()]
    kept = [m.pressed for m in await scene.recorder.sync() if isinstance(m, messages.ControlPressed)]
    assert kept == [DOWN, turned, turned, Pressed()]


async def test_only_whoever_controls_presses_and_only_once_the_box_has_confirmed(scene: Scene) -> None:
    control = await scene.granted()
    press = scene.press(control, DOWN)
    await refused(scene.expert, press, "not_controlling")
    await scene.box.send(
        messages.ControlAnswer(control_id=control.control_id, answer="confirmed", way="code")
    )
    await scene.told("active")
    other, _ = await enter(scene.world, person(scene.world, "specialist"))
    for client in (other, scene.host):
        await refused(client, press, "not_controlling")
    await refused(other, messages.EndControl(control_id=control.control_id), "not_controlling")
    assert not any(isinstance(m, messages.ControlPressed) for m in await scene.box.sync())


async def test_another_box_says_nothing_about_it(scene: Scene) -> None:
    control = await scene.granted()
    stranger, _ = await enter(scene.world, person(scene.world, "device", name="device:other"))
    confirmed = messages.ControlAnswer(control_id=control.control_id, answer="confirmed", way="touch")
    await refused(stranger, confirmed, "control_not_found")
    await refused(stranger, messages.OfferControl(feed=FEED, ways=()), "feed_not_found")


@pytest.mark.parametrize("way", [None, "badge"])
async def test_a_confirmation_in_no_way_that_was_offered_counts_for_nothing(
    scene: Scene, way: str | None
) -> None:
    control = await scene.granted()
    answer = messages.ControlAnswer.model_validate(
        {"control_id": control.control_id, "answer": "confirmed", "way": way}
    )
    await refused(scene.box, answer, "control_not_granted")


async def test_nothing_is_confirmed_before_a_host_has_allowed_it(scene: Scene) -> None:
    control = await scene.asked()
    confirmed = messages.ControlAnswer(control_id=control.control_id, answer="confirmed", way="touch")
    await refused(scene.box, confirmed, "control_not_granted")
    code = messages.ConfirmControl(control_id=control.control_id, code="123456")
    await refused(scene.host, code, "control_no_code")


async def test_codes_go_to_the_box_one_at_a_time_and_the_third_wrong_one_ends_it(scene: Scene) -> None:
    control = await scene.granted()
    code = messages.ConfirmControl(control_id=control.control_id, code="123456")
    for left in (2, 1, 0):
        await scene.host.send(code)
        asked = await scene.box.next(messages.CheckCode)
        assert (asked.control_id, asked.code) == (control.control_id, "123456")
        await refused(scene.host, code, "control_checking")
        await scene.box.send(messages.ControlAnswer(control_id=control.control_id, answer="wrong_code"))
        if left:
            assert (await scene.told("granted")).tries_left == left
    await scene.over("wrong_code", by=f"device:{FEED}")
    assert not any(isinstance(m, messages.CheckCode) for m in scene.recorder.seen)


@pytest.mark.parametrize(
    ("stage", "by", "reason"),
    [
        ("asked", "host", "refused"),
        ("asked", "expert", "withdrawn"),
        ("granted", "host", "refused"),
        ("granted", "expert", "withdrawn"),
        ("active", "host", "stopped"),
        ("active", "expert", "stopped"),
    ],
)
async def test_it_is_refused_taken_back_or_stopped(scene: Scene, stage: str, by: str, reason: str) -> None:
    control: Control = await getattr(scene, stage)()
    await getattr(scene, by).send(messages.EndControl(control_id=control.control_id))
    await scene.over(reason, by="u_host" if by == "host" else "u_invited")


async def test_the_box_ends_it_and_says_why(scene: Scene) -> None:
    for reason in ("silent", "device_failed", None):
        control = await scene.active()
        await scene.box.send(
            messages.ControlAnswer.model_validate(
                {"control_id": control.control_id, "answer": "ended", "reason": reason}
            )
        )
        await scene.over(reason or "stopped_at_box", by=f"device:{FEED}")


@pytest.mark.parametrize(
    ("stage", "after_s", "reason"),
    [
        ("asked", ANSWER_WITHIN_S, "not_answered"),
        ("granted", ANSWER_WITHIN_S, "not_confirmed"),
        ("active", 300, "expired"),
    ],
)
async def test_every_stage_ends_by_itself(scene: Scene, stage: str, after_s: int, reason: str) -> None:
    await getattr(scene, stage)()
    scene.world.clock.advance(after_s - 5)
    await scene.tick()
    assert not any(m for m in await scene.host.sync() if isinstance(m, messages.ControlChanged))
    scene.world.clock.advance(6)
    await scene.tick()
    await scene.over(reason)


async def test_it_ends_with_whoever_controls_the_picture_the_box_and_a_privacy_pause(scene: Scene) -> None:
    everybody = (scene.host, scene.watcher, scene.recorder)
    control = await scene.active()
    await scene.host.send(messages.SetPaused(paused=True))
    await scene.host.next(messages.PausedChanged)
    await refused(scene.expert, scene.press(control, DOWN), "control_over")
    await scene.tick()
    await scene.over("paused")
    await refused(scene.expert, messages.AskControl(feed=FEED), "paused")
    await scene.host.send(messages.SetPaused(paused=False))
    await scene.host.next(messages.PausedChanged, paused=False)

    await scene.active()
    await scene.box.send(messages.OfferControl(feed=FEED, ways=()))
    await scene.over("box_left")
    await refused(scene.expert, messages.AskControl(feed=FEED), "not_controllable")
    await scene.box.send(messages.OfferControl(feed=FEED, ways=("code",)))
    await scene.expert.next(messages.TrackChanged)

    await scene.asked()
    await scene.expert.drop()
    await until(lambda: not scene.seat("u_invited").connected)
    await scene.tick()
    scene.world.clock.advance(HIDE_AFTER_S + 1)
    await scene.tick()
    for client in (scene.box, *everybody):
        await scene.over_for(client, "controller_left")


async def test_a_box_that_lost_its_connection_ends_it_before_it_can_be_back(scene: Scene) -> None:
    control = await scene.active()
    await scene.box.drop()
    await until(lambda: not scene.seat(f"device:{FEED}").connected)
    press = scene.press(control, DOWN)
    await refused(scene.expert, press, "control_over")
    await scene.tick()
    await scene.over_for(scene.expert, "box_left")
    await refused(scene.expert, messages.AskControl(feed=FEED), "box_away")


async def test_one_at_a_time_and_not_all_the_time(scene: Scene) -> None:
    control = await scene.asked()
    await refused(scene.host, messages.AskControl(feed=FEED), "control_taken")
    await refused(scene.expert, messages.AskControl(feed=FEED), "control_taken")
    await scene.host.send(messages.GrantControl(control_id=control.control_id, minutes=1))
    await scene.told("granted")
    await refused(
        scene.host, messages.GrantControl(control_id=control.control_id, minutes=15), "control_granted"
    )
    for _ in range(CONTROL_ASKS_BURST - 2):
        await refused(scene.expert, messages.AskControl(feed=FEED), "control_taken")
    await refused(scene.expert, messages.AskControl(feed=FEED), "too_fast")


async def test_what_a_network_held_back_is_not_pressed(scene: Scene) -> None:
    control = await scene.active()
    for late_us in (1_600_000, 60_000_000, 1_000_000, -60_000_000):
        await scene.expert.send(scene.press(control, DOWN, late_us))
    await scene.expert.sync()
    now_us = scene.world.context.service.now_us()
    pressed = [m for m in await scene.box.sync() if isinstance(m, messages.ControlPressed)]
    assert len(pressed) == 2
    assert now_us - 1_500_000 < pressed[0].at_us < now_us - 900_000
    assert now_us - 500_000 < pressed[1].at_us <= now_us, "nobody says something in the future"


async def test_a_box_allows_no_more_minutes_than_it_says(scene: Scene) -> None:
    await scene.box.send(messages.OfferControl(feed=FEED, ways=("code", "touch"), max_minutes=3))
    assert (await scene.recorder.next(messages.TrackChanged)).track.control_minutes == 3
    control = await scene.granted(minutes=15)
    assert control.minutes == 3


async def test_a_box_whose_process_died_offers_control_anew_at_once(scene: Scene) -> None:
    control = await scene.active()
    await scene.box.drop()
    await until(lambda: not scene.seat(f"device:{FEED}").connected)
    box, welcome = await enter(scene.world, person(scene.world, "device", name=f"device:{FEED}"))
    assert {track.participant_id for track in welcome.tracks} == {welcome.participant.participant_id}
    await box.send(messages.OfferControl(feed=FEED, ways=("code",)))
    for client in (scene.expert, box):
        await scene.over_for(client, "box_left")
    await refused(scene.expert, scene.press(control, DOWN), "control_not_found")
    await scene.expert.send(messages.AskControl(feed=FEED))
    changed = await box.next(messages.ControlChanged)
    assert changed.control is not None
    assert changed.control.stage == "asked"


async def test_nothing_is_asked_for_that_is_over_when_it_has_been_written_down(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    record, holding = trail.record_audit, asyncio.Event()

    async def slow(database: Any, actor: str, action: str, *more: str) -> None:
        if action == "control_ask":
            await holding.wait()
        await record(database, actor, action, *more)

    monkeypatch.setattr(trail, "record_audit", slow)
    await scene.expert.send(messages.AskControl(feed=FEED))
    controls = scene.world.context.service.rooms["demo"].controls
    await until(lambda: controls.of_feed(FEED) is not None)
    await scene.box.send(messages.OfferControl(feed=FEED, ways=()))
    await scene.over_for(scene.host, "box_left")
    holding.set()
    await scene.expert.sync()
    told = [m for m in await scene.host.sync() if isinstance(m, messages.ControlChanged)]
    assert told == []
