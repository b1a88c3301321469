"""What was let go of is pressed again only by pressing it again; before a confirmation nothing is written."""

from __future__ import annotations

import pytest

from core.control import ANSWER_WITHIN_S, RELEASE_AFTER_S, Pointer, Pressed
from edge_agents.control_desk import LetGo
from edge_agents.hid_reports import HidReport, keyboard_report
from tests.edge.test_control_desk import DRAG, ENDINGS, Beside
from tests.edge.test_control_desk import beside as beside

BOTH = Pressed(keys=("ShiftLeft", "KeyA"), pointer=Pointer(x=0.5, y=0.5, buttons=3))


@pytest.mark.parametrize("why", ["silence", "slate"])
def test_what_was_let_go_of_while_it_was_down_goes_down_again_only_once_it_was_up(
    beside: Beside, why: str
) -> None:
    beside.activate()
    beside.press(DRAG)
    if why == "slate":
        beside.do(beside.desk.pressed("c_1", "p_1", DRAG, None, beside.now_ns))
    else:
        beside.passes(RELEASE_AFTER_S)
        beside.tick()
    for _ in range(3):
        beside.press(DRAG)
        assert beside.is_up, "the same held state"
    beside.press(BOTH)
    assert beside.keys == keyboard_report(["KeyA"]), "what is new goes down"
    assert beside.buttons == 2
    beside.press(Pressed(keys=("KeyA", "ShiftLeft"), pointer=Pointer(x=0.5, y=0.5, buttons=2)))
    beside.press(BOTH)
    assert beside.keys == keyboard_report(["KeyA"]), "the button was up meanwhile, the key was not"
    assert beside.buttons == 3
    beside.press(Pressed(keys=("KeyA",)))
    beside.press(BOTH)
    assert beside.keys == keyboard_report(["ShiftLeft", "KeyA"])
    assert beside.answers == []


def test_let_go_of_again_what_was_held_off_stays_so(beside: Beside) -> None:
    beside.activate()
    beside.press(DRAG)
    for held in (BOTH, DRAG):
        beside.passes(RELEASE_AFTER_S)
        beside.tick()
        beside.press(held)
    assert beside.is_up


def test_what_goes_down_while_the_picture_is_not_to_be_seen_is_not_pressed_when_it_is_back(
    beside: Beside,
) -> None:
    beside.activate()
    beside.do(beside.desk.pressed("c_1", "p_1", DRAG, None, beside.now_ns))
    beside.press(DRAG)
    assert beside.is_up
    beside.do(beside.desk.pressed("c_1", "p_1", Pressed(), None, beside.now_ns))
    beside.press(DRAG)
    assert not beside.is_up, "it was up meanwhile"


def test_a_new_control_holds_nothing_off(beside: Beside) -> None:
    beside.activate()
    beside.press(DRAG)
    beside.do(beside.desk.pressed("c_1", "p_1", DRAG, None, beside.now_ns))
    beside.activate(control_id="c_2")
    beside.press(DRAG, control_id="c_2")
    assert beside.keys == keyboard_report(["ShiftLeft"])
    assert beside.buttons == 1


@pytest.mark.parametrize("end", [*ENDINGS, "its time is up", "another is granted", "unknown badges"])
def test_before_it_is_confirmed_the_device_is_told_nothing_at_all(beside: Beside, end: str) -> None:
    beside.grant()
    if end == "its time is up":
        beside.passes(ANSWER_WITHIN_S)
        beside.tick()
    elif end == "another is granted":
        beside.grant("c_2")
    elif end == "unknown badges":
        for _ in range(5):
            beside.badge("a box of gloves")
    else:
        ENDINGS[end](beside)
    assert beside.told == []


def test_a_pointer_that_was_never_pointed_with_is_not_moved_by_letting_go(beside: Beside) -> None:
    beside.activate()
    beside.press(Pressed(keys=("KeyA",), wheel=1))
    beside.do(beside.desk.stopped("c_1"))
    down, up = (HidReport("keyboard", keyboard_report(keys)) for keys in (("KeyA",), ()))
    assert beside.told == [down, LetGo((up,))]
