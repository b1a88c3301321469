"""Follows one feed's `tissue` marks on its captured frames, in a thread of its own.

Capture is never held up: frames are left in a mailbox of one, and while there are no such marks they are not
even looked at. What a mark was drawn on, and what happened since, is taken from the feed's ring of stills.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
import structlog

from annotation.tissue import MAX_MARKS, Frame, TissueTracker, Transform, reduce
from annotation.tissue_geometry import Affine, Points
from core.annotations import Mark
from edge_agents.mailbox import Mailbox
from edge_agents.sources.base import CapturedFrame
from edge_agents.sources.picture import planes_of
from edge_agents.still import NEAR_US, StillRing

log = structlog.get_logger()

LOST_EVERY_US: Final = 500_000
"""How often it is said again of a mark that it is lost."""
FADED_US: Final = 2_000_000
"""Followed for so long on top: clocks differ."""
GROWS_US: Final = 300_000
"""A stroke that is being drawn is followed by what it was before, and anew only so often: it costs a core to
catch up with it thirty times a second.
"""
STOP_TIMEOUT_S: Final = 2.0
MAX_POINTS: Final = 500


@dataclass(slots=True)
class TissueStats:
    """`spent_ns`: CPU time of the thread. `skipped`: frames replaced by a newer one before they were seen."""

    frames: int = 0
    skipped: int = 0
    spent_ns: int = 0


class TissueWatch:
    """`deliver` is called in the watch's thread with what one frame showed: (capture time, transforms)."""

    def __init__(self, name: str, ring: StillRing, deliver: Callable[[Sequence[Transform]], None]) -> None:
        self.stats = TissueStats()
        self._log = log.bind(feed=name)
        self._ring, self._deliver = ring, deliver
        self._tracker = TissueTracker(time.perf_counter_ns)
        self._mailbox: Mailbox[CapturedFrame] = Mailbox()
        self._wanted: dict[str, Mark] = {}
        self._changed = threading.Event()
        self._followed: dict[str, Points] = {}
        self._stepped: Frame | None = None
        self._given_up: dict[str, Points] = {}
        self._said_us: dict[str, int] = {}
        self._begun_us: dict[str, int] = {}
        self._thread = threading.Thread(target=self._run, name=f"tissue-{name}", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Ask the thread to end and wait for it, at most `STOP_TIMEOUT_S`."""
        self._mailbox.close()
        if self._thread.is_alive():
            self._thread.join(STOP_TIMEOUT_S)

    def put(self, frame: CapturedFrame) -> None:
        """A captured frame, from the capture thread."""
        if self._wanted or self._changed.is_set():
            self._mailbox.put(frame)

    def set_marks(self, marks: Sequence[Mark]) -> None:
        """All marks of the feed that are to move with the tissue, as they are now. From any thread."""
        self._wanted = {mark.mark_id: mark for mark in marks}
        self._changed.set()

    def _run(self) -> None:
        cv2.setNumThreads(1)  # of the whole process: the other cores are the encoders'
        while (captured := self._mailbox.take()) is not None:
            began_ns = time.thread_time_ns()
            try:
                self._watch(captured)
            except Exception:  # a mark that cannot be followed must not end the feed
                self._log.exception("tissue_failed")
                self._start_anew()
            self.stats.frames += 1
            self.stats.skipped = self._mailbox.dropped
            self.stats.spent_ns += time.thread_time_ns() - began_ns

    def _watch(self, captured: CapturedFrame) -> None:
        if self._changed.is_set():
            self._changed.clear()
            self._take_over(self._wanted, captured.captured.unix_us)
        self._drop_faded(captured.captured.unix_us)
        frame = _reduced(captured)
        transforms = self._tracker.step(frame)
        self._stepped = frame
        transforms += [
            Transform(mark_id, frame.capture_time_us, Affine(), 0.0, "lost") for mark_id in self._given_up
        ]
        if told := [one for one in transforms if self._is_news(one)]:
            self._deliver(told)

    def _take_over(self, wanted: dict[str, Mark], before_us: int) -> None:
        """Follow what is new or has grown; forget what is gone."""
        for mark_id in [*self._followed, *self._given_up]:
            if mark_id not in wanted:
                self._forget(mark_id)
        for mark_id, mark in wanted.items():
            points = points_of(mark)
            known = self._followed.get(mark_id, self._given_up.get(mark_id))
            if known is not None and np.array_equal(known, points):
                continue
            if known is not None and before_us - self._begun_us.get(mark_id, 0) < GROWS_US:
                self._changed.set()  # looked at again with the next frame
                continue
            self._follow(mark_id, mark.captured_us or 0, points, before_us)
            self._begun_us[mark_id] = before_us

    def _follow(self, mark_id: str, captured_us: int, points: Points, before_us: int) -> None:
        drawn_on = self._ring.find(captured_us, NEAR_US)
        if drawn_on is None:  # a stroke that goes on for longer than the ring holds stays where it began
            (self._followed if mark_id in self._followed else self._given_up)[mark_id] = points
            return
        self._forget(mark_id)
        since = self._ring.since(drawn_on.captured.unix_us)
        since = [frame for frame in since if frame.captured.unix_us < before_us]
        if self._tracker.marks and self._stepped is not None:
            last_us = self._stepped.capture_time_us
            since = [frame for frame in since if frame.captured.unix_us <= last_us]
        shown = [_reduced(frame) for frame in _spread([drawn_on, *since])]
        if not self._tracker.marks:
            self._tracker.rest(shown[-1])
        begun = self._tracker.add(mark_id, points, shown[0], shown[1:])
        (self._followed if begun else self._given_up)[mark_id] = points

    def _drop_faded(self, now_us: int) -> None:
        """What has faded is taken out of the document only with the next operation."""
        wanted = {mark_id: mark for mark_id, mark in self._wanted.items() if not is_faded(mark, now_us)}
        if len(wanted) < len(self._wanted) and not self._changed.is_set():
            self._wanted = wanted
            self._take_over(wanted, now_us)

    def _forget(self, mark_id: str) -> None:
        self._tracker.remove(mark_id)
        for known in (self._followed, self._given_up):
            known.pop(mark_id, None)
        for when in (self._said_us, self._begun_us):
            when.pop(mark_id, None)

    def _start_anew(self) -> None:
        """With an empty tracker: what was followed is looked for again."""
        self._tracker = TissueTracker(time.perf_counter_ns)
        self._followed.clear()
        self._given_up.clear()
        self._stepped = None
        self._changed.set()

    def _is_news(self, told: Transform) -> bool:
        """That something is lost is said twice a second, not with every frame."""
        if told.state != "lost":
            self._said_us.pop(told.mark_id, None)
            return True
        if told.capture_time_us - self._said_us.get(told.mark_id, 0) < LOST_EVERY_US:
            return False
        self._said_us[told.mark_id] = told.capture_time_us
        return True


def points_of(mark: Mark) -> Points:
    """(n, 2), normalised; of long strokes every so many."""
    points = np.array(mark.points, np.float64).reshape(-1, 2)
    return points[:: max(1, len(points) // MAX_POINTS)]


def is_faded(mark: Mark, now_us: int) -> bool:
    """By the box's clock, which is near enough to the server's."""
    return mark.fade_after_ms is not None and now_us > mark.changed_us + mark.fade_after_ms * 1_000 + FADED_US


def tissue_marks(marks: Sequence[Mark]) -> list[Mark]:
    """Those to be followed: the newest, as many as can be."""
    return [mark for mark in marks if mark.anchor == "tissue"][-MAX_MARKS:]


def _reduced(captured: CapturedFrame) -> Frame:
    return reduce(planes_of(captured.picture).y, captured.captured.unix_us)


def _spread(frames: Sequence[CapturedFrame], most: int = 20) -> list[CapturedFrame]:
    if len(frames) <= most:
        return list(frames)
    return [frames[round(index)] for index in np.linspace(0, len(frames) - 1, most)]
