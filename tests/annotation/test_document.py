"""Operations on drawings: what they do, who may, and what they can never do."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from pydantic import ValidationError

from annotation import document as limits
from annotation.document import Document
from annotation.history import HISTORY_MAX_BYTES, STEPS_MAX
from annotation.planning import Actor
from annotation.replica import Replica
from core.annotations import (
    POINTS_PER_MARK,
    Add,
    Calibrate,
    Clear,
    Extend,
    NewMark,
    Redo,
    RemoveMark,
    Scale,
    Undo,
    Update,
)
from core.errors import RemoteError
from core.messages import parse_client_message
from tests.annotation.drawing import BAI, LI, RED, START_US, WANG, Desk, extend, state_of, stroke


def _replay(desk: Desk) -> Replica:
    replica = Replica(desk.document.document_id)
    changes = desk.document.since(0)
    assert changes is not None
    assert all(replica.apply("d_1", change) for change in changes)
    return replica


def test_a_mark_is_stamped_with_who_drew_it_where_and_when() -> None:
    desk = Desk()
    change = desk.do(WANG, stroke("m1", 0.1, 0.2, captured_us=123))
    (mark,) = change.put
    assert (mark.author, mark.author_name, mark.role) == ("u_wang", "Wang", "specialist")
    assert (mark.feed, mark.captured_us, mark.changed_us) == ("ultrasound", 123, desk.now_us)
    assert (change.seq, change.author, change.at_us) == (1, "u_wang", desk.now_us)


def test_a_stroke_grows_while_it_is_drawn_and_is_one_step_to_take_back() -> None:
    desk = Desk()
    desk.do(WANG, stroke("m1", 0.1, 0.1, step="s1"))
    desk.do(WANG, extend("m1", 1, 0.2, 0.2, 0.3, 0.3, step="s1"))
    change = desk.do(WANG, extend("m1", 3, 0.4, 0.4, step="s1"))
    assert desk.document.marks["m1"].points == [0.1, 0.1, 0.2, 0.2, 0.3, 0.3, 0.4, 0.4]
    assert (change.put, change.undo) == ([], 1), "only what is new travels"
    desk.do(WANG, Undo())
    assert desk.ids == []
    desk.do(WANG, Redo())
    assert len(desk.document.marks["m1"].points) == 8


def test_points_that_do_not_continue_the_stroke_are_refused() -> None:
    desk = Desk()
    desk.do(WANG, stroke("m1", 0.1, 0.1))
    assert desk.refused(WANG, extend("m1", 0, 0.2, 0.2)) == "out_of_order"
    assert desk.refused(WANG, extend("m1", 2, 0.2, 0.2)) == "out_of_order"
    assert desk.refused(WANG, extend("m1", 1, 0.2, 0.2, pressures=[0.5])) == "bad_points"


def test_the_same_operation_twice_is_done_once() -> None:
    desk = Desk()
    first = desk.document.submit("x", stroke("m1"), WANG, START_US)
    again = desk.document.submit("x", stroke("m1"), WANG, START_US + 1)
    assert (first.new, again.new) == (True, False)
    assert again.change == first.change
    assert desk.document.seq == 1
    other = desk.document.submit("x", stroke("m2"), BAI, START_US + 2)
    assert other.new, "another person's operation of the same name is another one"


def test_an_operation_that_was_refused_may_be_sent_again() -> None:
    desk = Desk()
    with pytest.raises(RemoteError):
        desk.document.submit("x", extend("m1", 1, 0.5, 0.5), WANG, START_US)
    desk.do(WANG, stroke("m1"))
    assert desk.document.submit("x", extend("m1", 1, 0.5, 0.5), WANG, START_US).new


@pytest.mark.parametrize(
    "operation",
    [
        extend("m1", 1, 0.5, 0.5),
        Update(mark_id="m1", colour="#000000"),
        RemoveMark(mark_id="m1"),
    ],
)
def test_nobody_changes_what_somebody_else_drew(operation: Any) -> None:
    desk = Desk()
    desk.do(WANG, stroke("m1"))
    assert desk.refused(BAI, operation) == "not_yours"


def test_who_moderates_removes_anybodys_mark_but_changes_none() -> None:
    desk = Desk()
    desk.do(WANG, stroke("m1"))
    assert desk.refused(LI, Update(mark_id="m1", colour="#000000")) == "not_yours"
    assert desk.do(LI, RemoveMark(mark_id="m1")).removed == ["m1"]


def test_clearing_mine_leaves_the_others_and_all_takes_a_moderator() -> None:
    desk = Desk()
    for mark_id, actor in (("m1", WANG), ("m2", BAI), ("m3", WANG)):
        desk.do(actor, stroke(mark_id))
    desk.do(WANG, Clear())
    assert desk.ids == ["m2"]
    assert desk.refused(BAI, Clear(whose="all")) == "not_host"
    desk.do(LI, Clear(whose="all"))
    assert desk.ids == []


def test_who_may_not_draw_does_nothing() -> None:
    desk = Desk()
    watcher = Actor("u_w", "W", "specialist", draws=False, moderates=True)
    for operation in (stroke("m1"), Undo(), Clear(whose="all"), Calibrate(scale=None)):
        assert desk.refused(watcher, operation) == "not_granted"


def test_undo_takes_back_ones_own_last_step_whatever_others_did_since() -> None:
    desk = Desk()
    desk.do(WANG, stroke("m1"))
    desk.do(WANG, Update(mark_id="m1", colour="#00ff00"))
    desk.do(BAI, stroke("m2"))
    change = desk.do(WANG, Undo())
    assert desk.document.marks["m1"].colour == RED
    assert (change.undo, change.redo) == (1, 1)
    desk.do(WANG, Undo())
    assert desk.ids == ["m2"]
    assert desk.refused(WANG, Undo()) == "nothing_to_undo"
    desk.do(WANG, Redo())
    desk.do(WANG, Redo())
    assert desk.document.marks["m1"].colour == "#00ff00"
    assert desk.refused(WANG, Redo()) == "nothing_to_redo"


def test_what_was_cleared_comes_back_in_the_order_it_was_drawn() -> None:
    desk = Desk()
    for number in range(5):
        desk.do(WANG, stroke(f"m{number}"))
    desk.do(WANG, Clear())
    desk.do(WANG, Undo())
    assert desk.ids == [f"m{number}" for number in range(5)]


def test_a_new_step_ends_what_could_be_done_again() -> None:
    desk = Desk()
    desk.do(WANG, stroke("m1"))
    desk.do(WANG, Undo())
    desk.do(WANG, stroke("m2"))
    assert desk.refused(WANG, Redo()) == "nothing_to_redo"


def test_nobodys_undo_brings_back_what_a_moderator_removed() -> None:
    desk = Desk()
    desk.do(WANG, stroke("m1"))
    desk.do(WANG, stroke("m2"))
    desk.do(LI, Clear(whose="all"))
    assert desk.refused(WANG, Undo()) == "nothing_to_undo"
    assert desk.refused(LI, Undo()) == "nothing_to_undo"


def test_a_moderators_undo_of_clearing_all_brings_back_only_their_own() -> None:
    desk = Desk()
    desk.do(LI, stroke("m1"))
    desk.do(WANG, stroke("m2"))
    desk.do(LI, Clear(whose="all"))
    desk.do(LI, Undo())
    assert desk.ids == ["m1"]


def test_a_mark_fades_for_everybody_at_the_same_operation() -> None:
    desk = Desk()
    desk.do(WANG, stroke("m1", fade_after_ms=1_000))
    assert desk.do(BAI, stroke("m2"), after_ms=999).removed == []
    assert desk.do(BAI, stroke("m3"), after_ms=1).removed == ["m1"]
    assert desk.refused(WANG, Undo()) == "nothing_to_undo"
    assert state_of(_replay(desk)) == state_of(desk.document)


def test_what_has_faded_cannot_be_extended_though_nobody_took_it_out_yet() -> None:
    desk = Desk()
    desk.do(WANG, stroke("m1", fade_after_ms=1_000))
    assert desk.refused(WANG, extend("m1", 1, 0.5, 0.5), after_ms=1_001) == "mark_not_found"


def test_a_stroke_does_not_fade_while_it_is_drawn() -> None:
    desk = Desk()
    desk.do(WANG, stroke("m1", fade_after_ms=1_000))
    for number in range(1, 5):
        desk.do(WANG, extend("m1", number, 0.5, 0.5), after_ms=900)
    assert desk.ids == ["m1"]


def test_undo_goes_past_steps_whose_marks_have_faded() -> None:
    desk = Desk()
    desk.do(WANG, stroke("m1"))
    desk.do(WANG, stroke("m2", fade_after_ms=500))
    assert desk.do(WANG, Undo(), after_ms=600).removed == ["m2", "m1"]


def test_keeping_a_mark_ends_its_fading() -> None:
    desk = Desk()
    desk.do(WANG, stroke("m1", fade_after_ms=500))
    desk.do(WANG, Update(mark_id="m1", keep=True))
    desk.do(BAI, stroke("m2"), after_ms=10_000)
    assert desk.ids == ["m1", "m2"]


def test_a_clock_that_steps_back_makes_nothing_older() -> None:
    desk = Desk()
    desk.do(WANG, stroke("m1"))
    desk.now_us -= 3_600_000_000
    change = desk.do(WANG, stroke("m2"))
    assert change.at_us == START_US + 10_000


def test_a_ruler_keeps_what_it_says_when_the_feed_is_calibrated_anew() -> None:
    desk = Desk()
    old, new = Scale(mm_per_height=160, aspect=4 / 3), Scale(mm_per_height=80, aspect=4 / 3)
    desk.do(WANG, Calibrate(scale=old))
    desk.do(WANG, stroke("m1", 0.1, 0.1, 0.2, 0.2, tool="ruler", scale=old))
    desk.do(BAI, Calibrate(scale=new))
    assert desk.document.marks["m1"].scale == old
    assert desk.document.calibration is not None
    assert desk.document.calibration.author == "u_bai"
    desk.do(BAI, Calibrate(scale=None))
    assert desk.document.calibration is None
    assert state_of(_replay(desk)) == state_of(desk.document)


def test_an_id_that_is_in_use_or_may_come_back_is_nobody_elses() -> None:
    desk = Desk()
    desk.do(WANG, stroke("m1"))
    assert desk.refused(BAI, stroke("m1")) == "mark_exists"
    desk.do(WANG, Undo())
    assert desk.refused(BAI, stroke("m1")) == "mark_exists"
    desk.do(WANG, Redo())
    assert desk.document.marks["m1"].author == "u_wang"


# --- bounds --------------------------------------------------------------------------------


def test_a_feed_holds_so_many_marks_and_the_others_are_still_there() -> None:
    desk = Desk()
    for number in range(limits.MARKS_MAX):
        desk.do(WANG, stroke(f"m{number}"))
    assert desk.refused(BAI, stroke("more")) == "document_full"
    desk.do(WANG, RemoveMark(mark_id="m0"))
    desk.do(BAI, stroke("more"))
    assert desk.refused(WANG, Undo()) == "document_full"


def test_a_feed_holds_so_many_points() -> None:
    desk = Desk()
    points = [0.123456] * 2 * 1_000
    fits = limits.DOCUMENT_MAX_BYTES // (300 + 9 * len(points))
    for number in range(fits):
        desk.do(WANG, stroke(f"m{number}", *points))
    assert desk.refused(BAI, stroke("more", *points)) == "document_full"
    assert desk.refused(WANG, extend("m0", 1_000, *points)) == "document_full"
    desk.do(BAI, stroke("small"))
    sizes = [len(mark.model_dump_json()) for mark in desk.document.marks.values()]
    assert 0.5 * limits.DOCUMENT_MAX_BYTES < sum(sizes) < 1.5 * limits.DOCUMENT_MAX_BYTES
    desk.do(LI, Clear(whose="all"))
    assert desk.document.weight_bytes == 0


def test_a_stroke_has_an_end() -> None:
    desk = Desk()
    desk.do(WANG, stroke("m1", *[0.5] * 2_000))
    desk.do(WANG, extend("m1", 1_000, *[0.5] * 2_000))
    assert desk.refused(WANG, extend("m1", POINTS_PER_MARK, 0.5, 0.5)) == "mark_full"


def test_steps_and_what_they_remember_are_bounded() -> None:
    desk = Desk()
    for number in range(2 * STEPS_MAX):
        desk.do(WANG, stroke(f"m{number}"))
    assert desk.document.steps("u_wang") == (STEPS_MAX, 0)
    for number in range(30):
        desk.do(BAI, stroke(f"b{number}", *[0.123456] * 2_000))
        desk.do(BAI, RemoveMark(mark_id=f"b{number}"))
    assert desk.document.steps("u_bai")[0] < 20
    history = desk.document.history_of("u_bai")
    assert history is not None
    assert sum(step.weight_bytes for step in history.done) <= HISTORY_MAX_BYTES


def test_even_a_lot_that_was_cleared_comes_back() -> None:
    desk = Desk()
    for number in range(40):
        desk.do(BAI, stroke(f"b{number}", *[0.123456] * 2_000))
    desk.do(BAI, Clear())
    desk.do(BAI, Undo())
    assert len(desk.ids) == 40


def test_what_changed_long_ago_is_only_to_be_had_whole() -> None:
    desk = Desk()
    for _ in range(limits.LOG_MAX_CHANGES + 10):
        desk.do(WANG, Calibrate(scale=None))
    assert desk.document.since(9) is None
    assert len(desk.document.since(10) or []) == limits.LOG_MAX_CHANGES
    assert desk.document.since(desk.document.seq) == []
    assert desk.document.since(desk.document.seq + 1) is None


def test_the_log_of_heavy_changes_is_bounded_by_their_weight() -> None:
    desk = Desk()
    for number in range(100):
        desk.do(WANG, stroke(f"m{number}", *[0.123456] * 1_000))
    log = desk.document.since(desk.document.seq - 10)
    assert log is not None
    assert desk.document.since(0) is None


# --- what comes from the network ----------------------------------------------------------


def _annotate(**operation: Any) -> str:
    return json.dumps(
        {"type": "annotate", "op_id": "o1", "feed": "ultrasound", "operation": {"op": "add"} | operation}
    )


GOOD: dict[str, Any] = {
    "mark_id": "m1",
    "tool": "pen",
    "colour": RED,
    "width": 0.01,
    "points": [0.1, 0.2],
}


@pytest.mark.parametrize(
    "wrong",
    [
        {"points": [0.1]},
        {"points": []},
        {"points": [math.nan, 0.1]},
        {"points": [math.inf, 0.1]},
        {"points": [-0.001, 0.1]},
        {"points": [1.001, 0.1]},
        {"points": ["0.1", None]},
        {"points": [0.5] * 2_002},
        {"pressures": [0.5, 0.5]},
        {"pressures": [2.0]},
        {"colour": "red"},
        {"colour": "#FF0000;background:url(x)"},
        {"width": 0},
        {"width": 5},
        {"width": math.nan},
        {"tool": "eraser"},
        {"tool": "arrow"},
        {"tool": "text"},
        {"tool": "text", "text": "   "},
        {"text": "x" * 501},
        {"captured_us": -1},
        {"captured_us": 2**53},
        {"anchor": "frame"},
        {"anchor": "tissue"},
        {"fade_after_ms": 1},
        {"mark_id": ""},
        {"mark_id": "m" * 65},
        {"author": "u_li"},
        {"author_name": "Li"},
        {"role": "site"},
        {"feed": "theatre"},
        {"changed_us": 1},
    ],
)
def test_a_mark_that_is_none_is_no_message(wrong: dict[str, Any]) -> None:
    assert parse_client_message(_annotate(mark=GOOD))
    with pytest.raises(ValidationError):
        parse_client_message(_annotate(mark=GOOD | wrong))


def test_an_author_cannot_be_said_in_a_message() -> None:
    with pytest.raises(ValidationError):
        parse_client_message(_annotate(mark=GOOD, author="u_li"))


@pytest.mark.parametrize(
    ("update", "code"),
    [
        (Update(mark_id="m1", points=[0.1, 0.1]), "bad_points"),
        (Update(mark_id="m1", points=[0.1, 0.1, 0.2]), "bad_points"),
        (Update(mark_id="m1", pressures=[0.1]), "bad_points"),
        (Update(mark_id="gone", width=0.01), "mark_not_found"),
    ],
)
def test_a_shape_stays_one(update: Update, code: str) -> None:
    desk = Desk()
    desk.do(WANG, stroke("m1", 0.1, 0.1, 0.2, 0.2, tool="arrow"))
    assert desk.refused(WANG, update) == code


def test_a_text_is_never_empty_and_only_pens_grow() -> None:
    desk = Desk()
    mark = NewMark(mark_id="m1", tool="text", colour=RED, width=0.03, points=[0.1, 0.1], text="left atrium")
    desk.do(WANG, Add(mark=mark))
    assert desk.refused(WANG, Update(mark_id="m1", text=" ")) == "bad_text"
    assert desk.refused(WANG, Extend(mark_id="m1", start=1, points=[0.2, 0.2])) == "wrong_tool"


def test_a_document_knows_its_feed() -> None:
    assert Document("theatre", "d").submit("o", stroke("m"), WANG, START_US).change is not None
