"""The capture box's colour bars, as Chromium shows them: matrix and range are what the stream says."""

from __future__ import annotations

from typing import Final

import pytest
from playwright.sync_api import BrowserContext

from edge_agents.sources.testcard import BARS_BGR
from tests.support.browser import join, wait_for
from tests.support.demo import Demo
from tests.support.stage import LIVE_WITHIN_S, is_live
from tests.support.time_code_page import SCRIPT

pytestmark = pytest.mark.browser

CARD: Final = "theatre"
TOLERANCE: Final = 16
"""Of 255; blue is the coarsest of an encoded picture. Taken for BT.601, it would be up to 38."""
WHITE_TOLERANCE: Final = 5
"""Taken for full range, it would be 11."""
BARS: Final = """([feed, count]) => {
  const video = window.look.videoOf(feed), canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [video.videoWidth, video.videoHeight];
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.drawImage(video, 0, 0);
  const y = Math.round(canvas.height * 0.3), half = 4;
  return Array.from({ length: count }, (_, bar) => {
    const x = Math.round(((bar + 0.5) * canvas.width) / count);
    const { data } = context.getImageData(x - half, y - half, 2 * half, 2 * half);
    const mean = [0, 0, 0];
    for (let at = 0; at < data.length; at += 1) if (at % 4 < 3) mean[at % 4] += data[at] / (4 * half * half);
    return mean;
  });
}"""


def test_colour_bars_have_their_colours_in_the_browser(small_demo: Demo, person: BrowserContext) -> None:
    page = person.new_page()
    page.add_init_script(SCRIPT)
    join(page, small_demo.base_url, small_demo.user("specialist"))
    wait_for(page, lambda report: is_live(report, CARD), LIVE_WITHIN_S, "the test card is shown")
    page.wait_for_function("(feed) => window.look.videoOf(feed)?.videoWidth > 0", arg=CARD)
    shown = page.evaluate(BARS, [CARD, len(BARS_BGR)])
    for colour, (blue, green, red) in zip(shown, BARS_BGR, strict=True):
        differences = [abs(got - meant) for got, meant in zip(colour, (red, green, blue), strict=True)]
        allowed = WHITE_TOLERANCE if (red, green, blue) == (191, 191, 191) else TOLERANCE
        assert max(differences) <= allowed, f"shown {colour}, meant {(red, green, blue)}; all: {shown}"
