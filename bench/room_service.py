"""A whole service on ports of its own, with people, an open consultation and a box."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import aiohttp

from archive.keys import create_identity
from core.config import Settings, load_settings
from signaling.seed import DemoSeed, seed_demo

ROOM: Final = "bench"
READY_WITHIN_S: Final = 120.0
GONE_WITHIN_S: Final = 60.0
LOOK_EVERY_S: Final = 0.1
SUPERVISED: Final = (("-m", "teleconsult", "serve"),)
"""The whole service, as everybody runs it."""


@dataclass
class RoomService:
    """A running `teleconsult serve`. `log`: what its processes wrote."""

    settings: Settings
    seed: DemoSeed
    process: subprocess.Popen[bytes]
    log: Path

    @property
    def base_url(self) -> str:
        """Where HTTP is."""
        return f"http://127.0.0.1:{self.settings.port}"

    @property
    def media_port(self) -> int:
        """Of UDP, and of ICE-TCP."""
        return self.settings.udp_port

    @property
    def worker_api(self) -> str:
        """The media worker's Unix socket."""
        return str(self.settings.runtime_dir / "sfu-1.sock")

    def pids(self) -> dict[str, int]:
        """Role → process id of the children that have a role now."""
        found: dict[str, int] = {}
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit() and (role := _role(entry, self.process.pid)):
                found[role] = int(entry.name)
        return found

    def log_events(self) -> list[dict[str, object]]:
        """Its log, event by event."""
        lines = self.log.read_text(errors="replace").splitlines()
        return [json.loads(line) for line in lines if line.startswith("{")]


def _role(entry: Path, parent: int) -> str | None:
    """What a child of `parent` says it is; None for others, and for a spare."""
    try:
        if int((entry / "stat").read_text().rsplit(") ", 1)[1].split()[1]) != parent:
            return None
        words = (entry / "cmdline").read_bytes().decode(errors="replace").replace("\0", " ").split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return words[words.index("--role") + 1] if "--role" in words else None


@contextlib.asynccontextmanager
async def room_service(
    folder: Path,
    feeds: Sequence[str],
    *,
    recorder: bool = False,
    log_level: str = "warning",
    commands: Sequence[Sequence[str]] = SUPERVISED,
) -> AsyncIterator[RoomService]:
    """Start it, wait until it is ready, end it. `folder` should have a short name: sockets are in it.

    `commands`: Python's arguments for each of its processes, that of `RoomService.process` first.
    """
    port, udp_port = free_ports()
    recipients = []
    if recorder:
        recipients = [
            {"custodian": name, "recipient": create_identity(folder / name), "offline": name == "safe"}
            for name in ("auditor", "safe")
        ]
    settings = load_settings(
        None, data_dir=folder / "data", runtime_dir=folder / "run", port=port, udp_port=udp_port,
        host="127.0.0.1", udp_host="127.0.0.1", workers=1, recipients=recipients, totp_roles=[],
        log_level=log_level,
    )  # fmt: skip
    seed = await seed_demo(settings, ROOM, feeds)
    log = folder / "service.log"
    processes = [_start(settings, log, command) for command in commands]
    service = RoomService(settings, seed, processes[0], log)
    try:
        await _until_ready(service)
        yield service
    finally:
        for process in processes:
            await asyncio.to_thread(_end, process)


def _start(settings: Settings, log: Path, command: Sequence[str]) -> subprocess.Popen[bytes]:
    with log.open("ab") as output:
        return subprocess.Popen(
            [sys.executable, *command],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env=os.environ | _environment(settings),
        )


def _environment(settings: Settings) -> dict[str, str]:
    """The settings as variables."""
    values = settings.model_dump(mode="json", exclude_none=True)
    return {
        f"TELECONSULT_{key.upper()}": value if isinstance(value, str) else json.dumps(value)
        for key, value in values.items()
    }


async def _until_ready(service: RoomService) -> None:
    """Raises `TimeoutError`, or `RuntimeError` when it ended."""
    async with asyncio.timeout(READY_WITHIN_S), aiohttp.ClientSession() as session:
        while True:
            if service.process.poll() is not None:
                raise RuntimeError(f"the service ended: {service.log.read_text(errors='replace')[-2000:]}")
            with contextlib.suppress(aiohttp.ClientError, OSError):
                async with session.get(f"{service.base_url}/readyz") as response:
                    if response.status == 200:
                        return
            await asyncio.sleep(LOOK_EVERY_S)


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
    try:
        process.wait(GONE_WITHIN_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def free_ports() -> tuple[int, int]:
    """One for HTTP, one that is free for both UDP and TCP."""
    with socket.socket() as http, socket.socket() as tcp:
        http.bind(("127.0.0.1", 0))
        while True:
            tcp.bind(("127.0.0.1", 0))
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp, contextlib.suppress(OSError):
                udp.bind(("127.0.0.1", tcp.getsockname()[1]))
                return int(http.getsockname()[1]), int(udp.getsockname()[1])
