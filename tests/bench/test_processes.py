"""Server processes of the benchmarks: ready means that somebody listens."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import pytest

from bench.processes import serving

SLOW_SERVER = """
import socket, sys, time
server = socket.socket(socket.AF_UNIX)
server.bind(sys.argv[1])
time.sleep(0.3)
server.listen()
time.sleep(60)
"""


async def test_a_server_whose_socket_exists_but_refuses_is_waited_for(tmp_path: Path) -> None:
    path = str(tmp_path / "api.sock")
    command = (sys.executable, "-c", SLOW_SERVER, path)
    async with serving(command, path, died=lambda: "it died"):
        _, writer = await asyncio.open_unix_connection(path)
        writer.close()


async def test_a_server_that_dies_first_is_told_with_its_words(tmp_path: Path) -> None:
    command = (sys.executable, "-c", "raise SystemExit(3)")
    with pytest.raises(RuntimeError, match="its last words"):
        async with serving(command, str(tmp_path / "api.sock"), died=lambda: "its last words"):
            pass
