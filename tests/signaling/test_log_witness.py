"""A partner's witness against the real service: it follows, cosigns, and stops at a fork."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from archive.checkpoint import Checkpoint, Note, sign_checkpoint
from archive.log_records import CHECKPOINTS, FOLDER
from core.supervisor import own_command
from tests.archive.log_support import KEY, LOG, ORIGIN
from tests.signaling.conftest import WITNESS, WITNESS_KEY, World


async def run(url: str, folder: Path, log_key: str, *more: str) -> tuple[int, Any, str]:
    """The command, in a process of its own, as cron runs it."""
    arguments = [
        "witness",
        url,
        "--name",
        WITNESS_KEY.name,
        "--key",
        folder / "key.pem",
        "--log-key",
        log_key,
    ]
    arguments += ["--state", folder / "state.txt", "--json", *more]
    process = await asyncio.create_subprocess_exec(
        *own_command("archive", *map(str, arguments)),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    shown, complaint = await process.communicate()
    assert process.returncode is not None
    return process.returncode, json.loads(shown) if shown else None, complaint.decode()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "witness"
    folder.mkdir()
    (folder / "key.pem").write_bytes(WITNESS.pem())
    return folder


async def test_a_witness_follows_a_log_and_its_word_is_kept(world: World, folder: Path) -> None:
    log_key = world.context.log.writer.verifier.text
    await world.context.log.open_late(world.consultation)
    code, first, complaint = await run(world.base_url, folder, log_key)
    assert (code, complaint) == (0, "")
    for number in range(5):
        await world.context.log.access(kind="replay", by=f"u_{number}", consultation=None)
    code, second, _ = await run(world.base_url, folder, log_key)
    assert (code, second["before"], second["size"]) == (0, first["size"], first["size"] + 5)
    kept = (world.settings.archive_dir / FOLDER / CHECKPOINTS).read_text()
    assert kept.count('"cosignature"') == 2
    state = Note.parse((folder / "state.txt").read_text())
    assert Checkpoint.parse(state.text).size == second["size"]


async def test_a_witness_that_is_not_registered_learns_its_line(world: World, tmp_path: Path) -> None:
    log_key = world.context.log.writer.verifier.text
    await world.context.log.open_late(world.consultation)
    code, _, complaint = await run(world.base_url, tmp_path, log_key)
    assert code == 1
    assert "witness_unknown" in complaint
    assert f"{WITNESS_KEY.name}+" in complaint


async def test_a_witness_signs_nothing_of_another_key(world: World, folder: Path) -> None:
    code, _, _ = await run(world.base_url, folder, LOG.text)
    assert (code, (folder / "state.txt").exists()) == (10, False)


@pytest.fixture
async def liar() -> AsyncIterator[tuple[str, list[Checkpoint]]]:
    """A service that shows whatever checkpoint it likes, rightly signed, with a made-up proof."""
    shown: list[Checkpoint] = []

    async def checkpoint(_request: web.Request) -> web.Response:
        return web.Response(text=sign_checkpoint(shown[-1], KEY).spell())

    async def proof(_request: web.Request) -> web.Response:
        return web.json_response({"proof": ["A" * 43 + "="] * 2, "root": ""})

    async def cosign(_request: web.Request) -> web.Response:
        return web.Response(status=204)

    app = web.Application()
    app.router.add_get("/api/v1/log/checkpoint", checkpoint)
    app.router.add_get("/api/v1/log/consistency", proof)
    app.router.add_post("/api/v1/log/cosignatures", cosign)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}", shown
    await runner.cleanup()


@pytest.mark.parametrize("size", [3, 5, 9])
async def test_a_witness_stops_at_a_fork(liar: tuple[str, list[Checkpoint]], folder: Path, size: int) -> None:
    """Shorter, as long, or longer: none continues what was seen."""
    url, shown = liar
    shown.append(Checkpoint(ORIGIN, 5, b"\1" * 32))
    assert (await run(url, folder, LOG.text))[0] == 0
    before = (folder / "state.txt").read_text()
    shown.append(Checkpoint(ORIGIN, size, b"\2" * 32))
    code, _, complaint = await run(url, folder, LOG.text)
    assert (code, "tell the auditors" in complaint) == (10, True)
    assert (folder / "state.txt").read_text() == before


async def test_usage_and_silence_have_their_own_codes(folder: Path) -> None:
    assert (await run("ftp://x", folder, LOG.text))[0] == 2
    assert (await run("http://127.0.0.1:9", folder, LOG.text))[0] == 1
