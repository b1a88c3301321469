"""The lobby: who waits learns nothing and can do nothing; hosts decide; the decision is remembered."""

from __future__ import annotations

import json

import pytest

from core import invitations, messages
from signaling.lobby import MAX_WAITING
from tests.signaling.conftest import World, bearer
from tests.signaling.room_people import (
    enter,
    guest,
    guest_token,
    knock,
    person,
    refused,
    until,
)


async def test_a_guest_waits_until_a_host_lets_it_in(world: World) -> None:
    host, _ = await enter(world, person(world, "host"))
    expert, _ = await enter(world, person(world, "invited"))
    who = await guest(world)
    client, waiting = await knock(world, who)
    assert waiting.site == "Clinic"
    knocked = await host.next(messages.Knock)
    assert knocked.participant == waiting.participant
    assert (knocked.participant.guest, knocked.participant.organisation) == (True, "Elsewhere Hospital")
    assert await expert.sync() == []
    await host.send(messages.Admit(participant_id=waiting.participant.participant_id))
    welcome = await client.next(messages.Welcome)
    assert welcome.participant == waiting.participant
    assert not welcome.host
    assert (await expert.next(messages.ParticipantJoined)).participant == waiting.participant
    ended = await host.next(messages.KnockEnded)
    assert (ended.participant_id, ended.reason) == (waiting.participant.participant_id, "admitted")
    await client.send(messages.Chat(ref="1", text="hello"))
    await expert.next(messages.ChatAdded)


async def test_who_was_let_in_once_needs_no_knock_when_coming_back(world: World) -> None:
    host, _ = await enter(world, person(world, "host"))
    who = await guest(world)
    client, waiting = await knock(world, who)
    await host.send(messages.Admit(participant_id=waiting.participant.participant_id))
    await client.next(messages.Welcome)
    await client.close()
    again, welcome = await enter(world, who)
    assert welcome.participant.guest
    assert await invitations.is_admitted(world.database, who.sub)
    assert await again.sync() == []


async def test_an_invitation_without_a_lobby_lets_its_guest_in(world: World) -> None:
    client, welcome = await enter(world, await guest(world, lobby=False))
    assert welcome.participant.guest
    assert await client.sync() == []


async def test_turned_away_the_guest_is_told_and_let_go_and_may_knock_again(world: World) -> None:
    host, _ = await enter(world, person(world, "host"))
    who = await guest(world)
    client, waiting = await knock(world, who)
    await host.send(messages.TurnAway(participant_id=waiting.participant.participant_id))
    assert await client.closed() == 4403
    assert (await host.next(messages.KnockEnded)).reason == "turned_away"
    await knock(world, who)
    await host.next(messages.Knock)


async def test_hosts_that_come_later_find_who_waits_and_nobody_else_does(world: World) -> None:
    _, waiting = await knock(world, await guest(world))
    _, welcome = await enter(world, person(world, "host"))
    assert welcome.host
    assert welcome.lobby == [waiting.participant]
    for kind in ("specialist", "invited", "recorder", "device"):
        _, welcome = await enter(world, person(world, kind))
        assert (welcome.lobby, welcome.host) == ([], False)


async def test_a_hostile_client_in_the_lobby_gets_nothing_out_of_the_room(world: World) -> None:
    host, _ = await enter(world, person(world, "host"))
    await world.publish(host, "video/camera")
    assert (await world.whip("ultrasound", person(world, "device").token)).status == 201
    await host.send(messages.Chat(ref="1", text="a secret"))
    await host.next(messages.ChatAdded)
    who = await guest(world)
    client, waiting = await knock(world, who)
    transports = set(world.worker.transports)
    tries: list[messages.Model] = [
        messages.Subscribe(),
        messages.Answer(revision=0, sdp="v=0"),
        messages.RestartIce(),
        messages.Publish(offer="v=0", sources=[messages.PublishedSource(mid="0", source="camera")]),
        messages.Chat(ref="x", text="let me in"),
        messages.Admit(participant_id=waiting.participant.participant_id),
        messages.SetPaused(paused=True),
        messages.TakeOver(),
        messages.ReportQuality(feed="ultrasound", judgement="poor"),
        messages.SetMuted(track_id="k_1", muted=True),
    ]
    for message in tries:
        await refused(client, message, "not_admitted")
    response = await world.session.post(
        "/whep/demo/ultrasound",
        data="v=0\r\n",
        headers=bearer(who.token) | {"Content-Type": "application/sdp"},
    )
    assert (response.status, (await response.json())["code"]) == (403, "not_admitted")
    for method, path in (("POST", "files"), ("GET", "files/f_00000000000000000000000000")):
        async with world.session.request(
            method, f"/api/v1/rooms/demo/{path}", headers=bearer(who.token)
        ) as response:
            assert (response.status, (await response.json())["code"]) == (403, "not_admitted")
    # things happen meanwhile
    await world.publish(host, "audio/microphone")
    expert, _ = await enter(world, person(world, "invited"))
    await expert.close()
    await client.sync()
    told = {type(message) for message in client.seen}
    assert told == {messages.Waiting, messages.Error, messages.Pong}
    everything = json.dumps([message.model_dump(mode="json") for message in client.seen], ensure_ascii=False)
    for secret in ("张", "ultrasound", "a secret", "u_host", "u_invited", "resume_token"):
        assert secret not in everything
    assert set(world.worker.transports) - transports <= {  # the host's new publish connection
        name for name, item in world.worker.transports.items() if item.wanted.direction == "publish"
    }


async def test_who_waits_resumes_its_place_without_a_second_knock(world: World) -> None:
    host, _ = await enter(world, person(world, "host"))
    who = await guest(world)
    client, waiting = await knock(world, who)
    await host.next(messages.Knock)
    await client.drop()
    await until(lambda: not _lobby(world)[0].connected)
    again, back = await knock(world, who)
    assert back.participant == waiting.participant
    assert await host.sync() == []
    await host.send(messages.Admit(participant_id=back.participant.participant_id))
    await again.next(messages.Welcome)


async def test_a_second_tab_takes_the_place_of_the_first(world: World) -> None:
    who = await guest(world)
    first, waiting = await knock(world, who)
    second, again = await knock(world, who)
    assert await first.closed() == 4409
    assert again.participant == waiting.participant
    assert await second.sync() == []
    assert len(_lobby(world)) == 1


async def test_who_goes_away_while_waiting_is_not_shown_any_more(world: World) -> None:
    host, _ = await enter(world, person(world, "host"))
    goes, _ = await knock(world, await guest(world))
    await goes.close()
    assert (await host.next(messages.KnockEnded)).reason == "left"
    drops, _ = await knock(world, await guest(world))
    await drops.drop()
    await until(lambda: bool(_lobby(world)) and not _lobby(world)[0].connected)
    world.clock.advance(11)
    assert (await host.next(messages.KnockEnded)).reason == "left"
    assert not _lobby(world)
    assert not world.context.service.waiting


async def test_a_guest_that_dropped_just_before_being_let_in_comes_straight_in(world: World) -> None:
    host, _ = await enter(world, person(world, "host"))
    who = await guest(world)
    client, waiting = await knock(world, who)
    await client.drop()
    await until(lambda: not _lobby(world)[0].connected)
    await host.send(messages.Admit(participant_id=waiting.participant.participant_id))
    assert (await host.next(messages.KnockEnded)).reason == "admitted"
    assert not any(isinstance(message, messages.ParticipantJoined) for message in host.seen)
    await enter(world, who)


async def test_the_lobby_has_room_for_so_many(world: World) -> None:
    for _ in range(MAX_WAITING):
        await knock(world, await guest(world))
    late = await world.connect((await guest(world)).token)
    assert (await late.next(messages.Error)).code == "lobby_full"
    assert await late.closed() == 4403


async def test_a_full_room_keeps_the_guest_waiting_and_the_host_is_told(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    host, _ = await enter(world, person(world, "host"))
    client, waiting = await knock(world, await guest(world))
    monkeypatch.setattr("signaling.rooms.MAX_MEMBERS", 1)
    await refused(host, messages.Admit(participant_id=waiting.participant.participant_id), "room_full")
    assert _lobby(world)[0].waiting
    await refused(client, messages.Chat(ref="1", text="x"), "not_admitted")
    monkeypatch.undo()
    await host.send(messages.Admit(participant_id=waiting.participant.participant_id))
    await client.next(messages.Welcome)


async def test_whoever_does_not_wait_cannot_be_let_in(world: World) -> None:
    host, welcome = await enter(world, person(world, "host"))
    for participant_id in ("p_unknown", welcome.participant.participant_id):
        await refused(host, messages.Admit(participant_id=participant_id), "participant_not_found")
        await refused(host, messages.TurnAway(participant_id=participant_id), "participant_not_found")


async def test_the_lobby_ends_with_the_consultation(world: World) -> None:
    client, _ = await knock(world, await guest(world))
    room = world.context.service.rooms["demo"]
    world.context.service.end_room(room)
    await client.next(messages.ConsultationEnded)
    assert await client.closed() == 1000
    assert not world.context.service.waiting


async def test_a_guest_whose_invitation_is_withdrawn_while_waiting_is_let_go(world: World) -> None:
    from signaling.accounts import revoke

    who = await guest(world)
    client, _ = await knock(world, who)
    await revoke(world.context, who.sub)
    assert await client.closed() == 4401


async def test_admissions_are_told_to_the_recorder_with_who_decided(world: World) -> None:
    host, _ = await enter(world, person(world, "host", name="u_li"))
    recorder, _ = await enter(world, person(world, "recorder"))
    who = await guest(world)
    _, waiting = await knock(world, who)
    await recorder.next(messages.Knock)
    await host.send(messages.Admit(participant_id=waiting.participant.participant_id))
    assert (await recorder.next(messages.KnockEnded)).by == "u_li"
    assert ("u_li", "admit", "ok") in await world.audit()


async def test_a_renewed_token_without_the_lobby_does_not_open_the_door(world: World) -> None:
    who = await guest(world)
    client, _ = await knock(world, who)
    await client.send(messages.Renew(token=guest_token(world, who.sub, lobby=False)))
    await client.next(messages.Renewed)
    await refused(client, messages.Subscribe(), "not_admitted")


def _lobby(world: World):  # type: ignore[no-untyped-def]  # Members
    return list(world.context.service.rooms["demo"].lobby.seats.values())
