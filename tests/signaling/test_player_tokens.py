"""A player sees a feed as long as its token lasts, like everybody in the room."""

from __future__ import annotations

from signaling.attached import TOKEN_GRACE_S
from tests.signaling.conftest import World, bearer
from tests.signaling.room_people import person, until


async def _watch(world: World, token: str) -> None:
    headers = {"Content-Type": "application/sdp", **bearer(token)}
    async with world.session.post("/whep/demo/ultrasound", data="v=0\r\n", headers=headers) as answer:
        assert answer.status == 201, await answer.text()


def _directions(world: World) -> list[str]:
    return sorted(transport.wanted.direction for transport in world.worker.transports.values())


async def test_a_player_ends_with_its_token_and_the_box_it_watches_does_not(world: World) -> None:
    assert (await world.whip("ultrasound", person(world, "device").token)).status == 201
    await _watch(world, person(world, "viewer").token)
    assert _directions(world) == ["publish", "view"]
    world.clock.advance(world.context.tokens.room_s + TOKEN_GRACE_S - 10)
    await world.context.service.tick()
    assert _directions(world) == ["publish", "view"]
    world.clock.advance(20)
    await until(lambda: _directions(world) == ["publish"])
