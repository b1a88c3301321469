"""`edge enroll` and `edge kiosk`, as somebody beside the box types them, against a real service."""

from __future__ import annotations

import asyncio
import json
import shlex
import stat
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from core.enrolments import create_code
from core.errors import ConfigError
from edge_agents.cli import app
from edge_agents.config import load_config
from edge_agents.enrolling import plan_enrolment
from edge_agents.identity import read_identity
from tests.signaling.conftest import World, make_world


@pytest.fixture
async def world(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    async with make_world(tmp_path_factory.mktemp("service")) as made:
        yield made


async def edge(*arguments: str) -> Any:
    return await asyncio.to_thread(CliRunner().invoke, app, list(arguments))


def printed(done: Any, start: str) -> str:
    """From the line that begins so: the service, in the same process here, says things before."""
    lines = done.stdout.splitlines()
    return "\n".join(lines[next(n for n, line in enumerate(lines) if line.startswith(start)) :])


async def code_of(world: World) -> str:
    return (await create_code(world.database, world.box.device_id)).code


async def test_one_command_enrols_a_new_box_and_leaves_it_ready_to_run(world: World, tmp_path: Path) -> None:
    place = tmp_path / "edge.toml"
    done = await edge("enroll", await code_of(world), "--server", world.base_url, "--config", str(place))
    assert done.exit_code == 0, done.exception
    assert "Enrolled as Box" in done.stdout
    config = load_config(place)
    assert (config.base_url, [feed.name for feed in config.feeds]) == (world.base_url, ["ultrasound"])
    identity = read_identity(tmp_path / "box.json")
    assert identity is not None
    assert identity.device_id == world.box.device_id
    assert stat.S_IMODE((tmp_path / "box.json").stat().st_mode) == 0o600
    assert sorted(path.name for path in tmp_path.iterdir()) == ["box.json", "edge.toml"]


async def test_what_the_qr_code_says_is_enough(world: World, tmp_path: Path) -> None:
    scanned = f"{world.base_url}/#{await code_of(world)}"
    done = await edge("enroll", scanned, "--config", str(tmp_path / "edge.toml"), "--json")
    assert done.exit_code == 0, done.exception
    assert json.loads(printed(done, "{"))["device_id"] == world.box.device_id


async def test_a_refusal_leaves_no_key_and_says_what_to_do(world: World, tmp_path: Path) -> None:
    for code, words in (("0000-0000-0000", "does not exist"), ("123", "twelve")):
        done = await edge("enroll", code, "--server", world.base_url, "--config", str(tmp_path / "edge.toml"))
        assert words in str(done.exception)
        assert list(tmp_path.iterdir()) == []


async def test_an_answer_that_was_lost_costs_nothing(world: World, tmp_path: Path) -> None:
    """The code was spent, but the box does not know: it says the same again, with the same key."""
    place, code = tmp_path / "edge.toml", await code_of(world)
    command = ("enroll", code, "--server", world.base_url, "--config", str(place))
    assert (await edge(*command)).exit_code == 0
    before = (tmp_path / "box.json").read_text()
    (tmp_path / "box.json").rename(tmp_path / "box.json.new")
    assert (await edge(*command)).exit_code == 0
    assert json.loads((tmp_path / "box.json").read_text()) == json.loads(before)


async def test_an_enrolled_box_is_not_enrolled_by_accident(world: World, tmp_path: Path) -> None:
    place = str(tmp_path / "edge.toml")
    assert (
        await edge("enroll", await code_of(world), "--server", world.base_url, "--config", place)
    ).exit_code == 0
    before = read_identity(tmp_path / "box.json")
    again = await edge("enroll", await code_of(world), "--config", place)
    assert "--again" in str(again.exception)
    failed = await edge("enroll", "0000-0000-0000", "--config", place, "--again")
    assert failed.exit_code == 1
    kept = read_identity(tmp_path / "box.json")
    assert (before is not None, kept is not None) == (True, True)
    assert kept is not None
    assert before is not None
    assert kept.public == before.public, "a failure costs nothing"
    assert (await edge("enroll", await code_of(world), "--config", place, "--again")).exit_code == 0
    new = read_identity(tmp_path / "box.json")
    assert new is not None
    assert new.public != before.public


async def test_the_kiosk_command_is_exact_and_its_link_works_once(world: World, tmp_path: Path) -> None:
    place = str(tmp_path / "edge.toml")
    assert (
        await edge("enroll", await code_of(world), "--server", world.base_url, "--config", place)
    ).exit_code == 0
    done = await edge("kiosk", "--config", place)
    assert done.exit_code == 0, done.exception
    command = shlex.split(printed(done, "chromium "))
    assert command[:2] == ["chromium", "--kiosk"]
    base, _, secret = command[-1].partition("/#/invite/")
    assert base == world.base_url
    for status in (200, 410):
        assert (await world.post("/api/v1/invitations/redeem", {"token": secret}))[0] == status


def test_without_a_server_it_asks_which(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="which service"):
        plan_enrolment("0000-0000-0000", None, None, tmp_path / "edge.toml")


def test_a_server_other_than_the_file_s_is_a_mistake(tmp_path: Path) -> None:
    place = tmp_path / "edge.toml"
    place.write_text('server = "https://a"\n[[feeds]]\nname = "f"\nsource = { kind = "testcard" }\n')
    assert plan_enrolment("x", None, None, place).config.base_url == "https://a"
    with pytest.raises(ConfigError, match="not https://b"):
        plan_enrolment("x", "https://b", None, place)


async def test_status_says_when_no_box_runs(tmp_path: Path) -> None:
    place = tmp_path / "edge.toml"
    place.write_text(
        'server = "https://a"\nstatus_port = 9\n[[feeds]]\nname = "f"\nsource = { kind = "testcard" }\n'
    )
    done = await edge("status", "--config", str(place))
    assert done.exit_code == 1
    assert "no box answers" in str(done.exception)
