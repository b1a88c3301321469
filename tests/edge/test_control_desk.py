"""Remote control at the box, without any box: never a key down that should not be."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.clock import NS_PER_S
from core.control import (
    ANSWER_WITHIN_S,
    RELEASE_AFTER_S,
    SILENT_AFTER_S,
    Control,
    ControlWay,
    Pointer,
    Pressed,
)
from core.messages import ControlAnswer
from edge_agents.control_desk import ControlDesk, LetGo, Outcome, Terms
from edge_agents.hid_reports import HidReport, Screen, keyboard_report

CODE, BADGE, SCREEN = "042017", "Dr. 张 / 7", Screen(1920, 1080)
KEY = Pressed(keys=("KeyA",))
DRAG = Pressed(keys=("ShiftLeft",), pointer=Pointer(x=0.5, y=0.5, buttons=1))
TERMS = Terms(
    "us",
    ("code", "touch", "badge"),
    10,
    frozenset({"keyboard", "pointer"}),
    frozenset({hashlib.sha256(BADGE.encode()).hexdigest()}),
)


def control(control_id: str = "c_1", **more: Any) -> Control:
    values: dict[str, Any] = {
        "control_id": control_id, "feed": "us", "participant_id": "p_1", "name": "Dr. Wang",
        "organisation": "City", "stage": "granted", "minutes": 5, "until_us": 0,
    }  # fmt: skip
    return Control.model_validate(values | more)


class Beside:
    """A desk, its time, and what lies on the device's keyboard as far as its host was told."""

    def __init__(self, terms: Terms = TERMS) -> None:
        self.desk, self.now_ns = ControlDesk(terms), 5 * NS_PER_S
        self.answers: list[tuple[str, str | None]] = []
        self.keys, self.buttons = bytes(8), 0
        self.reports = 0
        self.told: list[HidReport | LetGo] = []

    def do(self, outcomes: list[Outcome]) -> None:
        for one in outcomes:
            if isinstance(one, ControlAnswer):
                self.answers.append((one.answer, one.reason or one.way))
            else:
                self.told.append(one)
            for report in (
                [one] if isinstance(one, HidReport) else one.reports if isinstance(one, LetGo) else []
            ):
                self.take(report, isinstance(one, HidReport))

    def take(self, report: HidReport, counts: bool) -> None:
        self.reports += counts
        if report.device == "keyboard":
            self.keys = report.data
        else:
            self.buttons = report.data[0]

    @property
    def is_up(self) -> bool:
        return not any(self.keys) and not self.buttons

    def passes(self, seconds: float) -> None:
        self.now_ns += int(seconds * NS_PER_S)

    def tick(self) -> None:
        self.do(self.desk.tick(self.now_ns))

    def shown(self) -> tuple[str, int]:
        """The code, and the tries that are left."""
        status = self.desk.status(self.now_ns)
        assert status is not None
        return status.code, status.tries_left

    def grant(self, control_id: str = "c_1", **more: Any) -> None:
        self.do(self.desk.granted(control(control_id, **more), CODE, self.now_ns))

    def type_code(self, code: str = CODE, control_id: str = "c_1") -> None:
        self.do(self.desk.code_typed(control_id, code, self.now_ns))

    def touch(self, control_id: str = "c_1") -> None:
        self.do(self.desk.touched(control_id, self.now_ns))

    def badge(self, text: str, control_id: str = "c_1") -> None:
        self.do(self.desk.badge_shown(control_id, text, self.now_ns))

    def press(self, pressed: Pressed = KEY, control_id: str = "c_1", who: str = "p_1") -> None:
        self.do(self.desk.pressed(control_id, who, pressed, SCREEN, self.now_ns))

    def activate(self, control_id: str = "c_1", **more: Any) -> None:
        self.grant(control_id, **more)
        self.touch(control_id)
        self.answers.clear()


@pytest.fixture
def beside() -> Beside:
    return Beside()


@pytest.mark.parametrize(
    ("way", "confirm"),
    [
        ("code", lambda beside: beside.type_code()),
        ("touch", lambda beside: beside.touch()),
        ("badge", lambda beside: beside.badge(f" {BADGE}\n")),
    ],
)
def test_nothing_is_pressed_before_it_is_confirmed_here_and_then_it_is(
    beside: Beside, way: str, confirm: Callable[[Beside], None]
) -> None:
    beside.press()
    beside.grant()
    beside.press()
    assert beside.reports == 0
    confirm(beside)
    assert beside.answers == [("confirmed", way)]
    beside.press()
    assert beside.keys == keyboard_report(["KeyA"])


def test_a_way_that_is_not_configured_confirms_nothing() -> None:
    tries: list[tuple[ControlWay, Callable[[Beside], None]]] = [
        ("touch", lambda beside: beside.type_code()),
        ("code", lambda beside: beside.touch()),
        ("code", lambda beside: beside.badge(BADGE)),
    ]
    for only, confirm in tries:
        beside = Beside(replace(TERMS, ways=(only,)))
        beside.grant()
        confirm(beside)
        beside.press()
        assert beside.reports == 0
        assert "confirmed" not in [answer for answer, _ in beside.answers]


def test_the_server_alone_makes_nothing_active(beside: Beside) -> None:
    beside.grant(stage="active")
    beside.press()
    beside.grant()
    beside.grant(stage="active")
    beside.press()
    assert beside.reports == 0


def test_digits_of_other_scripts_are_a_wrong_code_and_no_crash(beside: Beside) -> None:
    beside.grant()
    beside.type_code("٠٤٢٠١٧")
    assert beside.answers == [("wrong_code", None)]


def test_told_again_of_its_grant_it_keeps_its_code_and_its_time(beside: Beside) -> None:
    beside.grant()
    beside.passes(ANSWER_WITHIN_S - 1)
    beside.do(beside.desk.granted(control(tries_left=2), "111111", beside.now_ns))
    status = beside.desk.status(beside.now_ns)
    assert status is not None
    assert (status.code, status.left_s, status.name) == (CODE, 1, "Dr. Wang")
    beside.passes(1)
    beside.tick()
    assert beside.answers == [("ended", "not_confirmed")]


def test_a_grant_that_replaces_another_needs_its_own_confirmation(beside: Beside) -> None:
    beside.activate()
    beside.press()
    beside.grant("c_2")
    assert beside.is_up
    beside.press(control_id="c_2")
    beside.press()
    beside.touch("c_1")
    beside.press()
    assert beside.is_up


def test_unknown_badges_are_counted_and_five_end_it(beside: Beside) -> None:
    beside.grant()
    for _ in range(4):
        beside.badge("a box of gloves")
    status = beside.desk.status(beside.now_ns)
    assert status is not None
    assert status.wrong_badge
    assert beside.answers == []
    beside.badge("a box of gloves")
    assert beside.answers == [("ended", "not_confirmed")]


def test_it_lasts_as_long_as_was_granted_and_never_longer_than_this_box_allows(beside: Beside) -> None:
    for granted, minutes in ((5, 5), (15, 10)):
        beside.activate(minutes=granted)
        for _ in range(minutes * 60 - 1):
            beside.passes(1)
            beside.press()
        assert not beside.is_up
        beside.passes(1)
        beside.press(DRAG)  # comes before any tick
        assert beside.is_up
        assert beside.answers == [("ended", "expired")]


def test_without_a_sign_of_life_everything_is_let_go_of_and_then_it_ends(beside: Beside) -> None:
    beside.activate()
    beside.press(DRAG)
    beside.passes(RELEASE_AFTER_S - 0.1)
    beside.tick()
    assert not beside.is_up
    beside.passes(0.1)
    beside.tick()
    assert beside.is_up
    beside.press(KEY)
    assert not beside.is_up, "it goes on when word comes again"
    beside.passes(SILENT_AFTER_S)
    beside.tick()
    assert beside.is_up
    assert beside.answers == [("ended", "silent")]


ENDINGS: dict[str, Callable[[Beside], None]] = {
    "the connection is lost": lambda beside: beside.do(beside.desk.lost()),
    "the room says so": lambda beside: beside.do(beside.desk.over("c_1")),
    "stopped at the box": lambda beside: beside.do(beside.desk.stopped("c_1")),
    "paused": lambda beside: beside.do(beside.desk.paused(True)),
    "the gadget fails": lambda beside: beside.do(beside.desk.failed()),
}


@pytest.mark.parametrize("end", ENDINGS)
def test_whatever_ends_it_lets_go_of_everything_and_a_new_grant_is_needed(beside: Beside, end: str) -> None:
    beside.activate()
    beside.press(DRAG)
    ENDINGS[end](beside)
    assert beside.is_up
    assert not beside.desk.holds
    before = beside.reports
    beside.press()
    beside.touch()
    beside.type_code()
    beside.press()
    assert beside.reports == before


def test_why_it_ended_at_the_box_is_told_the_room_and_what_the_room_knows_is_not(beside: Beside) -> None:
    for end, told in (
        ("stopped at the box", [("ended", "stopped_at_box")]),
        ("paused", [("ended", "paused")]),
        ("the gadget fails", [("ended", "device_failed")]),
        ("the connection is lost", []),
        ("the room says so", []),
    ):
        beside.do(beside.desk.paused(False))
        beside.activate()
        ENDINGS[end](beside)
        assert beside.answers == told, end


def test_during_a_pause_nothing_is_granted(beside: Beside) -> None:
    beside.do(beside.desk.paused(True))
    beside.grant()
    assert beside.answers == [("ended", "paused")]
    assert not beside.desk.holds


def test_somebody_elses_messages_and_other_controls_touch_nothing(beside: Beside) -> None:
    beside.activate()
    beside.press(KEY, who="p_2")
    beside.press(KEY, control_id="c_2")
    assert beside.reports == 0
    beside.press()
    beside.do(beside.desk.over("c_2"))
    beside.do(beside.desk.stopped("c_2"))
    assert beside.keys == keyboard_report(["KeyA"])
    beside.passes(RELEASE_AFTER_S)
    beside.press(KEY, who="p_2")  # no sign of life of whose it is
    assert beside.is_up


def test_while_the_devices_picture_is_not_to_be_seen_nothing_is_down(beside: Beside) -> None:
    beside.activate()
    beside.press(DRAG)
    beside.do(beside.desk.pressed("c_1", "p_1", DRAG, None, beside.now_ns))
    assert beside.is_up
    beside.press(KEY)
    assert not beside.is_up, "it goes on with the picture"


def test_the_code_shows_in_no_repr_and_no_more_once_it_was_typed(beside: Beside) -> None:
    beside.grant()
    assert CODE not in repr(beside.desk._held)
    status = beside.desk.status(beside.now_ns)
    assert status is not None
    assert CODE not in repr(status)
    beside.type_code()
    status = beside.desk.status(beside.now_ns)
    assert status is not None
    assert (status.stage, status.code, status.left_s) == ("active", "", 300)


PRESSED = st.builds(
    Pressed,
    keys=st.lists(st.sampled_from(["KeyA", "ShiftLeft", "Enter"]), max_size=3).map(tuple),
    pointer=st.none() | st.builds(Pointer, x=st.just(0.5), y=st.just(0.25), buttons=st.integers(0, 7)),
)
IDS = st.sampled_from(["c_1", "c_2"])
STEPS = st.one_of(
    st.tuples(st.just("grant"), IDS),
    st.tuples(st.just("type_code"), st.sampled_from([CODE, "000000"]), IDS),
    st.tuples(st.just("touch"), IDS),
    st.tuples(st.just("badge"), st.sampled_from([BADGE, "x"]), IDS),
    st.tuples(st.just("press"), PRESSED, IDS, st.sampled_from(["p_1", "p_1", "p_2"])),
    st.tuples(st.just("passes"), st.sampled_from([0.1, 1.0, 2.0, 9.0, 130.0])),
    st.tuples(st.just("tick")),
    st.tuples(st.just("end"), st.sampled_from(sorted(ENDINGS))),
)


@given(st.lists(STEPS, max_size=40))
def test_whatever_comes_in_whatever_order_a_key_is_down_only_in_a_confirmed_control(steps: list[Any]) -> None:
    beside, confirmed = Beside(), False
    for name, *args in steps:
        before, reports = len(beside.answers), beside.reports
        if name == "end":
            ENDINGS[args[0]](beside)
            beside.do(beside.desk.paused(False))
        else:
            getattr(beside, name)(*args)
        now_confirmed = "confirmed" in [answer for answer, _ in beside.answers[before:]]
        assert not now_confirmed or name == "touch" or args[0] in (CODE, BADGE)
        status = beside.desk.status(beside.now_ns)
        active = status is not None and status.stage == "active"
        assert not active or confirmed or now_confirmed, "active only by what was confirmed here"
        assert active or beside.is_up
        confirmed = active
        if beside.reports > reports:
            assert status is not None
            assert (name, args[1], args[2]) == ("press", status.control_id, "p_1")
            assert active
            assert status.left_s > 0
