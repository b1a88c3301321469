"""A TCP proxy whose connections can be held as a dead network holds them, reset, or refused."""

from __future__ import annotations

import asyncio
from typing import Self

Address = tuple[str, int]
CHUNK_BYTES = 65_536


class TcpProxy:
    """Listens on a port of its own and connects on to `server`.

    Cut, nothing passes either way and new connections are taken but lead nowhere, as their SYN would get no
    answer; what was sent meanwhile arrives after `restore()`, as TCP would repeat it.
    """

    def __init__(self, server: Address) -> None:
        self._server = server
        self._open = asyncio.Event()
        self._open.set()
        self._listener: asyncio.Server | None = None
        self._conversations: dict[asyncio.Task[None], list[asyncio.StreamWriter]] = {}
        self.passed_bytes = 0

    @classmethod
    async def open(cls, server: Address, port: int = 0) -> Self:
        proxy = cls(server)
        proxy._listener = await asyncio.start_server(proxy._converse, "127.0.0.1", port)
        return proxy

    @property
    def address(self) -> Address:
        assert self._listener is not None
        host, port = self._listener.sockets[0].getsockname()[:2]
        return host, port

    def cut(self) -> None:
        self._open.clear()

    def restore(self) -> None:
        self._open.set()

    def reset(self) -> None:
        """Every connection ends with a reset, as when a NAT or a firewall forgot it."""
        for writers in self._conversations.values():
            for writer in writers:
                writer.transport.abort()

    async def close(self) -> None:
        if self._listener is not None:
            self._listener.close()
        self.reset()
        self.restore()
        await asyncio.gather(*self._conversations, return_exceptions=True)

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._conversations[task] = [writer]
        try:
            await self._open.wait()
            upstream_reader, upstream_writer = await asyncio.open_connection(*self._server)
            self._conversations[task].append(upstream_writer)
            async with asyncio.TaskGroup() as both_ways:
                both_ways.create_task(self._pump(reader, upstream_writer))
                both_ways.create_task(self._pump(upstream_reader, writer))
        except* OSError:
            pass  # either end is gone: so is the other
        finally:
            for each in self._conversations.pop(task):
                each.transport.abort()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Until `reader` ends; a pause of the link holds what was read last."""
        while data := await reader.read(CHUNK_BYTES):
            await self._open.wait()
            self.passed_bytes += len(data)
            writer.write(data)
            await writer.drain()
        await self._open.wait()
        if writer.can_write_eof():
            writer.write_eof()
