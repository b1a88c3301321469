"""Drawings that were kept are the same drawings: what is seen, what can be undone, what was done already."""

from __future__ import annotations

import random

import pytest

from annotation.document import Document
from annotation.keeping import KeptDocument, KeptOperation, kept, restored, written
from core.annotations import Add, Undo
from core.errors import RemoteError
from tests.annotation.drawing import (
    ACTORS,
    LI,
    START_US,
    WANG,
    Desk,
    Numbers,
    extend,
    some_operation,
    state_of,
    stroke,
)


def drawn(seed: int, count: int = 80) -> tuple[Document, list[KeptOperation]]:
    """What three people did, by chance, and what is kept of it."""
    chance = random.Random(seed)
    document, done, now_us = Document("ultrasound", "d_1"), [], START_US
    for number in range(count):
        actor = ACTORS[chance.randrange(3)]
        said = Numbers(*(chance.randrange(10_000) for _ in range(3)))
        now_us += 1_000 * chance.randrange(300)
        operation = some_operation(document, actor, said, f"m{number}")
        try:
            document.submit(f"o{number}", operation, actor, now_us)
        except RemoteError:
            continue
        done.append(KeptOperation.of(f"o{number}", operation, actor, now_us))
    return document, done


def all_of(document: Document) -> tuple[object, ...]:
    return state_of(document), kept(document), document.weight_bytes


def stored(operations: list[KeptOperation]) -> list[KeptOperation]:
    return [KeptOperation.model_validate_json(one.model_dump_json()) for one in operations]


@pytest.mark.parametrize("seed", range(8))
def test_operations_done_again_give_the_same_document(seed: int) -> None:
    document, done = drawn(seed)
    again = restored("ultrasound", "d_2", None, stored(done))
    assert all_of(again) == all_of(document)
    assert again.document_id == "d_2"
    assert again.since(0) == document.since(0)


@pytest.mark.parametrize("seed", range(8))
def test_a_document_kept_whole_goes_on_as_it_would_have(seed: int) -> None:
    document, done = drawn(seed)
    half = len(done) // 2
    middle = restored("ultrasound", "d_2", None, done[:half])
    whole = KeptDocument.model_validate_json(written(kept(middle)))
    again = restored("ultrasound", "d_3", whole, stored(done[half:]))
    assert all_of(again) == all_of(document)


def test_what_is_kept_whole_does_not_change_with_the_document() -> None:
    desk = Desk()
    desk.do(WANG, stroke("m1", 0.1, 0.1, step="s"))
    whole = kept(desk.document)
    before = written(whole)
    desk.do(WANG, extend("m1", 1, 0.2, 0.2, step="s"))
    desk.do(LI, stroke("m2"))
    desk.do(WANG, Undo())
    assert written(whole) == before


def test_after_coming_back_nothing_is_done_twice_and_undo_goes_on() -> None:
    desk = Desk()
    first = stroke("m1", 0.1, 0.1)
    desk.do(WANG, first, op_id="mine")
    again = restored("ultrasound", "d_2", KeptDocument.model_validate_json(written(kept(desk.document))), [])
    done = again.submit("mine", first, WANG, desk.now_us)
    assert (done.new, list(again.marks)) == (False, ["m1"])
    again.submit("o2", Undo(), WANG, desk.now_us)
    assert list(again.marks) == []


def test_a_name_with_quotes_in_it_is_kept() -> None:
    desk = Desk()
    operation = stroke("m1", tool="text", text='"marks":[] \u2028')
    assert isinstance(operation, Add)
    desk.do(WANG, operation)
    whole = KeptDocument.model_validate_json(written(kept(desk.document)))
    assert whole.marks[0].text == '"marks":[] \u2028'
