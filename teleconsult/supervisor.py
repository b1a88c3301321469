"""Starts the service's processes, watches them, and starts again what dies.

A child that lived for a while is restarted at once: pictures come back only when its process does. One that
keeps dying is restarted with a growing pause, so that a broken configuration does not burn the machine.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import structlog

log = structlog.get_logger("supervisor")

HEALTHY_AFTER_S: Final = 10.0
PAUSE_FIRST_S: Final = 0.2
PAUSE_MAX_S: Final = 10.0
STOP_GRACE_S: Final = 8.0


@dataclass(frozen=True)
class Role:
    """One child process: what `ps` shows and what it gets."""

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str]


def own_command(*arguments: str) -> tuple[str, ...]:
    """This very installation's `teleconsult` with `arguments`."""
    return (sys.executable, "-m", "teleconsult", *arguments)


class Backoff:
    """Pure: how long to wait before the next start, given how long the last one lived."""

    def __init__(self) -> None:
        self._pause_s = 0.0

    def after(self, lived_s: float) -> float:
        """Seconds to wait. 0 after a healthy life, then doubling up to `PAUSE_MAX_S`."""
        if lived_s >= HEALTHY_AFTER_S:
            self._pause_s = 0.0
            return 0.0
        pause_s = self._pause_s
        self._pause_s = min(max(pause_s * 2, PAUSE_FIRST_S), PAUSE_MAX_S)
        return pause_s


class Supervisor:
    """Runs until cancelled or `stop()`; then ends its children in reverse order, politely first."""

    def __init__(self, roles: Sequence[Role]) -> None:
        self._roles = roles
        self._running: dict[str, asyncio.subprocess.Process] = {}
        self._stopping = asyncio.Event()
        self.restarts: dict[str, int] = {role.name: 0 for role in roles}

    def pid(self, name: str) -> int | None:
        """Process id of a running role."""
        process = self._running.get(name)
        return process.pid if process else None

    def stop(self) -> None:
        """Ask for an orderly end; `run` returns when every child is gone."""
        self._stopping.set()

    async def run(self) -> None:
        """Keep every role running until `stop()`."""
        watchers = [asyncio.create_task(self._keep(role), name=role.name) for role in self._roles]
        stopping = asyncio.create_task(self._stopping.wait())
        try:
            await asyncio.wait([stopping, *watchers], return_when=asyncio.FIRST_COMPLETED)
        finally:
            stopping.cancel()
            for watcher in watchers:
                watcher.cancel()
            await asyncio.gather(*watchers, return_exceptions=True)
            await self._end_all()
        for watcher in watchers:
            if watcher.done() and not watcher.cancelled() and watcher.exception():
                raise watcher.exception() or RuntimeError("a watcher ended")

    async def _keep(self, role: Role) -> None:
        backoff = Backoff()
        while True:
            started = time.monotonic()
            process = await self._start(role)
            code = await process.wait()
            self._running.pop(role.name, None)
            lived_s = time.monotonic() - started
            pause_s = backoff.after(lived_s)
            self.restarts[role.name] += 1
            log.warning(
                "role_died", role=role.name, exit_code=code, lived_s=round(lived_s, 1), again_in_s=pause_s
            )
            await asyncio.sleep(pause_s)

    async def _start(self, role: Role) -> asyncio.subprocess.Process:
        process = await asyncio.create_subprocess_exec(
            *role.command,
            stdin=asyncio.subprocess.DEVNULL,
            env={**os.environ, **role.environment, "TELECONSULT_PARENT": str(os.getpid())},
            start_new_session=True,  # Ctrl-C reaches only us: the order of ending is ours to choose
        )
        self._running[role.name] = process
        log.info("role_started", role=role.name, pid=process.pid)
        return process

    async def _end_all(self) -> None:
        for role in reversed(self._roles):
            process = self._running.pop(role.name, None)
            if process is not None:
                await _end(process)


async def _end(process: asyncio.subprocess.Process) -> None:
    with contextlib.suppress(ProcessLookupError):
        process.terminate()
    try:
        await asyncio.wait_for(process.wait(), STOP_GRACE_S)
    except TimeoutError:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


def die_with_parent() -> None:
    """Linux: a child whose supervisor is killed gets SIGTERM too, instead of living on unseen (prctl(2))."""
    parent = os.environ.pop("TELECONSULT_PARENT", None)
    if parent is None or not sys.platform.startswith("linux"):
        return
    import ctypes

    pr_set_pdeathsig = 1
    ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGTERM, 0, 0, 0)
    if os.getppid() != int(parent):
        raise SystemExit("the supervisor ended while this process was starting")
