"""Seeds of an archive: a small one, its decisions, its log, its keys."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from archive import layout
from archive.keys import create_identity
from archive.opening import current_ledger
from archive.shred import Copies, record
from archive.shred_request import new_request
from archive.store_base import LocalFolder
from tests.archive import support

VECTORS = Path(__file__).parents[1] / "vectors" / "log"


@cache
def _archive() -> tuple[bytes, bytes]:
    """A manifest, and decisions: a hold, its release, a shredding."""
    with tempfile.TemporaryDirectory() as name:
        folder = support.write(Path(name))
        for kind, terms in (("hold", {"hold": "h"}), ("release", {"hold": "h"})):
            request = new_request(current_ledger(folder), kind, folder.name, "why", **terms)
            request.add_signed_in("u_1", 1)
            request.add_signed_in("u_2", 1)
            record(Copies(LocalFolder(folder), None), request, support.keys().signer, support.FakeClock())
        return (folder / layout.MANIFEST).read_bytes(), (folder / layout.DECISIONS).read_bytes()


def manifest() -> Iterator[bytes]:
    whole, _ = _archive()
    lines = whole.splitlines(keepends=True)
    for count in range(1, len(lines) + 1):
        if len(data := b"".join(lines[:count])) <= 8_000:
            yield data
    yield from lines
    yield lines[0] + lines[1][:-20]


def decisions() -> Iterator[bytes]:
    whole, decided = _archive()
    first, lines = whole.splitlines(keepends=True)[0], decided.splitlines(keepends=True)
    for count in range(len(lines) + 1):
        yield first + b"".join(lines[:count])
    yield first + lines[0][:-9]


def notes() -> Iterator[bytes]:
    for line in (VECTORS / "checkpoints.jsonl").read_bytes().splitlines():
        fields = json.loads(line)
        if "note" in fields:
            yield fields["note"].encode()
        if "line" in fields:
            yield fields["line"].encode()
    yield from (VECTORS / "trusted-logs.txt").read_bytes().splitlines()


def log_lines() -> Iterator[bytes]:
    for name in ("entries.jsonl", "checkpoints.jsonl", "heads.jsonl"):
        lines = (VECTORS / name).read_bytes().splitlines(keepends=True)
        yield from lines[:12]
        yield b"".join(lines)[:6_000]


def key_files() -> Iterator[bytes]:
    yield support.keys().signer.pem()
    yield f"{support.keys().signer.public}  # this service\n# a comment\n\n".encode()
    yield (VECTORS / "trusted-logs.txt").read_bytes()
    with tempfile.TemporaryDirectory() as name:
        create_identity(Path(name) / "key")
        yield (Path(name) / "key").read_bytes()
    yield b"-----BEGIN AGE ENCRYPTED FILE-----\n"
    yield b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"


def ranges() -> Iterator[bytes]:
    tag = b'"' + b"e" * 64 + b'"'
    for text in (b"bytes=0-99", b"bytes=-5", b"bytes=900-", b"bytes=0-0", b"bytes=1000-", b"bytes=5-2",
                 b"bytes=0-1,5-9", b"items=0-1", b"bytes=" + b"9" * 300 + b"-", b"bytes=-0", b"bytes=+1-2",
                 b"bytes=\xb2-\xb3"):  # fmt: skip
        yield text
        yield text + b"|" + tag
    yield b"bytes=0-|W/" + tag + b", *"
