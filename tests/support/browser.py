"""Chromium as a specialist's computer has it, driven by Playwright."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

from playwright.sync_api import Browser, Page, Playwright, sync_playwright

CHROMIUM = "/usr/bin/chromium"
QUIET = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]
FAKE_DEVICES = ["--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"]


@contextlib.contextmanager
def chromium(*arguments: str) -> Iterator[Browser]:
    """One headless Chromium, closed at the end."""
    with sync_playwright() as playwright:
        browser = launch(playwright, *arguments)
        try:
            yield browser
        finally:
            browser.close()


def launch(playwright: Playwright, *arguments: str) -> Browser:
    return playwright.chromium.launch(
        executable_path=CHROMIUM, headless=True, args=[*QUIET, *FAKE_DEVICES, *arguments]
    )


def sign_in(page: Page, base_url: str, credentials: tuple[str, str]) -> None:
    page.goto(base_url)
    page.get_by_test_id("username").fill(credentials[0])
    page.get_by_test_id("password").fill(credentials[1])
    page.get_by_test_id("sign-in").click()


def join(page: Page, base_url: str, credentials: tuple[str, str], room: str = "demo") -> None:
    sign_in(page, base_url, credentials)
    page.get_by_test_id(f"join-{room}").click()


def stats(page: Page) -> dict[str, Any]:
    """What the page tells about its connections (`window.teleconsult`)."""
    found: dict[str, Any] = page.evaluate("() => window.teleconsult.stats()")
    return found


def wait_for(page: Page, look: Callable[[dict[str, Any]], Any], deadline_s: float, what: str) -> Any:
    """Poll the page's stats until `look` finds something. Fails with the last stats."""
    last: dict[str, Any] = {}
    for _ in range(int(deadline_s / 0.1)):
        last = stats(page)
        if found := look(last):
            return found
        page.wait_for_timeout(100)
    raise AssertionError(f"{what}: not within {deadline_s} s; last: {last}")
