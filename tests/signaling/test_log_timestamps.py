"""Checkpoints stamped by a real time stamp authority, over HTTP, and checked offline by its certificate
alone.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from archive.checkpoint import VerifierKey
from archive.keys import ArchiveSigner
from archive.log_keys import publish_log
from archive.log_records import CHECKPOINTS, FOLDER
from archive.timestamp import Question, StampVerifier, read_certificates
from core.clock import SystemClock
from core.errors import ConfigError, ProtocolError, Unavailable
from signaling.log_timestamps import Timestamps
from signaling.log_writer import LogWriter
from tests.archive.log_support import access
from tests.archive.test_commands import answer as command
from tests.support.tsa import answer, make_authority

ROOT = Path(__file__).parents[2]
TEXT = "example.org/log\n1\nroot\n"


@asynccontextmanager
async def authority(folder: Path) -> AsyncIterator[str]:
    """Its URL."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.support.tsa", folder, cwd=ROOT, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    try:
        port = int(await asyncio.wait_for(process.stdout.readline(), 20))
        yield f"http://127.0.0.1:{port}/"
    finally:
        process.kill()
        await process.wait()


@asynccontextmanager
async def running_log(root: Path) -> AsyncIterator[LogWriter]:
    key = ArchiveSigner.generate()
    verifier = VerifierKey.of("example.org/log", key.public)
    writer = LogWriter(root / FOLDER, verifier, key, SystemClock())
    running = asyncio.create_task(writer.run())
    await asyncio.wait_for(writer.opened.wait(), 10)
    publish_log(root, verifier)
    try:
        yield writer
    finally:
        running.cancel()
        await asyncio.wait([running])


@pytest.fixture(scope="module")
def tsa(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tsa") / "authority"
    make_authority(folder)
    return folder


@pytest.fixture(autouse=True)
def no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("TELECONSULT_")]:
        monkeypatch.delenv(name)


async def stamped(root: Path, tsa: Path) -> None:
    """A log whose checkpoint of three leaves is stamped."""
    async with authority(tsa) as url, running_log(root) as writer, aiohttp.ClientSession() as session:
        for number in range(3):
            await writer.append(access(number))
        stamps = Timestamps(url, writer)
        at_s = await stamps.step(session)
        assert at_s is not None
        assert abs(at_s - time.time()) < 60
        assert await stamps.step(session) is None, "nothing new"
        await writer.append(access(4))


def verify(root: Path, *arguments: object) -> Any:
    return command("verify", root, "--log", *arguments)


async def test_a_stamp_is_kept_and_verified_with_the_authoritys_certificate(
    tmp_path: Path, tsa: Path
) -> None:
    root = tmp_path / "archive"
    await stamped(root, tsa)
    report = verify(root, "--tsa", tsa / "root.pem")
    assert (report["exit_code"], report["log"]["problems"]) == (0, [])
    (stamp,) = report["log"]["timestamps"]
    assert (stamp["size"], abs(stamp["at_s"] - time.time()) < 120) == (3, True)
    unchecked = verify(root)
    assert (unchecked["exit_code"], unchecked["log"]["timestamps"]) == (0, [])
    assert "--tsa" in unchecked["log"]["notes"][0]


async def test_a_stamp_by_somebody_else_and_one_of_another_tree_are_found(tmp_path: Path, tsa: Path) -> None:
    root = tmp_path / "archive"
    await stamped(root, tsa)
    other = make_authority(tmp_path / "other")
    assert verify(root, "--tsa", other)["exit_code"] == 13
    path = root / FOLDER / CHECKPOINTS
    lines = path.read_bytes().splitlines(keepends=True)
    moved = [line.replace(b'"size":3', b'"size":2') if b'"timestamp"' in line else line for line in lines]
    assert moved != lines
    path.write_bytes(b"".join(moved))
    assert verify(root, "--tsa", tsa / "root.pem")["exit_code"] == 10


def test_an_answer_to_another_question_is_not_kept(tsa: Path) -> None:
    first, second = Question(TEXT), Question(TEXT)
    with pytest.raises(ProtocolError, match="another question"):
        second.accepts(answer(tsa, first.der))
    verifier = StampVerifier(read_certificates([tsa / "root.pem"]))
    assert verifier.check(answer(tsa, first.der), TEXT) == pytest.approx(time.time(), abs=60)
    with pytest.raises(ProtocolError, match="something else"):
        verifier.check(answer(tsa, first.der), TEXT + "x")


@pytest.mark.parametrize("der", [b"", b"nonsense", b"0" * 200_000, bytes.fromhex("30053003020102")])
def test_what_is_no_stamp_is_refused(der: bytes) -> None:
    with pytest.raises(ProtocolError):
        Question(TEXT).accepts(der)


async def test_an_authority_that_is_away_is_tried_again(tmp_path: Path) -> None:
    async with running_log(tmp_path) as writer, aiohttp.ClientSession() as session:
        stamps = Timestamps("http://127.0.0.1:9/", writer)
        with pytest.raises(Unavailable):
            await stamps.step(session)


def test_what_is_no_certificate_is_said(tmp_path: Path) -> None:
    (tmp_path / "x.pem").write_text(json.dumps({}))
    for path in (tmp_path / "x.pem", tmp_path / "none.pem"):
        with pytest.raises(ConfigError, match="pem"):
            read_certificates([path])
