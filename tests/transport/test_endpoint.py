"""The endpoint: caps, deadlines, restarts of ICE and of the server, and a foreign ICE agent."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aioice
import pytest
from aioice import stun

from core.clock import SystemClock
from core.errors import Conflict, Unavailable
from rtp.rtcp import ReceiverReport, parse_compound
from tests.transport.support import (
    DEADLINE_S,
    FakeClock,
    RecordingSink,
    Stranger,
    call,
    connect,
    opened,
    seal_batch,
)
from transport.api import Candidate, IceParameters
from transport.client import ClientTransport
from transport.dtls import fingerprint_of, new_certificate
from transport.endpoint import ERROR_REPLIES_PER_S, MAX_HALF_OPEN, MediaEndpoint
from transport.ice_lite import MAX_PAIRS
from transport.stun import parse_stun

SOMEBODY = [fingerprint_of(new_certificate())]
PEER = IceParameters("peer", "p" * 24)


@asynccontextmanager
async def foreign_agent(
    local: IceParameters, candidates: list[Candidate]
) -> AsyncIterator[aioice.Connection]:
    """aioice, as it is, against our endpoint."""
    agent = aioice.Connection(ice_controlling=True)
    await agent.gather_candidates()
    agent.remote_is_lite = True
    agent.remote_username, agent.remote_password = local.ufrag, local.pwd
    for found in candidates:
        await agent.add_remote_candidate(aioice.Candidate.from_sdp(found.text()))
    await agent.add_remote_candidate(None)
    try:
        yield agent
    finally:
        await agent.close()


def reachable(endpoint: MediaEndpoint) -> list[Candidate]:
    """aioice does not use loopback as a source, but reaches it from its other addresses."""
    return endpoint.candidates


async def test_a_foreign_ice_agent_connects_and_restarts() -> None:
    async with opened("0.0.0.0") as endpoint:
        server = endpoint.create_transport("t", RecordingSink())
        async with foreign_agent(server.local, reachable(endpoint)) as agent:
            server.start(IceParameters(agent.local_username, agent.local_password), SOMEBODY, "server")
            await agent.connect()
            first = server.remote_address
            assert first is not None
            again = server.restart_ice()
            async with foreign_agent(again, reachable(endpoint)) as other:
                server.start(IceParameters(other.local_username, other.local_password), SOMEBODY, "server")
                assert server.remote_address == first
                await other.connect()
                assert server.remote_address != first
        server.close("done")


async def test_media_goes_on_while_ice_restarts() -> None:
    async with call() as made:
        old = made.server.local
        made.server.restart_ice()
        assert made.server.local.ufrag != old.ufrag
        made.client.send(seal_batch(made.client, 1, 1, b"still here"))
        await made.server_sink.until(lambda: bool(made.server_sink.packets))
        made.server.send(seal_batch(made.server, 1, 1, b"me too"))
        await made.client_sink.until(lambda: bool(made.client_sink.packets))


async def test_a_second_start_may_change_ice_but_never_the_certificate() -> None:
    async with opened() as endpoint:
        server = endpoint.create_transport("t", RecordingSink())
        server.start(PEER, SOMEBODY, "server")
        server.start(IceParameters("peer2", "q" * 24), SOMEBODY, "server")
        with pytest.raises(Conflict):
            server.start(PEER, [fingerprint_of(new_certificate())], "server")
        with pytest.raises(Conflict):
            server.start(PEER, SOMEBODY, "client")


async def test_a_peer_without_fingerprint_is_refused() -> None:
    async with opened() as endpoint:
        with pytest.raises(Conflict):
            endpoint.create_transport("t", RecordingSink()).start(PEER, [], "server")


async def test_the_server_refuses_a_client_with_another_certificate() -> None:
    async with opened() as endpoint:
        server_sink, client_sink = RecordingSink(), RecordingSink()
        server = endpoint.create_transport("t", server_sink)
        client = ClientTransport(client_sink, clock=SystemClock())
        await client.gather()
        server.start(client.local, SOMEBODY, "server")
        with contextlib.suppress(Unavailable):  # to the client the handshake may look complete at first
            await client.connect(server.local, [server.fingerprint], endpoint.candidates, "client")
        await client_sink.until(lambda: client.state == "closed")
        assert server.close_reason == "dtls_failed"
        assert server_sink.states == ["closed"]
        await client.close()


async def test_a_client_refuses_a_server_with_another_certificate() -> None:
    async with opened() as endpoint:
        server = endpoint.create_transport("t", RecordingSink())
        client = ClientTransport(RecordingSink(), clock=SystemClock())
        await client.gather()
        server.start(client.local, [client.fingerprint], "server")
        with pytest.raises(Unavailable) as caught:
            await client.connect(server.local, SOMEBODY, endpoint.candidates, "client")
        assert caught.value.code == client.close_reason == "dtls_failed"


async def test_a_client_without_usable_candidates_fails_at_once() -> None:
    client = ClientTransport(RecordingSink(), clock=SystemClock())
    await client.gather()
    with pytest.raises(Unavailable) as caught:
        await client.connect(PEER, SOMEBODY, [], "client")
    assert caught.value.code == "ice_failed"


async def test_a_transport_nobody_connects_to_is_closed_at_its_deadline() -> None:
    clock, sink = FakeClock(), RecordingSink()
    async with opened(clock=clock) as endpoint:
        server = endpoint.create_transport("t", sink)
        clock.advance(29.9)
        endpoint.expire()
        assert server.state == "connecting"
        clock.advance(0.2)
        endpoint.expire()
        assert server.close_reason == "handshake_timeout"
        assert sink.states == ["closed"]
        assert endpoint.transports == ()
        endpoint.create_transport("t", sink)


async def test_a_checked_transport_that_never_shakes_hands_is_closed_too() -> None:
    clock = FakeClock()
    async with opened(clock=clock) as endpoint:
        server = endpoint.create_transport("t", RecordingSink())
        server.start(PEER, SOMEBODY, "server")
        stranger = Stranger(endpoint.port.address)
        stranger.send(request(server.local))
        await stranger.until(lambda: bool(stranger.heard))
        for _ in range(40):
            clock.advance(1)
            endpoint.expire()
        assert server.close_reason == "handshake_timeout"
        stranger.close()


async def test_a_peer_to_whom_nobody_says_anything_still_hears_that_we_are_there() -> None:
    async with call() as made:
        await made.client_sink.until(lambda: len(made.client_sink.rtcp) == 3)
        assert all(parse_compound(compound) == [ReceiverReport(0, ())] for compound in made.client_sink.rtcp)


async def test_silence_is_reported_kept_for_ninety_seconds_then_closed() -> None:
    clock = FakeClock()
    async with opened(clock=clock) as endpoint:
        made = await connect(endpoint, "t", clock=clock)
        assert made.client.port is not None
        made.client.port.close()
        endpoint.expire()
        clock.advance(3.1)
        endpoint.expire()
        assert made.server.state == "silent"
        clock.advance(80)
        endpoint.expire()
        assert made.server.state == "silent"
        made.server.send([b"x"])
        assert made.server.counters.unsendable == 1
        clock.advance(10)
        endpoint.expire()
        assert made.server.close_reason == "silent_too_long"
        assert made.server_sink.states == ["connected", "silent", "closed"]
        await made.client.close()


async def test_half_open_transports_are_capped_and_ids_are_unique() -> None:
    async with opened() as endpoint:
        for number in range(MAX_HALF_OPEN):
            endpoint.create_transport(f"t{number}", RecordingSink())
        with pytest.raises(Unavailable):
            endpoint.create_transport("one too many", RecordingSink())
        endpoint.transports[0].close("made room")
        with pytest.raises(Conflict):
            endpoint.create_transport("t1", RecordingSink())
        endpoint.create_transport("now there is room", RecordingSink())


async def test_a_client_of_a_restarted_server_is_refused_within_seconds() -> None:
    async with opened() as endpoint:
        made = await connect(endpoint, "t")
        port = endpoint.port.address[1]
        endpoint.port.close()  # as by kill -9: no goodbye
        again = await MediaEndpoint.open("127.0.0.1", port, clock=SystemClock())
        await made.client_sink.until(lambda: made.client.state == "closed")
        assert made.client.close_reason == "refused"
        await made.client.close()
        await again.close()


def request(
    local: IceParameters, ufrag: str | None = None, pwd: str | None = None, nominate: bool = True
) -> bytes:
    """A check from `PEER`."""
    message = stun.Message(stun.Method.BINDING, stun.Class.REQUEST, b"t" * 12)
    message.attributes |= {"USERNAME": f"{ufrag or local.ufrag}:peer", "PRIORITY": 1, "ICE-CONTROLLING": 1}
    if nominate:
        message.attributes["USE-CANDIDATE"] = None
    message.add_message_integrity((pwd or local.pwd).encode())
    return bytes(message)


async def test_checks_for_nobody_get_a_limited_number_of_errors() -> None:
    clock = FakeClock()
    async with opened(clock=clock) as endpoint:
        stranger = Stranger(endpoint.port.address)
        wanted = 4 * int(ERROR_REPLIES_PER_S)
        for _ in range(wanted):
            stranger.send(request(PEER, ufrag="nobody"))
        async with asyncio.timeout(DEADLINE_S):
            while endpoint.port.counters.datagrams_in < wanted:
                await asyncio.sleep(0.001)
        await stranger.until(lambda: len(stranger.heard) == ERROR_REPLIES_PER_S)
        assert endpoint.counters.refused == ERROR_REPLIES_PER_S
        assert {parse_stun(datagram).error_code for datagram in stranger.heard} == {401}
        stranger.close()


async def test_a_validated_address_is_never_limited() -> None:
    clock = FakeClock()
    async with opened(clock=clock) as endpoint:
        server = endpoint.create_transport("t", RecordingSink())
        server.start(PEER, SOMEBODY, "server")
        spoofer, peer = Stranger(endpoint.port.address), Stranger(endpoint.port.address)
        peer.send(request(server.local))
        await peer.until(lambda: len(peer.heard) == 1)
        for _ in range(200):
            spoofer.send(request(server.local, pwd="w" * 24), request(PEER, ufrag="nobody"))
        for _ in range(100):
            peer.send(request(server.local))
        await peer.until(lambda: len([d for d in peer.heard if d[:2] == b"\x01\x01"]) == 101)
        spoofer.close()
        peer.close()


async def test_an_address_belongs_to_the_transport_that_proved_it_last() -> None:
    async with opened() as endpoint:
        first = endpoint.create_transport("a", RecordingSink())
        second = endpoint.create_transport("b", RecordingSink())
        peer = Stranger(endpoint.port.address)
        peer.send(request(first.local))
        await peer.until(lambda: len(peer.heard) == 1)
        assert first.remote_address == peer.address
        peer.send(request(second.local))
        await peer.until(lambda: len(peer.heard) == 2)
        assert second.remote_address == peer.address
        assert first.remote_address is None
        peer.close()


async def test_an_address_in_use_cannot_be_taken_by_a_check_for_another_transport() -> None:
    async with call() as made:
        other = made.endpoint.create_transport("other", RecordingSink())
        before = made.server.remote_address
        assert made.client.port is not None
        made.client.port.send((request(other.local),), made.endpoint.port.address)
        made.client.send(seal_batch(made.client, 1, 1, b"still here"))
        await made.server_sink.until(lambda: bool(made.server_sink.packets))
        assert made.server.remote_address == before
        assert other.remote_address is None
        assert made.endpoint.counters.contested == 1


async def test_batches_end_with_one_flush() -> None:
    async with call() as made:
        flushed: list[int] = []
        made.endpoint.on_batch_end = lambda: flushed.append(len(made.server_sink.packets))
        made.client.send(seal_batch(made.client, 1, 30, b"x"))
        await made.server_sink.until(lambda: len(made.server_sink.packets) == 30)
        async with asyncio.timeout(DEADLINE_S):
            while 30 not in flushed:
                await asyncio.sleep(0.001)
        assert len(flushed) < 30


async def test_announced_addresses_replace_the_machines_own() -> None:
    endpoint = await MediaEndpoint.open(
        "127.0.0.1", 0, announce=[("203.0.113.7", 8443), ("2001:db8::7", 8443)], clock=SystemClock()
    )
    assert [(found.address, found.port) for found in endpoint.candidates if found.transport == "udp"] == [
        ("203.0.113.7", 8443),
        ("2001:db8::7", 8443),
    ]
    assert endpoint.candidates[0].priority > endpoint.candidates[1].priority
    await endpoint.close()


async def test_the_flow_follows_a_peer_that_is_only_heard_on_another_checked_address() -> None:
    clock = FakeClock()
    async with opened(clock=clock) as endpoint:
        server = endpoint.create_transport("t", RecordingSink())
        server.start(PEER, SOMEBODY, "server")
        wifi, cellular = Stranger(endpoint.port.address), Stranger(endpoint.port.address)
        wifi.send(request(server.local))
        await wifi.until(lambda: bool(wifi.heard))
        endpoint.expire()
        for rounds in (1, 2):
            assert server.remote_address == wifi.address
            clock.advance(0.6)
            cellular.send(request(server.local, nominate=False))
            await cellular.hears(rounds)
            endpoint.expire()
        assert server.remote_address == cellular.address
        wifi.close()
        cellular.close()


async def test_a_peer_with_ever_new_addresses_is_remembered_within_a_bound() -> None:
    clock = FakeClock()
    async with opened(clock=clock) as endpoint:
        server = endpoint.create_transport("t", RecordingSink())
        peers = [Stranger(endpoint.port.address) for _ in range(MAX_PAIRS + 5)]
        for peer in peers:
            peer.send(request(server.local, nominate=False))
            await peer.hears(1)
        assert endpoint.known_addresses == MAX_PAIRS
        server.close("done")
        assert endpoint.known_addresses == 0
        for peer in peers:
            peer.close()
