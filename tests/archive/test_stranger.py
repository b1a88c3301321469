"""The format as a stranger reads it: standard library, `openssl`, docs/archive-format.md and nothing else."""

from __future__ import annotations

import base64
import hashlib
import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.archive import support

PREFIX = b"teleconsult-archive-entry/1\n"
ED25519_SPKI = bytes.fromhex("302a300506032b6570032100")  # RFC 8410 §4


def spell(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def openssl_accepts(tmp_path: Path, signer: str, message: bytes, signature: bytes) -> bool:
    key = tmp_path / "public.pem"
    body = base64.b64encode(ED25519_SPKI + bytes.fromhex(signer.removeprefix("ed25519:"))).decode()
    key.write_text(f"-----BEGIN PUBLIC KEY-----\n{body}\n-----END PUBLIC KEY-----\n")
    (tmp_path / "message").write_bytes(message)
    (tmp_path / "signature").write_bytes(signature)
    command = ["openssl", "pkeyutl", "-verify", "-rawin", "-pubin", "-inkey", key]
    command += ["-in", tmp_path / "message", "-sigfile", tmp_path / "signature"]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def problems(folder: Path, tmp_path: Path, trusted: str) -> list[str]:
    """What the documented rules find wrong, entry by entry."""
    found: list[str] = []
    previous = "0" * 64
    for number, line in enumerate((folder / "manifest.jsonl").read_bytes().splitlines(keepends=True)):
        entry = json.loads(line)
        if spell(entry) + b"\n" != line or entry["entry"] != number or entry["previous"] != previous:
            found.append(f"{number}: chain")
        signature = bytes.fromhex(entry.pop("signature"))
        if entry["signer"] != trusted or not openssl_accepts(
            tmp_path, trusted, PREFIX + spell(entry), signature
        ):
            found.append(f"{number}: signature")
        for path, digest in ((entry.get("object"), "sha256"), ("session.key.age", "session_key_sha256")):
            if (
                path
                and digest in entry
                and hashlib.sha256((folder / path).read_bytes()).hexdigest() != entry[digest]
            ):
                found.append(f"{number}: {path}")
        previous = hashlib.sha256(line).hexdigest()
    return found


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return support.write(tmp_path / "archive")


def test_a_stranger_finds_nothing_wrong_with_an_untouched_archive(folder: Path, tmp_path: Path) -> None:
    assert problems(folder, tmp_path, support.keys().signer.public) == []
    last = (folder / "manifest.jsonl").read_bytes().splitlines(keepends=True)[-1]
    assert (folder / "closed.json").read_bytes() == last


def test_a_stranger_finds_what_was_changed(folder: Path, tmp_path: Path) -> None:
    manifest = folder / "manifest.jsonl"
    manifest.write_bytes(manifest.read_bytes().replace(b'"frames":30', b'"frames":31', 1))
    found = problems(folder, tmp_path, support.keys().signer.public)
    assert found == ["2: signature", "3: chain"]
