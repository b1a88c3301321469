"""The consultation room with everything that can be open in it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from playwright.sync_api import Page

from tests.support.browser import enter, not_see, open_panel, say, see, wait_for
from tests.support.pictures import scan
from tests.support.stage import both_live
from tests.support.states.cast import Cast, State

LIVE_WITHIN_S = 60.0
FRAMES = 100
"""Until delay and frame rate are known and a judgement stands beside the picture."""


def settled(report: dict[str, Any]) -> bool:
    return both_live(report) and all(
        report["feeds"][name]["framesDecoded"] > FRAMES for name in ("ultrasound", "theatre")
    )


def with_pictures(page: Page) -> Page:
    wait_for(page, settled, LIVE_WITHIN_S, "pictures")
    return page


def room_states(cast: Cast) -> Iterator[State]:
    page = with_pictures(cast.in_room("specialist"))
    page.get_by_test_id("feed-ultrasound").get_by_role("button").first.click()
    page.locator('[data-testid="feed-ultrasound"][data-focused="true"]').wait_for()
    yield State("room-focus", page)
    page.get_by_test_id("view").click()
    yield State("room-wall", page)
    page.get_by_test_id("view").click()
    yield from _dialogs(page, "room", ("settings", "keys"))
    site = cast.in_room("site")
    yield from _panels(cast, page, site)
    yield from _screen(cast, page)
    yield from _hosts(cast, site, page)


def _panels(cast: Cast, page: Page, site: Page) -> Iterator[State]:
    open_panel(site, "chat")
    picture = {"name": "frame.png", "mimeType": "image/png", "buffer": scan()}
    site.get_by_test_id("chat-file").set_input_files([picture])
    say(site, "Here is the still. 这是定格图像。")
    say(page, "Thank you. Please tilt the probe a little. 谢谢，请稍微倾斜探头。")
    open_panel(page, "chat")
    page.get_by_test_id("chat-picture").locator("img").last.wait_for()
    yield State("room-chat", page)
    page.get_by_test_id("show-chat").click()
    open_panel(page, "people")
    yield State("room-people", page)
    page.get_by_test_id("show-people").click()


def _screen(cast: Cast, page: Page) -> Iterator[State]:
    sharer = cast.in_room("specialist2")
    see(sharer, "screen")
    sharer.get_by_test_id("screen").click()
    see(sharer, "notice-sharing")
    yield State("room-sharing", sharer)
    shown = page.locator('[data-kind="screen"][data-status="live"]')
    shown.first.wait_for(timeout=LIVE_WITHIN_S * 1000)
    yield State("room-screen", page)
    sharer.get_by_test_id("stop-sharing").click()
    sharer.get_by_test_id("leave").click()


def _hosts(cast: Cast, site: Page, page: Page) -> Iterator[State]:
    guest = cast.page()
    guest.goto(cast.site().invite("Dr Guest 客")["url"])
    guest.get_by_test_id("invite-enter").click()
    enter(guest)
    with_pictures(site)
    see(site, "lobby-entry")
    open_panel(site, "people")
    yield State("room-knock", site)
    site.get_by_test_id("show-people").click()
    site.get_by_test_id("turn-away").click()
    guest.locator('[data-ending="turned-away"]').wait_for()
    yield State("lobby-turnedaway", guest)
    site.get_by_test_id("invite").click()
    see(site, "invite-dialog")
    yield State("room-invite", site)
    site.get_by_test_id("invite-name").fill("Dr Zhou 周")
    site.get_by_test_id("invite-create").click()
    see(site, "invite-url")
    yield State("room-invited", site)
    site.keyboard.press("Escape")
    yield from _dialogs(site, "room", ("end",), host=True)
    site.get_by_test_id("pause").click()
    see(page, "paused-banner")
    yield State("room-pause", page)
    site.get_by_test_id("pause").click()
    not_see(page, "paused-banner")


def _dialogs(page: Page, name: str, testids: tuple[str, ...], *, host: bool = False) -> Iterator[State]:
    for testid in testids:
        page.get_by_test_id(testid).click()
        page.locator("dialog[open]").wait_for()
        yield State(f"{name}-{testid}", page)
        page.keyboard.press("Escape")
        page.locator("dialog[open]").wait_for(state="detached")
