"""Runs `teleconsult serve` as an operator would: one configuration file, one process to start and to stop."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self, TypeVar

from tests.support.demo import command_line, free_udp_port

WITHIN_S = 120.0
"""A busy machine takes a long time to start four Python processes."""
T = TypeVar("T")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def until(look: Callable[[], T], what: str, within_s: float = WITHIN_S) -> T:
    """What `look` finds, as soon as it finds something."""
    deadline_s = time.monotonic() + within_s
    while not (found := look()):
        assert time.monotonic() < deadline_s, what
        time.sleep(0.05)
    return found


@dataclass
class Service:
    """`with Service(folder, {…settings}) as service:`; `start` may be called again after `stop`."""

    folder: Path
    settings: dict[str, Any] = field(default_factory=dict)
    environment: dict[str, str] = field(default_factory=dict)
    process: subprocess.Popen[bytes] | None = None

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self.settings = {
            "data_dir": str(self.folder / "data"),
            "port": free_port(),
            "udp_host": "127.0.0.1",
            "udp_port": free_udp_port(),
            "workers": 1,
            "log_level": "debug",
        } | self.settings
        self.config.write_text(
            "".join(f"{key} = {json.dumps(value)}\n" for key, value in self.settings.items())
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def config(self) -> Path:
        return self.folder / "teleconsult.toml"

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.settings['port']}"

    @property
    def log(self) -> str:
        """What all of its processes wrote."""
        path = self.folder / "output.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def events(self, name: str) -> list[dict[str, Any]]:
        """Log lines of one event."""
        lines = (line for line in self.log.splitlines() if line.startswith("{"))
        return [event for event in map(json.loads, lines) if event.get("event") == name]

    def start(self, *arguments: str) -> subprocess.Popen[bytes]:
        """`serve` with `arguments`; the first one started is the one that `stop` ends."""
        command = [sys.executable, "-m", "teleconsult", "serve", "--config", str(self.config), *arguments]
        with (self.folder / "output.log").open("ab") as output:
            started = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=output, stderr=output,
                env=os.environ | self.environment,
            )  # fmt: skip
        self.process = self.process or started
        return started

    def admin(self, *arguments: str, stdin: str = "") -> Any:
        """`teleconsult admin …`; what it printed, as JSON."""
        command = [
            sys.executable,
            "-m",
            "teleconsult",
            "admin",
            *arguments,
            "--config",
            str(self.config),
            "--json",
        ]
        done = subprocess.run(
            command, input=stdin, capture_output=True, text=True, timeout=WITHIN_S, check=False
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def readyz(self) -> dict[str, Any] | None:
        """None while nobody answers."""
        try:
            with urllib.request.urlopen(f"{self.base_url}/readyz", timeout=10) as answer:
                return dict(json.load(answer))
        except urllib.error.HTTPError as refused:
            return dict(json.load(refused))
        except OSError:
            return None

    def until_ready(self) -> None:
        until(lambda: (self.readyz() or {}).get("ready"), f"not ready:\n{self.log[-4000:]}")

    def pids(self, *words: str) -> list[int]:
        """Children that have all those words on their command line."""
        assert self.process is not None
        found = []
        for entry in Path("/proc").iterdir():
            if not entry.name.isdigit():
                continue
            try:
                arguments = command_line(entry)
                parent = int((entry / "stat").read_text().rsplit(") ", 1)[1].split()[1])
            except (FileNotFoundError, ProcessLookupError):
                continue
            if parent == self.process.pid and set(words) <= set(arguments):
                found.append(int(entry.name))
        return found

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int | None:
        """Its exit code. Kills, and fails, when it does not end."""
        process, self.process = self.process, None
        if process is None:
            return None
        if process.poll() is None:
            process.send_signal(number)
        try:
            return process.wait(WITHIN_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise AssertionError(f"it did not end:\n{self.log[-4000:]}") from None
