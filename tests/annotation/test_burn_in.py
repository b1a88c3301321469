"""Films with the drawings in them: the same marks on the same frames as in the room."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from annotation.burn_in import Overlay
from archive import overlay
from archive.export_order import Part
from archive.export_slate import Picture
from core.annotations import Change, Extension, Mark, MarkMotion
from core.errors import ConfigError
from core.messages import (
    AnnotationDocument,
    AnnotationsChanged,
    AnnotationsSynced,
    MarksMoved,
    Model,
    Pointed,
)
from teleconsult.cli import build_app
from tests.archive.test_export_wall import film

EPOCH_US = 1_795_300_000_000_000
S = 1_000_000


def mark(mark_id: str = "m1", anchor: str = "screen", captured_us: int = EPOCH_US + 2 * S) -> Mark:
    return Mark.model_validate(
        {
            "mark_id": mark_id,
            "feed": "ultrasound",
            "author": "p",
            "author_name": "P",
            "role": "specialist",
            "tool": "pen",
            "colour": "#ff0000",
            "width": 0.05,
            "points": [0.2, 0.5, 0.4, 0.5],
            "captured_us": captured_us,
            "anchor": anchor,
            "changed_us": EPOCH_US,
        }
    )


def line(at_us: int, message: Model) -> dict[str, Any]:
    """As the recorder writes it."""
    return {**message.model_dump(mode="json"), "at_us": at_us}


def changed(at_us: int, seq: int, **what: Any) -> dict[str, Any]:
    done = Change(seq=seq, op="add", op_id="o", author="p", at_us=EPOCH_US + at_us, **what)
    return line(at_us, AnnotationsChanged(feed="ultrasound", document_id="d", changes=[done]))


def moved(at_us: int, captured_us: int, right: float, state: str = "held") -> dict[str, Any]:
    motion = MarkMotion.model_validate(
        {"mark_id": "m1", "motion": [1, 0, 0, 1, right, 0], "confidence": 1, "state": state}
    )
    return line(at_us, MarksMoved(feed="ultrasound", captured_us=EPOCH_US + captured_us, marks=[motion]))


def ids(painter: Overlay, at_us: int, feed: str = "ultrasound") -> list[str]:
    painter(feed, at_us, np.zeros((90, 160, 3), np.uint8))
    return [one.mark.mark_id for one in painter.shown(feed, at_us)]


def test_a_stroke_appears_grows_and_goes_when_it_did() -> None:
    longer = Extension(mark_id="m1", start=2, points=[0.6, 0.5], changed_us=EPOCH_US + 3 * S)
    painter = Overlay(
        EPOCH_US,
        [
            changed(5 * S, 3, removed=["m1"]),
            changed(2 * S, 1, put=[mark()]),
            changed(3 * S, 2, extended=longer),
            {"type": "chat_added", "at_us": 1},
            {"type": "annotations_changed", "at_us": 2, "nonsense": True},
        ],
    )
    dark = np.zeros((90, 160, 3), np.uint8)
    assert ids(painter, 1_900_000) == []
    assert ids(painter, 2 * S) == ["m1"]
    assert not painter("ultrasound", 2 * S, dark)[45, 88].any()
    assert painter("ultrasound", 3 * S, dark)[45, 88].tolist() == [0, 0, 255]
    assert ids(painter, 3 * S, "theatre") == []
    assert ids(painter, 5 * S) == []


def test_what_was_there_before_the_recorder_came_is_there() -> None:
    whole = AnnotationDocument(feed="ultrasound", document_id="d", seq=7, marks=[mark()], last=False)
    rest = AnnotationDocument(feed="ultrasound", document_id="d", seq=7, marks=[mark("m2")], first=False)
    painter = Overlay(EPOCH_US, [line(S, whole), line(S, rest), changed(2 * S, 8, removed=["m1"])])
    assert ids(painter, S) == ["m1", "m2"]
    assert ids(painter, 2 * S) == ["m2"]


def test_a_mark_of_a_frame_is_painted_on_that_frame_though_it_was_drawn_later() -> None:
    painter = Overlay(EPOCH_US, [changed(4 * S, 1, put=[mark(anchor="frame")])])
    assert [ids(painter, at_us) for at_us in (1_960_000, 2 * S, 2_033_000, 2_070_000, 4 * S)] == [
        [], ["m1"], ["m1"], [], []
    ]  # fmt: skip


def test_a_mark_on_tissue_is_where_the_box_said_for_that_frame_and_gone_when_it_was_lost() -> None:
    painter = Overlay(
        EPOCH_US,
        [
            changed(2 * S, 1, put=[mark(anchor="tissue")]),
            moved(2_150_000, 2_033_000, 0.1),
            moved(2_200_000, 2_066_000, 0.2),
            moved(3_200_000, 3_000_000, 0.3, "lost"),
        ],
    )
    found = []
    for at_us in (2_033_000, 2_066_000, 2_300_000, 3_000_000):
        ids(painter, at_us)
        found.append([one.motion.e for one in painter.shown("ultrasound", at_us)])
    assert found == [[0.1], [0.2], [], []]


def test_an_exported_picture_has_the_drawing_in_it_from_its_moment_on(tmp_path: Path) -> None:
    painter = Overlay(EPOCH_US, [changed(3_600 * S + 150_000, 1, put=[mark(captured_us=EPOCH_US)])])
    path = film(tmp_path / "a.mp4", [50, 50, 50], 3_600 * S)
    picture = Picture(
        "a",
        [Part(path, 3_600 * S)],
        [],
        lambda at_us, image, shown_us: painter("ultrasound", at_us, image, shown_us),
    )
    before = picture.tile(3_600 * S + 100_000, 320, 240).copy()
    after = picture.tile(3_600 * S + 200_000, 320, 240)
    assert np.allclose(before[120, 96], 50, atol=8)
    assert after[120, 96].tolist() == [0, 0, 255]


def test_the_command_line_can_paint_and_the_archive_alone_says_that_it_cannot() -> None:
    build_app("archive")
    assert overlay.maker()(EPOCH_US, [])("ultrasound", 0, np.zeros((9, 16, 3), np.uint8), 0).shape == (
        9,
        16,
        3,
    )
    held = overlay._makers[:]
    overlay._makers.clear()
    try:
        with pytest.raises(ConfigError, match="--burn-in"):
            overlay.maker()
    finally:
        overlay._makers[:] = held


def test_a_pointer_is_there_while_it_says_something() -> None:
    def pointed(at_us: int, **at: float) -> dict[str, Any]:
        told = {
            "feed": "ultrasound",
            "participant_id": "p_1",
            "person": "u",
            "name": "Wang",
            "at": at or None,
        }
        return line(at_us, Pointed.model_validate(told))

    painter = Overlay(EPOCH_US, [pointed(S, x=0.25, y=0.5), pointed(2 * S, x=0.5, y=0.5), pointed(6 * S)])
    places = [[one.x for one in painter.pointers("ultrasound", at)] for at in (S - 1, S, 2 * S, 5 * S, 6 * S)]
    assert places == [[], [0.25], [0.5], [], []]
    assert painter.pointers("theatre", S) == []
    dark = np.zeros((90, 160, 3), np.uint8)
    assert painter("ultrasound", S, dark)[45, 40].any()


def test_a_feed_that_the_room_has_no_drawings_of_any_more_has_none() -> None:
    painter = Overlay(
        EPOCH_US, [changed(S, 1, put=[mark()]), line(3 * S, AnnotationsSynced(feeds=["theatre"]))]
    )
    assert (ids(painter, 2 * S), ids(painter, 3 * S)) == (["m1"], [])


def test_what_is_drawn_on_a_picture_that_stands_still_is_in_the_film_at_once(tmp_path: Path) -> None:
    painter = Overlay(EPOCH_US, [changed(3_600 * S + 900_000, 1, put=[mark(captured_us=EPOCH_US)])])
    path = film(tmp_path / "a.mp4", [50], 3_600 * S)
    picture = Picture(
        "a",
        [Part(path, 3_600 * S)],
        [],
        lambda at_us, image, shown_us: painter("ultrasound", at_us, image, shown_us),
    )
    before = picture.tile(3_600 * S + 800_000, 320, 240).copy()
    after = picture.tile(3_600 * S + 950_000, 320, 240)
    assert np.allclose(before[120, 96], 50, atol=8)
    assert after[120, 96].tolist() == [0, 0, 255]
