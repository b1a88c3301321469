"""The uplink is cut while a box is in a consultation: what it kept fills the archive's holes."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest

from archive import layout
from archive.entries import GapEntry, PieceEntry
from core import messages
from edge_agents.ring_store import MANIFEST, OBJECTS
from tests.recorder.cut_off import (
    FPS,
    FRAME_US,
    TRACK,
    CutBox,
    backfilled,
    cut_box,
    live_pieces,
    missing_times,
    verified,
)
from tests.recorder.service import Service, service
from tests.recorder.test_pause import host
from tests.support.waiting import until


def reached_us(made: Service) -> int:
    """Where the live picture stands, in the archive."""
    return max((one.end_us for one in live_pieces(made)), default=0)


async def live_again(made: Service, after_us: int) -> None:
    await until(lambda: reached_us(made) > after_us, "live pictures are recorded again")


def holes(pieces: Sequence[PieceEntry]) -> list[tuple[int, int]]:
    """Between them."""
    spans = sorted((one.begin_us, one.end_us) for one in pieces)
    found, until_us = [], spans[0][0]
    for begin, end in spans:
        if begin - until_us > FRAME_US // 2:
            found.append((until_us, begin))
        until_us = max(until_us, end)
    return found


def told(made: Service, missing: Sequence[int]) -> str:
    """What the archive says around frames that are not there."""
    epoch_us = made.consultation.opened_us
    lines = [f"hole {begin} {end}" for begin, end in holes(made.pieces())]
    lines += [f"frame {(at - epoch_us) / 1e6:.3f}" for at in missing[:40]]
    for one in made.entries():
        if isinstance(one, PieceEntry | GapEntry) and one.track == TRACK:
            what = one.reason if isinstance(one, GapEntry) else f"{one.source} {one.generation} {one.sync}"
            lines.append(f"{one.begin_us / 1e6:.3f} {one.end_us / 1e6:.3f} {what}")
    return "\n".join(lines)


async def whole(made: Service, box: CutBox, within_s: float = 100.0) -> None:
    """Wait until every frame the box encoded, up to the newest one recorded, is in the archive."""
    missing: Sequence[int] = [0]
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(within_s):
            while missing := await asyncio.to_thread(missing_times, made, box):
                await asyncio.sleep(2.0)
    assert not missing, told(made, missing)


@contextlib.asynccontextmanager
async def recorded_box(
    made: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pieces: int = 3
) -> AsyncIterator[CutBox]:
    """A box of which so much is in the archive already."""
    made.start_recorder()
    async with cut_box(made, tmp_path, monkeypatch) as box:
        await until(lambda: len(live_pieces(made)) >= pieces, "the box is recorded")
        yield box


async def test_after_a_cut_and_flapping_not_one_frame_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with service(tmp_path) as made:
        async with recorded_box(made, tmp_path, monkeypatch, pieces=4) as box:
            encoded = len(box.encoded)
            for cut_s, pause_s in ((4.0, 3.0), (0.7, 0.7), (0.7, 0.7), (0.7, 0.7)):
                box.cut(True)
                await asyncio.sleep(cut_s)
                box.cut(False)
                if cut_s > 1.0:
                    assert len(box.encoded) - encoded > cut_s * FPS * 0.8, "nothing is held back meanwhile"
                await asyncio.sleep(pause_s)
            await live_again(made, reached_us(made) + 2_000_000)
            await until(lambda: bool(backfilled(made)), "what was kept is delivered")
            await whole(made, box)
            await made.end_consultation()
            await until((made.folder / layout.CLOSED).exists, "the archive is closed")
        assert verified(made)
        assert missing_times(made, box) == []
        missed = [(gap.begin_us, gap.end_us) for gap in made.entries() if isinstance(gap, GapEntry)]
        missed += holes(live_pieces(made))
        for piece in backfilled(made):
            near = [one for one in missed if one[1] > piece.begin_us and one[0] < piece.end_us + 12_000_000]
            assert near, "only what was missing, and what that needs, was delivered"


async def test_what_a_box_kept_is_delivered_after_its_consultation_and_then_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with service(tmp_path) as made:
        async with recorded_box(made, tmp_path, monkeypatch) as box:
            ring = tmp_path / "ring" / made.consultation.consultation_id
            await until(ring.exists, "the box keeps")
            box.cut(True)
            await asyncio.sleep(5.0)
            await made.end_consultation()
            ended_us = made.database.now_us() - made.consultation.opened_us
            await asyncio.sleep(1.0)
            assert not (made.folder / layout.CLOSED).exists()
            box.cut(False)
            await until((made.folder / layout.CLOSED).exists, "the archive is closed")
            assert max(one.end_us for one in backfilled(made)) > ended_us - 200_000, "to its last frame"
            await until(lambda: not any((tmp_path / "ring").iterdir()), "the ring is removed")
        assert verified(made)
        assert missing_times(made, box) == []


def kept_between(ring: Path, begin_us: int, end_us: int) -> list[int]:
    """Entries of the ring on the disk that lie wholly in that span."""
    lines = [json.loads(line) for line in (ring / MANIFEST).read_text().splitlines()]
    there = {int(path.stem) for path in (ring / OBJECTS).iterdir() if path.suffix == ".age"}
    pieces = [line for line in lines if line["kind"] == "piece" and line["entry"] in there]
    return [one["entry"] for one in pieces if begin_us <= one["begin_us"] and one["end_us"] <= end_us]


async def test_a_pause_that_a_box_did_not_hear_of_is_removed_from_its_disk_and_never_delivered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with service(tmp_path) as made:
        site = await host(made)
        async with recorded_box(made, tmp_path, monkeypatch) as box:
            ring = tmp_path / "ring" / made.consultation.consultation_id
            box.cut(True)
            await asyncio.sleep(4.0)  # what is away for a second only counts as part of the pause
            await site.say(messages.SetPaused(paused=True), messages.PausedChanged)
            begin_us = made.database.now_us() - made.consultation.opened_us + 300_000
            await asyncio.sleep(4.0)
            end_us = made.database.now_us() - made.consultation.opened_us - 300_000
            await site.say(messages.SetPaused(paused=False), messages.PausedChanged)
            assert kept_between(ring, begin_us, end_us), "it could not know"
            await asyncio.sleep(1.0)
            box.cut(False)
            await live_again(made, end_us + 3_000_000)
            await until(lambda: not kept_between(ring, begin_us, end_us), "nothing of the pause is kept")
            await until(lambda: bool(backfilled(made)), "what was kept beside it is delivered")
            await made.end_consultation()
            await until((made.folder / layout.CLOSED).exists, "the archive is closed")
        assert verified(made)
        inside = [one for one in made.pieces() if one.begin_us < end_us and one.end_us > begin_us]
        assert inside == []
