"""Runs `teleconsult demo` as its user would, on ports of its own, and ends it."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from archive.store_base import is_consultation

READY_WITHIN_S = 90.0
GONE_WITHIN_S = 30.0


def free_udp_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def command_line(process: Path) -> list[str]:
    """Arguments as `ps` shows them; a process that took a role over has them in one string."""
    return (process / "cmdline").read_bytes().decode().replace(" ", "\0").split("\0")


@dataclass
class Demo:
    """A running demo. `info` is its `demo.json`."""

    data_dir: Path
    process: subprocess.Popen[bytes]
    udp_port: int
    info: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def start(
        cls,
        data_dir: Path,
        *arguments: str,
        udp_port: int | None = None,
        environment: dict[str, str] | None = None,
        inside: Sequence[str] = (),
    ) -> Self:
        """Start it and wait until it says that it is ready. `environment`: settings as variables; `inside`: a
        command that runs another one somewhere else.
        """
        udp_port = udp_port or free_udp_port()
        data_dir.mkdir(parents=True, exist_ok=True)
        with (data_dir / "output.log").open("wb") as output:
            process = subprocess.Popen(
                [*inside, sys.executable, "-m", "teleconsult", "demo", "--data-dir", str(data_dir),
                 "--port", "0", "--udp-port", str(udp_port), *arguments],
                stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
                env=os.environ | (environment or {}),
            )  # fmt: skip
        demo = cls(data_dir, process, udp_port)
        try:
            demo._wait_until_ready()
        except BaseException:
            demo.stop()
            raise
        return demo

    @property
    def base_url(self) -> str:
        return str(self.info["base_url"])

    @property
    def log(self) -> str:
        files = [self.data_dir / name for name in ("demo.log", "output.log")]
        return "\n".join(file.read_text(errors="replace") for file in files if file.exists())

    @property
    def archive(self) -> Path:
        """The one consultation's archive."""
        (found,) = [path for path in Path(self.info["archive_dir"]).iterdir() if is_consultation(path)]
        return found

    @property
    def worker_socket(self) -> Path:
        """The media worker's internal API."""
        (pid,) = self.pids("sfu")
        arguments = command_line(Path(f"/proc/{pid}"))
        return Path(arguments[arguments.index("--api") + 1].removeprefix("unix:"))

    def worker_stats(self) -> dict[str, Any]:
        """The media worker's `/v1/stats`."""
        connection = http.client.HTTPConnection("worker", timeout=10)
        connection.sock = socket.socket(socket.AF_UNIX)
        connection.sock.connect(str(self.worker_socket))
        with contextlib.closing(connection):
            connection.request("GET", "/v1/stats")
            answer: dict[str, Any] = json.load(connection.getresponse())
        return answer

    def user(self, name: str) -> tuple[str, str]:
        user = self.info["users"][name]
        return user["username"], user["password"]

    def pids(self, role: str) -> list[int]:
        """Processes of a role among the demo's children, found as an operator would, by command line."""
        found = []
        for entry in Path("/proc").iterdir():
            if not entry.name.isdigit():
                continue
            try:
                arguments = command_line(entry)
                parent = int((entry / "stat").read_text().rsplit(") ", 1)[1].split()[1])
            except (FileNotFoundError, ProcessLookupError):
                continue
            if parent == self.process.pid and role in arguments:
                found.append(int(entry.name))
        return found

    def wait_for_spare(self) -> None:
        """Until the process that would take over has everything imported."""
        until = time.monotonic() + READY_WITHIN_S
        while not self.pids("(ready)"):
            assert time.monotonic() < until
            time.sleep(0.05)

    def kill_role(self, role: str) -> None:
        """`kill -9` on the role's one process."""
        (pid,) = self.pids(role)
        os.kill(pid, signal.SIGKILL)

    def stop(self) -> int:
        """As Ctrl-C; returns the exit code. Kills, and fails, when it does not end."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
        try:
            return self.process.wait(GONE_WITHIN_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise AssertionError(f"the demo did not end:\n{self.log[-3000:]}") from None

    def _wait_until_ready(self) -> None:
        until = time.monotonic() + READY_WITHIN_S
        ready = self.data_dir / "demo.json"
        while not ready.exists():
            if self.process.poll() is not None or time.monotonic() > until:
                raise AssertionError(f"the demo did not become ready:\n{self.log[-5000:]}")
            time.sleep(0.05)
        self.info = json.loads(ready.read_text())
