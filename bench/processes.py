"""The processes of a measurement: this project's worker, and those that make the load."""

from __future__ import annotations

import asyncio
import json
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final

PER_RECEIVER_PROCESS: Final = 60
START_DEADLINE_S: Final = 90.0
STOP_DEADLINE_S: Final = 10.0


class Child:
    """A load process, spoken to in lines."""

    def __init__(self, process: Process) -> None:
        self._process = process

    @classmethod
    async def start(cls, *arguments: str) -> Child:
        """Run `bench.sfu_load` with these arguments."""
        command = (sys.executable, "-m", "bench.sfu_load", *arguments)
        return cls(await asyncio.create_subprocess_exec(*command, stdin=PIPE, stdout=PIPE))

    async def read(self) -> dict[str, Any]:
        """Its next message. Raises `RuntimeError` when it died."""
        assert self._process.stdout is not None
        async with asyncio.timeout(START_DEADLINE_S):
            line = await self._process.stdout.readline()
        if not line:
            raise RuntimeError("a load process died; its error is above")
        found: dict[str, Any] = json.loads(line)
        return found

    async def mark(self) -> dict[str, Any]:
        """Ask for its numbers."""
        assert self._process.stdin is not None
        self._process.stdin.write(b"mark\n")
        await self._process.stdin.drain()
        return await self.read()

    async def stop(self) -> None:
        """Let it close its connections and end."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        await end(self._process)


async def start_receivers(subscribers: int, children: list[Child], *options: str) -> tuple[list[Child], str]:
    """All subscribers, connected, in as many processes as it takes; also added to `children`. And the SRTP
    profile that was negotiated.
    """
    receivers: list[Child] = []
    srtp_profile = ""
    for first in range(0, subscribers, PER_RECEIVER_PROCESS):
        count = str(min(PER_RECEIVER_PROCESS, subscribers - first))
        child = await Child.start("receive", "--count", count, "--first", str(first), *options)
        receivers.append(child)
        children.append(child)
        srtp_profile = (await child.read())["profile"]
    return receivers, srtp_profile


async def end(process: Process) -> None:
    """Wait until it has ended; after a while, by force."""
    try:
        async with asyncio.timeout(STOP_DEADLINE_S):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()


@asynccontextmanager
async def serving(
    command: Sequence[str], path: str, *, died: Callable[[], str], output: int = DEVNULL
) -> AsyncIterator[Process]:
    """A server process whose API is there, on the Unix socket `path`; it is ended afterwards."""
    process = await asyncio.create_subprocess_exec(*command, stdin=DEVNULL, stdout=output)
    try:
        async with asyncio.timeout(START_DEADLINE_S):
            while not await _answers(path):
                if process.returncode is not None:
                    raise RuntimeError(died())
                await asyncio.sleep(0.05)
        yield process
    finally:
        if process.returncode is None:
            process.terminate()
        await end(process)


async def _answers(path: str) -> bool:
    """Whether somebody listens: between `bind` and `listen` the socket exists and refuses."""
    try:
        _, writer = await asyncio.open_unix_connection(path)
    except OSError:
        return False
    writer.close()
    await writer.wait_closed()
    return True


@asynccontextmanager
async def worker(
    directory: str, prefix: Sequence[str], host: str = "127.0.0.1"
) -> AsyncIterator[tuple[Process, str]]:
    """This project's media worker on a port of its own of `host`, and where its API is."""
    path = f"{directory}/sfu.sock"
    arguments = ("--worker-id", "bench", "--api", f"unix:{path}", "--udp-host", host, "--udp-port", "0")
    command = (*prefix, "-m", "sfu", *arguments, "--log-level", "warning")
    async with serving(command, path, died=lambda: "the worker died; its error is above") as process:
        yield process, path
