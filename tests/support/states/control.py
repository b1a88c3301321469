"""Remote control of a device, from asking to its end: at who asks, and at the people beside the device."""

from __future__ import annotations

from collections.abc import Iterator

from playwright.sync_api import Page

from tests.support.browser import see, wait_for
from tests.support.console_box import FEED, ConsoleBox
from tests.support.states.cast import Cast, State

LIVE_WITHIN_S = 60.0


def control_states(cast: Cast) -> Iterator[State]:
    box = cast.stack.enter_context(ConsoleBox(cast.demo))
    expert = _looking(cast.in_room("specialist"))
    host = _looking(cast.in_room("site"))
    expert.get_by_test_id("ask-control").click()
    see(expert, "take-back")
    yield State("control-waits", expert)
    see(host, "grant-5")
    yield State("control-asked", host)
    host.get_by_test_id("grant-5").click()
    see(host, "control-code")
    yield State("control-confirm", host)
    site = _looking(cast.in_room("site", on_site=True))
    yield State("control-confirm-onsite", site)
    box.answer(box.granted()["control_id"], "confirmed", way="touch")
    see(expert, "use-control")
    yield State("control-watched", host)
    yield State("control-watched-onsite", site)
    expert.get_by_test_id("use-control").click()
    yield State("control-active", expert)
    box.answer(box.granted()["control_id"], "ended", reason="device_failed")
    see(expert, "control-seen")
    yield State("control-over", expert)


def _looking(page: Page) -> Page:
    """At the console, large."""
    wait_for(
        page, lambda report: report["feeds"].get(FEED, {}).get("framesDecoded"), LIVE_WITHIN_S, "a picture"
    )
    page.locator(f'[data-testid="feed-{FEED}"] .cover').click()
    page.locator(f'[data-testid="feed-{FEED}"][data-focused="true"]').wait_for()
    return page
