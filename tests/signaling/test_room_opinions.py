"""The written opinion: by specialists, stored before it is shown, kept with the consultation."""

from __future__ import annotations

import pytest

from core import messages, opinions
from core.consultations import close_consultation
from core.messages import OPINION_MAX_CHARS
from tests.signaling.conftest import World, bearer
from tests.signaling.room_people import enter, guest, person, refused


async def test_an_opinion_reaches_who_may_chat_and_the_recorder_and_late_joiners(world: World) -> None:
    expert, welcome = await enter(world, person(world, "invited"))
    assert welcome.opinions == []
    readers = [expert] + [
        (await enter(world, who))[0]
        for who in (person(world, "host"), await guest(world, lobby=False), person(world, "recorder"))
    ]
    others = [(await enter(world, person(world, kind)))[0] for kind in ("device", "viewer")]
    await expert.send(messages.WriteOpinion(ref="o1", text="No pericardial effusion."))
    told = [(await client.next(messages.OpinionWritten)).opinion for client in readers]
    assert len({opinion.opinion_id for opinion in told}) == 1
    assert (told[0].text, told[0].name, told[0].organisation) == (
        "No pericardial effusion.",
        "u_invited",
        "Hospital",
    )
    for client in others:
        assert not any(isinstance(message, messages.OpinionWritten) for message in await client.sync())
    _, late = await enter(world, person(world, "specialist"))
    _, device = await enter(world, person(world, "device"))
    assert (late.opinions, device.opinions) == ([told[0]], [])
    assert ("u_invited", "write_opinion", "ok") in await world.audit()


async def test_the_same_opinion_again_is_stored_once_and_a_later_one_stands_beside_it(world: World) -> None:
    expert, _ = await enter(world, person(world, "invited"))
    host, _ = await enter(world, person(world, "host"))
    for text in ("first", "first"):
        await expert.send(messages.WriteOpinion(ref="o1", text=text))
    first = [(await expert.next(messages.OpinionWritten)).opinion for _ in range(2)]
    assert first[0] == first[1]
    await expert.send(messages.WriteOpinion(ref="o2", text="second thoughts"))
    assert [(await host.next(messages.OpinionWritten)).opinion.text for _ in range(2)] == [
        "first",
        "second thoughts",
    ]
    stored = await opinions.list_opinions(world.database, world.consultation.consultation_id)
    assert [opinion.text for opinion in stored] == ["first", "second thoughts"]


async def test_only_specialists_write_one_and_never_an_empty_one(world: World) -> None:
    host, _ = await enter(world, person(world, "host"))
    expert, _ = await enter(world, person(world, "invited"))
    await refused(host, messages.WriteOpinion(ref="o1", text="mine"), "not_specialist")
    await refused(expert, messages.WriteOpinion(ref="o1", text=" \n "), "empty")
    await refused(expert, messages.WriteOpinion(ref="\0", text="x"), "malformed")
    assert len("x" * OPINION_MAX_CHARS) == OPINION_MAX_CHARS


async def test_there_is_an_end_to_opinions(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opinions, "MAX_OPINIONS", 1)
    expert, _ = await enter(world, person(world, "invited"))
    await expert.send(messages.WriteOpinion(ref="o1", text="one"))
    await expert.next(messages.OpinionWritten)
    await refused(expert, messages.WriteOpinion(ref="o2", text="two"), "too_many")


async def test_opinions_outlive_the_chat_and_are_listed(world: World) -> None:
    expert, _ = await enter(world, person(world, "invited"))
    await expert.send(messages.WriteOpinion(ref="o1", text="to be kept"))
    await expert.next(messages.OpinionWritten)
    wanted = world.consultation.consultation_id
    await close_consultation(world.database, wanted)
    tokens = await world.login("bai")
    path = f"/api/v1/consultations/{wanted}/opinions"
    async with world.session.get(path, headers=bearer(tokens["access_token"])) as response:
        assert response.status == 200
        assert [row["text"] for row in await response.json()] == ["to be kept"]
