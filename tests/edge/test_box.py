"""The box's process: a watchdog fed by flowing pictures, a status that is true, memory with a bound."""

from __future__ import annotations

import asyncio
import json
import logging
import socket
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import structlog
from typer.testing import CliRunner

from core.clock import SystemClock
from core.errors import ConfigError, Unavailable
from core.logging import configure_logging
from edge_agents import box as box_module
from edge_agents import box_cli, machine
from edge_agents.box import Box
from edge_agents.cli import app
from edge_agents.config import EdgeConfig, parse_config
from edge_agents.encoder import VideoEncoder
from edge_agents.identity import own_identity
from edge_agents.log_knob import LogKnob
from edge_agents.status import BoxStatus
from edge_agents.status_page import serving_on
from edge_agents.vitals import HANGS_AFTER_S
from tests.edge.whip_server import TOKEN, WhipServer

WITHIN_S = 20.0
FEED = {
    "name": "theatre", "source": {"kind": "testcard"}, "width": 320, "height": 180, "encoder": "libx264",
}  # fmt: skip


class Manager:
    """systemd's end of the notification socket."""

    def __init__(self, path: Path) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(path))
        self._socket.setblocking(False)
        self.told: list[str] = []

    def hear(self) -> list[str]:
        """Everything so far."""
        while True:
            try:
                self.told.append(self._socket.recv(4096).decode())
            except BlockingIOError:
                return self.told

    def fed(self) -> int:
        return self.hear().count("WATCHDOG=1")

    def close(self) -> None:
        self._socket.close()


@pytest.fixture
def manager(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Manager]:
    made = Manager(tmp_path / "notify")
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
    monkeypatch.setenv("WATCHDOG_USEC", "30000000")
    monkeypatch.delenv("WATCHDOG_PID", raising=False)
    monkeypatch.setattr(box_module, "LOOK_S", 0.05)
    yield made
    made.close()


class ShiftedClock(SystemClock):
    """Put forward by what a test adds."""

    ahead_ns = 0

    def monotonic_ns(self) -> int:
        return super().monotonic_ns() + self.ahead_ns


def config_for(server: WhipServer, tmp_path: Path, **more: Any) -> EdgeConfig:
    (tmp_path / "token").write_text(TOKEN)
    values = {"server": server.url, "room": "demo", "token_file": "token", "feeds": [FEED], "status_port": 0}
    return parse_config(values | more, tmp_path / "edge.toml")


@asynccontextmanager
async def running(config: EdgeConfig, clock: ShiftedClock | None = None) -> AsyncIterator[tuple[Box, Any]]:
    async with aiohttp.ClientSession() as session:
        box = Box(config, None, session, clock or ShiftedClock(), LogKnob("info"))
        task = asyncio.create_task(box.run())
        try:
            yield box, task
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


async def until(condition: Any) -> None:
    async with asyncio.timeout(WITHIN_S):
        while not condition():
            await asyncio.sleep(0.02)


async def test_systemd_hears_ready_and_is_fed_while_pictures_flow(tmp_path: Path, manager: Manager) -> None:
    async with WhipServer.open() as server, running(config_for(server, tmp_path)) as (box, _):
        await server.until_units(0, 5)
        await until(lambda: manager.fed() > 5)
        assert manager.told[0].startswith("READY=1")
        (feed,) = box.status().health.feeds
        assert (feed.signal, feed.flowing, feed.encoder) == ("ok", True, "libx264")


async def test_it_is_not_fed_while_an_encoder_stands_still_though_the_loop_runs(
    tmp_path: Path, manager: Manager, monkeypatch: pytest.MonkeyPatch
) -> None:
    go_on, clock = threading.Event(), ShiftedClock()
    real = VideoEncoder.encode

    def stuck(encoder: VideoEncoder, *args: Any, **more: Any) -> Any:
        go_on.wait()
        return real(encoder, *args, **more)

    async with WhipServer.open() as server, running(config_for(server, tmp_path), clock) as (box, task):
        await server.until_units(0, 5)
        await until(lambda: manager.fed() > 2)
        monkeypatch.setattr(VideoEncoder, "encode", stuck)
        try:
            await asyncio.sleep(0.2)  # the picture under way is done with
            clock.ahead_ns += int((HANGS_AFTER_S + 1) * 1e9)
            await until(lambda: not box._well)
            fed = manager.fed()
            for _ in range(10):
                await asyncio.sleep(box_module.LOOK_S)
            assert manager.fed() == fed, "the loop runs, the pictures do not"
            assert not task.done()
        finally:
            go_on.set()
        await until(lambda: manager.fed() > fed)


async def test_a_device_that_is_not_there_is_no_reason_to_start_anew(
    tmp_path: Path, manager: Manager
) -> None:
    absent = FEED | {"source": {"kind": "file", "path": "nothing.mp4"}}
    clock = ShiftedClock()
    async with (
        WhipServer.open() as server,
        running(config_for(server, tmp_path, feeds=[absent]), clock) as (box, _),
    ):
        await until(lambda: manager.fed() > 5)
        (feed,) = box.status().health.feeds
        assert (feed.signal, feed.flowing) == ("failing", False)
        assert "source_fails" in box.status().troubles


async def test_a_box_that_grows_ends_itself_before_the_machine_stands_still(
    tmp_path: Path, manager: Manager, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine, "resident_bytes", lambda: 5 << 30)
    async with WhipServer.open() as server, running(config_for(server, tmp_path)) as (_, task):
        async with asyncio.timeout(WITHIN_S):
            with pytest.raises(Unavailable, match="memory_mb"):
                await task


async def test_edge_status_tells_anybody_what_the_running_box_says(
    tmp_path: Path, manager: Manager, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with WhipServer.open() as server, running(config_for(server, tmp_path)) as (box, _):
        await server.until_units(0, 5)
        await until(lambda: box.status().in_room)
        async with serving_on(0, box.status) as port:
            place = tmp_path / "edge.toml"
            place.write_text(
                f'server = "{server.url}"\nroom = "demo"\ntoken_file = "token"\nstatus_port = {port}\n'
                '[[feeds]]\nname = "theatre"\nsource = { kind = "testcard" }\n'
            )
            monkeypatch.setattr(box_cli, "DEFAULT_STATUS_PORT", port)
            absent = str(tmp_path / "not for everybody.toml")
            for flags in ((), ("--json", "--config", absent), ("--json",)):
                command = ["status", "--config", str(place), *flags]
                done = await asyncio.to_thread(CliRunner().invoke, app, command)
                assert done.exit_code == 0, done.exception
                assert "theatre" in done.stdout
    told = BoxStatus.model_validate_json(done.stdout[done.stdout.index("{\n") :])
    assert (told.state, told.room, told.in_room) == ("fixed", "demo", True)
    assert TOKEN not in done.stdout


def test_a_box_without_a_key_says_how_to_get_one(tmp_path: Path) -> None:
    config = parse_config({"server": "https://consult", "feeds": [FEED]}, tmp_path / "edge.toml")
    with pytest.raises(ConfigError, match="edge enroll"):
        own_identity(config)


@pytest.fixture
def quiet_again() -> Iterator[None]:
    root = logging.getLogger()
    before, handlers = root.level, root.handlers[:]
    yield
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()
    root.setLevel(before)
    root.handlers[:] = handlers


@pytest.mark.usefixtures("quiet_again")
async def test_the_log_shows_more_for_a_while_and_then_as_usual(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("info", "edge", changeable=True)
    log, knob = structlog.get_logger().bind(feed="x"), LogKnob("info")  # made before the knob is turned
    log.debug("one")
    knob.turn("debug", 3600)
    log.debug("two")
    knob.turn("error", 3600)
    log.warning("three")
    log.exception("four")
    knob.turn(None, 0)
    log.info("five")
    log.debug("six")
    lines = [json.loads(line)["event"] for line in capsys.readouterr().err.splitlines()]
    assert [event for event in lines if event != "log_level_changed"] == ["two", "four", "five"]
    assert knob.level == "info"
