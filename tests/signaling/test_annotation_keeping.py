"""Drawings outlast the process: what somebody was told is done is stored, and comes back."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import func, select, text

from annotation.document import Document
from annotation.keeping import KeptOperation, kept
from annotation.planning import Actor
from core import drawings, messages
from core.annotations import Extend, Undo
from core.clock import SystemClock
from core.consultations import close_consultation
from core.ids import new_id
from core.tables import DrawingsRow
from signaling.annotation_documents import CONSULTATIONS_MAX, DrawingsShelf
from signaling.annotation_holding import MOST_HELD, Holding
from signaling.annotation_keeper import WHOLE_EVERY, DrawingsKeeper
from tests.annotation.drawing import WANG, extend, state_of, stroke
from tests.signaling.conftest import WITHIN_S, World
from tests.signaling.room_people import enter, person
from tests.signaling.test_annotations import FEED, change_of, pen, said, show


def ignored(_document_id: str, _seq: int) -> None:
    """Nobody waits."""


async def another_process(world: World) -> DrawingsShelf:
    """What a service that starts now would find."""
    shelf = DrawingsShelf(new_id)
    await DrawingsKeeper(world.database, shelf, ignored).load(world.consultation.consultation_id)
    return shelf


async def rows(world: World) -> int:
    async with world.database.reading() as session:
        return await session.scalar(select(func.count()).select_from(DrawingsRow)) or 0


async def until(condition: Callable[[], Any]) -> None:
    async with asyncio.timeout(WITHIN_S):
        while not await condition():
            await asyncio.sleep(0.01)


async def test_what_its_author_was_told_is_done_is_there_in_the_next_process(everywhere: World) -> None:
    world = everywhere
    await show(world)
    host, _ = await enter(world, person(world, "host"))
    artist, _ = await enter(world, person(world, "invited"))
    for number in range(20):
        await artist.send(said(f"o{number}", pen(f"m{number}", 0.1, 0.2)))
        await host.send(said(f"h{number}", pen(f"n{number}", 0.1, 0.2)))
        await artist.send(
            said(f"e{number}", Extend(mark_id=f"m{number}", start=1, points=[0.3, number / 100]))
        )
        seen: dict[str, set[str]] = {"artist": set(), "host": set()}
        for name, client, own in (("artist", artist, f"e{number}"), ("host", host, f"h{number}")):
            while own not in seen[name]:
                seen[name].add((await change_of(client)).op_id)
        found = (await another_process(world)).of(world.consultation.consultation_id).documents[FEED]
        assert {f"m{number}", f"n{number}"} <= found.marks.keys()
        assert len(found.marks[f"m{number}"].points) == 4
    live = world.context.service.drawings.of(world.consultation.consultation_id).documents[FEED]
    assert state_of(found) == state_of(live)
    assert kept(found) == kept(live)
    assert found.document_id != live.document_id


async def test_others_see_it_before_it_is_stored_and_its_author_when_it_is(world: World) -> None:
    await show(world)
    host, _ = await enter(world, person(world, "host"))
    artist, _ = await enter(world, person(world, "invited"))
    await artist.send(said("o0", pen("m0")))
    await change_of(artist)
    async with world.database.writing():  # nothing can be stored meanwhile
        await artist.send(said("o1", pen("m1")))
        while (await change_of(host)).op_id != "o1":
            pass
        assert not any(isinstance(message, messages.AnnotationsChanged) for message in await artist.sync())
    assert (await change_of(artist)).op_id == "o1"


async def test_a_database_that_fails_stops_nobody_and_gets_everything_when_it_works(world: World) -> None:
    await show(world)
    artist, _ = await enter(world, person(world, "invited"))
    await rename(world, "drawings", "away")
    for number in range(5):
        await artist.send(said(f"o{number}", pen(f"m{number}")))
        assert (await change_of(artist)).op_id == f"o{number}"
    await rename(world, "away", "drawings")

    async def all_there() -> bool:
        documents = (await another_process(world)).of(world.consultation.consultation_id).documents
        return FEED in documents and len(documents[FEED].marks) == 5

    await until(all_there)


async def rename(world: World, old: str, new: str) -> None:
    async with world.database.writing() as session:
        await session.execute(text(f"ALTER TABLE {old} RENAME TO {new}"))


async def test_undo_and_what_was_done_already_come_back_too(world: World) -> None:
    await show(world)
    artist, _ = await enter(world, person(world, "invited"))
    await artist.send(said("o1", pen("m1")))
    await change_of(artist)
    found = (await another_process(world)).of(world.consultation.consultation_id)
    me = Actor("u_invited", "u_invited", "specialist")
    _, again = found.submit(FEED, "o1", pen("m1"), me, 1)
    assert not again.new
    document, undone = found.submit(FEED, "o2", Undo(), me, 2)
    assert undone.new
    assert not document.marks


async def test_nothing_is_kept_of_a_consultation_that_is_over(world: World) -> None:
    await show(world)
    artist, _ = await enter(world, person(world, "invited"))
    await artist.send(said("o1", pen("m1")))
    await change_of(artist)
    assert await rows(world) == 1
    world.context.service.end_room(world.context.service.rooms["demo"])

    async def none() -> bool:
        return await rows(world) == 0

    await until(none)


async def test_closing_deletes_them_whoever_closes_and_what_came_after_is_swept(world: World) -> None:
    consultation = world.consultation.consultation_id
    await show(world)
    artist, _ = await enter(world, person(world, "invited"))
    await artist.send(said("o1", pen("m1")))
    await change_of(artist)
    await drawings.delete_over(world.database)
    assert await rows(world) == 1
    await close_consultation(world.database, consultation)
    assert await rows(world) == 0
    await drawings.store(world.database, [drawings.Batch(consultation, FEED, 2, 2, "{}")])
    await drawings.delete_over(world.database)
    assert await rows(world) == 0


@pytest.mark.parametrize("content", ["{}", "no JSON at all", ""])
async def test_drawings_that_cannot_be_read_keep_nobody_out_of_the_room(world: World, content: str) -> None:
    consultation = world.consultation.consultation_id
    await drawings.store(world.database, [drawings.Batch(consultation, FEED, 1, 7, content)])
    await show(world)
    artist, _ = await enter(world, person(world, "invited"))
    await artist.send(said("o1", pen("m1")))
    assert (await change_of(artist)).seq == 1
    found = (await another_process(world)).of(consultation).documents[FEED]
    assert list(found.marks) == ["m1"]


async def test_a_long_stroke_session_is_kept_whole_now_and_then(world: World) -> None:
    shelf, consultation = DrawingsShelf(new_id), world.consultation.consultation_id
    told: list[int] = []
    keeper = DrawingsKeeper(world.database, shelf, lambda _, seq: told.append(seq))
    await keeper.load(consultation)
    running = asyncio.create_task(keeper.run())
    document = draw(keeper, shelf, consultation, WHOLE_EVERY + 100)

    async def stored() -> bool:
        return bool(told) and told[-1] == document.seq

    await until(stored)
    draw(keeper, shelf, consultation, 30, "later")
    await until(stored)
    keeper.finish()
    await running
    assert (await drawings.stored(world.database, consultation))[0].first_seq == 0
    assert await rows(world) <= 3
    found = (await another_process(world)).of(consultation).documents["ultrasound"]
    assert kept(found) == kept(document)


def draw(
    keeper: DrawingsKeeper, shelf: DrawingsShelf, consultation: str, count: int, name: str = "m"
) -> Document:
    """`count` operations: strokes of ten pieces."""
    now_us = SystemClock().unix_ns() // 1_000
    for number in range(count):
        mark, piece = divmod(number, 10)
        mark_id = f"{name}{mark}"
        operation = stroke(mark_id, 0.1, 0.1) if piece == 0 else extend(mark_id, piece, 0.2, 0.2)
        op_id = f"{name}-o{number}"
        document, done = shelf.of(consultation).submit("ultrasound", op_id, operation, WANG, now_us)
        assert done.new
        keeper.keep(consultation, document, KeptOperation.of(op_id, operation, WANG, now_us))
    return document


async def test_stopping_stores_what_is_left(world: World) -> None:
    shelf, consultation = DrawingsShelf(new_id), world.consultation.consultation_id
    keeper = DrawingsKeeper(world.database, shelf, ignored)
    await keeper.load(consultation)
    running = asyncio.create_task(keeper.run())
    document = draw(keeper, shelf, consultation, 25)
    keeper.finish()
    await running
    found = (await another_process(world)).of(consultation).documents["ultrasound"]
    assert state_of(found) == state_of(document)


def test_of_consultations_nobody_needs_the_one_untouched_longest_makes_room() -> None:
    shelf, left = DrawingsShelf(new_id), []
    shelf.needed = lambda wanted: wanted == "c0"
    shelf.left = lambda wanted, over: left.append((wanted, over))
    for number in range(CONSULTATIONS_MAX + 1):
        shelf.of(f"c{number}")
    assert (left, shelf.has("c0"), shelf.has("c1")) == ([("c1", False)], True, False)


# --- who waits for what ----------------------------------------------------------------------


def changed(seq: int) -> messages.AnnotationsChanged:
    change = {"seq": seq, "op": "clear", "op_id": f"o{seq}", "author": "p", "at_us": 1}
    return messages.AnnotationsChanged.model_validate({"feed": "f", "document_id": "d", "changes": [change]})


class Told:
    """What each seat was told."""

    def __init__(self) -> None:
        self.said: list[tuple[str, int]] = []
        self.holding: Holding[str] = Holding(
            lambda who, message: self.said.append((who, message.changes[0].seq))
        )

    def change(self, author: str, seq: int, *viewers: str) -> None:
        self.holding.did("d", author, seq)
        for one in viewers:
            self.holding.told(one, one, changed(seq))


def test_who_did_nothing_waits_for_nothing() -> None:
    told = Told()
    told.change("wang", 1, "wang", "li")
    told.change("wang", 2, "wang", "li")
    assert told.said == [("li", 1), ("li", 2)]


def test_what_follows_ones_own_comes_after_it() -> None:
    told = Told()
    told.change("wang", 1, "wang", "li")
    told.change("li", 2, "wang", "li")
    told.holding.stored("d", 1)
    assert told.said == [("li", 1), ("wang", 1), ("wang", 2)]
    told.holding.stored("d", 2)
    assert told.said[-1] == ("li", 2)


def test_only_what_is_stored_is_told() -> None:
    told = Told()
    told.change("wang", 1, "wang")
    told.change("wang", 2, "wang")
    told.holding.stored("d", 1)
    told.holding.stored("another", 2)
    assert told.said == [("wang", 1)]
    told.holding.stored("d", 2)
    told.holding.told("wang", "wang", changed(3))
    assert told.said == [("wang", 1), ("wang", 2), ("wang", 3)]


@pytest.mark.parametrize("more", [0, 1])
def test_what_waits_has_a_bound(more: int) -> None:
    told = Told()
    told.change("wang", 1, "wang")
    for seq in range(2, MOST_HELD + 1 + more):
        told.holding.told("wang", "wang", changed(seq))
    assert len(told.said) == more * (MOST_HELD + 1)
