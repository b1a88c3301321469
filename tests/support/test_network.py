"""The cut network itself: a test that trusts its instrument is worth nothing."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest

from tests.support.tcp_proxy import TcpProxy

SOON_S = 0.2
DEADLINE_S = 5


@contextlib.asynccontextmanager
async def echo_behind_a_proxy() -> AsyncIterator[TcpProxy]:
    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(1000):
                writer.write(data.upper())
                await writer.drain()
        writer.close()

    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    proxy = await TcpProxy.open(server.sockets[0].getsockname()[:2])
    try:
        yield proxy
    finally:
        await proxy.close()
        server.close()


async def exchange(streams: tuple[asyncio.StreamReader, asyncio.StreamWriter], data: bytes) -> bytes:
    streams[1].write(data)
    return await asyncio.wait_for(streams[0].readexactly(len(data)), DEADLINE_S)


async def test_what_was_sent_during_a_cut_arrives_after_it() -> None:
    async with echo_behind_a_proxy() as proxy:
        streams = await asyncio.open_connection(*proxy.address)
        assert await exchange(streams, b"a") == b"A"
        proxy.cut()
        streams[1].write(b"b")
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(streams[0].readexactly(1), SOON_S)
        proxy.restore()
        assert await asyncio.wait_for(streams[0].readexactly(1), DEADLINE_S) == b"B"
        streams[1].close()


async def test_a_connection_made_during_a_cut_leads_nowhere_until_it_is_over() -> None:
    async with echo_behind_a_proxy() as proxy:
        proxy.cut()
        streams = await asyncio.open_connection(*proxy.address)
        streams[1].write(b"c")
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(streams[0].readexactly(1), SOON_S)
        proxy.restore()
        assert await asyncio.wait_for(streams[0].readexactly(1), DEADLINE_S) == b"C"
        streams[1].close()


async def test_a_reset_ends_every_connection_and_new_ones_pass() -> None:
    async with echo_behind_a_proxy() as proxy:
        old = await asyncio.open_connection(*proxy.address)
        assert await exchange(old, b"d") == b"D"
        proxy.reset()
        with contextlib.suppress(ConnectionResetError):
            assert await asyncio.wait_for(old[0].read(1), DEADLINE_S) == b""
        new = await asyncio.open_connection(*proxy.address)
        assert await exchange(new, b"e") == b"E"
        new[1].close()
