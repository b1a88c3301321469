"""When a page showed which frame: notes every frame that a video element presents."""

from __future__ import annotations

from collections import defaultdict
from itertools import pairwise
from typing import Final, NamedTuple

from playwright.sync_api import Page

SCRIPT: Final = """
(() => {
  const shown = (window.shownFrames = []);
  const watched = new WeakSet();
  const watch = (feed, video) => {
    if (watched.has(video)) return;
    watched.add(video);
    const note = (now, frame) => {
      shown.push([feed, performance.timeOrigin + performance.now(), frame.width, frame.height]);
      video.requestVideoFrameCallback(note);
    };
    video.requestVideoFrameCallback(note);
  };
  setInterval(() => {
    for (const tile of document.querySelectorAll('[data-testid^="feed-"]')) {
      const video = tile.querySelector("video");
      if (video !== null) watch(tile.dataset.testid.slice("feed-".length), video);
    }
  }, 100);
})();
"""
"""For the page to run before its own scripts."""


class Frame(NamedTuple):
    """`at_s`: Unix time."""

    at_s: float
    width: int
    height: int


class ShownFrames:
    """What one page has shown so far, by feed; `read` fetches what is new."""

    def __init__(self, page: Page) -> None:
        self._page = page
        self.by_feed: dict[str, list[Frame]] = defaultdict(list)

    def read(self) -> None:
        for feed, at_ms, width, height in self._page.evaluate("() => window.shownFrames.splice(0)"):
            self.by_feed[feed].append(Frame(at_ms / 1000, width, height))

    def between(self, feed: str, start_s: float, end_s: float) -> list[Frame]:
        """Frames shown in that time."""
        return [frame for frame in self.by_feed[feed] if start_s <= frame.at_s < end_s]

    def longest_gap_s(self, feed: str, start_s: float, end_s: float) -> float:
        """The longest time without a new picture."""
        times_s = [frame.at_s for frame in self.between(feed, start_s, end_s)]
        return max(b - a for a, b in pairwise([start_s, *times_s, end_s]))

    def first_s(self, feed: str, width: int, after_s: float) -> float | None:
        """How long after `after_s` the first frame of that width was shown; None: never."""
        for frame in self.by_feed[feed]:
            if frame.at_s >= after_s and frame.width >= width:
                return frame.at_s - after_s
        return None
