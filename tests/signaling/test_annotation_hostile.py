"""Hostile input about drawings, over the real room socket: its sender hears of it, nobody else does."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from typing import Any, Final

import pytest

from annotation.document import Document
from annotation.keeping import kept
from core import messages
from core.annotations import Extend, MarkMotion, Place, RemoveMark, Undo, Update
from signaling.room_service import OPERATIONS_BURST, OPERATIONS_PER_S
from tests.signaling.conftest import WITHIN_S, RoomClient, World
from tests.signaling.room_people import Person, enter, person, refused
from tests.signaling.test_annotations import FEED, change_of, pen, said, show

NAN: Final = float("nan")
HUGE: Final = [0.5] * 200_000
CAPTURED_US: Final = 1_795_300_000_000_000
MOTION: Final = {"mark_id": "m1", "motion": [1, 0, 0, 1, 0.25, 0], "confidence": 1, "state": "held"}


@dataclass
class Stage:
    """Somebody who means harm, three who watch, and one mark that is there."""

    world: World
    villain: RoomClient
    owner: RoomClient
    watchers: list[RoomClient]

    @property
    def document(self) -> Document:
        drawings = self.world.context.service.drawings.of(self.world.consultation.consultation_id)
        return drawings.documents[FEED]

    async def nobody_heard(self) -> bool:
        """Of drawings, since last asked."""
        kinds = (messages.AnnotationsChanged, messages.MarksMoved, messages.Error)
        heard = [message for client in self.watchers for message in await client.sync()]
        return not any(isinstance(message, kinds) for message in heard)


@pytest.fixture
async def stage(world: World) -> Stage:
    await show(world)
    owner, _ = await enter(world, person(world, "host"))
    box, _ = await enter(world, person(world, "device", name=f"device:{FEED}"))
    recorder, _ = await enter(world, person(world, "recorder"))
    villain, _ = await enter(world, person(world, "invited"))
    made = Stage(world, villain, owner, [owner, box, recorder])
    await owner.send(said("o1", pen("m1", 0.5, 0.5)))
    for client in (*made.watchers, villain):
        await change_of(client)
    return made


def added(**mark: Any) -> dict[str, Any]:
    good = json.loads(said("v1", pen("v1", 0.1, 0.1, 0.2, 0.2)).model_dump_json())
    good["operation"]["mark"] |= mark
    return dict(good)


def doing(**operation: Any) -> dict[str, Any]:
    return {"type": "annotate", "op_id": "v1", "feed": FEED, "operation": operation}


WRONG: Final[dict[str, dict[str, Any]]] = {
    "NaN for a place": added(points=[NAN, 0.5, 0.5, 0.5]),
    "infinity": added(points=[0.5, float("inf")]),
    "a number too large for any": added(points=[0.5, 10**400]),
    "outside of the picture": added(points=[0.5, 1.5]),
    "left of the picture": added(points=[-0.01, 0.5]),
    "an odd number of coordinates": added(points=[0.5, 0.5, 0.5]),
    "no points": added(points=[]),
    "words for numbers": added(points=["left", "top"]),
    "a huge stroke": added(points=[0.5] * 4_000),
    "more pressures than points": added(pressures=[0.5] * 3),
    "NaN for a pressure": added(pressures=[NAN, 0.5]),
    "a line wider than the picture": added(width=7),
    "NaN for a width": added(width=NAN),
    "a colour that is a script": added(colour="#fff;background:url(//x)"),
    "a tool there is not": added(tool="eraser"),
    "a novel for a text": added(tool="text", points=[0.5, 0.5], text="x" * 501),
    "a frame of no known time": added(anchor="frame"),
    "a frame long before time began": added(captured_us=-1),
    "a life of no length": added(fade_after_ms=0),
    "a scale of NaN": added(tool="ruler", scale={"mm_per_height": NAN, "aspect": 1.5}),
    "a forged author": added(author="u_host"),
    "a forged name": added(author_name="Dr Host"),
    "a forged role": added(role="site"),
    "a forged feed": added(feed="theatre"),
    "a forged moment": added(changed_us=1),
    "a forged author of the message": added() | {"author": "u_host"},
    "another person's name on the message": added() | {"person": "u_host"},
    "an endless name for a mark": added(mark_id="m" * 65),
    "a stroke that grows by too much": doing(op="extend", mark_id="m1", start=1, points=[0.5] * 2_002),
    "a stroke that grows by NaN": doing(op="extend", mark_id="m1", start=1, points=[NAN, 0.5]),
    "a stroke that grows before its beginning": doing(op="extend", mark_id="m1", start=-1, points=[0, 0]),
    "a new place of NaN": doing(op="update", mark_id="m1", points=[NAN, NAN]),
    "a new author": doing(op="update", mark_id="m1", author="u_invited"),
    "whose drawings": doing(op="clear", whose="hers"),
    "somebody else's undo": doing(op="undo", author="u_host"),
    "a scale of nothing": doing(op="calibrate", scale={"mm_per_height": 0, "aspect": 1}),
    "an operation there is not": doing(op="drop table marks"),
    "no operation": {"type": "annotate", "op_id": "v1", "feed": FEED},
    "a pointer beside the picture": {"type": "point", "feed": FEED, "at": {"x": NAN, "y": 2}},
}


@pytest.mark.parametrize("wrong", WRONG.values(), ids=WRONG.keys())
async def test_what_no_client_would_say_is_an_error_to_who_says_it(
    stage: Stage, wrong: dict[str, Any]
) -> None:
    before = kept(stage.document)
    await stage.villain.socket.send_str(json.dumps(wrong))
    assert (await stage.villain.next(messages.Error)).code == "malformed"
    assert await stage.nobody_heard()
    assert kept(stage.document) == before


async def test_a_message_beyond_all_bounds_ends_its_sender_s_connection_alone(stage: Stage) -> None:
    before = kept(stage.document)
    await stage.villain.socket.send_str(json.dumps(added(points=HUGE)))
    assert await stage.villain.closed() == 1009  # RFC 6455: too big
    assert await stage.nobody_heard()
    assert kept(stage.document) == before


@pytest.mark.parametrize(
    ("operation", "code"),
    [
        (Extend(mark_id="m1", start=1, points=[0.9, 0.9]), "not_yours"),
        (Update(mark_id="m1", text="she never said so"), "not_yours"),
        (RemoveMark(mark_id="m1"), "not_yours"),
        (pen("m1", 0.9, 0.9), "mark_exists"),
        (Undo(), "nothing_to_undo"),
    ],
    ids=lambda value: value if isinstance(value, str) else value.op,
)
async def test_nobody_draws_in_somebody_else_s_name(stage: Stage, operation: Any, code: str) -> None:
    before = kept(stage.document)
    await refused(stage.villain, said("v1", operation), code)
    assert await stage.nobody_heard()
    assert kept(stage.document) == before


async def test_an_operation_s_id_of_somebody_else_is_one_s_own(stage: Stage) -> None:
    """Ids are remembered for each person: nobody's operation is taken for done because of another's."""
    await stage.villain.send(said("o1", pen("v1", 0.9, 0.9)))
    assert (await change_of(stage.owner)).put[0].author == "u_invited"


@pytest.mark.parametrize("feed", ["theatre", "ultrasound-screen", "ULTRASOUND", "../ultrasound", "p_0"])
async def test_nobody_draws_or_points_on_a_feed_they_do_not_see(stage: Stage, feed: str) -> None:
    await refused(stage.villain, said("v1", pen("v1"), feed=feed), "feed_not_found")
    await refused(stage.villain, messages.Point(feed=feed, at=Place(x=0, y=0)), "feed_not_found")
    assert await stage.nobody_heard()


async def another_box(world: World) -> Person:
    """With a feed of its own in the same room."""
    found = person(world, "device", name="device:theatre")
    assert (await world.whip("theatre", found.token)).status == 201
    return found


def moving(feed: str = FEED, **more: Any) -> messages.MoveMarks:
    motion = MarkMotion.model_validate(MOTION)
    return messages.MoveMarks(feed=feed, captured_us=CAPTURED_US, marks=[motion], **more)


async def test_marks_are_moved_by_the_feed_s_own_box_alone(stage: Stage) -> None:
    box, _ = await enter(stage.world, await another_box(stage.world))
    viewer, _ = await enter(stage.world, person(stage.world, "viewer"))
    recorder, _ = await enter(stage.world, person(stage.world, "recorder", name="service:second"))
    assert await stage.nobody_heard()
    await refused(box, moving(), "feed_not_found")
    for client in (stage.villain, stage.owner, viewer, recorder):
        await refused(client, moving(), "not_granted")
    assert await stage.nobody_heard()
    await box.send(moving("theatre"))
    assert (await stage.owner.next(messages.MarksMoved)).feed == "theatre"


@pytest.mark.parametrize(
    "wrong",
    [
        {"marks": [MOTION | {"motion": [NAN] * 6}]},
        {"marks": [MOTION | {"motion": [1, 0, 0, 1, 1e9, 0]}]},
        {"marks": [MOTION | {"motion": [1, 0, 0, 1]}]},
        {"marks": [MOTION | {"confidence": 2}]},
        {"marks": [MOTION | {"state": "found"}]},
        {"marks": [MOTION] * 17},
        {"marks": []},
        {"marks": [MOTION], "captured_us": -1},
        {"marks": [MOTION], "author": "u_host"},
    ],
    ids=["NaN", "far", "short", "sure", "state", "many", "none", "early", "forged"],
)
async def test_even_a_feed_s_own_box_says_nothing_impossible(stage: Stage, wrong: dict[str, Any]) -> None:
    box = stage.watchers[1]
    said_by_box = {"type": "move_marks", "feed": FEED, "captured_us": CAPTURED_US} | wrong
    await box.socket.send_str(json.dumps(said_by_box))
    assert (await box.next(messages.Error)).code == "malformed"
    assert await stage.nobody_heard()


async def test_a_flood_of_strokes_is_refused_and_the_others_go_on_drawing(stage: Stage) -> None:
    """Everything that can be sent, as fast as it can."""

    async def flood() -> None:
        for number in range(10 * OPERATIONS_BURST):
            await stage.villain.send(said(f"v{number}", pen(f"v{number}")))

    flooding = asyncio.create_task(flood())
    for number in range(20):
        await stage.owner.send(said(f"h{number}", pen(f"h{number}")))
        async with asyncio.timeout(WITHIN_S):
            while (await change_of(stage.owner)).op_id != f"h{number}":
                pass
    await asyncio.gather(flooding, return_exceptions=True)  # it may have been sent out
    errors = [one.code for one in stage.villain.seen if isinstance(one, messages.Error)]
    assert "too_fast" in errors or stage.villain.socket.closed
    theirs = [mark for mark in stage.document.marks if mark.startswith("v")]
    assert len(theirs) < OPERATIONS_BURST + 10 * OPERATIONS_PER_S
    assert not any(isinstance(one, messages.Error) for client in stage.watchers for one in client.seen)
