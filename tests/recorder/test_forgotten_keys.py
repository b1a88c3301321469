"""Whoever steals the server, or takes over the recorder, opens no consultation that is over."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pyrage
import pytest
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from archive import layout
from archive.entries import CloseEntry
from tests.archive import support as archives
from tests.recorder import reach
from tests.recorder.service import service

HOLD = """
import sys, time
held = sys.stdin.buffer.read()
sys.stdout.write(".")
sys.stdout.flush()
while True:
    time.sleep(60)
"""


def secret_of(folder: Path) -> str:
    """The consultation's secret key, unwrapped as a custodian would."""
    wrapped = (folder / layout.SESSION_KEY).read_bytes()
    lines = pyrage.decrypt(wrapped, [archives.keys().identities[0]]).decode().splitlines()
    return next(line for line in lines if not line.startswith("#"))


async def test_a_recorder_process_holds_no_key_of_a_consultation_that_is_over(tmp_path: Path) -> None:
    async with service(tmp_path) as running:
        await running.publish()
        recorder = await running.start_recorder_process()
        await running.until(lambda: len(running.pieces()) >= 3, "pictures are archived")
        await running.until(lambda: len(running.pieces("audio")) >= 3, "sound is archived")
        await running.end_consultation()
        await running.until(
            lambda: any(isinstance(entry, CloseEntry) for entry in running.entries()), "the archive is closed"
        )
        assert recorder.returncode is None
        secret = secret_of(running.folder)
        sealed = [path.read_bytes() for path in sorted(running.folder.rglob("*.age"))]
        objects = [item for item in sealed if reach.opens(secret, item)]
        assert len(objects) == len(sealed) - 1 >= 8, "all but the wrapped key itself"
        wanted = {secret.encode(), *reach.writings(reach.raw_secret(secret))}
        wanted |= {key for item in objects for key in reach.object_keys(reach.raw_secret(secret), item)}
        found, seen_bytes, keys = [], 0, set[str]()
        for where, data in reach.reachable(recorder.pid, [tmp_path]):
            seen_bytes += len(data)
            keys |= reach.identities_in(data)
            found += [where for key in wanted if key in data]
        assert seen_bytes > 50_000_000, "its whole memory was read"
        assert found == []
        assert not [key for key in keys if any(reach.opens(key, item) for item in sealed)]


@contextlib.asynccontextmanager
async def holder(held: bytes, environment: dict[str, str], descriptor: int) -> AsyncIterator[int]:
    """A process that holds something in its memory, its environment and an open file."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", HOLD, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
        env={**os.environ, **environment}, pass_fds=(descriptor,),
    )  # fmt: skip
    try:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(held)
        process.stdin.close()
        assert await process.stdout.read(1) == b"."
        yield process.pid
    finally:
        process.kill()
        await process.wait()


@pytest.mark.parametrize("place", ["memory", "raw", "environ", "open file", "data"])
async def test_the_search_finds_a_key_wherever_it_lies(place: str, tmp_path: Path) -> None:
    """Else the test above proves nothing."""
    folder = archives.write(tmp_path / "archive")
    secret = secret_of(folder)
    raw = reach.raw_secret(secret)
    text = f"…{secret}…".encode()
    data = tmp_path / "data"
    data.mkdir()
    (data / "note").write_bytes(text if place == "data" else b"")
    opened = tmp_path / "opened"
    opened.write_bytes(text if place == "open file" else b"")
    held = {"memory": text, "raw": b"\1" + raw + b"\2"}.get(place, b"nothing")
    descriptor = os.open(opened, os.O_RDONLY)
    try:
        async with holder(held, {"NOTE": secret} if place == "environ" else {}, descriptor) as pid:
            found = list(reach.reachable(pid, [data]))
    finally:
        os.close(descriptor)
    if place == "raw":
        assert any(raw in block for _, block in found)
        return
    places = {where.split()[0] for where, block in found if secret in reach.identities_in(block)}
    named = {"open file": "open", "data": str(data / "note")}.get(place, place)
    assert named in places
    objects = sorted((folder / "tracks").rglob("*.age"))
    assert all(reach.opens(secret, path.read_bytes()) for path in objects)


def test_the_keys_of_one_object_are_computed_as_age_does(tmp_path: Path) -> None:
    """Its file key unlocks its payload: the first 64 KiB chunk decrypts with the payload key."""
    identity = pyrage.x25519.Identity.generate()
    sealed = pyrage.encrypt(b"a picture", [identity.to_public()])
    _, payload_key = reach.object_keys(reach.raw_secret(str(identity)), sealed)
    body = sealed.partition(b"\n---")[2].partition(b"\n")[2][16:]
    last = bytes(11) + b"\1"
    assert ChaCha20Poly1305(payload_key).decrypt(last, body, None) == b"a picture"
