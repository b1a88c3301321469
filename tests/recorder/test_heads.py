"""What the log learns of real archives: their heads while they grow, their end, and an end that came late."""

from __future__ import annotations

import asyncio
import json
import shutil
import time
from pathlib import Path
from typing import Any

from archive import layout
from archive.chain import Head
from archive.log_entries import AddendumLeaf, CloseLeaf, HeadLeaf, Leaf, OpenLeaf, parse_leaf
from archive.log_heads import head_holds
from core.messages import ArchiveHead
from core.supervisor import own_command
from edge_agents.heads import append
from signaling import log_keeper
from signaling.context import CONTEXT
from signaling.draining import drain
from signaling.log_ends import ends_are_logged
from signaling.log_keeper import LOG_KEEPER
from tests.recorder.service import WITHIN_S, Service, service


async def leaves(running: Service) -> list[Leaf]:
    log = running.app[CONTEXT].log
    return [parse_leaf(data) for data in await log.writer.ask(lambda store: store.read(0, store.size))]


def last_head(running: Service) -> Head:
    """Of the manifest as it lies on the disk."""
    head = Head()
    for line in (running.folder / layout.MANIFEST).read_bytes().splitlines(keepends=True):
        head = head.after(line)
    return head


async def test_the_log_knows_an_archive_from_its_opening_to_its_last_line(tmp_path: Path) -> None:
    async with service(tmp_path) as running:
        log, wanted = running.app[CONTEXT].log, running.consultation.consultation_id
        running.start_recorder()
        await running.until(lambda: wanted in log.heads, "the recorder tells where its archive stands")
        assert head_holds(log.heads[wanted])
        await running.publish()
        await running.until(lambda: len(running.pieces()) >= 2, "pictures are archived")
        await running.end_consultation()
        await running.until(lambda: wanted not in log.writer.book.records, "the log closes it")
        about = [leaf for leaf in await leaves(running) if getattr(leaf, "consultation", "") == wanted]
        kinds = [leaf for leaf in about if isinstance(leaf, OpenLeaf | HeadLeaf | CloseLeaf)]
        assert isinstance(kinds[0], OpenLeaf)
        assert isinstance(kinds[-1], CloseLeaf)
        end = last_head(running)
        assert (kinds[-1].state, kinds[-1].entries, kinds[-1].head) == ("final", end.next_entry, end.previous)


async def test_a_consultation_that_ends_just_before_the_service_does_is_closed_in_the_log(
    tmp_path: Path,
) -> None:
    async with service(tmp_path) as running:
        log, wanted = running.app[CONTEXT].log, running.consultation.consultation_id
        running.start_recorder()
        await running.publish()
        await running.until(lambda: len(running.pieces()) >= 2, "pictures are archived")
        await running.end_consultation()
        async with asyncio.timeout(WITHIN_S):
            await drain(running.app, WITHIN_S)
        assert log.failure is None
        (closed,) = [leaf for leaf in await leaves(running) if isinstance(leaf, CloseLeaf)]
        end = last_head(running)
        assert (closed.consultation, closed.state) == (wanted, "final")
        assert (closed.entries, closed.head) == (end.next_entry, end.previous)


async def test_an_end_whose_recorder_never_comes_holds_nobody_up_for_long(tmp_path: Path) -> None:
    async with service(tmp_path) as running:
        log, wanted = running.app[CONTEXT].log, running.consultation.consultation_id
        await running.until(lambda: wanted in log.writer.book.records, "the log knows it")
        await running.end_consultation()
        began = time.monotonic()
        await ends_are_logged(running.app, 0.5)
        assert 0.4 < time.monotonic() - began < 4
        assert log.writer.book.records[wanted].closed is None, "the next start closes it"


async def test_an_archive_that_is_closed_late_becomes_an_addendum(tmp_path: Path) -> None:
    async with service(tmp_path) as running:
        app, wanted = running.app, running.consultation.consultation_id
        log = app[CONTEXT].log
        running.start_recorder()
        await running.until(lambda: wanted in log.heads, "the recorder tells where its archive stands")
        await running.stop_recorder()
        await running.end_consultation()
        app[LOG_KEEPER].ended(wanted, log_keeper.FINAL_WITHIN_S)
        await running.until(
            lambda: wanted in log.writer.book.records and log.writer.book.records[wanted].closed is not None,
            "the log closes it without its recorder",
        )
        running.start_recorder()
        await running.until(lambda: wanted not in log.writer.book.records, "the log hears of its end")
        found = [leaf for leaf in await leaves(running) if isinstance(leaf, CloseLeaf | AddendumLeaf)]
        assert [leaf.kind for leaf in found] == ["close", "addendum"]
        assert isinstance(found[0], CloseLeaf)
        assert found[0].state == "provisional"
        end = last_head(running)
        assert (found[1].entries, found[1].head) == (end.next_entry, end.previous)


async def verified(running: Service, *arguments: object) -> Any:
    """By the command, in a process of its own."""
    wanted = ["verify", running.settings.archive_dir, "--log", "--json", *arguments]
    process = await asyncio.create_subprocess_exec(
        *own_command("archive", *map(str, wanted)), stdout=asyncio.subprocess.PIPE
    )
    shown, _ = await process.communicate()
    return json.loads(shown)


async def test_a_real_archive_agrees_with_its_log_until_somebody_deletes_it(tmp_path: Path) -> None:
    """With what a box was told in the room as the witness."""
    async with service(tmp_path) as running:
        log, wanted = running.app[CONTEXT].log, running.consultation.consultation_id
        running.start_recorder()
        await running.publish()
        await running.until(lambda: len(running.pieces()) >= 2, "pictures are archived")
        await running.until(lambda: wanted in log.heads, "the recorder tells where its archive stands")
        assert log.writer.published is not None
        told = ArchiveHead(
            head=log.heads[wanted], checkpoint=log.writer.published.spell(), at_us=log.now_us()
        )
        append(tmp_path / "heads.jsonl", told)
        report = await verified(running, "--witness", tmp_path / "heads.jsonl")
        assert (report["exit_code"], report["open"], report["log"]["problems"]) == (0, True, [])
        await running.end_consultation()
        await running.until(lambda: wanted not in log.writer.book.records, "the log closes it")
        report = await verified(running, "--witness", tmp_path / "heads.jsonl")
        (finding,) = report["log"]["consultations"]
        assert (report["exit_code"], finding["state"]) == (0, "final")
        assert finding["vouched_entries"] == last_head(running).next_entry
        await running.stop_recorder()
        shutil.rmtree(running.folder)
        report = await verified(running)
        (finding,) = report["log"]["consultations"]
        assert (report["exit_code"], finding["consultation"]) == (12, wanted)
