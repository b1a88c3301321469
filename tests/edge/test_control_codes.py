"""Codes at the box: few tries, whatever is granted, and a rest after them."""

from __future__ import annotations

from dataclasses import replace

from edge_agents.control_desk import CODE_RESTS_S
from tests.edge.test_control_desk import CODE, TERMS, Beside
from tests.edge.test_control_desk import beside as beside

WRONG: tuple[str, str | None] = ("wrong_code", None)


def test_three_wrong_codes_end_it_and_for_a_minute_none_is_shown_and_none_is_right(beside: Beside) -> None:
    beside.grant()
    for _ in range(3):
        beside.type_code("999999")
    assert beside.answers == [WRONG, WRONG, ("ended", "wrong_code")]
    beside.type_code()
    assert len(beside.answers) == 3
    beside.passes(10)
    beside.grant("c_2")
    assert beside.shown() == ("", 3)
    for _ in range(3):
        beside.type_code(CODE, "c_2")
    assert beside.answers[3:] == [WRONG] * 3, "costs no try, and ends nothing"
    beside.passes(CODE_RESTS_S - 10.001)
    beside.type_code(CODE, "c_2")
    assert beside.shown() == ("", 3)
    beside.passes(0.001)
    assert beside.shown() == (CODE, 3), "by time, not by grant"
    beside.type_code(CODE, "c_2")
    assert beside.answers[-1] == ("confirmed", "code")


def test_while_codes_rest_another_way_confirms(beside: Beside) -> None:
    beside.grant()
    for _ in range(3):
        beside.type_code("999999")
    beside.grant("c_2")
    beside.touch("c_2")
    assert beside.answers[-1] == ("confirmed", "touch")


def test_a_new_grant_brings_no_new_tries(beside: Beside) -> None:
    for number, told in enumerate((WRONG, WRONG, ("ended", "wrong_code"))):
        beside.grant(f"c_{number}")
        assert beside.shown() == (CODE, 3 - number)
        beside.type_code("999999", f"c_{number}")
        assert beside.answers[-1] == told
        beside.do(beside.desk.over(f"c_{number}"))
    beside.grant("c_9")
    assert beside.shown()[0] == ""


def test_what_was_confirmed_here_brings_all_tries_back(beside: Beside) -> None:
    for control_id in ("c_1", "c_2"):
        beside.grant(control_id)
        for _ in range(2):
            beside.type_code("999999", control_id)
        beside.type_code(CODE, control_id)
        beside.do(beside.desk.over(control_id))
    beside.grant("c_3")
    assert beside.shown() == (CODE, 3)


def test_a_box_that_takes_codes_alone_refuses_while_they_rest() -> None:
    beside = Beside(replace(TERMS, ways=("code",)))
    beside.grant()
    for _ in range(3):
        beside.type_code("999999")
    beside.grant("c_2")
    assert beside.answers[-1] == ("ended", "wrong_code")
    assert not beside.desk.holds
    beside.passes(CODE_RESTS_S)
    beside.grant("c_3")
    beside.type_code(CODE, "c_3")
    assert beside.answers[-1] == ("confirmed", "code")
