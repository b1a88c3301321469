"""Starts the service's processes, watches them, and starts again what dies.

A child that lived for a while is restarted at once: pictures come back only when its process does. One that
keeps dying is restarted with a growing pause, so that a broken configuration does not burn the machine.

Importing takes a Python process seconds, far too long to look at a frozen picture. So one spare process waits
with everything imported (`teleconsult.spare`); it takes over the role that died, and a new spare is made.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
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
SPARE_AFTER_S: Final = 4.0
"""A new spare is imported when those it could disturb have started."""


@dataclass(frozen=True)
class Role:
    """One child process: what `ps` shows and what it gets. `spare`: the waiting spare can take it over."""

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str]
    spare: bool = False


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

    def __init__(
        self,
        roles: Sequence[Role],
        spare_command: tuple[str, ...] | None = None,
        output: int | None = None,
    ) -> None:
        """`spare_command`: what waits to take a role over. `output`: descriptor of the children's log."""
        self._roles = roles
        self._spare_command = spare_command
        self._output = output
        self._spare: asyncio.subprocess.Process | None = None
        self._running: dict[str, asyncio.subprocess.Process] = {}
        self._stopping = asyncio.Event()
        self.restarts: dict[str, int] = {role.name: 0 for role in roles}

    def pid(self, name: str) -> int | None:
        """Process id of a running role."""
        process = self._running.get(name)
        return process.pid if process else None

    def spare_pid(self) -> int | None:
        """Process id of the waiting spare."""
        return self._spare.pid if self._spare else None

    def stop(self) -> None:
        """Ask for an orderly end; `run` returns when every child is gone."""
        self._stopping.set()

    async def run(self) -> None:
        """Keep every role running until `stop()`."""
        watchers = [asyncio.create_task(self._keep(role), name=role.name) for role in self._roles]
        if self._spare_command is not None:
            watchers.append(asyncio.create_task(self._keep_spare(self._spare_command), name="spare"))
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
        process = self._take_over(role) if role.spare else None
        if process is None:
            process = await self._spawn(role.command, role.environment, asyncio.subprocess.DEVNULL)
        self._running[role.name] = process
        log.info("role_started", role=role.name, pid=process.pid)
        return process

    def _take_over(self, role: Role) -> asyncio.subprocess.Process | None:
        """Make the spare that role's process; None when there is none."""
        process, self._spare = self._spare, None
        if process is None or process.returncode is not None or process.stdin is None:
            return None
        arguments = role.command[role.command.index("teleconsult") + 1 :]
        orders = {"arguments": arguments, "environment": dict(role.environment)}
        process.stdin.write(json.dumps(orders).encode() + b"\n")
        process.stdin.close()
        return process

    async def _spawn(
        self, command: Sequence[str], environment: Mapping[str, str], stdin: int
    ) -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            *command,
            stdin=stdin,
            stdout=self._output,
            stderr=self._output,
            env={**os.environ, **environment, "TELECONSULT_PARENT": str(os.getpid())},
            start_new_session=True,  # Ctrl-C reaches only us: the order of ending is ours to choose
        )

    async def _keep_spare(self, command: tuple[str, ...]) -> None:
        """Have a spare ready, again and again. One that dies while waiting is replaced in the same way."""
        while True:
            await asyncio.sleep(SPARE_AFTER_S)
            if self._spare is None or self._spare.returncode is not None:
                self._spare = await self._spawn(command, {}, asyncio.subprocess.PIPE)

    async def _end_all(self) -> None:
        if self._spare is not None:
            await _end(self._spare)
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
