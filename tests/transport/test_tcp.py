"""ICE-TCP: calls over it, slow peers, and whoever connects with something else in mind."""

from __future__ import annotations

import asyncio
import contextlib
import random
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import uvloop

from core.clock import SystemClock
from rtp.sdp import IceParameters
from tests.support.impairment import ImpairmentProxy
from tests.support.link import Impairment
from tests.transport.support import DEADLINE_S, Call, FakeClock, RecordingSink, connect, opened, seal_batch
from transport import tcp
from transport.api import host_candidate, tcp_candidate
from transport.client import UDP_PROBE_NS
from transport.dtls import fingerprint_of, new_certificate
from transport.endpoint import MediaEndpoint
from transport.stream import MAX_QUEUED_BYTES, StreamConnection
from transport.stun import check_request, is_stun
from transport.tcp import HALF_OPEN_NS
from transport.udp import UdpPort

SOMEBODY = [fingerprint_of(new_certificate())]
PEER = IceParameters("peer", "p" * 24)


def framed(*datagrams: bytes) -> bytes:
    return b"".join(struct.pack("!H", len(datagram)) + datagram for datagram in datagrams)


def check(local: IceParameters) -> bytes:
    """A nominating check of a peer called `peer`."""
    return check_request(
        random.randbytes(12), f"{local.ufrag}:peer", local.pwd, priority=1, tie_breaker=1, controlling=True
    )


@asynccontextmanager
async def connection(
    endpoint: MediaEndpoint,
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await asyncio.open_connection(*endpoint.port.address[:2])
    try:
        yield reader, writer
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


async def frame_from(reader: asyncio.StreamReader) -> bytes:
    async with asyncio.timeout(DEADLINE_S):
        (size,) = struct.unpack("!H", await reader.readexactly(2))
        return await reader.readexactly(size)


async def is_cut(reader: asyncio.StreamReader) -> bool:
    """The server ends the connection."""
    async with asyncio.timeout(DEADLINE_S):
        try:
            while await reader.read(65_536):
                pass
        except OSError:
            return True
    return True


@asynccontextmanager
async def call_without_udp() -> AsyncIterator[tuple[Call, ImpairmentProxy]]:
    """UDP goes through a network that swallows it, until it is told otherwise."""
    async with opened() as endpoint:
        nat = await ImpairmentProxy.open(endpoint.port.address[:2])
        nat.set(Impairment(cut=True))
        through = [host_candidate(*nat.address), tcp_candidate(*endpoint.port.address[:2])]
        made = await connect(endpoint, "t", through=through)
        try:
            yield made, nat
        finally:
            await made.client.close()
            nat.close()


async def goes_both_ways(made: Call, first: int = 1, count: int = 100) -> None:
    """`count` packets each way, and all arrive."""
    server, client = len(made.server_sink.packets), len(made.client_sink.packets)
    for number in range(first, first + count, 10):
        made.client.send(seal_batch(made.client, number, 10, bytes(1150)))
        made.server.send(seal_batch(made.server, number, 10, bytes(1150)))
        await asyncio.sleep(0)
    await made.server_sink.has_packets(server + count)
    await made.client_sink.has_packets(client + count)


async def test_where_udp_is_blocked_the_call_goes_by_tcp_on_the_same_port_number() -> None:
    async with call_without_udp() as (made, _):
        assert isinstance(made.client.port, StreamConnection)
        assert made.client.port.peer[:2] == made.endpoint.port.address[:2]
        await goes_both_ways(made)
        made.client.send_rtcp(b"\x80\xc9\x00\x01\x00\x00\x12\x34")
        await made.server_sink.until(lambda: bool(made.server_sink.rtcp))


def test_it_does_so_on_uvloop_too() -> None:
    async def once() -> None:
        async with call_without_udp() as (made, _):
            await goes_both_ways(made)

    uvloop.run(once())


async def test_when_udp_works_again_the_call_moves_to_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("transport.client.UDP_PROBE_NS", UDP_PROBE_NS // 25)
    async with call_without_udp() as (made, nat):
        nat.set(Impairment())
        await made.client_sink.until(lambda: not made.client_sink.states.count("closed"))
        async with asyncio.timeout(DEADLINE_S):
            while not isinstance(made.client.port, UdpPort) or len(made.server.remote_address or ()) != 2:
                await asyncio.sleep(0.01)
        await goes_both_ways(made)
        assert made.server.state == made.client.state == "connected"


async def test_a_tcp_connection_that_breaks_is_made_again_and_the_call_goes_on() -> None:
    async with call_without_udp() as (made, _):
        await goes_both_ways(made)
        assert made.server.remote_address is not None
        connection_at_server = made.endpoint.port_to(made.server.remote_address)
        assert isinstance(connection_at_server, StreamConnection)
        connection_at_server.close()
        await made.client_sink.until(lambda: made.client_sink.states[-2:] == ["silent", "connected"])
        await goes_both_ways(made, first=200)


async def test_where_udp_works_no_tcp_connection_is_made() -> None:
    async with opened() as endpoint:
        made = await connect(endpoint, "t")
        assert isinstance(made.client.port, UdpPort)
        await goes_both_ways(made)
        assert endpoint.tcp is not None
        assert endpoint.tcp.counters.accepted == 0
        await made.client.close()


async def test_udp_precedes_tcp_among_fresh_nominations() -> None:
    async with opened() as endpoint:
        server = endpoint.create_transport("t", RecordingSink())
        server.start(PEER, SOMEBODY, "server")
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
            udp.bind(("127.0.0.1", 0))
            async with connection(endpoint) as (reader, writer):
                udp.sendto(check(server.local), endpoint.port.address)
                async with asyncio.timeout(DEADLINE_S):
                    while server.remote_address is None:
                        await asyncio.sleep(0.005)
                writer.write(framed(check(server.local)))
                assert is_stun(await frame_from(reader))
                assert server.remote_address == udp.getsockname()
        server.close("done")


async def test_a_slow_peer_loses_whole_old_batches_and_delays_nobody() -> None:
    async with opened() as endpoint:
        server = endpoint.create_transport("slow", RecordingSink())
        server.start(PEER, SOMEBODY, "server")
        fast = await connect(endpoint, "fast")
        async with connection(endpoint) as (reader, writer):
            writer.write(framed(check(server.local)))
            await frame_from(reader)
            writer.transport.pause_reading()  # type: ignore[attr-defined]  # a stream's transport can
            assert server.remote_address is not None
            port = endpoint.port_to(server.remote_address)
            assert isinstance(port, StreamConnection)
            batches = 4_000
            for number in range(batches):
                server.send(
                    [number.to_bytes(4, "big") + bytes(1_146)] * 10
                )  # 46 MB: beyond what the kernel holds
                if number % 500 == 0:
                    await goes_both_ways(fast, first=1 + number, count=10)
            assert port.queued_bytes <= MAX_QUEUED_BYTES
            assert port.counters.dropped_full > 0
            assert port.counters.dropped_full % 10 == 0, "whole batches"
            writer.transport.resume_reading()  # type: ignore[attr-defined]
            heard: list[int] = []
            while not heard or heard[-1] != batches - 1:
                frame = await frame_from(reader)
                if len(frame) == 1_150:
                    heard.append(int.from_bytes(frame[:4], "big"))
            assert heard == sorted(heard)
            assert len(heard) + port.counters.dropped_full >= 10 * batches - 9
        await fast.client.close()
        server.close("done")


HOSTILE = {
    "http": b"GET / HTTP/1.1\r\nHost: media\r\n\r\n",
    "tls": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(600),
    "an oversized frame": struct.pack("!H", 65_535) + bytes(100),
    "media before any check": framed(b"\x80\x60" + bytes(40)),
    "dtls before any check": framed(b"\x16\xfe\xfd" + bytes(40)),
    "noise": framed(bytes(range(4, 60))),
}


@pytest.mark.parametrize("what", HOSTILE)
async def test_whoever_speaks_something_else_is_cut_off_at_once(what: str) -> None:
    async with opened() as endpoint, connection(endpoint) as (reader, writer):
        writer.write(HOSTILE[what])
        assert await is_cut(reader)
        assert endpoint.tcp is not None
        assert endpoint.tcp.connections == 0


async def test_a_client_that_dribbles_is_cut_off_at_the_deadline() -> None:
    clock = FakeClock()
    async with opened(clock=clock) as endpoint, connection(endpoint) as (reader, writer):
        assert endpoint.tcp is not None
        writer.write(b"\x00")
        async with asyncio.timeout(DEADLINE_S):
            while endpoint.tcp.half_open == 0:
                await asyncio.sleep(0.005)
        clock.advance(HALF_OPEN_NS / 1e9 - 0.1)
        endpoint.expire()
        writer.write(b"\x14")
        assert endpoint.tcp.half_open == 1
        clock.advance(0.2)
        endpoint.expire()
        assert await is_cut(reader)
        assert endpoint.tcp.counters.expired == 1


async def test_half_open_connections_are_capped_and_the_oldest_gives_way(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(tcp, "MAX_HALF_OPEN", 20)
    async with opened() as endpoint, contextlib.AsyncExitStack() as stack:
        server = endpoint.create_transport("t", RecordingSink())
        server.start(PEER, SOMEBODY, "server")
        idle = [await stack.enter_async_context(connection(endpoint)) for _ in range(30)]
        assert endpoint.tcp is not None
        assert all([await is_cut(reader) for reader, _ in idle[:10]])
        assert endpoint.tcp.half_open <= 20
        reader, writer = await stack.enter_async_context(connection(endpoint))
        writer.write(framed(check(server.local)))
        assert is_stun(await frame_from(reader)), "somebody with a right to come in still does"
        server.close("done")


async def test_connections_are_capped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tcp, "MAX_CONNECTIONS", 3)
    async with opened() as endpoint, contextlib.AsyncExitStack() as stack:
        kept = [await stack.enter_async_context(connection(endpoint)) for _ in range(3)]
        reader, _ = await stack.enter_async_context(connection(endpoint))
        assert await is_cut(reader)
        assert endpoint.tcp is not None
        assert endpoint.tcp.connections == len(kept)


async def test_checks_with_a_wrong_password_validate_no_connection() -> None:
    async with opened() as endpoint, connection(endpoint) as (reader, writer):
        server = endpoint.create_transport("t", RecordingSink())
        writer.write(framed(check(IceParameters(server.local.ufrag, "x" * 24))))
        assert (await frame_from(reader))[:2] == b"\x01\x11"
        assert endpoint.tcp is not None
        assert endpoint.tcp.half_open == 1
        assert server.remote_address is None
        server.close("done")


async def test_hostile_frames_on_a_validated_connection_do_not_end_the_call() -> None:
    async with call_without_udp() as (made, _):
        chance = random.Random(7)
        for size in (1, 2, 11, 12, 40, 200, 1_400):
            made.client.send([chance.randbytes(size)])
            made.client.send([b"\x80" + chance.randbytes(size)])
            made.client.send([b"\x16" + chance.randbytes(size)])
        await goes_both_ways(made)
        assert made.server.state == made.client.state == "connected"


async def test_a_connection_whose_transport_has_ended_is_cut_off_after_a_while() -> None:
    clock = FakeClock()
    async with opened(clock=clock) as endpoint, connection(endpoint) as (reader, writer):
        server = endpoint.create_transport("t", RecordingSink())
        writer.write(framed(check(server.local)))
        await frame_from(reader)
        server.close("done")
        assert endpoint.tcp is not None
        assert endpoint.tcp.half_open == 1
        clock.advance(HALF_OPEN_NS / 1e9 + 0.1)
        endpoint.expire()
        assert await is_cut(reader)


async def test_a_peer_that_hangs_up_is_forgotten() -> None:
    async with opened() as endpoint:
        server = endpoint.create_transport("t", RecordingSink())
        async with connection(endpoint) as (reader, writer):
            writer.write(framed(check(server.local)))
            await frame_from(reader)
            assert server.remote_address is not None
        async with asyncio.timeout(DEADLINE_S):
            while endpoint.known_addresses:
                await asyncio.sleep(0.005)
        assert server.remote_address is None
        server.close("done")


async def test_without_a_free_tcp_port_udp_is_served_alone() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        endpoint = await MediaEndpoint.open("127.0.0.1", taken.getsockname()[1], clock=SystemClock())
        assert endpoint.tcp is None
        assert [found.transport for found in endpoint.candidates] == ["udp"]
        made = await connect(endpoint, "t")
        await made.client.close()
        await endpoint.close()
