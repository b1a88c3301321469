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

import core.supervisor as supervisor_module
from core.supervisor import PAUSE_MAX_S, Backoff, Role, Supervisor

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


def test_what_ran_and_was_killed_is_restarted_at_once_however_often() -> None:
    backoff = Backoff()
    assert [backoff.after(3.0, by_signal=True) for _ in range(20)] == [0.0] * 20
    assert [backoff.after(3.0) for _ in range(3)] == [0.0, 0.2, 0.4], "what ends by itself does not work"
    assert backoff.after(0.5, by_signal=True) == 0.8, "nor what crashes as soon as it is there"
    assert backoff.after(3.0, by_signal=True) == 0.0


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


def noting(name: str, notes: Path, *, stops: int, ends: bool = True) -> Role:
    """A role that notes when it is asked to end; `ends`: and then does."""
    code = (
        "import os, pathlib, signal, sys\n"
        f"notes = os.open({str(notes)!r}, os.O_WRONLY | os.O_CREAT | os.O_APPEND)\n"
        "def asked(*_):\n"
        f"    os.write(notes, b'{name}\\n')\n"
        f"    {'sys.exit(0)' if ends else 'pass'}\n"
        "signal.signal(signal.SIGTERM, asked)\n"
        f"os.write(notes, b'{name} runs\\n')\n"
        "while True: signal.pause()\n"
    )
    return Role(name, (sys.executable, "-c", code), {}, stops=stops)


def lines(notes: Path) -> list[str]:
    return notes.read_text().splitlines() if notes.exists() else []


async def test_roles_end_in_the_order_they_say_and_those_of_one_stage_together(tmp_path: Path) -> None:
    notes = tmp_path / "notes"
    roles = [
        noting(name, notes, stops=stage)
        for name, stage in (("sfu-1", 2), ("sfu-2", 2), ("signaling", 1), ("recorder", 3), ("edge", 0))
    ]
    async with running(*roles):
        await until(lambda: len(lines(notes)) == len(roles))
    ended = lines(notes)[len(roles) :]
    assert ended[:2] == ["edge", "signaling"]
    assert sorted(ended[2:4]) == ["sfu-1", "sfu-2"]
    assert ended[4] == "recorder"


async def test_being_asked_twice_asks_every_child_twice_and_waits_for_none(tmp_path: Path) -> None:
    notes = tmp_path / "notes"
    roles = [noting("deaf", notes, stops=0, ends=False), noting("other", notes, stops=1, ends=False)]
    supervisor = Supervisor(roles, drain_s=3600)
    task = asyncio.create_task(supervisor.run())
    await until(lambda: len(lines(notes)) == len(roles))
    supervisor.stop()
    await until(lambda: "deaf" in lines(notes))
    supervisor.stop()
    await asyncio.wait_for(task, DEADLINE_S)
    assert lines(notes)[len(roles) :] == ["deaf", "deaf", "other", "other"]


async def test_a_role_may_drain_for_as_long_as_the_settings_say(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor_module, "STOP_GRACE_S", 0.0)
    notes = tmp_path / "notes"
    code = (
        "import pathlib, signal, time\n"
        f"notes = pathlib.Path({str(notes)!r})\n"
        "def asked(*_):\n"
        "    time.sleep(0.5); notes.write_text('drained'); raise SystemExit\n"
        "signal.signal(signal.SIGTERM, asked); notes.write_text('runs')\n"
        "while True: signal.pause()\n"
    )
    supervisor = Supervisor([python("slow", code)], drain_s=DEADLINE_S)
    task = asyncio.create_task(supervisor.run())
    await until(lambda: lines(notes) == ["runs"])
    supervisor.stop()
    await asyncio.wait_for(task, DEADLINE_S)
    assert lines(notes) == ["drained"]


async def test_what_systemd_told_the_supervisor_is_not_for_its_children(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = tmp_path / "found"
    for name in ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID", "TELECONSULT_TEST_KEPT"):
        monkeypatch.setenv(name, "1")
    code = (
        "import json, os, pathlib; "
        f"pathlib.Path({str(found)!r}).write_text(json.dumps(dict(os.environ))); {FOREVER}"
    )
    async with running(python("a", code)):
        environment = json.loads(await until(lambda: found.exists() and found.read_text()))
    assert "TELECONSULT_TEST_KEPT" in environment
    assert not {"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"} & set(environment)


def test_children_end_when_the_supervisor_is_killed(tmp_path: Path) -> None:
    pid_file = tmp_path / "pid"
    child = (
        "from core.supervisor import die_with_parent; die_with_parent(); import os, pathlib, signal; "
        f"pathlib.Path({str(pid_file)!r}).write_text(str(os.getpid())); signal.pause()"
    )
    parent = (
        "import asyncio, sys; from core.supervisor import Role, Supervisor; "
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
