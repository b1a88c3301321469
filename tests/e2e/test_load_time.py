"""How soon the pages can be used, cold, also on a slower processor. Printed for docs/performance.md."""

from __future__ import annotations

import statistics
import time

import pytest
from playwright.sync_api import Browser

from tests.support.browser import enter, see, sign_in, wait_for
from tests.support.demo import Demo
from tests.support.stage import new_person

pytestmark = [pytest.mark.browser, pytest.mark.timeout(180)]

ROUNDS = 5
USABLE_WITHIN_MS = 2000.0
SLOWER = 4
SLOW_WITHIN_MS = 6000.0

READY = """() => new Promise((done) => {
  const look = () => {
    const field = document.querySelector('[data-testid="username"]');
    if (field) { field.focus(); requestAnimationFrame(() => done(performance.now())); }
    else requestAnimationFrame(look);
  };
  look();
})"""
SIZES = """() => performance.getEntriesByType("resource").concat(performance.getEntriesByType("navigation"))
  .map(({ name, encodedBodySize }) => [new URL(name).pathname, encodedBodySize])"""


def usable_ms(browser: Browser, base_url: str, slower: int = 1) -> float:
    """From the navigation's start until somebody can type the name, nothing cached."""
    context = new_person(browser)
    page = context.new_page()
    if slower > 1:
        page.context.new_cdp_session(page).send("Emulation.setCPUThrottlingRate", {"rate": slower})
    page.goto(base_url, wait_until="commit")
    took: float = page.evaluate(READY)
    context.close()
    return took


@pytest.mark.parametrize(("slower", "within_ms"), [(1, USABLE_WITHIN_MS), (SLOWER, SLOW_WITHIN_MS)])
def test_the_sign_in_page_is_usable_soon(demo: Demo, browser: Browser, slower: int, within_ms: float) -> None:
    took = sorted(usable_ms(browser, demo.base_url, slower) for _ in range(ROUNDS))
    print(f"usable after {statistics.median(took):.0f} ms (of {ROUNDS}: {took}), CPU {slower} times slower")
    assert took[0] <= within_ms, (
        took
    )  # the best of five: what the page needs, not what the machine does besides


def test_everything_comes_from_one_host_compressed_and_the_room_opens_at_once(
    demo: Demo, browser: Browser
) -> None:
    context = new_person(browser)
    page = context.new_page()
    hosts: set[str] = set()
    page.on("request", lambda request: hosts.add(request.url.split("/")[2]))
    sign_in(page, demo.base_url, demo.user("specialist"))
    see(page, "join-demo")
    sizes = dict(page.evaluate(SIZES))
    scripts = sum(size for path, size in sizes.items() if path.endswith(".js"))
    print(f"JavaScript as sent: {scripts / 1000:.1f} kB; all: {sum(sizes.values()) / 1000:.1f} kB")
    assert 0 < scripts <= 250_000
    assert hosts == {demo.base_url.removeprefix("http://")}, "nothing is fetched from elsewhere"
    page.get_by_test_id("join-demo").click()
    see(page, "enter")
    began = time.monotonic()
    enter(page)
    first = wait_for(page, first_frames, 20, "first pictures")
    print(f"first pictures {first} ms after entering, all in all {time.monotonic() - began:.1f} s")
    context.close()


def first_frames(report: dict) -> list[float] | None:
    found = [shown["firstFrameMs"] for shown in report["feeds"].values()]
    return found if len(found) >= 2 and all(ms is not None for ms in found) else None
