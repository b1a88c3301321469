"""When each frame was shown, as the page itself saw it; and what it said and heard about its connections."""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from playwright.sync_api import Page, WebSocket

SHOWN = """
(() => {
  window.shown = {};
  window.connections = [];
  const native = window.RTCPeerConnection;
  window.RTCPeerConnection = function (configuration) {
    const made = new native(configuration);
    window.connections.push(made);
    return made;
  };
  window.RTCPeerConnection.prototype = native.prototype;
  const known = new WeakSet();
  const follow = (video) => {
    known.add(video);
    const frame = (nowMs) => {
      const name = video.closest("[data-feed]")?.dataset.feed;
      if (name) (window.shown[name] ??= []).push(nowMs);
      video.requestVideoFrameCallback(frame);
    };
    video.requestVideoFrameCallback(frame);
  };
  setInterval(() => {
    for (const video of document.querySelectorAll("video")) if (!known.has(video)) follow(video);
  }, 50);
})();
"""
LOCAL_ADDRESS = """
async () => {
  const report = await window.connections.at(-1).getStats();
  const transport = [...report.values()].find((entry) => entry.type === "transport");
  const pair = report.get(transport?.selectedCandidatePairId);
  return report.get(pair?.localCandidateId)?.address ?? "";
}
"""
NEGOTIATION = frozenset({"offer", "answer", "publish", "published", "restart_ice", "subscribe"})


class Watch:
    """Of one page, from before it loads: every frame's time, every room message, every peer connection."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.said: list[tuple[str, str]] = []
        """(`sent` or `heard`, type of the message), oldest first."""
        page.add_init_script(SHOWN)
        page.on("websocket", self._follow)

    def now_ms(self) -> float:
        """The page's clock."""
        return float(self.page.evaluate("() => performance.now()"))

    def shown_ms(self, feed: str) -> list[float]:
        """When each frame of the feed was shown, by the page's clock."""
        return [float(at_ms) for at_ms in self.page.evaluate("(name) => window.shown[name] ?? []", feed)]

    def longest_gap_s(self, feed: str, from_ms: float) -> float:
        """Between two frames, the latter shown after `from_ms`; and until now."""
        times_ms = self.shown_ms(feed)
        before = [at_ms for at_ms in times_ms if at_ms <= from_ms][-1:]
        after = [at_ms for at_ms in times_ms if at_ms > from_ms]
        return _longest([*before, *after, self.now_ms()]) / 1000

    def first_after_s(self, feed: str, from_ms: float) -> float | None:
        """From then until the next frame."""
        return next(((at_ms - from_ms) / 1000 for at_ms in self.shown_ms(feed) if at_ms > from_ms), None)

    def connections(self) -> list[str]:
        """The state of every peer connection the page ever made."""
        states: list[str] = self.page.evaluate("() => window.connections.map((one) => one.connectionState)")
        return states

    def local_address(self) -> str:
        """Where the newest connection receives."""
        return str(self.page.evaluate(LOCAL_ADDRESS))

    def negotiated_since(self, number: int) -> list[tuple[str, str]]:
        """Messages about descriptions since `len(said)` was that."""
        return [message for message in self.said[number:] if message[1] in NEGOTIATION]

    def _follow(self, socket: WebSocket) -> None:
        socket.on("framesent", lambda frame: self._note("sent", frame))
        socket.on("framereceived", lambda frame: self._note("heard", frame))

    def _note(self, way: str, frame: Any) -> None:
        self.said.append((way, json.loads(frame)["type"]))


def _longest(times_ms: Sequence[float]) -> float:
    return max((after - before for before, after in pairwise(times_ms)), default=0.0)
