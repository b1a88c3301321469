"""Layers from end to end: everybody gets the size they show, and what nobody shows rests at its source."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.support.browser import enter, join, sign_in, stats, wait_for
from tests.support.demo import Demo
from tests.support.stage import new_person

pytestmark = [pytest.mark.browser, pytest.mark.timeout(240)]

LIVE_WITHIN_S = 30.0
CHANGED_WITHIN_S = 30.0
"""A small machine takes its time with four pictures; what rests is known to be unwanted for 5 s first."""
LARGE_PX = 1280
SMALL_PX = 320

KEEP_CONNECTIONS = """
window.connections = [];
window.RTCPeerConnection = class extends RTCPeerConnection {
  constructor(...given) { super(...given); window.connections.push(this); }
};"""
SENT = """async () => {
  const sent = {};
  for (const connection of window.connections)
    for (const entry of (await connection.getStats()).values())
      if (entry.type === "outbound-rtp" && entry.kind === "video")
        sent[entry.rid ?? ""] = { active: entry.active, frames: entry.framesSent ?? 0 };
  return sent;
}"""


@pytest.fixture
def third_person(browser: Browser) -> Iterator[BrowserContext]:
    context = new_person(browser)
    yield context
    context.close()


def publisher(context: BrowserContext, demo: Demo) -> Page:
    """Somebody at the site whose camera is on."""
    page = context.new_page()
    page.add_init_script(KEEP_CONNECTIONS)
    sign_in(page, demo.base_url, demo.user("site"))
    page.get_by_test_id("join-demo").click()
    enter(page, camera=True)
    return page


def without_a_recording(page: Page) -> None:
    """An archive gets the largest picture whoever watches; so this patient does not agree to one."""
    page.get_by_test_id("consent-toggle").click()
    page.get_by_test_id("confirm").click()
    expect(page.get_by_test_id("consent")).to_have_attribute("data-record", "false")


def face_id(page: Page) -> str:
    """The feed that is a person's."""
    tile = page.locator('.tile[data-kind="person"]').first
    tile.wait_for(timeout=LIVE_WITHIN_S * 1000)
    return str(tile.get_attribute("data-feed"))


def width_of(page: Page, feed: str) -> int:
    return int(stats(page)["feeds"].get(feed, {}).get("frameWidth", 0))


def shows(page: Page, feed: str, layer: str, width: int) -> None:
    """The page gets that layer, in that size, and it moves."""

    def so(report: dict[str, Any]) -> bool:
        shown = report["feeds"].get(feed, {})
        return (shown.get("layer"), shown.get("frameWidth"), shown.get("state")) == (layer, width, "live")

    wait_for(page, so, CHANGED_WITHIN_S, f"{feed} in layer {layer}")


def active(page: Page) -> set[str]:
    sent: dict[str, dict[str, Any]] = page.evaluate(SENT)
    return {rid for rid, one in sent.items() if one["active"]}


def rests(page: Page, *rids: str) -> None:
    """Just these encodings are sent: no frame of another leaves the page."""
    wanted = set(rids)
    for _ in range(int(CHANGED_WITHIN_S * 5)):
        if active(page) == wanted:
            before = page.evaluate(SENT)
            page.wait_for_timeout(1_000)
            after = page.evaluate(SENT)
            moving = {rid for rid in after if after[rid]["frames"] > before[rid]["frames"]}
            if moving == wanted:
                return
        page.wait_for_timeout(200)
    raise AssertionError(f"sent: {page.evaluate(SENT)}, wanted: {wanted}")


def test_everybody_gets_the_size_they_show_and_the_rest_is_not_sent(
    small_demo: Demo, person: BrowserContext, other_person: BrowserContext, third_person: BrowserContext
) -> None:
    source = publisher(person, small_demo)
    without_a_recording(source)
    small, large = other_person.new_page(), third_person.new_page()
    join(small, small_demo.base_url, small_demo.user("specialist"))
    feed = face_id(small)
    shows(small, feed, "q", SMALL_PX)
    rests(source, "q")

    join(large, small_demo.base_url, small_demo.user("specialist2"))
    large.get_by_test_id(f"feed-{feed}").locator(".cover").click()
    shows(large, feed, "f", LARGE_PX)
    rests(source, "q", "f")
    assert width_of(small, feed) == SMALL_PX

    large.close()
    rests(source, "q")
    shows(small, feed, "q", SMALL_PX)
    assert stats(small)["feeds"][feed]["lowered"] is None
