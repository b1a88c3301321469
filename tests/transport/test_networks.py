"""IPv6, a public address in front of a private one, and networks that change in the middle of a call."""

from __future__ import annotations

import asyncio
import errno
import socket
import time

import pytest

from core.clock import SystemClock
from tests.support.impairment import ImpairmentProxy
from tests.support.link import Impairment
from tests.transport.support import DEADLINE_S, Call, connect, opened, seal_batch
from transport.api import host_candidate, tcp_candidate
from transport.endpoint import MediaEndpoint
from transport.stream import StreamConnection
from transport.udp import UdpPort

REBIND_WITHIN_S = 1.0
INTERFACE_WITHIN_S = 2.0
RETURN_WITHIN_S = 1.0
OUTAGE_S = 5.0


async def goes_both_ways(made: Call, first: int) -> None:
    server, client = len(made.server_sink.packets), len(made.client_sink.packets)
    made.client.send(seal_batch(made.client, first, 10, bytes(1150)))
    made.server.send(seal_batch(made.server, first, 10, bytes(1150)))
    await made.server_sink.has_packets(server + 10)
    await made.client_sink.has_packets(client + 10)


async def keep_sending(made: Call) -> None:
    """Both ends, as during a call; what the network does to it is seen by `until_both_hear`."""
    for number in range(1_000, 60_000):
        for end in (made.client, made.server):
            if end.sealer is not None:
                end.send(seal_batch(end, number, 1, bytes(200)))
        await asyncio.sleep(0.01)


async def until_both_hear(made: Call) -> float:
    """Seconds until something new has arrived at both ends."""
    began = time.monotonic()
    server, client = len(made.server_sink.packets), len(made.client_sink.packets)
    await made.server_sink.has_packets(server + 1)
    await made.client_sink.has_packets(client + 1)
    return time.monotonic() - began


@pytest.mark.parametrize("host", ["::1", "127.0.0.1"])
@pytest.mark.parametrize("way", ["udp", "tcp"])
async def test_a_server_on_all_addresses_serves_both_families(host: str, way: str) -> None:
    async with opened("::") as endpoint:
        port = endpoint.port.address[1]
        candidate = host_candidate(host, port) if way == "udp" else tcp_candidate(host, port)
        made = await connect(endpoint, "t", through=[candidate])
        assert isinstance(made.client.port, UdpPort if way == "udp" else StreamConnection)
        await goes_both_ways(made, 1)
        await made.client.close()


async def test_on_loopback_of_ipv6_candidates_are_of_both_protocols() -> None:
    async with opened("::1") as endpoint:
        assert [(found.transport, found.address) for found in endpoint.candidates] == [
            ("udp", "::1"),
            ("tcp", "::1"),
        ]
        made = await connect(endpoint, "t")
        await goes_both_ways(made, 1)
        await made.client.close()


async def test_a_server_on_all_addresses_names_those_of_both_families(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    both = ["192.0.2.1", "2001:db8::1"]
    monkeypatch.setattr("transport.addresses.interface_addresses", lambda: both)
    async with opened("::") as endpoint:
        for protocol in ("udp", "tcp"):
            found = [c.address for c in endpoint.candidates if c.transport == protocol]
            assert found == both


async def test_behind_a_one_to_one_nat_clients_come_by_the_announced_address() -> None:
    """The NAT is a proxy with delay, jitter and loss; the announced address is all that clients are told."""
    async with opened() as inside:
        rough = Impairment(delay_ms=10, jitter_ms=5, loss=0.02)
        nat = await ImpairmentProxy.open(inside.port.address[:2], seed=11, up=rough, down=rough)
        announced = await MediaEndpoint.open("127.0.0.1", 0, announce=[nat.address], clock=SystemClock())
        assert {(found.address, found.port) for found in announced.candidates} == {nat.address}
        made = await connect(inside, "t", through=announced.candidates)
        sending = asyncio.create_task(keep_sending(made))
        await until_both_hear(made)
        sending.cancel()
        await made.client.close()
        await announced.close()
        nat.close()


async def test_an_announced_address_without_a_port_has_the_port_in_use() -> None:
    endpoint = await MediaEndpoint.open("127.0.0.1", 0, announce=[("203.0.113.7", 0)], clock=SystemClock())
    assert {found.port for found in endpoint.candidates} == {endpoint.port.address[1]}
    await endpoint.close()


async def test_a_nat_rebind_in_the_middle_of_a_call_costs_less_than_a_second() -> None:
    async with opened() as endpoint:
        nat = await ImpairmentProxy.open(endpoint.port.address[:2])
        made = await connect(endpoint, "t", through=[host_candidate(*nat.address)])
        sending = asyncio.create_task(keep_sending(made))
        await until_both_hear(made)
        credentials = made.server.local
        nat.rebind()
        assert await until_both_hear(made) <= REBIND_WITHIN_S
        assert made.server.local == credentials, "no new offer"
        assert "silent" not in made.client_sink.states
        sending.cancel()
        await made.client.close()
        nat.close()


async def test_an_interface_that_vanishes_costs_less_than_two_seconds() -> None:
    async with opened() as endpoint:
        made = await connect(endpoint, "t")
        sending = asyncio.create_task(keep_sending(made))
        await until_both_hear(made)
        for port in made.client.ports:
            port.close()
        assert await until_both_hear(made) <= INTERFACE_WITHIN_S
        sending.cancel()
        await made.client.close()


async def test_after_five_seconds_without_a_network_media_is_back_within_a_second() -> None:
    async with opened() as endpoint:
        nat = await ImpairmentProxy.open(endpoint.port.address[:2])
        made = await connect(endpoint, "t", through=[host_candidate(*nat.address)])
        sending = asyncio.create_task(keep_sending(made))
        await until_both_hear(made)
        nat.set(Impairment(cut=True))
        async with asyncio.timeout(DEADLINE_S):
            await made.client_sink.until(lambda: made.client.state == "silent")
        await asyncio.sleep(OUTAGE_S)  # the length of the outage is what is tested
        nat.set(Impairment())
        assert await until_both_hear(made) <= RETURN_WITHIN_S
        sending.cancel()
        await made.client.close()
        nat.close()


async def test_whoever_began_to_connect_without_a_network_is_there_soon_after_it_returns() -> None:
    async with opened() as endpoint:
        way = await ImpairmentProxy.open(
            endpoint.port.address[:2], up=Impairment(cut=True), down=Impairment(cut=True)
        )
        connecting = asyncio.create_task(connect(endpoint, "t", through=[host_candidate(*way.address)]))
        await asyncio.sleep(4.0)  # aioice's checks are three seconds apart by now
        way.set(Impairment())
        returned_s = time.monotonic()
        made = await connecting
        assert time.monotonic() - returned_s < 1.0
        await made.client.close()
        way.close()


async def test_where_udp_stops_in_the_middle_of_a_call_it_goes_on_by_tcp() -> None:
    async with opened() as endpoint:
        nat = await ImpairmentProxy.open(endpoint.port.address[:2])
        through = [host_candidate(*nat.address), tcp_candidate(*endpoint.port.address[:2])]
        made = await connect(endpoint, "t", through=through)
        sending = asyncio.create_task(keep_sending(made))
        await until_both_hear(made)
        assert isinstance(made.client.port, UdpPort)
        nat.set(Impairment(cut=True))
        await made.client_sink.until(lambda: made.client_sink.states[-2:] == ["silent", "connected"])
        assert isinstance(made.client.port, StreamConnection)
        assert await until_both_hear(made) <= RETURN_WITHIN_S + 1
        sending.cancel()
        await made.client.close()
        nat.close()


async def test_without_ipv6_in_the_kernel_all_addresses_are_those_of_ipv4(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    native = socket.socket

    def ipv4_only(family: int = socket.AF_INET, *more: int) -> socket.socket:
        if family == socket.AF_INET6:
            raise OSError(errno.EAFNOSUPPORT, "Address family not supported by protocol")
        return native(family, *more)

    monkeypatch.setattr("transport.addresses.socket.socket", ipv4_only)
    async with opened("::") as endpoint:
        assert endpoint.port.address[0] == "0.0.0.0"
