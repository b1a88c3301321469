"""Starts the service's processes, watches them, and starts again what dies.

A child that lived for a while is restarted at once: pictures come back only when its process does. One that
keeps dying is restarted with a growing pause, so that a broken configuration does not burn the machine.

Stopping goes role by role, in the order of `Role.stops`: what brings something in ends before what keeps it.
Being asked to stop a second time leaves every child a moment and no more.

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

from core import systemd
from core.stopping import Stopping

log = structlog.get_logger("supervisor")

HEALTHY_AFTER_S: Final = 10.0
RAN_AFTER_S: Final = 2.0
"""What was ended by a signal (a crash in a library, no memory left, somebody's hand) after so long had come
up with its configuration: it is needed again at once, however often.
"""
PAUSE_FIRST_S: Final = 0.2
PAUSE_MAX_S: Final = 10.0
STOP_GRACE_S: Final = 8.0
"""What a role gets to end by itself, besides the time it may drain."""
LAST_MOMENT_S: Final = 3.0
"""What is left for all when asked to stop at once: enough to close a recording's last piece."""
SIGNALS_APART_S: Final = 0.2
"""Two signals that come together may be seen as one."""
SPARE_AFTER_S: Final = 4.0
"""A new spare is imported when those it could disturb have started."""
SPARE_PAUSE_MAX_S: Final = 60.0


@dataclass(frozen=True)
class Role:
    """One child process: what `ps` shows and what it gets. `spare`: the waiting spare can take it over.

    `stops`: roles with a smaller number are stopped before it, those with the same at the same time.
    """

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str]
    spare: bool = False
    stops: int = 0


def own_command(*arguments: str) -> tuple[str, ...]:
    """This very installation's `teleconsult` with `arguments`."""
    return (sys.executable, "-m", "teleconsult", *arguments)


class Backoff:
    """Pure: how long to wait before the next start, given how long the last one lived."""

    def __init__(self) -> None:
        self._pause_s = 0.0

    def after(self, lived_s: float, *, by_signal: bool = False) -> float:
        """Seconds to wait. 0 after a healthy life, then doubling up to `PAUSE_MAX_S`."""
        if lived_s >= (RAN_AFTER_S if by_signal else HEALTHY_AFTER_S):
            self._pause_s = 0.0
            return 0.0
        pause_s = self._pause_s
        self._pause_s = min(max(pause_s * 2, PAUSE_FIRST_S), PAUSE_MAX_S)
        return pause_s


class Supervisor:
    """Runs until cancelled or `stop()`; then ends its children in order, politely first."""

    def __init__(
        self,
        roles: Sequence[Role],
        spare_command: tuple[str, ...] | None = None,
        output: int | None = None,
        *,
        drain_s: float = 0.0,
        spare_after_s: float | None = None,
    ) -> None:
        """`spare_command`: what waits to take a role over. `output`: descriptor of the children's log.

        `drain_s`: how long a role may take to let go of what it serves. `spare_after_s`: how long after the
        start, or after it was needed, a spare is made (`SPARE_AFTER_S`).
        """
        self._roles = roles
        self._spare_command = spare_command
        self._output = output
        self._spare: asyncio.subprocess.Process | None = None
        self._spare_since_s = 0.0
        self._running: dict[str, asyncio.subprocess.Process] = {}
        self._grace_s = STOP_GRACE_S + drain_s
        self._spare_after_s = SPARE_AFTER_S if spare_after_s is None else spare_after_s
        self._stopping = Stopping()
        self.restarts: dict[str, int] = {role.name: 0 for role in roles}

    def pid(self, name: str) -> int | None:
        """Process id of a running role."""
        process = self._running.get(name)
        return process.pid if process else None

    def spare_pid(self) -> int | None:
        """Process id of the waiting spare."""
        return self._spare.pid if self._spare else None

    def stop(self) -> None:
        """Ask for an orderly end; asked again, for one at once. `run` returns when every child is gone."""
        self._stopping.ask()

    async def run(self) -> None:
        """Keep every role running until `stop()`."""
        watchers = [asyncio.create_task(self._keep(role), name=role.name) for role in self._roles]
        if self._spare_command is not None:
            watchers.append(asyncio.create_task(self._keep_spare(self._spare_command), name="spare"))
        stopping = asyncio.create_task(self._stopping.asked.wait())
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
            process, started = await self._start(role)
            code = await process.wait()
            self._running.pop(role.name, None)
            lived_s = time.monotonic() - started
            pause_s = backoff.after(lived_s, by_signal=code < 0)
            self.restarts[role.name] += 1
            log.warning(
                "role_died", role=role.name, exit_code=code, lived_s=round(lived_s, 1), again_in_s=pause_s
            )
            await asyncio.sleep(pause_s)

    async def _start(self, role: Role) -> tuple[asyncio.subprocess.Process, float]:
        """The process, and since when it has this role (monotonic, s)."""
        started = time.monotonic()
        process = self._take_over(role) if role.spare else None
        if process is None:
            process = await self._spawn(role.command, role.environment, asyncio.subprocess.DEVNULL)
        self._running[role.name] = process
        log.info("role_started", role=role.name, pid=process.pid)
        return process, started

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
            env=_environment(environment),
            start_new_session=True,  # Ctrl-C reaches only us: the order of ending is ours to choose
        )

    async def _keep_spare(self, command: tuple[str, ...]) -> None:
        """Have a spare ready, again and again. One that dies while waiting is replaced later and later."""
        pause_s = self._spare_after_s
        while True:
            await asyncio.sleep(pause_s)
            if self._spare is not None and self._spare.returncode is None:
                if time.monotonic() - self._spare_since_s >= HEALTHY_AFTER_S:
                    pause_s = self._spare_after_s
                continue
            died = self._spare is not None
            pause_s = min(2 * pause_s, SPARE_PAUSE_MAX_S) if died else self._spare_after_s
            if died:
                log.warning("spare_died", again_in_s=pause_s)
                await asyncio.sleep(pause_s - self._spare_after_s)
            try:
                self._spare = await self._spawn(command, {}, asyncio.subprocess.PIPE)
                self._spare_since_s = time.monotonic()
            except OSError as error:  # what runs goes on without one
                log.warning("no_spare", reason=error.strerror)

    async def _end_all(self) -> None:
        if self._spare is not None:
            await self._end([self._spare])
        for stage in sorted({role.stops for role in self._roles}):
            hurry = self._stopping.at_once.is_set()
            names = [role.name for role in self._roles if role.name in self._running
                     and (hurry or role.stops == stage)]  # fmt: skip
            log.info("stopping", roles=names)
            await self._end([self._running.pop(name) for name in names])

    async def _end(self, processes: Sequence[asyncio.subprocess.Process]) -> None:
        """SIGTERM, time to end, SIGKILL. When there is no time any more: a second SIGTERM, a last moment."""
        _signal(processes, signal.SIGTERM)
        gone = asyncio.create_task(_all_gone(processes))
        at_once = asyncio.create_task(self._stopping.at_once.wait())
        await asyncio.wait([gone, at_once], timeout=self._grace_s, return_when=asyncio.FIRST_COMPLETED)
        if not gone.done() and self._stopping.at_once.is_set():
            await asyncio.wait([gone], timeout=SIGNALS_APART_S)
            _signal(processes, signal.SIGTERM)
            await asyncio.wait([gone], timeout=LAST_MOMENT_S)
        at_once.cancel()
        if not gone.done():
            log.warning("killed", pids=[process.pid for process in processes if process.returncode is None])
            _signal(processes, signal.SIGKILL)
        await gone


async def _all_gone(processes: Sequence[asyncio.subprocess.Process]) -> None:
    for process in processes:
        await process.wait()


def _signal(processes: Sequence[asyncio.subprocess.Process], number: signal.Signals) -> None:
    for process in processes:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(number)


def _environment(own: Mapping[str, str]) -> dict[str, str]:
    """Ours and the role's; systemd talks to the supervisor only."""
    inherited = {key: value for key, value in os.environ.items() if key not in systemd.VARIABLES}
    return {**inherited, **own, "TELECONSULT_PARENT": str(os.getpid())}


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
