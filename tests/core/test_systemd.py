"""What systemd is told, over a real notification socket."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from core import systemd

WITHIN_S = 10.0


@pytest.fixture
def manager(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    """systemd's end."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(str(tmp_path / "notify"))
        listening.settimeout(WITHIN_S)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        monkeypatch.delenv("WATCHDOG_USEC", raising=False)
        monkeypatch.delenv("WATCHDOG_PID", raising=False)
        yield listening


def told(manager: socket.socket) -> str:
    return manager.recv(4096).decode()


def test_fields_are_lines_and_a_value_cannot_add_one(manager: socket.socket) -> None:
    assert systemd.notify(READY="1", STATUS="waiting\nMAINPID=1")
    assert told(manager) == "READY=1\nSTATUS=waiting MAINPID=1"


def test_an_abstract_socket_works_too(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        name = f"teleconsult-test-{os.getpid()}"
        listening.bind(f"\0{name}")
        listening.settimeout(WITHIN_S)
        monkeypatch.setenv("NOTIFY_SOCKET", f"@{name}")
        assert systemd.notify(READY="1")
        assert told(listening) == "READY=1"


@pytest.mark.parametrize("address", ["", "relative", "/nowhere/at/all"])
def test_without_systemd_nothing_happens(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", address)
    assert not systemd.notify(READY="1")
    monkeypatch.delenv("NOTIFY_SOCKET")
    assert not systemd.notify(READY="1")


@pytest.mark.parametrize(
    ("microseconds", "pid", "seconds"),
    [
        ("20000000", None, 20.0),
        ("20000000", "1", None),
        ("0", None, None),
        ("soon", None, None),
        ("", None, None),
    ],
)
def test_the_watchdog_is_for_the_process_it_names(
    microseconds: str, pid: str | None, seconds: float | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WATCHDOG_USEC", microseconds)
    monkeypatch.setenv("WATCHDOG_PID", pid or str(os.getpid()))
    assert systemd.watchdog_interval_s() == seconds


async def test_a_role_says_when_it_serves_that_it_lives_and_that_it_ends(
    manager: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WATCHDOG_USEC", "20000")
    async with systemd.ready("serving on port 8080"):
        found = [await asyncio.to_thread(told, manager) for _ in range(4)]
    assert "READY=1\nSTATUS=serving on port 8080" in found
    assert found.count("WATCHDOG=1") == 3
    while (last := told(manager)) == "WATCHDOG=1":
        pass
    assert last == "STOPPING=1"
