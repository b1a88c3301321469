"""The supervisor, with real processes."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import TypeVar

import pytest

import teleconsult.supervisor as supervisor_module
from teleconsult.supervisor import PAUSE_MAX_S, Backoff, Role, Supervisor

FOREVER = "import signal; signal.pause()"
DEADLINE_S = 20.0
T = TypeVar("T")


async def until(look: Callable[[], T]) -> T:
    async with asyncio.timeout(DEADLINE_S):
        while not (found := look()):
            await asyncio.sleep(0.01)
    return found


@contextlib.asynccontextmanager
async def running(*roles: Role, spare: tuple[str, ...] | None = None) -> AsyncIterator[Supervisor]:
    supervisor = Supervisor(roles, spare)
    task = asyncio.create_task(supervisor.run())
    try:
        yield supervisor
    finally:
        supervisor.stop()
        await asyncio.wait_for(task, DEADLINE_S)


def python(name: str, code: str) -> Role:
    return Role(name, (sys.executable, "-c", code), {})


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_a_child_that_lived_is_restarted_at_once_and_one_that_keeps_dying_later_and_later() -> None:
    backoff = Backoff()
    assert backoff.after(60) == 0
    pauses = [backoff.after(0.1) for _ in range(12)]
    assert pauses[0] == 0
    assert pauses == sorted(pauses)
    assert pauses[-1] == PAUSE_MAX_S
    assert backoff.after(60) == 0


async def test_a_killed_child_comes_back() -> None:
    async with running(python("a", FOREVER)) as supervisor:
        first = await until(lambda: supervisor.pid("a"))
        os.kill(first, signal.SIGKILL)
        second = await until(lambda: supervisor.restarts["a"] and supervisor.pid("a"))
        assert second != first
    assert not alive(second)


async def test_a_child_that_ignores_sigterm_is_killed_after_the_grace(tmp_path: Path) -> None:
    marker = tmp_path / "deaf"
    code = (
        "import signal, pathlib; signal.signal(signal.SIGTERM, signal.SIG_IGN); "
        f"pathlib.Path({str(marker)!r}).touch(); {FOREVER}"
    )
    async with running(python("deaf", code)) as supervisor:
        await until(marker.exists)
        pid = supervisor.pid("deaf")
        assert pid is not None
    assert not alive(pid)


def test_children_end_when_the_supervisor_is_killed(tmp_path: Path) -> None:
    pid_file = tmp_path / "pid"
    child = (
        "from teleconsult.supervisor import die_with_parent; die_with_parent(); import os, pathlib, signal; "
        f"pathlib.Path({str(pid_file)!r}).write_text(str(os.getpid())); signal.pause()"
    )
    parent = (
        "import asyncio, sys; from teleconsult.supervisor import Role, Supervisor; "
        f"asyncio.run(Supervisor([Role('c', (sys.executable, '-c', {child!r}), {{}})]).run())"
    )
    process = subprocess.Popen([sys.executable, "-c", parent])

    def written() -> str:
        return pid_file.read_text() if pid_file.exists() else ""

    pid = int(asyncio.run(until(written)))
    process.kill()
    process.wait()
    asyncio.run(until(lambda: not alive(pid) or _is_zombie(pid)))


def _is_zombie(pid: int) -> bool:
    return Path(f"/proc/{pid}/stat").read_text().split(") ")[1].startswith("Z")


async def test_the_spare_takes_over_the_role_that_died_and_shows_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor_module, "SPARE_AFTER_S", 0.05)
    orders = tmp_path / "orders"
    waiting = (sys.executable, "-c", f"import pathlib, sys; line = sys.stdin.readline(); "
               f"pathlib.Path({str(orders)!r}).write_text(line); {FOREVER}")  # fmt: skip
    role = Role("a", (sys.executable, "-c", FOREVER, "teleconsult", "serve"), {"PLACE": "x"}, spare=True)
    async with running(role, spare=waiting) as supervisor:
        first = await until(lambda: supervisor.pid("a"))
        spare = await until(supervisor.spare_pid)
        os.kill(first, signal.SIGKILL)
        await until(lambda: supervisor.pid("a") == spare)
        told = json.loads(await until(lambda: orders.exists() and orders.read_text()))
        assert told == {"arguments": ["serve"], "environment": {"PLACE": "x"}}
        await until(lambda: supervisor.spare_pid() not in {None, spare})
        left = supervisor.spare_pid()
    assert not alive(spare)
    assert left is not None
    assert not alive(left)


async def test_a_spare_that_died_while_waiting_is_not_given_a_role(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor_module, "SPARE_AFTER_S", 0.05)
    role = Role("a", (sys.executable, "-c", FOREVER, "teleconsult"), {}, spare=True)
    async with running(role, spare=(sys.executable, "-c", "")) as supervisor:
        first = await until(lambda: supervisor.pid("a"))
        os.kill(first, signal.SIGKILL)
        second = await until(lambda: supervisor.restarts["a"] and supervisor.pid("a"))
        assert second != first


def test_the_spare_becomes_what_it_is_told_to_be() -> None:
    orders = json.dumps(
        {"arguments": ["serve", "--role", "nonsense"], "environment": {"TELECONSULT_PORT": "1"}}
    )
    done = subprocess.run(
        [sys.executable, "-m", "teleconsult", "spare"], input=orders + "\n", text=True, capture_output=True
    )
    assert done.returncode == 1
    assert done.stderr.endswith("--role nonsense: allowed: signaling, sfu, recorder\n")
