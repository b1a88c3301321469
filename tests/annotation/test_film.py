"""A film with the drawings burnt in has each on the very frame it was drawn on: read from its pixels."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from annotation.burn_in import Overlay
from archive.export_slate import BAR, HEIGHT, WIDTH
from archive.export_wall import WALL_FILE, export_wall
from core.annotations import Change, Mark, MarkMotion
from core.messages import AnnotationsChanged, MarksMoved, Model
from edge_agents.timecode import decode
from tests.recorder.support import EPOCH_US
from tests.support.coded_archive import FEEDS, coded_archive

SECONDS: Final = 6
FRAME_US: Final = 33_333
FRAMED_US: Final = EPOCH_US + 3_000_000
"""A frame's capture; the mark on it is heard of 900 ms later."""
HEARD_LATE_US: Final = 900_000
MOVED_US: Final = EPOCH_US + 4_500_000
PINK: Final = "#ff00ff"
PLACE: Final = (0.5, 0.6)
MOVED_BY: Final = 0.25
TOLERANCE_US: Final = 34_000


@dataclass(frozen=True)
class Look:
    """A picture of the film: what its time code says, and whether there is pink in two places of it."""

    code_us: int
    here: bool
    there: bool


def rectangle(mark_id: str, anchor: str, captured_us: int) -> Mark:
    fields = {
        "mark_id": mark_id, "feed": FEEDS[0], "author": "p", "author_name": "P", "role": "site",
        "tool": "rectangle", "colour": PINK, "width": 0.03,
        "points": [PLACE[0], PLACE[1] - 0.1, PLACE[0] + 0.1, PLACE[1] + 0.1],
        "captured_us": captured_us, "anchor": anchor, "changed_us": captured_us + HEARD_LATE_US,
    }  # fmt: skip
    return Mark.model_validate(fields)


def lines() -> Iterator[dict[str, Any]]:
    """One mark on a frame; one on the tissue, which the box moves with the second frame after its own."""

    def heard(unix_us: int, message: Model) -> dict[str, Any]:
        return {**message.model_dump(mode="json"), "at_us": unix_us - EPOCH_US}

    marks = [rectangle("framed", "frame", FRAMED_US), rectangle("tissue", "tissue", MOVED_US)]
    for seq, mark in enumerate(marks, start=1):
        at_us = (mark.captured_us or 0) + (HEARD_LATE_US if mark.anchor == "frame" else 0)
        change = Change(seq=seq, op="add", op_id=f"o{seq}", author="p", at_us=at_us, put=[mark])
        yield heard(at_us, AnnotationsChanged(feed=FEEDS[0], document_id="d", changes=[change]))
    for frame in range(8):
        right = 0 if frame < 2 else MOVED_BY
        motion = MarkMotion(mark_id="tissue", motion=[1, 0, 0, 1, right, 0], confidence=1, state="held")
        captured_us = MOVED_US + frame * FRAME_US
        yield heard(captured_us + 150_000, MarksMoved(feed=FEEDS[0], captured_us=captured_us, marks=[motion]))


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Look]]:
    """All pictures of both feeds."""
    where = tmp_path_factory.mktemp("film")
    coded = coded_archive(where, SECONDS, lines())
    export_wall(coded.folder, coded.identity, where / "out", overlay=Overlay)
    looks: dict[str, list[Look]] = {feed: [] for feed in FEEDS}
    with av.open(str(where / "out" / WALL_FILE)) as reading:
        for frame in reading.decode(video=0):
            picture = frame.to_ndarray(format="bgr24")
            for feed in FEEDS:
                tile = tile_of(picture, sorted(FEEDS).index(feed))
                code = decode(tile)
                if code is not None:
                    looks[feed].append(Look(code, pink(tile, PLACE[0]), pink(tile, PLACE[0] + MOVED_BY)))
    return looks


def tile_of(picture: NDArray[np.uint8], column: int) -> NDArray[np.uint8]:
    """Two beside each other, without what is black above and below."""
    width, height = WIDTH // 2, HEIGHT - BAR
    high = width * 9 // 16
    top = BAR + (height - high) // 2
    return picture[top : top + high, column * width : (column + 1) * width]


def pink(tile: NDArray[np.uint8], x: float) -> bool:
    blue, green, red = tile[round(PLACE[1] * tile.shape[0]), round(x * tile.shape[1])].tolist()
    return bool(blue > 170 and green < 90 and red > 170)


def test_every_picture_of_the_film_tells_its_time(film: dict[str, list[Look]]) -> None:
    for looks in film.values():
        assert len(looks) >= SECONDS * 30 * 0.95


def test_a_mark_of_a_frame_is_on_that_frame_and_its_neighbours_alone(film: dict[str, list[Look]]) -> None:
    on = [
        round((look.code_us - FRAMED_US) / FRAME_US)
        for look in film[FEEDS[0]]
        if before_moving(look) and look.here
    ]
    assert 0 in on
    assert set(on) <= {-1, 0, 1}
    assert len(on) <= 4


def before_moving(look: Look) -> bool:
    return look.code_us < MOVED_US - 5 * FRAME_US


def test_a_mark_on_tissue_moves_with_the_very_frame_its_tissue_moved_in(film: dict[str, list[Look]]) -> None:
    seen = {
        round((look.code_us - MOVED_US) / FRAME_US): look
        for look in film[FEEDS[0]]
        if not before_moving(look)
    }
    assert [(seen[frame].here, seen[frame].there) for frame in (0, 1, 2, 3)] == [
        (True, False), (True, False), (False, True), (False, True),
    ]  # fmt: skip


def test_nothing_is_on_the_other_feed(film: dict[str, list[Look]]) -> None:
    assert not any(look.here or look.there for look in film[FEEDS[1]])
