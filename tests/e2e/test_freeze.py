"""Freeze: everybody gets the very frame that one of them saw, draws on it, and the live picture goes on."""

from __future__ import annotations

import base64
import io
import time
from collections.abc import Iterator
from typing import Any, Final

import cv2
import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, expect

from edge_agents.timecode import decode
from tests.support.accessibility import violations
from tests.support.browser import join, join_on_site, not_see, see, wait_for
from tests.support.demo import Demo
from tests.support.stage import new_person
from tests.support.time_code_page import SCRIPT

pytestmark = pytest.mark.browser

FEED: Final = "theatre"
STILL_WITHIN_MS: Final = 15_000
NOTE_PRESS: Final = """(feed) => {
  const seen = [];
  const look = () => {
    const code = window.look.videoOf(feed) ? window.look.videoCode(feed) : null;
    if (code !== null && seen.at(-1) !== code) seen.push(code);
    requestAnimationFrame(look);
  };
  look();
  window.addEventListener('keydown', (event) => {
    if (event.code !== 'KeyF') return;
    look();
    window.pressedOn = seen.slice(-3);
  }, true);
}"""
"""Time codes of the last frames on screen when the key goes down, the newest last: the browser may have put a
newer one there than the last it has told the page of.
"""
SAME_FRAME_US: Final = 5_000
"""The server's clock and the box's agree by so much here, and frames are farther from each other."""
STILL_PNG: Final = """() => {
  const still = document.querySelector('[data-testid="still"]');
  const canvas = document.createElement('canvas');
  canvas.width = still.naturalWidth;
  canvas.height = still.naturalHeight;
  canvas.getContext('2d').drawImage(still, 0, 0);
  return canvas.toDataURL('image/png').split(',')[1];
}"""
LIVE_TIME: Final = "() => document.querySelector('.frozen-live video').currentTime"
INKED: Final = """([testid, x, y]) => {
  const canvas = document.querySelector(`[data-testid="${testid}"]`);
  const picture = canvas.closest('.picture').querySelector('img.still-picture, video');
  const [pw, ph] = [picture.naturalWidth ?? picture.videoWidth, picture.naturalHeight ?? picture.videoHeight];
  const scale = Math.min(canvas.width / pw, canvas.height / ph);
  const [w, h] = [pw * scale, ph * scale];
  const px = Math.round((canvas.width - w) / 2 + x * w), py = Math.round((canvas.height - h) / 2 + y * h);
  const { data } = canvas.getContext('2d').getImageData(px - 1, py - 1, 3, 3);
  return data.some((value, at) => at % 4 === 3 && value > 60);
}"""
SPOT: Final = """([testid, x, y]) => {
  const canvas = document.querySelector(`[data-testid="${testid}"]`);
  const picture = canvas.closest('.picture').querySelector('img.still-picture');
  const box = canvas.getBoundingClientRect();
  const scale = Math.min(box.width / picture.naturalWidth, box.height / picture.naturalHeight);
  const [w, h] = [picture.naturalWidth * scale, picture.naturalHeight * scale];
  return [box.left + (box.width - w) / 2 + x * w, box.top + (box.height - h) / 2 + y * h];
}"""
ON_STILL: Final = f"still-drawing-{FEED}"


@pytest.fixture
def pages(small_demo: Demo, browser: Browser) -> Iterator[tuple[Page, Page]]:
    """A specialist, and the people beside the device."""
    contexts = [new_person(browser) for _ in range(2)]
    for context in contexts:
        context.add_init_script(SCRIPT)
    wang, site = (context.new_page() for context in contexts)
    join(wang, small_demo.base_url, small_demo.user("specialist"))
    join_on_site(site, small_demo.base_url, small_demo.user("site"))
    for page in (wang, site):
        focus(page)
    yield wang, site
    for context in contexts:
        context.close()


def focus(page: Page) -> None:
    wait_for(page, lambda report: report["feeds"].get(FEED, {}).get("framesDecoded"), 15, "a picture")
    page.locator(f'[data-testid="feed-{FEED}"][data-focused="true"]').wait_for()


def still_on(page: Page) -> bytes:
    """The frozen picture that is shown there, as PNG."""
    page.get_by_test_id("still").wait_for(timeout=STILL_WITHIN_MS)
    page.wait_for_function("() => document.querySelector('[data-testid=still]').naturalWidth > 0")
    return base64.b64decode(page.evaluate(STILL_PNG))


def code_of(png: bytes) -> int | None:
    picture = cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_GRAYSCALE)
    assert picture is not None
    return decode(np.asarray(picture))


def check_frame(png: bytes, page: Page, pressed_on: list[int]) -> int:
    """It is the very frame that was asked for, on screen when the key was pressed; its time code."""
    code = code_of(png)
    requested_us = int(page.get_by_test_id("still").get_attribute("data-captured-us") or 0)
    assert code is not None
    assert abs(code - requested_us) <= SAME_FRAME_US
    assert code in pressed_on
    return code


def freeze(page: Page) -> list[int]:
    """By the key; the time codes of the last frames that were on screen then."""
    page.evaluate(NOTE_PRESS, FEED)
    page.wait_for_timeout(500)
    page.keyboard.press("f")
    pressed_on: list[int] = page.evaluate("() => window.pressedOn")
    return pressed_on


def marks_on(page: Page) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = page.evaluate("() => window.teleconsult.drawings()")[FEED]["marks"]
    return found


def draw_line(page: Page, y: float = 0.5) -> None:
    if not page.get_by_test_id("tool-pen").count():
        page.get_by_test_id("draw-open").click()
    page.get_by_test_id("tool-pen").click()
    page.mouse.move(*page.evaluate(SPOT, [ON_STILL, 0.3, y]))
    page.mouse.down()
    for number in range(1, 11):
        page.mouse.move(*page.evaluate(SPOT, [ON_STILL, 0.3 + 0.04 * number, y]))
    page.mouse.up()


def until(page: Page, script: str, argument: Any) -> None:
    page.wait_for_function(script, arg=argument, timeout=STILL_WITHIN_MS)


def test_everybody_gets_the_very_frame_and_draws_on_it_while_the_live_picture_goes_on(
    pages: tuple[Page, Page], small_demo: Demo, browser: Browser
) -> None:
    wang, site = pages
    pressed_on = freeze(wang)
    code = check_frame(still_on(wang), wang, pressed_on)
    assert code_of(still_on(site)) == code
    for page in pages:
        before = page.evaluate(LIVE_TIME)
        until(page, f"(before) => ({LIVE_TIME})() > before + 0.5", before)
        expect(page.locator(".frozen-live")).to_contain_text("Live")

    draw_line(wang)
    for page in pages:
        until(page, INKED, [ON_STILL, 0.5, 0.5])
    (mark,) = marks_on(site)
    still_us = int(site.get_by_test_id("still").get_attribute("data-captured-us") or 0)
    assert (mark["anchor"], mark["captured_us"]) == ("frame", still_us)
    draw_line(site, 0.7)
    for page in pages:
        until(page, INKED, [ON_STILL, 0.5, 0.7])
        assert violations(page) == []

    late_context = new_person(browser)
    late_context.add_init_script(SCRIPT)
    late = late_context.new_page()
    join(late, small_demo.base_url, small_demo.user("specialist2"))
    focus(late)
    assert code_of(still_on(late)) == code
    until(late, INKED, [ON_STILL, 0.5, 0.5])
    assert late.get_by_test_id("unfreeze").count() == 0, "it is not theirs"
    late_context.close()

    check_saved(wang, code)
    check_leaving(wang, site)


def check_saved(page: Page, code: int) -> None:
    """The picture with the drawings in it, at its full size."""
    plain = cv2.imdecode(np.frombuffer(still_on(page), np.uint8), cv2.IMREAD_COLOR)
    with page.expect_download() as download:
        page.get_by_test_id("save-still").click()
    saved = np.asarray(Image.open(download.value.path()).convert("RGB"))[..., ::-1]
    assert plain is not None
    assert saved.shape == plain.shape
    buffer = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(saved[..., ::-1])).save(buffer, "PNG")
    assert code_of(buffer.getvalue()) == code
    height, width = saved.shape[:2]
    changed = np.abs(saved.astype(int) - plain.astype(int)).max(axis=2) > 40
    assert changed[height // 2 - 3 : height // 2 + 4, width // 2].any()
    assert not changed[: height // 3].any()
    assert download.value.suggested_filename.startswith(f"{FEED}-")


def check_leaving(wang: Page, site: Page) -> None:
    """Back to live is one's own; what was drawn on the still is not on the live picture."""
    site.get_by_test_id("back-to-live").click()
    not_see(site, "still")
    see(site, f"drawing-{FEED}")
    site.wait_for_timeout(300)
    assert not site.evaluate(INKED, [f"drawing-{FEED}", 0.5, 0.5])
    see(wang, "still")
    site.get_by_test_id("show-still").click()
    see(site, "still")
    wang.keyboard.press("f")
    not_see(wang, "still")
    wang.get_by_test_id("show-still").click()
    wang.get_by_test_id("unfreeze").click()
    for page in (wang, site):
        not_see(page, "still")
        not_see(page, "show-still")


def test_what_cannot_be_frozen_is_said_and_nothing_is_shown_as_if_it_were(pages: tuple[Page, Page]) -> None:
    wang, site = pages
    site.get_by_test_id("freeze").click()
    still_on(site)
    still_on(wang)
    site.get_by_test_id("pause").click()
    for page in pages:
        not_see(page, "still")
    wang.keyboard.press("f")
    expect(wang.get_by_test_id(f"freeze-words-{FEED}")).to_contain_text("paused")
    site.get_by_test_id("pause").click()
    for page in pages:
        still_on(page)
    began_s = time.monotonic()
    wang.get_by_test_id("back-to-live").click()
    wait_for(wang, lambda report: report["feeds"][FEED]["state"] == "live", 20, "the picture is back")
    pressed_on = freeze(wang)
    see(wang, "still")
    check_frame(still_on(wang), wang, pressed_on)
    assert time.monotonic() - began_s < 60
