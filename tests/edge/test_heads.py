"""What a box keeps of the archive: every line usable as a witness, bounded, whatever the disk does."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from archive.chain import Head
from archive.keys import ArchiveSigner
from archive.log_heads import sign_head
from archive.log_kept import KeptReader
from archive.log_keyring import Keyring
from core.messages import ArchiveHead
from edge_agents.heads import KeptHeads, append
from tests.archive.log_support import LOG, fill, open_store

SIGNER = ArchiveSigner.generate()


def told(consultation: str = "c_1", entries: int = 1, checkpoint: str = "x") -> ArchiveHead:
    head = sign_head(consultation, Head(entries, f"{entries:064x}"), entries, False, SIGNER)
    return ArchiveHead(head=head, checkpoint=checkpoint, at_us=entries)


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_bytes().splitlines()]


async def test_what_is_kept_is_evidence(tmp_path: Path) -> None:
    fill(tmp_path / "log", 3)
    log = open_store(tmp_path / "log")
    heads = KeptHeads(tmp_path / "box" / "heads.jsonl")
    for entries in (1, 2):
        await heads.keep(told(entries=entries, checkpoint=log.published()))
    with (tmp_path / "box" / "heads.jsonl").open("rb") as file:
        kept = KeptReader(Keyring([LOG]), [SIGNER.public]).read("box", file)
    assert (kept.unusable, kept.newest_size, [head.entries for head in kept.heads]) == ([], 3, [1, 2])


def test_a_full_file_keeps_the_newest_of_each_consultation(tmp_path: Path) -> None:
    path, limit = tmp_path / "heads.jsonl", 40_000
    for number in range(400):
        append(path, told(f"c_{number % 20}", number + 1), limit)
        assert path.stat().st_size <= limit
    newest = {line["head"]["consultation"]: line["head"]["entries"] for line in lines(path)}
    assert newest == {f"c_{number % 20}": number + 1 for number in range(380, 400)}


def test_many_consultations_leave_the_newest(tmp_path: Path) -> None:
    path, limit = tmp_path / "heads.jsonl", 20_000
    for number in range(200):
        append(path, told(f"c_{number}", number + 1), limit)
    kept = [line["head"]["entries"] for line in lines(path)]
    assert kept == list(range(kept[0], 201))
    assert len(kept) > 5


def test_a_line_torn_by_a_power_cut_is_removed(tmp_path: Path) -> None:
    path = tmp_path / "heads.jsonl"
    append(path, told(entries=1))
    with path.open("ab") as file:
        file.write(b'{"head":{"ki')
    append(path, told(entries=2))
    assert [line["head"]["entries"] for line in lines(path)] == [1, 2]


async def test_a_disk_that_refuses_stops_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    heads = KeptHeads(blocked / "heads.jsonl")
    await heads.keep(told())
    await heads.keep(told())
    assert capsys.readouterr().out.count("head_not_kept") == 1
