"""Tokens that expire in the middle of a consultation: renewed, outlived by two minutes, come back after."""

from __future__ import annotations

from core import messages
from tests.signaling.conftest import World
from tests.signaling.room_people import enter, guest, guest_token, knock, person, refused, until

LIFETIME_S = 600
GRACE_S = 120


async def test_people_are_told_when_to_renew_and_services_and_devices_need_not(world: World) -> None:
    _, welcome = await enter(world, person(world, "invited"))
    assert welcome.token_expires_at_us is not None
    assert 0 < welcome.token_expires_at_us - welcome.server_time_us <= LIFETIME_S * 1_000_000
    for kind in ("device", "recorder"):
        _, welcome = await enter(world, person(world, kind))
        assert welcome.token_expires_at_us is None


async def test_a_renewed_token_keeps_the_connection_beyond_the_first_one_s_end(world: World) -> None:
    client, welcome = await enter(world, person(world, "invited"))
    world.clock.advance(LIFETIME_S - 10)
    await client.send(messages.Renew(token=person(world, "invited").token))
    renewed = await client.next(messages.Renewed)
    assert renewed.token_expires_at_us > (welcome.token_expires_at_us or 0)
    world.clock.advance(GRACE_S + 60)
    await world.context.service.tick()
    await client.sync()


async def test_without_renewal_the_connection_ends_two_minutes_after_the_token(world: World) -> None:
    person_client, _ = await enter(world, person(world, "invited"))
    waiting, _ = await knock(world, await guest(world))
    box, _ = await enter(world, person(world, "device"))
    recorder, _ = await enter(world, person(world, "recorder"))
    world.clock.advance(LIFETIME_S + GRACE_S - 20)
    await world.context.service.tick()
    for client in (person_client, waiting, box, recorder):
        await client.sync()
    world.clock.advance(30)
    await world.context.service.tick()
    for client in (person_client, waiting):
        assert await client.closed() == 4401
    for client in (box, recorder):
        await client.sync()


async def test_somebody_else_s_or_a_bad_token_does_not_renew(world: World) -> None:
    client, _ = await enter(world, person(world, "invited"))
    await refused(client, messages.Renew(token=person(world, "host").token), "wrong_token")
    await refused(client, messages.Renew(token="nonsense"), "token_invalid")
    await refused(
        client, messages.Renew(token=person(world, "invited", lifetime_s=-60).token), "token_expired"
    )
    other_room = person(world, "invited", room="other", con="c_other").token
    await refused(client, messages.Renew(token=other_room), "wrong_token")
    box, _ = await enter(world, person(world, "device"))
    await refused(box, messages.Renew(token=person(world, "device").token), "not_renewable")


async def test_who_comes_back_after_the_token_s_end_needs_a_fresh_one(world: World) -> None:
    client, welcome = await enter(world, person(world, "invited"))
    published = await world.publish(client, "video/camera")
    world.clock.advance(LIFETIME_S + 1)
    await client.drop()
    await until(lambda: not _only(world).connected)
    world.clock.advance(5)
    hello = messages.Hello(resume_token=welcome.resume_token)
    for token, code in ((None, "token_expired"), ("nonsense", "token_invalid")):
        refused_client = await world.connect(token, hello)
        assert (await refused_client.next(messages.Error)).code == code
        assert await refused_client.closed() == 4401
    back = await world.connect(person(world, "invited").token, hello)
    again = await back.next(messages.Welcome)
    assert again.participant == welcome.participant
    assert [track.track_id for track in again.tracks] == [published.tracks[0].track_id]
    assert (again.token_expires_at_us or 0) > (welcome.token_expires_at_us or 0)


async def test_a_resume_with_somebody_else_s_token_does_not_prolong_the_seat(world: World) -> None:
    client, welcome = await enter(world, person(world, "invited"))
    await client.drop()
    await until(lambda: not _only(world).connected)
    hello = messages.Hello(resume_token=welcome.resume_token)
    back = await world.connect(person(world, "host").token, hello)
    again = await back.next(messages.Welcome)
    assert again.participant == welcome.participant
    assert again.token_expires_at_us == welcome.token_expires_at_us
    assert not again.host


async def test_a_connection_that_expired_is_resumed_with_a_fresh_token(world: World) -> None:
    client, welcome = await enter(world, person(world, "invited"))
    await world.publish(client, "video/camera")
    world.clock.advance(LIFETIME_S + GRACE_S + 1)
    await world.context.service.tick()
    assert await client.closed() == 4401
    await until(lambda: not _only(world).connected)
    back = await world.connect(
        person(world, "invited").token, messages.Hello(resume_token=welcome.resume_token)
    )
    assert (await back.next(messages.Welcome)).participant == welcome.participant
    assert len(world.worker.transports) == 1


async def test_a_device_resumes_with_its_resume_token_alone_even_after_its_token_s_end(world: World) -> None:
    box, welcome = await enter(world, person(world, "device"))
    world.clock.advance(LIFETIME_S + 1)
    await box.drop()
    await until(lambda: not _only(world).connected)
    back = await world.connect(None, messages.Hello(resume_token=welcome.resume_token))
    assert (await back.next(messages.Welcome)).participant == welcome.participant


async def test_a_guest_s_renewed_token_that_still_says_lobby_does_not_send_it_back(world: World) -> None:
    host, _ = await enter(world, person(world, "host"))
    who = await guest(world)
    client, waiting = await knock(world, who)
    await host.send(messages.Admit(participant_id=waiting.participant.participant_id))
    await client.next(messages.Welcome)
    await client.send(messages.Renew(token=guest_token(world, who.sub, lobby=True)))
    await client.next(messages.Renewed)
    await client.send(messages.Subscribe())
    await client.next(messages.Offer)


def _only(world: World):  # type: ignore[no-untyped-def]  # a Member
    (seat,) = world.context.service.attached.values()
    return seat.member
