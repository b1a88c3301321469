"""Every message × every kind of member: taken, or refused with the right code.

Generated from the list of messages: one that is new and has no row here fails.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, get_args

import pytest

from core import messages
from core.annotations import Add, MarkMotion, NewMark, Place
from core.control import Pressed
from core.device_health import DeviceHealth
from core.messages import ClientMessage, Model
from tests.signaling.conftest import RoomClient, World
from tests.signaling.room_people import Kind, enter, guest, knock, person

KINDS: Final[tuple[Kind, ...]] = get_args(Kind)
PEOPLE: Final = ("host", "specialist", "invited", "guest")
ALL: Final[tuple[type[Model], ...]] = get_args(get_args(ClientMessage)[0])


@dataclass
class Scene:
    """What there is in the room, besides the member that is tried."""

    world: World
    own_token: str
    other: str
    """Participant id of a member of the hospital."""
    waiting: str
    """Participant id of somebody in the lobby."""


@dataclass(frozen=True)
class Row:
    """`make`: a message that would succeed for those who may. `taken`: who may; the others get `code`.

    `own_code`: what even those who may are answered, when that is an error, too.
    """

    make: Callable[[Scene], Model]
    taken: Sequence[str]
    code: str = ""
    answers: dict[str, str] | None = None


def _row(make: Callable[[Scene], Model], taken: Sequence[str], code: str = "", **answers: str) -> Row:
    return Row(make, taken, code, answers)


_CAMERA: Final = [messages.PublishedSource(mid="0", source="camera")]
EVERYBODY: Final = tuple(kind for kind in KINDS if kind != "waiting")
VIEWERS: Final = (*PEOPLE, "recorder", "viewer")
PUBLISHERS: Final = (*PEOPLE, "device")


_MOTION: Final = MarkMotion(mark_id="m_1", motion=[1, 0, 0, 1, 0, 0], confidence=1, state="held")


def _draw(scene: Scene) -> messages.Annotate:
    mark = NewMark(mark_id="m_1", tool="pen", colour="#e5484d", width=0.004, points=[0.5, 0.5])
    return messages.Annotate(op_id="o_1", feed="ultrasound", operation=Add(mark=mark))


ROWS: Final[dict[type[Model], Row]] = {
    messages.Hello: _row(lambda s: messages.Hello(), EVERYBODY, **dict.fromkeys(EVERYBODY, "hello_again")),
    messages.Ping: _row(lambda s: messages.Ping(id=7), KINDS),
    messages.Renew: _row(
        lambda s: messages.Renew(token=s.own_token), KINDS, device="not_renewable", recorder="not_renewable"
    ),
    messages.TakeOver: _row(lambda s: messages.TakeOver(), EVERYBODY),
    messages.Publish: _row(
        lambda s: messages.Publish(offer="v=0\r\npublish:video/camera", sources=_CAMERA),
        PUBLISHERS,
        "not_granted",
        device="not_granted",  # a box publishes by WHIP, and never a camera
    ),
    messages.Unpublish: _row(lambda s: messages.Unpublish(), PUBLISHERS, "not_granted"),
    messages.SetMuted: _row(
        lambda s: messages.SetMuted(track_id="k_x", muted=True),
        PUBLISHERS,
        "not_granted",
        **dict.fromkeys(PUBLISHERS, "track_not_found"),
    ),
    messages.Subscribe: _row(lambda s: messages.Subscribe(), VIEWERS, "not_granted"),
    messages.RestartIce: _row(
        lambda s: messages.RestartIce(), VIEWERS, "not_granted", **dict.fromkeys(VIEWERS, "not_subscribed")
    ),
    messages.Answer: _row(lambda s: messages.Answer(revision=0, sdp="v=0"), VIEWERS, "not_granted"),
    messages.ReportQuality: _row(
        lambda s: messages.ReportQuality(feed="ultrasound", judgement="fair"), VIEWERS, "not_granted"
    ),
    messages.SetView: _row(lambda s: messages.SetView(views=[]), VIEWERS, "not_granted"),
    messages.Annotate: _row(_draw, PEOPLE, "not_granted"),
    messages.Point: _row(
        lambda s: messages.Point(feed="ultrasound", at=Place(x=0.5, y=0.5)), PEOPLE, "not_granted"
    ),
    messages.SyncAnnotations: _row(lambda s: messages.SyncAnnotations(), EVERYBODY),
    messages.MoveMarks: _row(
        lambda s: messages.MoveMarks(feed="ultrasound", captured_us=1, marks=[_MOTION]),
        ("device",),
        "not_granted",
        device="feed_not_found",  # somebody else's
    ),
    messages.Freeze: _row(
        lambda s: messages.Freeze(ref="1", feed="ultrasound", captured_us=1),
        PEOPLE,
        "not_granted",
        **dict.fromkeys(PEOPLE, "box_away"),  # a plain encoder keeps no frames
    ),
    messages.Unfreeze: _row(
        lambda s: messages.Unfreeze(still_id="fz_x"),
        PEOPLE,
        "not_granted",
        **dict.fromkeys(PEOPLE, "still_not_found"),
    ),
    messages.StillMissing: _row(
        lambda s: messages.StillMissing(still_id="fz_x", problem="gone"),
        ("device",),
        "not_granted",
        device="still_not_found",
    ),
    messages.SetSignal: _row(
        lambda s: messages.SetSignal(feed="ultrasound", signal=messages.FeedSignal()),
        ("device",),
        "not_granted",
        device="feed_not_found",  # somebody else's
    ),
    messages.OfferControl: _row(
        lambda s: messages.OfferControl(feed="ultrasound", ways=("code",)),
        ("device",),
        "not_granted",
        device="feed_not_found",  # somebody else's
    ),
    messages.ControlAnswer: _row(
        lambda s: messages.ControlAnswer(control_id="c_x", answer="ended"),
        ("device",),
        "not_granted",
        device="control_not_found",
    ),
    messages.AskControl: _row(
        lambda s: messages.AskControl(feed="ultrasound"),
        PEOPLE,
        "not_granted",
        **dict.fromkeys(PEOPLE, "not_controllable"),
    ),
    messages.GrantControl: _row(
        lambda s: messages.GrantControl(control_id="c_x", minutes=5),
        ("host",),
        "not_host",
        host="control_not_found",
    ),
    messages.ConfirmControl: _row(
        lambda s: messages.ConfirmControl(control_id="c_x", code="123456"),
        ("host",),
        "not_host",
        host="control_not_found",
    ),
    messages.EndControl: _row(
        lambda s: messages.EndControl(control_id="c_x"),
        PEOPLE,
        "not_granted",
        **dict.fromkeys(PEOPLE, "control_not_found"),
    ),
    messages.Press: _row(
        lambda s: messages.Press(control_id="c_x", pressed=Pressed(), said_us=1),
        PEOPLE,
        "not_granted",
        **dict.fromkeys(PEOPLE, "control_not_found"),
    ),
    messages.ReportHealth: _row(
        lambda s: messages.ReportHealth(health=DeviceHealth()), ("device",), "not_granted"
    ),
    messages.Chat: _row(lambda s: messages.Chat(ref="1", text="hello"), PEOPLE, "not_granted"),
    messages.Admit: _row(lambda s: messages.Admit(participant_id=s.waiting), ("host",), "not_host"),
    messages.TurnAway: _row(lambda s: messages.TurnAway(participant_id=s.waiting), ("host",), "not_host"),
    messages.Remove: _row(lambda s: messages.Remove(participant_id=s.other), ("host",), "not_host"),
    messages.SetPaused: _row(lambda s: messages.SetPaused(paused=True), ("host",), "not_host"),
    messages.SetConsent: _row(lambda s: messages.SetConsent(record=False), ("host",), "not_host"),
    messages.SetRecord: _row(lambda s: messages.SetRecord(record=False), ("host",), "not_host"),
    messages.WriteOpinion: _row(
        lambda s: messages.WriteOpinion(ref="1", text="nothing abnormal"),
        PEOPLE,
        "not_granted",
        host="not_specialist",
    ),
    messages.SetRecording: _row(
        lambda s: messages.SetRecording(state="recording"), ("recorder",), "not_recorder"
    ),
}


def test_every_message_has_a_row() -> None:
    assert set(ROWS) == set(ALL)


@pytest.mark.parametrize("kind", KINDS)
async def test_messages_are_taken_or_refused_as_the_matrix_says(world: World, kind: Kind) -> None:
    wrong = []
    for message_type, row in ROWS.items():
        expected = _expected(row, kind)
        answer = await _try(world, kind, row)
        if answer != expected:
            wrong.append((message_type.__name__, kind, f"expected {expected!r}", f"got {answer!r}"))
    assert wrong == []


def _expected(row: Row, kind: Kind) -> str:
    """The code of the refusal; empty: taken."""
    if kind not in row.taken:
        return "not_admitted" if kind == "waiting" else row.code
    return (row.answers or {}).get(kind, "")


async def _try(world: World, kind: Kind, row: Row) -> str:
    """A fresh room, one member of that kind, one message: the code of the answer."""
    scene_clients = await _set_scene(world)
    client, token = await _come(world, kind)
    scene = Scene(world, token, *scene_clients[1])
    message: Any = row.make(scene)
    await client.send(message)
    heard = await client.sync()
    errors = [item for item in heard if isinstance(item, messages.Error) and item.about == message.type]
    room = world.context.service.rooms["demo"]
    world.context.service.end_room(room)
    for other in [client, *scene_clients[0]]:
        await other.closed()
    return errors[0].code if errors else ""


async def _set_scene(world: World) -> tuple[list[RoomClient], tuple[str, str]]:
    await _reset(world)
    assert (await world.whip("ultrasound", person(world, "device", name="device:scene").token)).status == 201
    other, welcome = await enter(world, person(world, "invited", name="u_scene"))
    waiting, seat = await knock(world, await guest(world))
    return [other, waiting], (welcome.participant.participant_id, seat.participant.participant_id)


async def _reset(world: World) -> None:
    """As the consultation was when it was opened."""
    from sqlalchemy import delete, update

    from core.tables import ConsultationRow, RemovedPersonRow

    async with world.database.writing() as session:
        await session.execute(update(ConsultationRow).values(paused=False, consent_record=True, record=True))
        await session.execute(delete(RemovedPersonRow))


async def _come(world: World, kind: Kind) -> tuple[RoomClient, str]:
    if kind == "waiting":
        who = await guest(world)
        return (await knock(world, who))[0], who.token
    who = await guest(world, lobby=False) if kind == "guest" else person(world, kind)
    return (await enter(world, who))[0], who.token


async def test_a_refusal_changes_nothing_for_the_others(world: World) -> None:
    """Everything a guest may not do, and what a member of the room hears of it: nothing."""
    (others, ids) = await _set_scene(world)
    watcher = others[0]
    client, token = await _come(world, "guest")
    await watcher.sync()
    for row in ROWS.values():
        if "guest" not in row.taken:
            await client.send(row.make(Scene(world, token, *ids)))
    refusals = [item for item in await client.sync() if isinstance(item, messages.Error)]
    assert len(refusals) == sum("guest" not in row.taken for row in ROWS.values())
    assert await watcher.sync() == []
