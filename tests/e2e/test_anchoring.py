"""What a drawing stays with: one very frame of the live picture, or the tissue in it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.support.browser import join, join_on_site, wait_for
from tests.support.demo import Demo
from tests.support.rest import Rest
from tests.support.seat import Seat
from tests.support.stage import new_person
from tests.support.time_code_page import SCRIPT

pytestmark = pytest.mark.browser

CARD: Final = "theatre"
ULTRASOUND: Final = "ultrasound"
FRAME_US: Final = 33_334
ROUNDING_US: Final = 4_000
"""The server knows the box's clock so well."""
MARKS: Final = 6
AHEAD_US: Final = 900_000
APART_US: Final = 400_000
WITHIN_MS: Final = 20_000

KEEP_SAID: Final = """
(() => {
  const Real = window.WebSocket;
  window.said = [];
  window.WebSocket = class extends Real {
    constructor(...given) {
      super(...given);
      this.addEventListener("message", ({ data }) => {
        const message = JSON.parse(data);
        if (["capture_clock", "marks_moved"].includes(message.type)) window.said.push(message);
      });
    }
  };
})();
"""
WATCH_MARKS: Final = """([feed, places]) => {
  let code = null;
  window.look.onFrames(feed, (_told, read) => { code = read; });
  window.seen = [];
  window.afterDrawing.push(() => {
    if (code === null) return;
    window.seen.push([code, places.map(([x, y]) => window.look.inked(feed, x, y))]);
  });
}"""
WATCH_HELD: Final = """(feed) => {
  window.held = [];
  window.afterDrawing.push(() => {
    const code = window.look.canvasCode(feed);
    if (code !== null) window.held.push([code, window.look.inked(feed, 0.5, 0.5)]);
  });
}"""
WATCH_MOTION: Final = """(feed) => {
  const video = window.look.videoOf(feed), canvas = window.look.canvasOf(feed);
  let rtp = null;
  window.moved = [];
  const note = (_now, frame) => {
    rtp = frame.rtpTimestamp;
    video.requestVideoFrameCallback(note);
  };
  video.requestVideoFrameCallback(note);
  window.afterDrawing.push(() => {
    const { left, top, width, height } = window.look.placed(canvas, video);
    const [x0, y0] = [Math.round(left + 0.3 * width), Math.round(top + 0.25 * height)];
    const [w, h] = [Math.round(0.4 * width), Math.round(0.55 * height)];
    const { data } = canvas.getContext("2d").getImageData(x0, y0, w, h);
    let [sumX, sumY, count] = [0, 0, 0];
    for (let at = 3, n = 0; at < data.length; at += 4, n += 1) {
      if (data[at] === 0) continue;
      sumX += data[at] * (x0 + (n % w) + 0.5);
      sumY += data[at] * (y0 + Math.floor(n / w) + 0.5);
      count += data[at];
    }
    if (count > 0 && rtp !== null)
      window.moved.push([
        rtp, (sumX / count - left) / width, (sumY / count - top) / height, window.said.length,
      ]);
    if (window.moved.length > 400) window.moved.shift();
  });
}"""


@pytest.fixture
def pages(small_demo: Demo, browser: Browser) -> Iterator[list[Page]]:
    """A specialist's, and the one beside the device."""
    contexts = [new_person(browser) for _ in range(2)]
    for context in contexts:
        context.add_init_script(SCRIPT)
        context.add_init_script(KEEP_SAID)
    pages = [context.new_page() for context in contexts]
    join(pages[0], small_demo.base_url, small_demo.user("specialist"))
    join_on_site(pages[1], small_demo.base_url, small_demo.user("site"))
    yield pages
    for context in contexts:
        context.close()


@pytest.fixture
def seat(small_demo: Demo) -> Iterator[Seat]:
    """Another specialist's, without a browser."""
    rest = Rest.signed_in(small_demo.base_url, small_demo.user("specialist2"))
    token = rest.expect(200, "POST", f"/api/v1/rooms/{small_demo.info['room']}/join")["token"]
    with Seat(small_demo.base_url, small_demo.info["room"], token) as seat:
        seat.wait_for("welcome")
        yield seat


def focus(page: Page, feed: str) -> None:
    wait_for(page, lambda report: report["feeds"].get(feed, {}).get("framesDecoded"), 15, "a picture")
    tile = page.get_by_test_id(f"feed-{feed}")
    if tile.get_attribute("data-focused") != "true":
        tile.locator(".cover").click()
    page.locator(f'[data-testid="feed-{feed}"][data-focused="true"]').wait_for()


def choose(page: Page, tool: str, anchor: str) -> None:
    page.get_by_test_id("draw-open").click()
    page.get_by_test_id(f"tool-{tool}").click()
    page.get_by_test_id(f"anchor-{anchor}").click()
    expect(page.get_by_test_id(f"anchor-{anchor}")).to_have_attribute("aria-pressed", "true")


def drag(page: Page, feed: str, start: tuple[float, float], end: tuple[float, float]) -> None:
    """With the tool in the hand, over places of the picture."""
    (left, top), (right, bottom) = spot(page, feed, *start), spot(page, feed, *end)
    page.mouse.move(left, top)
    page.mouse.down()
    for share in (0.25, 0.5, 0.75, 1.0):
        page.mouse.move(left + share * (right - left), top + share * (bottom - top))
        page.wait_for_timeout(40)


def spot(page: Page, feed: str, x: float, y: float) -> tuple[float, float]:
    found = page.evaluate(
        """([feed, x, y]) => {
          const canvas = window.look.canvasOf(feed), box = canvas.getBoundingClientRect();
          const { left, top, width, height } = window.look.placed(canvas, window.look.videoOf(feed));
          const css = box.width / canvas.width;
          return [box.left + (left + x * width) * css, box.top + (top + y * height) * css];
        }""",
        [feed, x, y],
    )
    return found[0], found[1]


def marks(page: Page, feed: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = page.evaluate(
        "(feed) => window.teleconsult.drawings()[feed]?.marks ?? []", feed
    )
    return found


def line_for_frame(number: int, captured_us: int) -> dict[str, Any]:
    """An `annotate`: a mark of that frame at a place of its own."""
    at = 0.2 + 0.1 * number
    name = f"{number}-{captured_us}"
    mark = {"mark_id": f"frame-{name}", "tool": "pen", "colour": "#ffffff", "width": 0.03,
            "points": [at, 0.6, at + 0.01, 0.6, at, 0.6],
            "captured_us": captured_us, "anchor": "frame"}  # fmt: skip
    add = {"op": "add", "mark": mark}
    return {"type": "annotate", "op_id": f"op-{name}", "feed": CARD, "operation": add}


def test_a_mark_of_a_frame_is_seen_by_everybody_on_that_very_frame_and_no_other(
    pages: list[Page], seat: Seat
) -> None:
    """Said before the frame comes, so that everybody has it in time."""
    places = [(0.205 + 0.1 * number, 0.6) for number in range(MARKS)]
    for page in pages:
        focus(page, CARD)
        page.evaluate(WATCH_MARKS, [CARD, places])
    now_us = pages[0].evaluate("(feed) => window.look.videoCode(feed)", CARD)
    wanted = [now_us + AHEAD_US + number * APART_US for number in range(MARKS)]
    for number, captured_us in enumerate(wanted):
        seat.say(line_for_frame(number, captured_us))
    for page in pages:
        page.wait_for_function(
            "(last) => window.seen.some(([code]) => code > last)", arg=wanted[-1] + 200_000
        )
        seen = page.evaluate("window.seen")
        off = [
            [code - captured_us for code, inked in seen if inked[number]]
            for number, captured_us in enumerate(wanted)
        ]
        print([[round(one / 1000) for one in of_mark] for of_mark in off])
        assert sum(bool(of_mark) for of_mark in off) >= MARKS / 3  # a busy page leaves frames out
        assert all(abs(one) <= FRAME_US + ROUNDING_US for of_mark in off for one in of_mark)


def test_what_is_drawn_for_a_frame_is_drawn_on_it_and_it_stands_still_meanwhile(pages: list[Page]) -> None:
    expert, site = pages
    for page in pages:
        focus(page, CARD)
    site.evaluate(WATCH_MARKS, [CARD, [(0.5, 0.5)]])
    choose(expert, "pen", "frame")
    expert.evaluate(WATCH_HELD, CARD)
    drag(expert, CARD, (0.4, 0.4), (0.6, 0.6))
    expect(expert.get_by_test_id(f"doubts-{CARD}")).to_contain_text("Held while you draw")
    expert.wait_for_timeout(200)
    expert.mouse.up()
    expect(expert.get_by_test_id(f"doubts-{CARD}")).to_contain_text("On other frames")
    expect(expert.get_by_test_id(f"doubts-{CARD}")).not_to_contain_text("Held while you draw")
    (mark,) = [one for one in marks(expert, CARD) if not one["mark_id"].startswith("frame-")]
    held = expert.evaluate("window.held")
    inked = [code for code, is_inked in held if is_inked]
    assert mark["anchor"] == "frame"
    assert len(inked) >= 3
    assert all(abs(code - mark["captured_us"]) <= FRAME_US + ROUNDING_US for code, _ in held)
    assert len({code for code, _ in held}) == 1, "the picture stood still"
    expect(site.get_by_test_id(f"doubts-{CARD}")).to_contain_text("On other frames")
    elsewhere = [code for code, (is_inked,) in site.evaluate("window.seen") if is_inked]
    assert all(abs(code - mark["captured_us"]) <= FRAME_US + ROUNDING_US for code in elsewhere)


def test_a_mark_on_tissue_is_where_the_box_says_in_the_very_frame_that_is_shown(pages: list[Page]) -> None:
    expert, site = pages
    for page in pages:
        focus(page, ULTRASOUND)
    choose(expert, "ellipse", "tissue")
    drag(expert, ULTRASOUND, (0.45, 0.42), (0.56, 0.62))
    expert.mouse.up()
    site.evaluate(WATCH_MOTION, ULTRASOUND)
    site.wait_for_function(
        "() => window.said.filter(({ marks }) => marks?.some(({ state }) => state === 'held')).length > 90"
        " && window.moved.length > 60",
        timeout=WITHIN_MS,
    )
    (mark,) = marks(site, ULTRASOUND)
    x0, y0, x1, y1 = mark["points"]
    middle = ((x0 + x1) / 2, (y0 + y1) / 2)
    said, seen = site.evaluate("window.said"), site.evaluate("window.moved")
    off, ways = compared(said, seen, mark["mark_id"], middle)
    frames = len({rtp for rtp, *_ in seen})
    print(f"{len(off)} of {len(seen)} looks at {frames} frames, moved {max(ways):.4f}, off {max(off):.5f}")
    assert len(off) >= 20
    assert max(ways) > 0.004, "it moved"
    assert max(off) <= 0.003


def compared(
    said: list[dict[str, Any]], seen: list[list[float]], mark_id: str, middle: tuple[float, float]
) -> tuple[list[float], list[float]]:
    """How far ink was from where the box had said it is in the frame shown; and how far the box moved it."""
    clocks = {one["track_id"]: one for one in said if one["type"] == "capture_clock"}
    told = [
        (number, one["captured_us"], motion["motion"])
        for number, one in enumerate(said)
        if one["type"] == "marks_moved"
        for motion in one["marks"]
        if motion["mark_id"] == mark_id and motion["state"] == "held"
    ]
    by_clock = [_compared(clock, told, seen, middle) for clock in clocks.values()]
    return max(by_clock, key=lambda pair: len(pair[0]))


def _compared(
    clock: dict[str, Any],
    told: list[tuple[int, int, list[float]]],
    seen: list[list[float]],
    middle: tuple[float, float],
) -> tuple[list[float], list[float]]:
    off, ways = [], []
    for rtp, x, y, heard in seen:
        forward = (int(rtp) - clock["rtp_timestamp"] + (1 << 31)) % (1 << 32) - (1 << 31)
        shown_us = clock["capture_time_us"] + forward * 1_000_000 / clock["clock_rate"]
        known = [one for one in told if one[0] < heard and abs(one[1] - shown_us) <= 5_000]
        if known:
            a, b, c, d, e, f = known[0][2]
            there = (a * middle[0] + c * middle[1] + e, b * middle[0] + d * middle[1] + f)
            off.append(max(abs(x - there[0]), abs(y - there[1])))
            ways.append(max(abs(there[0] - middle[0]), abs(there[1] - middle[1])))
    return off, ways
