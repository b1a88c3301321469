"""What goes wrong in a handler, and what does not."""

from __future__ import annotations

import asyncio
import socket
import struct

import structlog
from aiohttp import web

from signaling.problems import problems


async def test_somebody_who_hangs_up_is_no_incident_and_everything_else_is() -> None:
    asked, answer = asyncio.Event(), asyncio.Event()

    async def handler(request: web.Request) -> web.StreamResponse:
        if request.path == "/ours":
            raise ConnectionResetError("of a connection of our own")
        asked.set()
        await answer.wait()
        response = web.StreamResponse()
        await response.prepare(request)
        return response

    app = web.Application(middlewares=[problems])
    app.router.add_get("/{path}", handler)
    runner = web.AppRunner(app, handler_cancellation=False)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    try:
        with structlog.testing.capture_logs() as logs:
            with socket.create_connection(("127.0.0.1", port)) as caller:
                caller.sendall(b"GET /gone HTTP/1.1\r\nHost: x\r\n\r\n")
                async with asyncio.timeout(10):
                    await asked.wait()
                caller.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            await asyncio.sleep(0.1)  # the reset is on its way
            answer.set()
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"GET /ours HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            async with asyncio.timeout(10):
                assert b" 500 " in await reader.readline()
            writer.close()
        assert [entry["event"] for entry in logs] == ["http.failed"]
    finally:
        await runner.cleanup()
