"""The archive of a real run: it verifies, standard tools open it, one changed byte anywhere is found."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests.support.demo import Demo

pytestmark = pytest.mark.browser

RECORDED_WITHIN_S = 60
INTACT, ALTERED, TRUNCATED, MISSING, UNTRUSTED = 0, 10, 11, 12, 13


def teleconsult(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "teleconsult", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


def verify(path: Path) -> tuple[int, Any]:
    done = teleconsult("archive", "verify", str(path), "--json")
    return done.returncode, json.loads(done.stdout)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Demo:
    """A demo that recorded for a while and was ended."""
    demo = Demo.start(tmp_path_factory.mktemp("finished"))
    try:
        archive = demo.archive
        manifest = archive / "manifest.jsonl"
        until = time.monotonic() + RECORDED_WITHIN_S
        while len(manifest.read_bytes().splitlines()) < 25:
            assert time.monotonic() < until, demo.log
            time.sleep(0.1)
        status, report = verify(archive)
        assert status == INTACT, report  # while it is still being written
    finally:
        assert demo.stop() == 0
    return demo


def test_a_finished_archive_verifies_and_only_with_a_trusted_signer(finished: Demo, tmp_path: Path) -> None:
    status, report = verify(finished.archive)
    assert status == INTACT, report
    assert [found["undeclared_holes"] for found in report["consultations"]] == [[]]
    elsewhere = tmp_path / "copy"
    subprocess.run(["cp", "-r", str(finished.archive), str(elsewhere)], check=True)
    assert verify(elsewhere)[0] == UNTRUSTED


def test_the_standard_age_tool_and_ffprobe_open_every_generation(finished: Demo, tmp_path: Path) -> None:
    session_identity = tmp_path / "session.key"
    age("-d", "-i", finished.info["archive_identity"], "-o", session_identity,
        finished.archive / "session.key.age")  # fmt: skip
    tracks = sorted((finished.archive / "tracks").iterdir())
    assert len(tracks) == 2
    for track in tracks:
        streams = [probed(generation, session_identity, tmp_path) for generation in sorted(track.iterdir())]
        assert {stream["codec_name"] for stream in streams} == {"h264"}
        assert (streams[0]["width"], streams[0]["height"]) == (1920, 1080), "it begins with the full picture"
        assert int(streams[0]["nb_read_frames"]) > 60


def probed(generation: Path, identity: Path, folder: Path) -> dict[str, Any]:
    """What ffprobe finds in a generation's decrypted pieces, without a complaint."""
    whole = folder / "whole.mp4"
    whole.write_bytes(b"".join(age("-d", "-i", identity, piece) for piece in in_order(generation)))
    probe = subprocess.run(
        ["ffprobe", "-v", "error", "-count_frames", "-of", "json", "-show_entries",
         "stream=codec_name,width,height,nb_read_frames", str(whole)],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert probe.stderr == ""
    (stream,) = json.loads(probe.stdout)["streams"]
    return dict(stream)


def in_order(generation: Path) -> list[Path]:
    """The init piece, then the others by number."""
    return sorted(generation.iterdir(), key=lambda path: (not path.name.startswith("init"), path.name))


def age(*arguments: object) -> bytes:
    return subprocess.run(["age", *map(str, arguments)], capture_output=True, check=True).stdout


@pytest.mark.parametrize("seed", range(12))
def test_one_changed_byte_anywhere_is_found(finished: Demo, seed: int) -> None:
    chance = random.Random(seed)
    files = sorted(path for path in finished.archive.rglob("*") if path.suffix in {".age", ".jsonl"})
    file = chance.choice(files)
    content = file.read_bytes()
    at = chance.randrange(len(content))
    file.write_bytes(content[:at] + bytes([content[at] ^ (1 << chance.randrange(8))]) + content[at + 1 :])
    try:
        status, report = verify(finished.archive)
        assert status == ALTERED, (file, at, report)
    finally:
        file.write_bytes(content)
    assert verify(finished.archive)[0] == INTACT


def test_the_archive_tells_who_was_there(finished: Demo) -> None:
    done = teleconsult("archive", "show", str(finished.archive), "--json")
    assert done.returncode == 0, done.stderr
