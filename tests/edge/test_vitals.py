"""When pictures flow, when a feed hangs, and when only a new process helps."""

from __future__ import annotations

from dataclasses import replace

from core.clock import NS_PER_S
from edge_agents.clock_offset import KEPT, ClockOffset
from edge_agents.vitals import HANGS_AFTER_S, Counts, FeedWatch, Flow, is_well

NOTHING = Counts(captured=0, taken=0, encoded=0, failures=0, sent=0)
PICTURE = 30


class Second:
    """A feed, looked at once a second."""

    def __init__(self, counts: Counts = NOTHING) -> None:
        self.now_s, self.counts = 0.0, counts
        self._watch = FeedWatch(0)
        self.flow = self._watch.look(counts, 0)

    def passes(self, seconds: float = 1, **moved: int) -> Flow:
        """`moved`: by how much each number grows in every second."""
        for _ in range(int(seconds)):
            self.now_s += 1
            grown = {name: getattr(self.counts, name) + by for name, by in moved.items()}
            self.counts = replace(self.counts, **grown)
            self.flow = self._watch.look(self.counts, int(self.now_s * NS_PER_S))
        return self.flow


def flowing(**more: int) -> dict[str, int]:
    return {"captured": PICTURE, "taken": PICTURE, "encoded": PICTURE, "sent": PICTURE} | more


def test_pictures_that_are_captured_encoded_and_sent_flow() -> None:
    feed = Second(replace(NOTHING, connected=True))
    flow = feed.passes(5, **flowing())
    assert (flow.signal, flow.flowing, flow.sent, flow.hangs) == ("ok", True, True, False)
    assert flow.frames_per_s == PICTURE


def test_without_a_connection_they_flow_but_are_not_sent() -> None:
    flow = Second().passes(5, **flowing(sent=0))
    assert (flow.flowing, flow.sent) == (True, False)


def test_while_nobody_watches_nothing_is_encoded_and_all_is_well() -> None:
    feed = Second(replace(NOTHING, connected=True, resting=True))
    flow = feed.passes(60, captured=PICTURE, taken=PICTURE)
    assert (flow.flowing, flow.sent, flow.hangs) == (True, True, False)


def test_an_encoder_that_stands_still_hangs_though_pictures_come_in() -> None:
    feed = Second()
    feed.passes(5, **flowing())
    flow = feed.passes(HANGS_AFTER_S + 1, captured=PICTURE)
    assert (flow.signal, flow.flowing, flow.hangs, flow.worked) == ("ok", False, True, True)


def test_an_encoder_that_takes_pictures_and_gives_none_does_not_flow() -> None:
    feed = Second()
    feed.passes(5, **flowing())
    assert not feed.passes(5, captured=PICTURE, taken=PICTURE).flowing


def test_a_source_that_says_nothing_at_all_hangs() -> None:
    feed = Second()
    feed.passes(5, **flowing())
    assert not feed.passes(HANGS_AFTER_S - 1).hangs
    assert feed.passes(3).hangs


def test_a_source_that_fails_and_is_tried_again_does_not_hang() -> None:
    feed = Second()
    flow = feed.passes(120, failures=1)
    assert (flow.signal, flow.flowing, flow.hangs) == ("failing", False, False)


def test_a_slate_in_the_place_of_pictures_is_no_hanging() -> None:
    feed = Second(replace(NOTHING, signal="none", connected=True))
    flow = feed.passes(120, taken=1, encoded=1, sent=1)
    assert (flow.signal, flow.flowing, flow.sent, flow.hangs) == ("none", False, False, False)


def test_pictures_that_come_back_flow_again() -> None:
    feed = Second()
    feed.passes(60)
    assert feed.flow.hangs
    flow = feed.passes(3, **flowing())
    assert (flow.flowing, flow.hangs) == (True, False)


def test_a_feed_begun_anew_counts_from_nothing_and_has_a_rate_again() -> None:
    feed = Second()
    feed.passes(60, **flowing())
    feed.counts = NOTHING
    flow = feed.passes(6, **flowing())
    assert (flow.flowing, flow.frames_per_s) == (True, PICTURE)


GOOD = Flow("ok", True, True, 30.0, hangs=False, worked=True)
HUNG = replace(GOOD, flowing=False, hangs=True)
NEVER = replace(HUNG, worked=False)


def test_a_box_is_well_while_its_feeds_are() -> None:
    assert is_well([])
    assert is_well([GOOD, GOOD])


def test_one_feed_that_worked_and_hangs_needs_a_new_process() -> None:
    assert not is_well([GOOD, HUNG])


def test_one_that_never_worked_here_does_not_cut_the_others_off() -> None:
    assert is_well([GOOD, NEVER])
    assert not is_well([NEVER])


def test_the_clock_s_offset_is_that_of_the_quickest_answer() -> None:
    offset = ClockOffset()
    assert offset.ahead_ms is None
    offset.add(1_000_000, 100_000, 3_000_000)
    offset.add(5_000_000, 4_399_000, 5_002_000)
    offset.add(9_000_000, 1_000_000, 13_000_000)
    assert offset.ahead_ms == 602


def test_an_old_answer_is_forgotten_when_the_clock_was_set_right() -> None:
    offset = ClockOffset()
    offset.add(10_000_000, 1_000_000, 10_000_100)
    for number in range(KEPT):
        offset.add(number, number + 1_000, number + 2_000)
    assert offset.ahead_ms == 0


def test_nonsense_is_no_answer() -> None:
    offset = ClockOffset()
    offset.add(2_000_000, 0, 1_000_000)
    offset.add(0, 0, 60_000_000)
    assert offset.ahead_us is None
