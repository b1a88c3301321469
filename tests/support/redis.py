"""A real redis-server on a Unix socket, without files, for the length of a test."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from redis.asyncio import Redis
from redis.exceptions import RedisError

WITHIN_S = 30.0


@dataclass
class RedisServer:
    """A real redis-server on a Unix socket, without files."""

    socket: Path
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"unix://{self.socket}"

    def start(self) -> None:
        self.process = subprocess.Popen(
            ["redis-server", "--port", "0", "--unixsocket", str(self.socket), "--save", "", "--appendonly",
             "no"],
            stdout=subprocess.DEVNULL,
        )  # fmt: skip

    def stop(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None
            self.socket.unlink(missing_ok=True)

    async def ready(self) -> None:
        async with asyncio.timeout(WITHIN_S):
            while True:
                client = Redis.from_url(self.url)
                try:
                    await client.ping()
                    return
                except (OSError, RedisError):
                    await asyncio.sleep(0.02)
                finally:
                    await client.aclose()


@contextmanager
def running_redis(folder: Path) -> Iterator[RedisServer]:
    """`folder`: a short path, for a socket in it."""
    server = RedisServer(folder / "redis.sock")
    server.start()
    try:
        yield server
    finally:
        server.stop()
