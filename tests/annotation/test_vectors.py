"""The vectors that the web client's replica is tested with say what ours does."""

from __future__ import annotations

import json

from annotation.replica import Replica
from core.annotations import Change, Mark
from tests.annotation import replay_vectors
from tests.annotation.vectors import PATH, text


def test_the_vectors_are_what_is_made_now() -> None:
    assert PATH.read_text() == text(), "run `python -m tests.annotation.vectors`"


def test_a_replica_does_what_the_vectors_say() -> None:
    seen = set()
    for scenario in json.loads(PATH.read_text()):
        replica = Replica(scenario["known"])
        changes = [Change.model_validate(change) for change in scenario["changes"]]
        assert [replica.apply(scenario["document_id"], change) for change in changes] == scenario["applied"]
        assert list(replica.marks.values()) == [Mark.model_validate(mark) for mark in scenario["marks"]]
        seen |= {change.op for change in changes}
    assert seen == {"add", "extend", "update", "remove", "clear", "undo", "redo", "calibrate"}


def test_what_a_film_shows_is_what_the_replay_s_vectors_say() -> None:
    wanted = json.loads(replay_vectors.PATH.read_text())
    made = json.loads(replay_vectors.text())
    assert made == wanted, "run `python -m tests.annotation.replay_vectors`"
    marks = [mark for look in wanted["looks"] for mark in look["marks"]]
    assert {mark["unsure"] for mark in marks} == {True, False}
    assert any(mark["motion"][4] for mark in marks)
    assert any(look["pointers"] for look in wanted["looks"])
