"""Media through a real coturn, over everything that carries TURN."""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from core.clock import SystemClock
from core.errors import Unavailable
from core.turn import ice_servers
from tests.support.certificates import make_authority, write_authority, write_pair
from tests.support.coturn import SECRET, Coturn, coturn
from tests.transport.support import Call, RecordingSink, opened, seal_batch
from transport.client import ClientTransport
from transport.relay import RelayPort


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("coturn")


@pytest.fixture(scope="module")
def turn(folder: Path) -> Iterator[Coturn]:
    authority = make_authority()
    write_authority(authority, folder / "ca.pem")
    with coturn(folder, write_pair(authority, folder / "tls")) as running:
        yield running


@pytest.fixture
def trust(folder: Path, turn: Coturn) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(folder / "ca.pem"))


@asynccontextmanager
async def relayed(
    turn: Coturn,
    carrier: str,
    trust: ssl.SSLContext | None,
    *,
    expires_s: int | None = None,
    secret: str = SECRET,
) -> AsyncIterator[Call]:
    """A call that may use nothing but the relay."""
    async with opened() as endpoint:
        server_sink, client_sink = RecordingSink(), RecordingSink()
        server = endpoint.create_transport("t", server_sink)
        client = ClientTransport(client_sink, clock=SystemClock(), tls=trust, relay_only=True)
        servers = ice_servers([turn.url(carrier)], secret, "p-1", expires_s or int(time.time()) + 300)
        await client.gather()
        server.start(client.local, [client.fingerprint], "server")
        try:
            await client.connect(server.local, [server.fingerprint], endpoint.candidates, "client", servers)
            await server_sink.until(lambda: server.state == "connected")
            yield Call(endpoint, server, client, server_sink, client_sink)
        finally:
            await client.close()


@pytest.mark.parametrize("carrier", ["udp", "tcp", "tls"])
async def test_media_flows_both_ways_through_the_relay(
    turn: Coturn, trust: ssl.SSLContext, carrier: str
) -> None:
    async with relayed(turn, carrier, trust) as made:
        assert isinstance(made.client.port, RelayPort)
        assert made.server.remote_address is not None
        assert made.server.remote_address[:2] == made.client.port.address[:2]
        for first in range(0, 300, 15):
            made.client.send(seal_batch(made.client, first, 15, bytes(1150)))
            made.server.send(seal_batch(made.server, first, 15, bytes(1150)))
            await asyncio.sleep(0.01)  # coturn reads one datagram at a time
        await made.server_sink.has_packets(300)
        await made.client_sink.has_packets(300)


@pytest.mark.parametrize("wrong", ["secret", "expired"])
async def test_credentials_that_are_wrong_or_expired_are_refused(turn: Coturn, wrong: str) -> None:
    expires_s = int(time.time()) - 10 if wrong == "expired" else None
    secret = "somebody else's" if wrong == "secret" else SECRET
    with pytest.raises(Unavailable):
        async with relayed(turn, "udp", None, expires_s=expires_s, secret=secret):
            pass


async def test_a_relay_with_a_certificate_of_nobody_trusted_is_not_used(turn: Coturn) -> None:
    with pytest.raises(Unavailable):
        async with relayed(turn, "tls", ssl.create_default_context()):
            pass


async def test_a_relay_that_is_given_back_is_freed_at_the_server(turn: Coturn, trust: ssl.SSLContext) -> None:
    before = turn.log.read_text().count("delete: realm")
    async with relayed(turn, "udp", trust):
        pass
    async with asyncio.timeout(10):
        while turn.log.read_text().count("delete: realm") == before:
            await asyncio.sleep(0.05)
