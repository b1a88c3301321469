"""Chromium as a specialist's computer has it, driven by Playwright."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

from playwright.sync_api import Browser, BrowserType, Page, Playwright, expect, sync_playwright

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
SHARE_WHOLE_SCREEN = "--auto-select-desktop-capture-source=Entire screen"
ENTER_WITHIN_MS = 20_000
SEE_WITHIN_MS = 15_000
PREJOIN_OR_ROOM = '[data-testid="enter"], [data-testid="room"], [data-testid="onsite"]'


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
    return _start(playwright.chromium, *arguments)


def launch_beside(browser: Browser, *arguments: str) -> Browser:
    """Another one, with processes of its own."""
    return _start(browser.browser_type, *arguments)


def _start(kind: BrowserType, *arguments: str) -> Browser:
    return kind.launch(executable_path=CHROMIUM, headless=True, args=[*QUIET, *FAKE_DEVICES, *arguments])


def sign_in(page: Page, base_url: str, credentials: tuple[str, str]) -> None:
    page.goto(base_url)
    page.get_by_test_id("username").fill(credentials[0])
    page.get_by_test_id("password").fill(credentials[1])
    page.get_by_test_id("sign-in").click()


def join(page: Page, base_url: str, credentials: tuple[str, str], room: str = "demo") -> None:
    """Sign in, choose the consultation, pass the page before it with microphone and camera off."""
    sign_in(page, base_url, credentials)
    page.get_by_test_id(f"join-{room}").click()
    enter(page)


def enter(page: Page, *, microphone: bool = False, camera: bool = False) -> None:
    """Pass the page before the room; a reload of a room's tab does not show it."""
    page.locator(PREJOIN_OR_ROOM).first.wait_for(timeout=ENTER_WITHIN_MS)
    if page.get_by_test_id("enter").is_visible():
        for testid, wanted in (("prejoin-mic", microphone), ("prejoin-camera", camera)):
            choose(page, testid, wanted)
        page.get_by_test_id("enter").click()


def choose(page: Page, testid: str, wanted: bool) -> None:
    """Press a toggle until it says what is wanted."""
    toggle = page.get_by_test_id(testid)
    if pressed(page, testid) != wanted:
        toggle.click()
        expect(toggle).to_have_attribute("aria-pressed", str(wanted).lower(), timeout=SEE_WITHIN_MS)


def pressed(page: Page, testid: str) -> bool:
    return page.get_by_test_id(testid).get_attribute("aria-pressed") == "true"


def arrive_by_link(page: Page, url: str, name: str | None = None) -> None:
    """As a guest who got an invitation: open the link, say who one is, pass the page before the room."""
    page.goto(url)
    if name is not None and page.get_by_test_id("guest-name").count():
        page.get_by_test_id("guest-name").fill(name)
    page.get_by_test_id("invite-enter").click()
    enter(page)


def join_on_site(page: Page, base_url: str, credentials: tuple[str, str], room: str = "demo") -> None:
    """As the people beside the device: the page with the big buttons."""
    sign_in(page, base_url, credentials)
    page.get_by_test_id(f"onsite-{room}").click()
    enter(page)
    see(page, "onsite")


def see(page: Page, testid: str, within_ms: float = SEE_WITHIN_MS) -> None:
    page.get_by_test_id(testid).first.wait_for(timeout=within_ms)


def not_see(page: Page, testid: str, within_ms: float = SEE_WITHIN_MS) -> None:
    """It is gone, or hidden."""
    expect(page.get_by_test_id(testid).and_(page.locator(":visible"))).to_have_count(0, timeout=within_ms)


def open_panel(page: Page, testid: str) -> None:
    """`chat` or `people`, if it is not open already."""
    panel = {"chat": "chat-panel", "people": "people"}[testid]
    if not page.get_by_test_id(panel).is_visible():
        page.get_by_test_id(f"show-{testid}").click()
        see(page, panel)


def say(page: Page, text: str) -> None:
    """Into the chat."""
    open_panel(page, "chat")
    page.get_by_test_id("chat-input").fill(text)
    page.get_by_test_id("chat-send").click()


def chat_texts(page: Page) -> list[str]:
    open_panel(page, "chat")
    return page.get_by_test_id("chat-entry").all_inner_texts()


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
