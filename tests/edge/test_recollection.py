"""What a box is in the middle of is on its disk for as long as it is."""

from __future__ import annotations

import os
import time
from pathlib import Path

from edge_agents.recollection import MAX_AWAY_S, PRESENT, Present, recollect, remember
from edge_agents.ring_store import MANIFEST
from tests.edge.ring_support import CONSULTATION, Bench, buffer_key
from tests.support.waiting import blocking_until as until

HERE = Present(room="theatre-1", consultation_id=CONSULTATION)


def test_a_ring_remembers_where_it_is_and_whether_that_is_paused_until_it_is_over(tmp_path: Path) -> None:
    ring = Bench(tmp_path).ring()
    ring.attend(HERE)
    until(lambda: recollect(tmp_path, time.time()) == HERE, "remembered")
    ring.set_paused(True)
    until(lambda: recollect(tmp_path, time.time()) == HERE.model_copy(update={"paused": True}), "paused")
    ring.begin(buffer_key())
    ring.set_paused(False)
    until(lambda: recollect(tmp_path, time.time()) == HERE, "not paused any more")
    ring.end()
    until(lambda: recollect(tmp_path, time.time()) is None, "forgotten")
    ring.stop()
    assert not (tmp_path / PRESENT).exists()


def test_a_ring_that_recalls_a_pause_keeps_nothing_of_it(tmp_path: Path) -> None:
    ring = Bench(tmp_path).ring()
    ring.attend(HERE.model_copy(update={"paused": True}))
    ring.begin(buffer_key())
    until((tmp_path / CONSULTATION / MANIFEST).exists, "begun")
    assert not ring.keeping
    ring.set_paused(False)
    until(lambda: ring.keeping, "it keeps")
    ring.stop()


def test_what_was_long_ago_is_not_recalled_but_what_is_kept_counts(tmp_path: Path) -> None:
    remember(tmp_path, HERE)
    now_s = time.time()
    long_ago_s = now_s - MAX_AWAY_S - 1
    os.utime(tmp_path / PRESENT, (long_ago_s, long_ago_s))
    assert recollect(tmp_path, now_s) is None
    (tmp_path / CONSULTATION).mkdir()
    (tmp_path / CONSULTATION / MANIFEST).touch()
    assert recollect(tmp_path, now_s) == HERE


def test_what_cannot_be_read_is_not_recalled(tmp_path: Path) -> None:
    assert recollect(tmp_path / "nowhere", time.time()) is None
    for text in ("", "{}", '{"room": "a", "consultation_id": "../../etc"}'):
        (tmp_path / PRESENT).write_text(text)
        assert recollect(tmp_path, time.time()) is None
