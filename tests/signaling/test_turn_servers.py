"""Who is told of which TURN servers, with what credentials."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from core import messages
from core.turn import parse_links, turn_credential
from signaling.grants import device_grants
from tests.signaling.conftest import World, make_world

SECRET = "the hospital's own secret"
URLS = ["turn:192.0.2.1:3478?transport=udp", "turns:192.0.2.1:443?transport=tcp"]
TTL_S = 3_600


@pytest.fixture
async def relayed(tmp_path: Path) -> AsyncIterator[World]:
    async with make_world(tmp_path, turn_urls=URLS, turn_secret=SECRET, turn_ttl_s=TTL_S) as made:
        yield made


def fits(server: messages.IceServer, subject: str, now_s: int) -> None:
    """The credentials are what the TURN server will compute, for that subject, and last as configured."""
    expires_s = int(server.username.partition(":")[0])
    assert (server.username, server.credential) == turn_credential(SECRET, subject, expires_s)
    assert abs(expires_s - now_s - TTL_S) <= 2


async def test_a_welcome_names_them_with_credentials_of_the_participant_s_own(relayed: World) -> None:
    now_s = relayed.clock.unix_ns() // 10**9
    for subject, role in (("u_1", "site"), ("u_2", "specialist")):
        _, welcome = await relayed.join(subject, role)
        (server,) = welcome.ice_servers
        assert server.urls == URLS
        fits(server, welcome.participant.participant_id, now_s)


async def test_a_renewal_brings_credentials_that_last_longer(relayed: World) -> None:
    client, welcome = await relayed.join("u_1", "site")
    relayed.clock.advance(500)
    await client.send(messages.Renew(token=relayed.room_token("u_1", "site")))
    (server,) = (await client.next(messages.Renewed)).ice_servers
    fits(server, welcome.participant.participant_id, relayed.clock.unix_ns() // 10**9)


async def test_whip_and_whep_answers_name_them_in_link_headers(relayed: World) -> None:
    now_s = relayed.clock.unix_ns() // 10**9
    box = relayed.room_token("device:box", "device", device_grants(["ultrasound"]))
    response = await relayed.whip("ultrasound", box)
    servers = parse_links(response.headers.getall("Link"))
    assert [server.urls[0] for server in servers] == URLS
    (transport_id,) = relayed.worker.transports
    for server in servers:
        fits(server, transport_id, now_s)


async def test_without_turn_nobody_is_told_of_any(world: World) -> None:
    _, welcome = await world.join("u_1", "site")
    assert welcome.ice_servers == []
