"""`edge run --with-spare`: the box is killed, and another process is the box at once."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.edge.whip_server import TOKEN, WhipServer
from tests.support.processes import command_lines
from tests.support.waiting import until

WITHIN_S = 60.0
FEED = (
    '[[feeds]]\nname = "theatre"\nsource = { kind = "testcard" }\n'
    'width = 320\nheight = 180\nencoder = "libx264"\n'
)


class Heard:
    """What systemd would have been told."""

    def __init__(self, path: Path) -> None:
        self.lines: list[str] = []
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        self._socket.bind(str(path))

    def count(self, line: str) -> int:
        while True:
            try:
                self.lines += self._socket.recv(4096).decode().splitlines()
            except BlockingIOError:
                return self.lines.count(line)

    def forget(self) -> None:
        """What was said up to now."""
        self.count("")
        self.lines.clear()

    def close(self) -> None:
        self._socket.close()


@contextmanager
def systemd(path: Path) -> Iterator[Heard]:
    heard = Heard(path)
    try:
        yield heard
    finally:
        heard.close()


async def guarded(config: Path, log: Path, notify: Path) -> asyncio.subprocess.Process:
    with log.open("wb") as output:
        return await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "teleconsult", "edge", "run", "--with-spare", "--config", str(config)),
            stdout=output,
            stderr=output,
            env={**os.environ, "NOTIFY_SOCKET": str(notify), "WATCHDOG_USEC": "30000000"},
        )


def waiting(guard: int) -> int | None:
    """The spare that has imported everything."""
    return next((pid for pid, line in command_lines(guard).items() if "spare (ready)" in line), None)


async def test_the_spare_becomes_the_box_that_was_killed_and_all_end_together(tmp_path: Path) -> None:
    async with WhipServer.open() as server:
        (tmp_path / "token").write_text(TOKEN)
        (tmp_path / "edge.toml").write_text(
            f'server = "{server.url}"\nroom = "demo"\ntoken_file = "token"\nstatus_port = 0\n{FEED}'
        )
        with systemd(tmp_path / "notify") as heard:
            guard = await guarded(tmp_path / "edge.toml", tmp_path / "log", tmp_path / "notify")
            try:
                await until(lambda: heard.count("READY=1") == 1 and len(server.received) == 1, "it publishes")
                await until(lambda: heard.count("") == 0 and waiting(guard.pid) is not None, "a spare waits")
                spare = waiting(guard.pid)
                (first,) = set(command_lines(guard.pid)) - {spare}
                os.kill(first, signal.SIGKILL)
                heard.forget()
                await until(lambda: heard.count("READY=1") == 1 and len(server.received) == 2, "it is back")
                assert "edge run" in command_lines(guard.pid)[spare or 0]
                await until(lambda: heard.count("WATCHDOG=1") > 0, "the box itself feeds the watchdog")
                assert heard.count("STOPPING=1") == 0
                left = set(command_lines(guard.pid))
                guard.terminate()
                assert await asyncio.wait_for(guard.wait(), WITHIN_S) == 0
                assert heard.count("STOPPING=1") == 1
                assert not [pid for pid in left if Path(f"/proc/{pid}").exists()]
            finally:
                if guard.returncode is None:
                    guard.kill()
                    await guard.wait()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (f'server = "http://127.0.0.1:1"\n{FEED}', "edge enroll"),
        ('server = "http://127.0.0.1:1"\nfeeds = 3\n', "feeds"),
    ],
)
async def test_a_box_that_has_no_way_in_says_so_and_is_not_tried_again(
    tmp_path: Path, text: str, said: str
) -> None:
    (tmp_path / "edge.toml").write_text(text)
    guard = await guarded(tmp_path / "edge.toml", tmp_path / "log", tmp_path / "nobody")
    assert await asyncio.wait_for(guard.wait(), WITHIN_S) == 1
    assert said in (tmp_path / "log").read_text()
